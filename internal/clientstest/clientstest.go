// Package clientstest sends events to track as trackers and SDKs do, and knows which of them
// must be stored afterwards.
package clientstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// Sites is the number of sites that clients send events of: site0.example, site1.example and
// so on.
const Sites = 3

const (
	batch = 20 // events per request
	// concurrency bounds the requests in flight. If track can't keep up, the rate falls.
	concurrency = 256
	// behind bounds the lag that clients catch up with after an outage of track.
	behind = 10 * time.Second
)

// Clients send events. They retry a request, with the same ids, until it is answered with
// 202.
type Clients struct {
	url  string
	rate int // new events per second
	http *http.Client

	mu       sync.Mutex
	sent     map[uuid.UUID]bool // whether the event was answered with 202
	answered int                // distinct events answered with 202
	counts   Counts
}

// Counts are numbers of requests and of the events in them. Retries count.
type Counts struct {
	Events   int // distinct events
	Tries    int // events in all requests
	Accepted int // events in all requests answered with 202
	Refused  int // failed requests
}

// request is a request of one visitor to track.
type request struct {
	ids            []uuid.UUID
	body           []byte
	address, agent string
}

// New returns clients that send a number of new events per second to track.
func New(url string, rate int) *Clients {
	return &Clients{
		url:  url,
		rate: rate,
		http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 32, MaxIdleConnsPerHost: 32}},
		sent: map[uuid.UUID]bool{},
	}
}

// Run sends events at a steady rate until stop is closed, and returns once all are answered
// with 202. One request in ten repeats an earlier one.
func (c *Clients) Run(ctx context.Context, r *rand.Rand, stop <-chan struct{}) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	var past []request
	interval := time.Second * batch / time.Duration(c.rate)
	for due := time.Now(); ; due = due.Add(interval) {
		if lag := time.Since(due); lag > behind {
			due = due.Add(lag - behind)
		}
		select {
		case <-ctx.Done():
			return group.Wait()
		case <-stop:
			return group.Wait()
		case <-time.After(time.Until(due)):
		}
		next := c.make(r)
		past = append(past, next)
		group.Go(func() error { return c.deliver(ctx, next) })
		if r.IntN(10) == 0 {
			again := past[r.IntN(len(past))]
			if r.IntN(4) == 0 { // the device has changed networks
				again.address = address(r)
			}
			group.Go(func() error { return c.deliver(ctx, again) })
		}
	}
}

func address(r *rand.Rand) string {
	return fmt.Sprintf("203.0.%d.%d", 113+r.IntN(4), r.IntN(256))
}

// make returns a request of one visitor, with current events and with events of the last
// three hours, as from a device that was offline.
func (c *Clients) make(r *rand.Rand) request {
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
	}
	referrers := []string{"", "https://www.google.com/", "https://news.ycombinator.com/item?id=1", "https://partner.example/reviews"}
	out := request{address: address(r), agent: agents[r.IntN(len(agents))]}
	now := time.Now()
	site := fmt.Sprintf("site%d.example", r.IntN(Sites))
	events := make([]string, batch)
	for i := range events {
		id := uuid.Must(uuid.NewV7())
		out.ids = append(out.ids, id)
		events[i] = fmt.Sprintf(`{"id":%q,"site":%q,"url":"https://%[2]s/section/%d?utm_campaign=c%d","referrer":%q,"language":"fr","screen":"390x844"`,
			id, site, r.IntN(200), r.IntN(5), referrers[r.IntN(len(referrers))])
		switch r.IntN(10) {
		case 0:
			events[i] += fmt.Sprintf(`,"type":"conversion","name":"Purchase","value":{"amount":"%d.%02d","currency":"EUR"}`, r.IntN(200), r.IntN(100))
		case 1:
			events[i] += fmt.Sprintf(`,"type":"funnel_step","funnel":{"id":"signup","step":%d}`, 1+r.IntN(4))
		case 2:
			events[i] += fmt.Sprintf(`,"type":"click","name":"Plan","props":{"plan":"p%d"}`, r.IntN(3))
		default:
			events[i] += `,"type":"view"`
		}
		if r.IntN(4) == 0 {
			events[i] += fmt.Sprintf(`,"timestamp":%q`, now.Add(-time.Duration(r.Int64N(int64(3*time.Hour)))).UTC().Format(time.RFC3339Nano))
		}
		events[i] += "}"
	}
	out.body = []byte("[" + strings.Join(events, ",") + "]")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range out.ids {
		c.sent[id] = false
	}
	return out
}

// deliver sends a request until it is answered with 202.
func (c *Clients) deliver(ctx context.Context, r request) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := c.send(ctx, r)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// send sends a request once. It returns an error if a retry can't help.
func (c *Clients) send(ctx context.Context, r request) (done bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/", bytes.NewReader(r.body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", r.agent)
	req.Header.Set("X-Forwarded-For", r.address)
	c.mu.Lock()
	c.counts.Tries += len(r.ids)
	c.mu.Unlock()
	status, body, failure := c.post(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if failure != nil || status == http.StatusServiceUnavailable || status == http.StatusRequestTimeout {
		c.counts.Refused++
		return false, nil
	}
	var answer struct{ Accepted int }
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusAccepted || answer.Accepted != len(r.ids) {
		return false, errors.Join(fmt.Errorf("track answered %d %s", status, body), err)
	}
	c.counts.Accepted += len(r.ids)
	for _, id := range r.ids {
		if !c.sent[id] {
			c.answered++
		}
		c.sent[id] = true
	}
	return true, nil
}

func (c *Clients) post(req *http.Request) (status int, body []byte, err error) {
	response, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// Count returns the number of distinct events answered with 202 so far.
func (c *Clients) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered
}

// Counts returns what was sent so far.
func (c *Clients) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	counts.Events = len(c.sent)
	return counts
}

// Check compares the events that were answered with those stored.
func (c *Clients) Check(t *testing.T, stored []uuid.UUID) {
	t.Helper()
	times := make(map[uuid.UUID]int, len(stored))
	for _, id := range stored {
		times[id]++
	}
	var missing, duplicated, unknown []uuid.UUID
	for id, answered := range c.sent {
		if answered && times[id] == 0 {
			missing = append(missing, id)
		}
	}
	for id, n := range times {
		if _, ok := c.sent[id]; !ok {
			unknown = append(unknown, id)
		}
		if n > 1 {
			duplicated = append(duplicated, id)
		}
	}
	for what, ids := range map[string][]uuid.UUID{
		"were answered with 202 but are not stored": missing, "are stored more than once": duplicated, "are stored but were never sent": unknown,
	} {
		if len(ids) > 0 {
			slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
			t.Errorf("%d events %s, from %s to %s", len(ids), what, ids[0], ids[len(ids)-1])
		}
	}
}
