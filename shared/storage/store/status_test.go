package store_test

import (
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestStatusToday checks that a change of the time zone does not change today before it
// takes effect.
func TestStatusToday(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	site, err := sites.Create(t.Context(), db, sites.Draft{Domain: "a.example", Name: "a", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	draft := sites.Draft{Domain: "a.example", Name: "a", Timezone: "Pacific/Kiritimati"} // +14:00
	if _, err := sites.Update(t.Context(), db, site.ID, draft, time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	midnight := time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)
	for day, events := range map[time.Time]int{midnight.AddDate(0, 0, -1): 10, midnight: 11} {
		_, err := db.Exec(t.Context(), `
INSERT INTO rollup_day (site_id, dimension, day, value, visitors, visits, pageviews, events, bounces, seconds)
VALUES ($1, 0, $2, '', 1, 1, 1, $3, 0, 0)`, site.ID, day, events)
		if err != nil {
			t.Fatal(err)
		}
	}
	for now, want := range map[time.Time]int64{midnight.Add(-time.Second): 10, midnight: 11} {
		status, err := store.ReadStatus(t.Context(), db, now)
		if err != nil || len(status.Sites) != 1 || status.Sites[0].EventsToday != want {
			t.Errorf("at %s: got %+v, %v; want %d events today", now, status.Sites, err, want)
		}
	}
}
