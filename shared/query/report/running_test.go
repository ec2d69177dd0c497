package report

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// TestRunningPeriod compares running periods of a site whose traffic is the same every day: a
// visitor each 20 minutes. Nothing has changed, unless the whole of the other period is asked for.
func TestRunningPeriod(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	location := must(time.LoadLocation("Europe/Paris"))
	now := time.Date(2026, 11, 18, 18, 59, 30, 0, location)
	w := &world{site: sites.Site{ID: 1, Timezone: "Europe/Paris"}}
	for at := time.Date(2026, 10, 1, 0, 0, 0, 0, location); at.Before(now); at = at.Add(20 * time.Minute) {
		local := at.In(location)
		_, offset := local.Zone()
		if event.DayOf(local).String() == "2026-10-25" && local.Hour() == 2 && offset == 3600 {
			continue // clocks show this hour twice
		}
		w.events = append(w.events, event.Event{
			ID: uuid.New(), Site: 1, Time: at.UTC(), Day: event.DayOf(local), UTCOffset: int16(offset / 60), Visitor: at.Unix(), Type: event.View, Page: "/",
		})
	}
	w.oracle, w.visits = newOracle(w.events)
	if err := save(t.Context(), db, w); err != nil {
		t.Fatal(err)
	}
	const previous, whole = `{"mode":"previous_period"}`, `{"mode":"previous_period","whole":true}`
	for name, test := range map[string]struct {
		question, comparisons string
		change                float64 // of the last row
		until                 string
	}{
		"today":                      {`"date_range":"day"`, previous, 0, "2026-11-17T18:59:59+01:00"},
		"today and all of yesterday": {`"date_range":"day"`, whole, -21, "2026-11-17T23:59:59+01:00"},
		"today, filtered":            {`"date_range":"day","filters":[["is","event:page",["/"]]]`, previous, 0, "2026-11-17T18:59:59+01:00"},
		"today by page":              {`"date_range":"day","dimensions":["event:page"]`, previous, 0, "2026-11-17T18:59:59+01:00"},
		"month":                      {`"date_range":"month"`, previous, 0, "2026-10-18T18:59:59+02:00"},
		"month and all of October":   {`"date_range":"month"`, whole, -43, "2026-10-31T23:59:59+01:00"},
		"month by day":               {`"date_range":"month","dimensions":["time:day"]`, previous, 0, "2026-10-18T18:59:59+02:00"},
		"month by page":              {`"date_range":"month","dimensions":["event:page"]`, previous, 0, "2026-10-18T18:59:59+02:00"},
		"days to today":              {`"date_range":["2026-11-16","2026-11-18"]`, previous, 0, "2026-11-15T18:59:59+01:00"},
		"a day that is over":         {`"date_range":["2026-11-17","2026-11-17"]`, previous, 0, "2026-11-16T23:59:59+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := must(language.Parse([]byte(`{"site_id":"a","metrics":["visitors","pageviews"],` + test.question + `,"include":{"comparisons":` + test.comparisons + `}}`)))
			got := must(must(New(testNames{}, patient())).Answer(t.Context(), db, w.site, now, q))
			last := got.Results[len(got.Results)-1]
			for i, change := range last.Comparison.Change {
				if *change != test.change {
					t.Errorf("%s changes by %v %%, want %v: %v", q.Metrics[i], *change, test.change, last)
				}
			}
			if until := got.Query.ComparisonDateRange[1]; until != test.until {
				t.Errorf("compared until %s, want %s", until, test.until)
			}
		})
	}
}
