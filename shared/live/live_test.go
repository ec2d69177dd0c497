package live_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/live"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// memory is enough for all tests that don't bound it.
const memory = 128 << 20

// TestWindow compares the window with a list of all sightings as time passes.
func TestWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type sighting struct {
			site    int32
			visitor int64
			second  int64
		}
		var all []sighting
		window := live.NewWindow(memory)
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
					t.Fatalf("Count(site %d) = %d, want %d", site, got, len(current))
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

// next returns the messages that a subscriber has not received yet.
func next(t *testing.T, s *live.Subscription) []live.Message {
	t.Helper()
	messages, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// received returns the documents that a subscriber has not received yet, and "end" if the
// subscription has ended.
func received(t *testing.T, s *live.Subscription) (out []string) {
	t.Helper()
	select {
	case <-s.Ready():
	default:
		return nil
	}
	messages, err := s.Next()
	if err != nil {
		return []string{"end"}
	}
	for _, m := range messages {
		if !json.Valid(m.Data) || !strings.HasPrefix(string(m.Data), `{"type":"`+m.Type+`"`) {
			t.Fatalf("message of type %s: %s", m.Type, m.Data)
		}
		out = append(out, string(m.Data))
	}
	return out
}

// end returns the reason for the end of a subscription.
func end(s *live.Subscription) error {
	_, err := s.Next()
	return err
}

func visitors(n int) string { return fmt.Sprintf(`{"type":"visitors","visitors":%d}`, n) }

func pageView(page string, at time.Time) string {
	return `{"type":"event","event":{"time":"` + at.UTC().Format(time.RFC3339Nano) + `","type":"view","name":"","page":"` + page +
		`","source":"Google","country":"FR","browser":"Chrome","os":"macOS","device":"Desktop"}}`
}

func expect(t *testing.T, when string, s *live.Subscription, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, received(t, s)); diff != "" {
		t.Errorf("%s: %s", when, diff)
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed(memory)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	feed.AddVisitor(1, 7, start.Add(-time.Minute), start)
	s := feed.Subscribe(1, "", start)
	other := feed.Subscribe(2, "", start)
	expect(t, "at connect", s, visitors(1))
	expect(t, "at connect", other, visitors(0))

	at := start.Add(100 * time.Millisecond)
	feed.AddEvent(view(1, 8, at, "/a"), at)
	expect(t, "an event within a second of the visitors", s, pageView("/a", at))
	feed.Tick(start.Add(900 * time.Millisecond))
	expect(t, "0.9 s after the visitors", s)
	feed.Tick(start.Add(time.Second))
	expect(t, "a second after connect", s, visitors(2))

	at = start.Add(3 * time.Second)
	feed.AddEvent(view(1, 9, at, "/b"), at)
	expect(t, "a new visitor after a quiet second", s, pageView("/b", at), visitors(3))
	at = start.Add(5 * time.Second)
	feed.AddEvent(view(1, 9, at, "/c"), at)
	expect(t, "the same visitor", s, pageView("/c", at))

	feed.Tick(start.Add(live.Span + 10*time.Second))
	expect(t, "after Span", s, visitors(0))
	expect(t, "subscription of another site", other)

	feed.Close()
	expect(t, "closed", s, "end")
	if !errors.Is(end(s), live.ErrClosed) {
		t.Errorf("the end is %v, want ErrClosed", end(s))
	}
	late := feed.Subscribe(1, "", start)
	if expect(t, "after Close", late, "end"); !errors.Is(end(late), live.ErrClosed) {
		t.Errorf("the end is %v, want ErrClosed", end(late))
	}
}

// TestEngagement checks that engagements keep a visitor current, and are not sent.
func TestEngagement(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed(memory)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", start)
	first := next(t, s)[0]
	for minute := range 10 {
		at := start.Add(time.Duration(minute)*time.Minute + time.Second)
		engagement := view(1, 7, at, "/a")
		engagement.Type, engagement.Engaged = event.Engagement, 60_000
		feed.AddEvent(engagement, at)
	}
	expect(t, "after ten minutes", s, visitors(1))
	expect(t, "reconnected", feed.Subscribe(1, first.ID, start.Add(10*time.Minute)), visitors(1))
	feed.Tick(start.Add(9*time.Minute + live.Span + time.Second))
	expect(t, "Span after the last engagement", s, visitors(0))
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed(memory)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", now)
	feed.AddEvent(view(1, 1, now, "/1"), now)
	last := next(t, s)[0] // the event
	s.Cancel()
	feed.AddEvent(view(1, 1, now, "/2"), now)
	feed.AddEvent(view(2, 1, now, "/elsewhere"), now)
	feed.AddEvent(view(1, 1, now, "/3"), now)

	expect(t, "after the last message", feed.Subscribe(1, last.ID, now), pageView("/2", now), pageView("/3", now), visitors(1))
	for _, id := range []string{"", "nonsense", "x-1", last.ID + "0", strings.Split(last.ID, "-")[0] + "--1"} {
		expect(t, "after "+id, feed.Subscribe(1, id, now), visitors(1))
	}
	expect(t, "after a message of another feed", live.NewFeed(memory).Subscribe(1, last.ID, now), visitors(0))
}

func TestReconnectLate(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed(memory)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first := next(t, feed.Subscribe(1, "", now))[0]
	for i := range 5000 {
		now = now.Add(50 * time.Millisecond)
		feed.AddEvent(view(1, 1, now, fmt.Sprint("/", i)), now)
	}
	got := received(t, feed.Subscribe(1, first.ID, now))
	if len(got) != 101 || got[99] != pageView("/4999", now) || got[100] != visitors(1) {
		t.Errorf("received %d messages ending with %v, want 100 events and the visitors", len(got), got[max(0, len(got)-2):])
	}
}

func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed(memory)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	slow, fast := feed.Subscribe(1, "", now), feed.Subscribe(1, "", now)
	count := 0
	for i := range 1000 {
		feed.AddEvent(view(1, 1, now, "/"), now.Add(time.Duration(i)*10*time.Millisecond))
		count += len(received(t, fast))
	}
	if !errors.Is(end(slow), live.ErrSlow) {
		t.Errorf("the end of the slow subscriber is %v, want ErrSlow", end(slow))
	}
	if count < 1000 {
		t.Errorf("the fast subscriber received %d messages, want all 1000 events", count)
	}
}

