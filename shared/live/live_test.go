package live_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/live"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// TestWindow compares the window with a list of all sightings, while time passes.
func TestWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type sighting struct {
			site    int32
			visitor int64
			second  int64
		}
		var all []sighting
		window := live.NewWindow()
		now := time.Unix(1_700_000_000, 0)
		passed := rapid.OneOf(rapid.Int64Range(0, 3000), rapid.Int64Range(0, 900_000))
		ago := rapid.Int64Range(-60_000, 400_000)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(passed.Draw(t, "milliseconds passed")) * time.Millisecond)
			at := now.Add(-time.Duration(ago.Draw(t, "milliseconds ago")) * time.Millisecond)
			site, visitor := rapid.Int32Range(1, 2).Draw(t, "site"), rapid.Int64Range(1, 4).Draw(t, "visitor")
			window.Add(site, visitor, at, now)
			all = append(all, sighting{site, visitor, min(at.Unix(), now.Unix())})

			for site := int32(1); site <= 2; site++ {
				current := map[int64]bool{}
				for _, s := range all {
					if s.site == site && s.second > now.Unix()-300 {
						current[s.visitor] = true
					}
				}
				if got := window.Count(site, now); got != len(current) {
					t.Fatalf("site %d has %d visitors, want %d", site, got, len(current))
				}
			}
		}
	})
}

func view(site int32, visitor int64, at time.Time, page string) *event.Event {
	return &event.Event{
		Site: site, Time: at, Visitor: visitor, Type: event.View, Page: page,
		Attributes: event.Attributes{Source: "Google", Country: "FR", Browser: "Chrome", OS: "macOS", Device: "Desktop"},
	}
}

// told are the documents that wait for a subscriber.
func told(t *testing.T, s *live.Subscription) []string {
	t.Helper()
	var out []string
	for {
		select {
		case m, ok := <-s.Messages():
			if !ok {
				return append(out, "end")
			}
			if !json.Valid(m.Data) || !strings.HasPrefix(string(m.Data), `{"type":"`+m.Type+`"`) {
				t.Fatalf("a message of type %s is %s", m.Type, m.Data)
			}
			out = append(out, string(m.Data))
		default:
			return out
		}
	}
}

func visitors(n int) string { return fmt.Sprintf(`{"type":"visitors","visitors":%d}`, n) }

func pageView(page string, at time.Time) string {
	return `{"type":"event","event":{"time":"` + at.UTC().Format(time.RFC3339Nano) + `","type":"view","name":"","page":"` + page +
		`","source":"Google","country":"FR","browser":"Chrome","os":"macOS","device":"Desktop"}}`
}

func expect(t *testing.T, when string, s *live.Subscription, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, told(t, s)); diff != "" {
		t.Errorf("%s: %s", when, diff)
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	feed.Seen(1, 7, start.Add(-time.Minute), start)
	s := feed.Subscribe(1, "", start)
	other := feed.Subscribe(2, "", start)
	expect(t, "at connect", s, visitors(1))
	expect(t, "at connect", other, visitors(0))

	at := start.Add(100 * time.Millisecond)
	feed.Take(view(1, 8, at, "/a"), at)
	expect(t, "an event, too soon for visitors", s, pageView("/a", at))
	feed.Tick(start.Add(900 * time.Millisecond))
	expect(t, "still too soon", s)
	feed.Tick(start.Add(time.Second))
	expect(t, "a second after connect", s, visitors(2))

	at = start.Add(3 * time.Second)
	feed.Take(view(1, 9, at, "/b"), at)
	expect(t, "a new visitor after a quiet second", s, pageView("/b", at), visitors(3))
	at = start.Add(5 * time.Second)
	feed.Take(view(1, 9, at, "/c"), at)
	expect(t, "the same visitor", s, pageView("/c", at))

	feed.Tick(start.Add(live.Span + 10*time.Second))
	expect(t, "all have gone", s, visitors(0))
	expect(t, "what happens on another site", other)

	feed.Close()
	expect(t, "closed", s, "end")
	if !errors.Is(s.Err(), live.ErrClosed) {
		t.Errorf("the end is %v", s.Err())
	}
	late := feed.Subscribe(1, "", start)
	if expect(t, "after the end", late, "end"); !errors.Is(late.Err(), live.ErrClosed) {
		t.Errorf("the end is %v", late.Err())
	}
}

