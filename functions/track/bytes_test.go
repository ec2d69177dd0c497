package track_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// large returns an event in JSON that takes somewhat more than 20,000 bytes in the queue.
func large(form string) string {
	var props strings.Builder
	for i := range 20 {
		fmt.Fprintf(&props, `,"k%d":"%s"`, i, strings.Repeat("x", 1000))
	}
	return fmt.Sprintf(form, "{"+props.String()[1:]+"}")
}

// TestRepeatedSites checks that an event that names a site many times is one event of it.
func TestRepeatedSites(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	c.addSite(t, "shop.example.com")
	body := large(`{"n":"pageview","u":"https://example.com/","d":"` + strings.Repeat("example.com,www.Example.com , ", 250) + `shop.example.com","p":%s}`)
	if response, text := c.send(t, http.MethodPost, "/api/event", string(zip(t, body)), "Content-Encoding", "gzip"); response.StatusCode != http.StatusAccepted {
		t.Errorf("status %d: %s", response.StatusCode, text)
	}
	sites := map[int32]int{}
	for _, e := range c.queued(t) {
		sites[e.Site]++
	}
	if len(sites) != 2 || sites[1] != 1 || sites[2] != 1 {
		t.Errorf("events queued by site: %v, want one of each", sites)
	}
}

// TestRateLimitInBytes checks that large events use up the limit of an address, and that of a
// site, faster than small ones.
func TestRateLimitInBytes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ limit, rules string }{
		"of an address": {"100", `{}`}, "of a site": {"0", `{"rate":100}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, localtest.Redis(t), "RATE_LIMIT", test.limit)
			if _, err := c.db.Exec(t.Context(), `INSERT INTO sites (public_id, domain, timezone, rules) VALUES ('s_2', 'large.example', 'UTC', $1)`, test.rules); err != nil {
				t.Fatal(err)
			}
			one := large(`{"site":"large.example","type":"click","props":%s}`)
			status, answer, _ := c.post(t, "["+strings.Repeat(one+",", 39)+one+"]")
			// Each counts ten times. If a new minute begins meanwhile, twice as many are accepted.
			accepted, _ := answer["accepted"].(float64)
			if status != http.StatusAccepted || accepted != 10 && accepted != 20 {
				t.Errorf("status %d, %v events accepted, want 10", status, accepted)
			}
			dropped, _ := answer["dropped"].([]any)
			if len(dropped) != 40-int(accepted) || !strings.Contains(fmt.Sprint(dropped), "rate") {
				t.Errorf("dropped %v", dropped)
			}
			if n := len(c.queued(t)); n != int(accepted) {
				t.Errorf("%d events are queued, want %v", n, accepted)
			}
		})
	}
}

// TestSharedContext checks that what the messages of a batch share does not make a small request a
// large one: events beyond two megabytes are rejected, the others accepted.
func TestSharedContext(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t), "RATE_LIMIT", "0")
	context := fmt.Sprintf(`{"page":{"url":"https://example.com/%s","title":"%s"}}`, strings.Repeat("x", 2000), strings.Repeat("t", 500))
	const n, least = event.MaxBatch, 2500
	body := `{"writeKey":"example.com","context":` + context + `,"batch":[` + strings.Repeat(`{"type":"track","event":"a"},`, n-1) + `{"type":"track","event":"a"}]}`
	response, text := c.send(t, http.MethodPost, "/v1/batch", body)
	var answer struct {
		Accepted int
		Errors   []struct{ Code, Detail string }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %s", response.StatusCode, err, text)
	}
	if most := 2 * event.MaxBody / least; answer.Accepted == 0 || answer.Accepted > most || answer.Accepted+len(answer.Errors) != n {
		t.Errorf("%d events accepted, %d rejected, want at most %d accepted of %d", answer.Accepted, len(answer.Errors), most, n)
	}
	for _, e := range answer.Errors {
		if e.Code != "too_many" || !strings.Contains(e.Detail, "2097152 bytes") {
			t.Fatalf("error %+v", e)
		}
	}
	if queued := len(c.queued(t)); queued != answer.Accepted {
		t.Errorf("%d events are queued, %d accepted", queued, answer.Accepted)
	}
}
