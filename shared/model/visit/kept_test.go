package visit_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// TestKeep checks that (other) counts a visitor-day and a visit once, whatever values it has.
func TestKeep(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("/kept"))
	kept, err := visit.ParseKept(sum[:8])
	if err != nil {
		t.Fatal(err)
	}
	var events []*event.Event
	for i, page := range []string{"/kept", "/a", "/b", "", "/b", "(other)"} {
		events = append(events, &event.Event{
			ID: uuid.UUID{byte(i)}, Site: 1, Day: 100, Visitor: 7, Type: event.View, Page: page,
			Time: event.Day(100).Date().Add(time.Duration(i) * time.Minute),
		})
	}
	events = append(events, &event.Event{
		ID: uuid.UUID{9}, Site: 1, Day: 100, Visitor: 7, Type: event.Engagement, Page: "/c", Engaged: 500, Time: events[5].Time,
	})
	rollups := visit.NewRollups()
	rollups.Keep(1, 100, visit.Page, kept)
	rollups.Add(visit.Fold(events))
	got := map[string]visit.Counts{}
	for _, row := range rollups.Days() {
		if row.Dimension == visit.Page {
			got[row.Value] = row.Counts
		}
	}
	want := map[string]visit.Counts{
		"":          {Visitors: 1, Visits: 1, Pageviews: 1, Events: 1, Seconds: 300},
		"/kept":     {Visitors: 1, Visits: 1, Pageviews: 1, Events: 1, Seconds: 300},
		visit.Other: {Visitors: 1, Visits: 1, Pageviews: 4, Events: 4, Seconds: 300, Engaged: 500},
	}
	for value, counts := range want {
		if got[value] != counts {
			t.Errorf("%q: %+v, want %+v", value, got[value], counts)
		}
	}
	if len(got) != len(want) {
		t.Errorf("rows %+v", got)
	}
	rollups.Subtract(visit.Fold(events))
	if rows := rollups.Days(); len(rows) != 0 {
		t.Errorf("rows %+v are left", rows)
	}
}

func TestParseKept(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]string{"a part of a hash": "1234567", "no order": "22222222" + "11111111"} {
		if _, err := visit.ParseKept([]byte(stored)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