// TestAReaderStays: who only reads a page stays a current visitor, of whom nothing
// else is told.
func TestAReaderStays(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", start)
	first := <-s.Messages()
	for minute := range 10 {
		at := start.Add(time.Duration(minute)*time.Minute + time.Second)
		reading := view(1, 7, at, "/a")
		reading.Type, reading.Engaged = event.Engagement, 60_000
		feed.Take(reading, at)
	}
	expect(t, "after ten minutes", s, visitors(1))
	expect(t, "coming back", feed.Subscribe(1, first.ID, start.Add(10*time.Minute)), visitors(1))
	feed.Tick(start.Add(9*time.Minute + live.Span + time.Second))
	expect(t, "five minutes after the last", s, visitors(0))
}

func TestComingBack(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", now)
	feed.Take(view(1, 1, now, "/1"), now)
	<-s.Messages()
	last := <-s.Messages() // the event
	s.Cancel()
	feed.Take(view(1, 1, now, "/2"), now)
	feed.Take(view(2, 1, now, "/elsewhere"), now)
	feed.Take(view(1, 1, now, "/3"), now)

	expect(t, "after the last message", feed.Subscribe(1, last.ID, now), pageView("/2", now), pageView("/3", now), visitors(1))
	for _, id := range []string{"", "nonsense", "x-1", last.ID + "0", strings.Split(last.ID, "-")[0] + "--1"} {
		expect(t, "after "+id, feed.Subscribe(1, id, now), visitors(1))
	}
	expect(t, "after a message of another feed", live.NewFeed().Subscribe(1, last.ID, now), visitors(0))
}

func TestComingBackMuchLater(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first := <-feed.Subscribe(1, "", now).Messages()
	for i := range 5000 {
		now = now.Add(50 * time.Millisecond)
		feed.Take(view(1, 1, now, fmt.Sprint("/", i)), now)
	}
	got := told(t, feed.Subscribe(1, first.ID, now))
	if len(got) != 101 || got[99] != pageView("/4999", now) || got[100] != visitors(1) {
		t.Errorf("%d messages, the last of them %v", len(got), got[max(0, len(got)-2):])
	}
}

func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	slow, quick := feed.Subscribe(1, "", now), feed.Subscribe(1, "", now)
	heard := 0
	for i := range 1000 {
		feed.Take(view(1, 1, now, "/"), now.Add(time.Duration(i)*10*time.Millisecond))
		heard += len(told(t, quick))
	}
	got := told(t, slow)
	if got[len(got)-1] != "end" || !errors.Is(slow.Err(), live.ErrSlow) || len(got) > 300 {
		t.Errorf("a subscriber who takes nothing got %d messages, ending with %s and %v", len(got), got[len(got)-1], slow.Err())
	}
	if heard < 1000 {
		t.Errorf("the other heard %d messages, want all 1000 events", heard)
	}
}

func TestFloodOfEvents(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", now)
	for i := range int64(10_000) {
		feed.Take(view(1, i, now, "/"), now)
	}
	if got := told(t, s); len(got) != 1+live.EventsPerSecond {
		t.Errorf("%d messages in a second, want the visitors and %d events", len(got), live.EventsPerSecond)
	}
	feed.Tick(now.Add(time.Second))
	expect(t, "all are counted", s, visitors(10_000))
}

func TestEventTellsNothingMore(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", now)
	<-s.Messages()
	e := view(1, 4242424242, now, "/\xff")
	e.Title, e.Hostname, e.Referrer, e.City, e.Props = "hidden", "hidden", "hidden", "hidden", map[string]string{"hidden": "hidden"}
	feed.Take(e, now)
	m := <-s.Messages()
	if !json.Valid(m.Data) || strings.Contains(string(m.Data), "hidden") || strings.Contains(string(m.Data), "4242424242") {
		t.Errorf("an event is told as %s", m.Data)
	}
}
