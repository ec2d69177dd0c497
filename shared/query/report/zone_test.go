package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/metric"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// TestTimeZoneChange asks about a site that moved from Kathmandu, +05:45, to New York when
// 3 March began in Kathmandu. In New York it was still 2 March, so that day has almost 35
// hours.
func TestTimeZoneChange(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	since := time.Date(2026, 3, 2, 18, 15, 0, 0, time.UTC)
	w := &world{site: sites.Site{ID: 1, Timezone: "America/New_York", PreviousTimezone: "Asia/Kathmandu", TimezoneSince: &since}}
	for hour := range 72 { // from 1 March in Kathmandu
		at := time.Date(2026, 2, 28, 19, 5, 0, 0, time.UTC).Add(time.Duration(hour) * time.Hour)
		local := w.local(at)
		_, offset := local.Zone()
		w.events = append(w.events, event.Event{
			ID: uuid.New(), Site: 1, Time: at, Day: event.DayOf(local), UTCOffset: int16(offset / 60), Visitor: 1, Type: event.View,
		})
	}
	w.oracle, w.visits = newOracle(w.events)
	if err := save(t.Context(), db, w); err != nil {
		t.Fatal(err)
	}
	before, after := since.Add(-time.Second), since
	for name, test := range map[string]struct {
		question  string
		now       time.Time
		dateRange [2]string
		rows      []Row
	}{
		"today, before": {
			`"date_range":"day"`, before,
			[2]string{"2026-03-02T00:00:00+05:45", "2026-03-02T23:59:59+05:45"},
			[]Row{{Dimensions: []string{}, Metrics: []metric.Value{metric.Number(34)}}},
		},
		"today, after": {
			`"date_range":"day"`, after,
			[2]string{"2026-03-02T00:00:00-05:00", "2026-03-02T23:59:59-05:00"},
			[]Row{{Dimensions: []string{}, Metrics: []metric.Value{metric.Number(34)}}},
		},
		"days": {
			`"date_range":["2026-03-01","2026-03-03"],"dimensions":["time:day"]`, after,
			[2]string{"2026-03-01T00:00:00-05:00", "2026-03-03T23:59:59-05:00"},
			[]Row{
				{Dimensions: []string{"2026-03-01"}, Metrics: []metric.Value{metric.Number(24)}}, {Dimensions: []string{"2026-03-02"}, Metrics: []metric.Value{metric.Number(34)}},
				{Dimensions: []string{"2026-03-03"}, Metrics: []metric.Value{metric.Number(14)}},
			},
		},
		"hours of the time zone before": {
			`"date_range":["2026-03-01T12:00:00-05:00","2026-03-01T12:59:59-05:00"],"dimensions":["time:hour"]`, after,
			[2]string{"2026-03-01T12:00:00-05:00", "2026-03-01T12:59:59-05:00"},
			[]Row{{Dimensions: []string{"2026-03-01 11:15:00"}, Metrics: []metric.Value{metric.Number(1)}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := language.Parse([]byte(`{"site_id":"a","metrics":["events"],` + test.question + `}`))
			if err != nil {
				t.Fatal(err)
			}
			got, err := must(New(testNames{}, patient())).Answer(t.Context(), db, w.site, test.now, q)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.dateRange, got.Query.DateRange); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.rows, got.Results); diff != "" {
				t.Error(diff)
			}
		})
	}
}
