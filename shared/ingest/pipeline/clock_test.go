package pipeline_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/ingest/wire"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// formats send an event that happened at a time, by the visitor's clock, at another.
var formats = map[string]func(id uuid.UUID, at, sent time.Time) (wire.Batch, error){
	"native": func(id uuid.UUID, _, sent time.Time) (wire.Batch, error) {
		return wire.Native(wire.Request{
			Query: url.Values{"sent_at": {strconv.FormatInt(sent.UnixMilli(), 10)}},
			Body:  fmt.Appendf(nil, `{"id":%q,"site":"example.com","type":"view","url":"https://example.com/"}`, id),
		})
	},
	"pixel": func(id uuid.UUID, _, sent time.Time) (wire.Batch, error) {
		return wire.Pixel(wire.Request{Header: http.Header{}, Query: url.Values{
			"sent_at": {strconv.FormatInt(sent.UnixMilli(), 10)}, "id": {id.String()}, "site": {"example.com"}, "url": {"https://example.com/"},
		}})
	},
	"Segment": func(id uuid.UUID, at, sent time.Time) (wire.Batch, error) {
		return wire.SegmentBatch(wire.Request{Body: fmt.Appendf(nil,
			`{"writeKey":"example.com","sentAt":%q,"batch":[{"type":"page","messageId":"m-%s","timestamp":%q,"context":{"page":{"url":"https://example.com/"}}}]}`,
			sent.Format(time.RFC3339Nano), id, at.Format(time.RFC3339Nano))})
	},
}

// TestWrongClock sends events of a visitor whose clock is wrong, again and again: later, after
// midnight, from another address, after another time under way. Each attempt must be the same
// event, on the day on which it happened, and the order of the events must be kept. The error of
// a clock may be anything but halfway between two multiples of event.ClockSkew.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	for name, send := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				duration := func(label string, from, to time.Duration) time.Duration {
					return time.Duration(rapid.Int64Range(from.Milliseconds(), to.Milliseconds()).Draw(t, label)) * time.Millisecond
				}
				ahead := time.Duration(rapid.IntRange(-2000, 2000).Draw(t, "steps"))*event.ClockSkew + duration("rest", -2*time.Minute, 2*time.Minute)
				happened := now.Add(-duration("ago", 0, 10*time.Hour)).Truncate(time.Millisecond)
				var last time.Time
				for range rapid.IntRange(1, 3).Draw(t, "events") {
					clock := happened.Add(ahead)
					id := uuidAt(clock, rapid.Uint64().Draw(t, "id"))
					var first event.Event
					for attempt := range rapid.IntRange(1, 4).Draw(t, "attempts") {
						sent := happened.Add(duration("later", 0, 12*time.Hour))
						again := r
						again.Arrived = sent.Add(duration("under way", 0, 20*time.Second))
						again.Address = netip.AddrFrom4([4]byte{193, 0, 6, byte(rapid.IntRange(1, 9).Draw(t, "address"))})
						batch, err := send(id, clock, sent.Add(ahead))
						if err != nil {
							t.Fatal(err)
						}
						result, err := p.Run(d.at(again.Arrived), again, batch.Events[0].Input)
						if err != nil || result.Dropped != "" {
							t.Fatalf("dropped %q, %v", result.Dropped, err)
						}
						e := result.Event
						if off := e.Time.Sub(happened).Abs(); off > event.ClockSkew {
							t.Fatalf("the time of the event is %s off", off)
						}
						if attempt == 0 {
							first = e
						}
						if e.ID != first.ID || !e.Time.Equal(first.Time) || e.Day != first.Day {
							t.Fatalf("attempt %d is another event: %s, %s; the first: %s, %s", attempt, e.ID, e.Time, first.ID, first.Time)
						}
					}
					if first.Time.Before(last) {
						t.Fatalf("an event at %s comes after one at %s", first.Time, last)
					}
					last = first.Time
					happened = happened.Add(duration("next", 0, time.Minute))
				}
			})
		})
	}
}

// at returns the directory with the salts of the days that are open at a time.
func (d directory) at(arrived time.Time) directory {
	return site(d.site.Location).open(arrived)
}

// uuidAt returns a UUIDv7 that was made at a time.
func uuidAt(at time.Time, random uint64) uuid.UUID {
	id := uuid.UUID{6: 0x70, 8: 0x80}
	for i := range 6 {
		id[i] = byte(at.UnixMilli() >> (40 - 8*i))
	}
	for i := range 7 {
		id[9+i] = byte(random >> (8 * i))
	}
	return id
}
