package report

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

func TestTheOtherStretchOfTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 18, 12, 34, 56, 0, must(time.LoadLocation("Europe/Paris"))) // a Wednesday
	for name, test := range map[string]struct{ dateRange, comparisons, want string }{
		"the day before":                   {`"day"`, `{"mode":"previous_period"}`, "2026-03-17T00:00:00+01:00 2026-03-17T23:59:59+01:00"},
		"the days before":                  {`["2026-03-10","2026-03-12"]`, `{"mode":"previous_period"}`, "2026-03-07T00:00:00+01:00 2026-03-09T23:59:59+01:00"},
		"before clocks are moved":          {`["2026-03-29","2026-03-29"]`, `{"mode":"previous_period"}`, "2026-03-28T00:00:00+01:00 2026-03-28T23:59:59+01:00"},
		"the hours before":                 {`["2026-03-10T10:00:00+01:00","2026-03-10T11:59:59+01:00"]`, `{"mode":"previous_period"}`, "2026-03-10T08:00:00+01:00 2026-03-10T09:59:59+01:00"},
		"before, on the same weekdays":     {`["2026-03-16","2026-03-17"]`, `{"mode":"previous_period","match_day_of_week":true}`, "2026-03-09T00:00:00+01:00 2026-03-10T23:59:59+01:00"},
		"a week before":                    {`["2026-03-16","2026-03-22"]`, `{"mode":"previous_period","match_day_of_week":true}`, "2026-03-09T00:00:00+01:00 2026-03-15T23:59:59+01:00"},
		"a year before":                    {`["2026-03-16","2026-03-22"]`, `{"mode":"year_over_year"}`, "2025-03-16T00:00:00+01:00 2025-03-22T23:59:59+01:00"},
		"a year before, the same weekdays": {`["2026-03-16","2026-03-22"]`, `{"mode":"year_over_year","match_day_of_week":true}`, "2025-03-17T00:00:00+01:00 2025-03-23T23:59:59+01:00"},
		"a year before a leap day":         {`["2024-02-29","2024-02-29"]`, `{"mode":"year_over_year"}`, "2023-02-28T00:00:00+01:00 2023-02-28T23:59:59+01:00"},
		"hours a year before":              {`["2026-03-10T10:00:00+01:00","2026-03-10T11:59:59+01:00"]`, `{"mode":"year_over_year"}`, "2025-03-10T10:00:00+01:00 2025-03-10T11:59:59+01:00"},
		"days of one's own":                {`"day"`, `{"mode":"custom","date_range":["2026-01-01","2026-01-03"]}`, "2026-01-01T00:00:00+01:00 2026-01-03T23:59:59+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":` + test.dateRange + `,"include":{"comparisons":` + test.comparisons + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			got := q.Include.Comparisons.other(q.dateRange.at(now)).String()
			if text := got[0] + " " + got[1]; text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	euros := func(n float64) Value { return Value{Number: n, Known: true, Currency: "EUR", Amount: "1"} }
	for name, test := range map[string]struct {
		metric      Metric
		now, before Value
		want        *float64
	}{
		"more":                  {Visitors, number(15), number(10), new(50.0)},
		"less":                  {Visitors, number(1), number(3), new(-67.0)},
		"from nothing":          {Visitors, number(7), number(0), new(100.0)},
		"nothing":               {Visitors, number(0), number(0), new(0.0)},
		"points of a rate":      {BounceRate, number(40), number(50), new(-10.0)},
		"nothing to compare":    {ScrollDepth, number(40), Value{}, nil},
		"money":                 {TotalRevenue, euros(30), euros(20), new(50.0)},
		"money of another kind": {TotalRevenue, euros(30), Value{Number: 1, Known: true, Currency: "USD"}, nil},
	} {
		got := change(test.metric, test.now, test.before)
		if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

// FuzzAnswer asks whatever is understood, with texts of whoever may wish us ill in every
// place, of a database: it is answered or refused, and never anything else.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{"x", "'", `"; DROP TABLE events; --`, "@site", "$1", "' OR true --", `\\'`, "100%", "{{.Rows}}", "\\u0000", "é", "%' UNION SELECT hash FROM api_keys --"} {
		for _, question := range []string{
			`{"site_id":"T","metrics":["visitors"],"date_range":"7d","dimensions":["event:props:T"],"filters":[["is","event:props:T",["T"]]]}`,
			`{"site_id":"T","metrics":["visitors"],"date_range":"7d","dimensions":["visit:source"],"filters":[["contains","visit:source",["T"]]]}`,
			`{"site_id":"T","metrics":["T"],"date_range":"T","dimensions":["T"],"order_by":[["T","T"]]}`,
			`{"site_id":"T","metrics":["visitors"],"date_range":["T","T"],"filters":[["matches","event:page",["T"]],["is","event:goal",["T"]]]}`,
			`{"site_id":"T","metrics":["visitors","percentage"],"date_range":"30d","dimensions":["event:page","time"],"filters":[["not",["is_not","segment",["T"]]]],"order_by":[["event:page","desc"]]}`,
			`{"site_id":"T","metrics":["total_revenue"],"date_range":"month","dimensions":["event:currency"],"filters":[["has_done",["is","event:name",["T"]]]],"include":{"comparisons":{"mode":"T"}}}`,
			`{"site_id":"T","date_range":"7d","filters":[["is","event:name",["T"]]],"steps":[{"name":"T","filters":[["is","event:page",["T"]]]},{"filters":[["contains","event:props:T",["T"]]]}],"breakdown":"event:props:T"}`,
			`{"site_id":"T","date_range":"7d","funnel":"T","order":"T","breakdown":"T"}`,
			`{"site_id":"T","date_range":"7d","kind":"acquisition","by":"visit:source","did":[{"name":"T","filters":[["is","event:name",["T"]]]}]}`,
			`{"site_id":"T","date_range":"7d","kind":"retention","first":[["is","event:name",["T"]]],"again":[["is","visit:city",["T"]]]}`,
			`{"site_id":"T","date_range":"7d","from":[["is","event:page",["T"]]],"depth":2}`,
			`{"site_id":"T","date_range":"7d","filters":[["is","event:page",["T"]]],"limit":3,"cursor":"T"}`,
		} {
			f.Add(strings.ReplaceAll(question, "T", text))
		}
	}
	db := migrated(f, localtest.Postgres(f))
	if _, err := db.Exec(f.Context(), `INSERT INTO sites (public_id, domain, timezone) VALUES ('s', 'example.com', 'UTC')`); err != nil {
		f.Fatal(err)
	}
	reports := must(NewReporter(testNames{}, patient()))
	site, now := store.Site{ID: 1, Timezone: "UTC"}, time.Date(2026, 3, 18, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		ctx, body := t.Context(), []byte(text)
		for kind, ask := range map[string]func() error{
			"numbers": func() error {
				q, err := Parse(body)
				if err == nil {
					_, err = reports.Answer(ctx, db, site, now, &q)
				}
				return err
			},
			"funnel": func() error {
				q, err := ParseFunnel(body)
				if err == nil {
					_, err = reports.Funnel(ctx, db, site, now, &q)
				}
				return err
			},
			"cohorts": func() error {
				q, err := ParseCohorts(body)
				if err == nil {
					_, err = reports.Cohorts(ctx, db, site, now, &q)
				}
				return err
			},
			"journeys": func() error {
				q, err := ParseJourneys(body)
				if err == nil {
					_, err = reports.Journeys(ctx, db, site, now, &q)
				}
				return err
			},
			"visits": func() error {
				q, err := ParseVisitList(body)
				if err == nil {
					_, err = reports.Visits(ctx, db, site, now, &q)
				}
				return err
			},
		} {
			err := ask()
			if p := problem.Of(err); err != nil && (p.Status >= 500 || p.Detail == "") && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", kind, err)
			}
		}
		var sites int
		if err := db.QueryRow(ctx, `SELECT count(*) FROM sites`).Scan(&sites); err != nil || sites != 1 {
			t.Fatalf("%d sites are left, %v", sites, err)
		}
	})
}