func TestFlood(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed(memory)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", now)
	for i := range int64(10_000) {
		feed.AddEvent(view(1, i, now, "/"), now)
	}
	if got := received(t, s); len(got) != 1+live.EventsPerSecond {
		t.Errorf("received %d messages in a second, want the visitors and %d events", len(got), live.EventsPerSecond)
	}
	feed.Tick(now.Add(time.Second))
	expect(t, "a second later", s, visitors(10_000))
}

func TestEventIsPrivate(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed(memory)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", now)
	next(t, s)
	e := view(1, 4242424242, now, "/\xff")
	e.Title, e.Hostname, e.Referrer, e.City, e.Props = "hidden", "hidden", "hidden", "hidden", map[string]string{"hidden": "hidden"}
	feed.AddEvent(e, now)
	m := next(t, s)[0]
	if !json.Valid(m.Data) || strings.Contains(string(m.Data), "hidden") || strings.Contains(string(m.Data), "4242424242") {
		t.Errorf("the message of an event is %s", m.Data)
	}
}

// TestIDs checks that the ids of a site's messages tell nothing about other sites.
func TestIDs(t *testing.T) {
	t.Parallel()
	feed := live.NewFeed(memory)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := feed.Subscribe(1, "", now)
	ids := []string{next(t, s)[0].ID}
	for range 2 {
		for range 7 {
			feed.AddEvent(view(2, 1, now, "/elsewhere"), now)
		}
		feed.AddEvent(view(1, 1, now, "/"), now)
		ids = append(ids, next(t, s)[0].ID)
	}
	epoch, _, _ := strings.Cut(ids[0], "-")
	if diff := cmp.Diff([]string{epoch + "-0", epoch + "-1", epoch + "-2"}, ids); diff != "" {
		t.Error(diff)
	}
}

// TestHistoryIsBounded checks that floods of large events on many sites take a bounded amount
// of memory, that subscribers who keep up miss nothing, and that those who do not are ended.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	const sites, each, page = 500, 200, 2000
	feed := live.NewFeed(memory)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var slow []*live.Subscription
	for site := range int32(sites) {
		slow = append(slow, feed.Subscribe(site, "", now))
	}
	fast, got := feed.Subscribe(0, "", now), 0
	for i := range each {
		now = now.Add(50 * time.Millisecond)
		for site := range int32(sites) {
			payload := strings.Repeat("x", 20*page) // as the queue entry with which its strings share memory
			feed.AddEvent(view(site, 1, now, payload[:page]), now)
		}
		got += strings.Count(strings.Join(received(t, fast), ""), `"type":"event"`)
		if i == 0 && got != 1 {
			t.Fatalf("received %d events, want the first", got)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	const all = sites * each * page
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > all/4 {
		t.Errorf("the feed takes %d MB for %d MB of events", grown>>20, all>>20)
	}
	if got != each {
		t.Errorf("the fast subscriber received %d events, want %d", got, each)
	}
	for _, s := range slow {
		if !errors.Is(end(s), live.ErrSlow) {
			t.Fatalf("the end of a slow subscriber is %v, want ErrSlow", end(s))
		}
	}
}

// TestInventedVisitors checks that a window counts a bounded number of visitors.
func TestInventedVisitors(t *testing.T) {
	t.Parallel()
	const most = 1000
	window := live.NewWindow(100 * most)
	now := time.Unix(1_700_000_000, 0)
	for visitor := range int64(most + 10) {
		window.Add(1, visitor, now, now)
	}
	if got := window.Count(1, now); got != most {
		t.Errorf("Count = %d, want %d", got, most)
	}
	later := now.Add(live.Span)
	if window.Add(1, 7, later, later); window.Count(1, later) != 1 {
		t.Errorf("Count = %d after Span, want 1", window.Count(1, later))
	}
}
