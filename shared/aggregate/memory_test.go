package aggregate_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// shardEvents returns n events of as many visitors, all in shard 0.
func shardEvents(n int) []*event.Event {
	events := make([]*event.Event, n)
	for i := range events {
		at := midnight.Add(time.Duration(i) * time.Second)
		events[i] = &event.Event{ID: uuid.Must(uuid.NewV7()), Site: 1, Time: at, Day: event.DayOf(at), Visitor: int64(4 * i), Type: event.View, Page: "/"}
	}
	return events
}

// TestMemoryBoundsBatches checks that a batch ends early if its events are large, or have many
// different values, and that this changes no number.
func TestMemoryBoundsBatches(t *testing.T) {
	t.Parallel()
	const memory = 1 << 20 // for 174 events of a chunk, 655 rollup rows and 512 KB of payloads
	for name, test := range map[string]struct {
		events        int
		change        func(i int, e *event.Event)
		least, atMost int64 // batches
	}{
		"small events": {1000, func(int, *event.Event) {}, 1, 3}, // of 174, 348 and 478 events
		"events of 20 KB": {100, func(_ int, e *event.Event) {
			e.Props = map[string]string{}
			for i := range 20 {
				e.Props[strconv.Itoa(i)] = strings.Repeat("x", 1000)
			}
		}, 4, 5},
		"events of distinct values": {1000, func(i int, e *event.Event) {
			value := strconv.Itoa(i)
			e.Page, e.Name, e.Tag, e.Hostname, e.Referrer, e.Source, e.UTMContent = value, value, value, value, value, value, value
		}, 6, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			r := newRecord(t, localtest.Postgres(t))
			events := shardEvents(test.events)
			for i, e := range events {
				test.change(i, e)
			}
			if err := r.writer.Append(ctx, events...); err != nil {
				t.Fatal(err)
			}
			a := r.aggregator()
			a.Memory, a.Workers = memory, 1
			done, err := a.Run(ctx)
			if err != nil || done.Events != int64(test.events) || done.Batches < test.least || done.Batches > test.atMost {
				t.Errorf("stored %d of %d events in %d batches, %v; want %d to %d batches", done.Events, test.events, done.Batches, err, test.least, test.atMost)
			}
			if left, err := r.queued(ctx); err != nil || left != 0 {
				t.Errorf("%d events are left in the queue, %v", left, err)
			}
			differences, err := oracle.Differences(ctx, r.db)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences {
				t.Error(d)
			}
		})
	}
}

// TestVisitorDaysInBytes checks that the stored events of several visitor-days are limited by
// bytes, and those of a single one are not.
func TestVisitorDaysInBytes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRecord(t, localtest.Postgres(t))
	events := shardEvents(20)
	keys := make([]store.VisitorDay, len(events))
	for i, e := range events {
		e.Page = fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 1000))
		keys[i] = store.VisitorDayOf(e)
	}
	if _, err := store.AddEvents(ctx, r.db, events); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		days, bytes int
		tooMany     bool
	}{{20, 40_000, false}, {20, 10_000, true}, {2, 1000, true}, {1, 100, false}} {
		got, err := store.VisitorDays(ctx, r.db, keys[:test.days], store.Limit{Events: 100, Bytes: test.bytes})
		if errors.Is(err, store.ErrTooMany) != test.tooMany || !test.tooMany && (err != nil || len(got) < test.days) {
			t.Errorf("%d visitor-days within %d bytes: %d, %v", test.days, test.bytes, len(got), err)
		}
	}
}
