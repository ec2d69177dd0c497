package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestMost reads visits and events in pages of rows and of bytes.
func TestMost(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	const all = 6
	var events []*event.Event
	var visits []*visit.Visit
	for i := range all {
		e := &event.Event{
			ID: uuid.UUID{byte(i)}, Site: 1, Time: start.Add(time.Duration(i) * time.Hour), Day: event.DayOf(start), Visitor: 7, Type: event.View,
			Page: "/" + strings.Repeat("x", 1000),
		}
		events = append(events, e)
		visits = append(visits, &visit.Fold([]*event.Event{e})[0])
	}
	if _, err := store.AddEvents(t.Context(), db, events); err != nil {
		t.Fatal(err)
	}
	if err := store.ApplyVisits(t.Context(), db, store.VisitChanges{Added: visits}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		most       store.Most
		first      int // on the first page
		eventPages int
	}{
		{store.Most{Rows: 100, Bytes: 1 << 20}, all, 1},
		{store.Most{Rows: 2, Bytes: 1 << 20}, 2, 4}, // the last one is empty
		{store.Most{Rows: 100, Bytes: 3000}, 2, 4},
		{store.Most{Rows: 100, Bytes: 0}, 1, 7},
	} {
		after, pages, seen := *events[0], 0, 0
		after.Time = after.Time.Add(-time.Second)
		for more := true; more; pages++ {
			page, next, err := store.EventsAfter(t.Context(), db, 1, store.EventRangeOf(event.DayOf(start), event.DayOf(start)), after.Time, after.ID, test.most)
			if err != nil || pages == 0 && len(page) != test.first {
				t.Fatalf("%+v: a page of %d events, %v", test.most, len(page), err)
			}
			if more = next; len(page) > 0 {
				after = *page[len(page)-1]
			}
			seen += len(page)
		}
		if pages != test.eventPages || seen != all {
			t.Errorf("%+v: %d events on %d pages", test.most, seen, pages)
		}
		before, seen := store.StoredVisit{Visit: visit.Visit{Start: start.AddDate(0, 0, 1)}}, 0
		for more := true; more; {
			page, next, err := store.VisitsBefore(t.Context(), db, 1, before.Visit.Start, before.Visit.Visitor, start.AddDate(0, 0, -1), test.most)
			if err != nil {
				t.Fatal(err)
			}
			if more = next; len(page) > 0 {
				before = page[len(page)-1]
			}
			seen += len(page)
		}
		if seen != all {
			t.Errorf("%+v: %d visits", test.most, seen)
		}
		found, err := store.VisitorsEvents(t.Context(), db, 1, start, start.AddDate(0, 0, 1), []int64{7}, test.most)
		if tooMany := test.first < all; errors.Is(err, store.ErrTooMany) != tooMany || !tooMany && len(found) != all {
			t.Errorf("%+v: %d events of a visitor, %v", test.most, len(found), err)
		}
	}
}
