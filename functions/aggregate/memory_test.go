package aggregate_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

// TestMemoryOfLongBacklog checks that batches bound the memory of aggregate, whatever is
// queued: a backlog ten times as long as one that fills batches takes less than three times
// the memory. The factor allows for how the peaks of two workers coincide.
func TestMemoryOfLongBacklog(t *testing.T) {
	t.Parallel()
	const short, long = 100_000, 1_000_000
	events := traffic(rand.New(rand.NewPCG(1, 2)), month(), 48*time.Hour, short+long)
	database := localtest.Postgres(t)
	_, client := prepare(t, database)
	w := &worker{program: build(t), database: database, redis: urlOf(client), env: []string{"AGGREGATE_WORKERS=2"}}
	w.start(t)
	defer w.kill(t)

	var peaks []float64
	for _, n := range []int{short, long} {
		enqueue(t, client, events[:n])
		events = events[n:]
		if err := w.runUntilEmpty(t.Context()); err != nil {
			t.Fatal(err)
		}
		peaks = append(peaks, platformtest.PeakMemory(t, w.process.Process.Pid))
	}
	t.Logf("peak memory with backlogs of %d and %d events: %.0f MB", short, long, peaks)
	if peaks[1] > 3*peaks[0] {
		t.Errorf("peak memory with a backlog of %d events is %.0f MB, with %d it is %.0f MB: want at most 3 times as much", short, peaks[0], long, peaks[1])
	}
}

// TestMemoryOfHostileBacklog checks that aggregate stores what strangers can queue in the memory
// that it is deployed with, and that none of it is lost: in one shard, which fills its batches, or
// in all at once.
func TestMemoryOfHostileBacklog(t *testing.T) {
	t.Parallel()
	for name, hostile := range map[string]struct {
		events int
		event  func(i int) *event.Event
	}{
		"events of 20 KB":                     {9500, largeEvent},
		"events with all values distinct":     {60_000, distinctEvent},
		"visitor-days with many large events": {20_000, ofFewVisitors},
	} {
		for _, shards := range []int{1, queue.Shards} {
			t.Run(fmt.Sprintf("%s, shards=%d", name, shards), func(t *testing.T) {
				t.Parallel()
				database := localtest.Postgres(t)
				_, client := prepare(t, database)
				events := make([]*event.Event, hostile.events)
				for i := range events {
					events[i] = hostile.event(i)
					events[i].Visitor *= int64(queue.Shards / shards)
				}
				enqueue(t, client, events)
				p := platformtest.Start(t, "aggregate", "DATABASE_URL="+database, "REDIS_URL="+urlOf(client),
					"ADMIN_TOKEN="+token, fmt.Sprintf("AGGREGATE_WORKERS=%d", shards))
				w := &worker{url: p.URL}
				stored := 0.
				for left := 1.; left > 0; {
					status, answer, err := w.run(t.Context(), token)
					if err != nil || status != 200 {
						t.Fatal(status, answer, err)
					}
					stored += answer["events"].(float64)
					left = answer["backlog"].(float64)
				}
				p.CheckMemory(t)
				if stored != float64(len(events)) {
					t.Errorf("stored %.0f of %d events", stored, len(events))
				}
			})
		}
	}
}

// hostileEvent returns an event of its own visitor, with the attributes that track adds.
func hostileEvent(i int) *event.Event {
	at := month().Add(time.Duration(i) * time.Second)
	return &event.Event{
		ID: uuid.Must(uuid.NewV7()), Site: 1, Time: at, Day: event.DayOf(at), Visitor: int64(i), Type: event.View,
		Attributes: event.Attributes{Browser: "Firefox", OS: "Linux", Device: "Desktop", Country: "FR"},
	}
}

// largeEvent returns an event of 20 KB.
func largeEvent(i int) *event.Event {
	e := hostileEvent(i)
	e.Page = fmt.Sprint("/", i)
	e.Props = map[string]string{}
	for n := range 20 {
		e.Props[fmt.Sprint("key", n)] = strings.Repeat(strconv.Itoa(i%10), 1000)
	}
	return e
}

// distinctEvent returns a small event that has a value of its own in each field that a client
// sends.
func distinctEvent(i int) *event.Event {
	e := hostileEvent(i)
	value := fmt.Sprintf("%x", i)
	e.Type, e.Name, e.Page, e.Hostname, e.Tag = event.Conversion, value, "/"+value, value+".example", value
	a := &e.Attributes
	a.Referrer, a.Source, a.Language, a.Screen = value, value, value, value
	a.UTMSource, a.UTMMedium, a.UTMCampaign, a.UTMTerm, a.UTMContent = value, value, value, value, value
	return e
}

// ofFewVisitors returns an event of one of four visitors, with long addresses.
func ofFewVisitors(i int) *event.Event {
	e := hostileEvent(i)
	e.Visitor, e.Day = int64(i%4), event.DayOf(month())
	e.Time = month().Add(time.Duration(i) * time.Millisecond)
	e.Page, e.Referrer = fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 2000)), fmt.Sprintf("%d/%s", i, strings.Repeat("y", 2000))
	return e
}
