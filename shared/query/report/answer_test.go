package report

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/metric"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

func TestChange(t *testing.T) {
	t.Parallel()
	euros := func(n float64) metric.Value {
		return metric.Value{Number: n, Known: true, Currency: "EUR", Amount: "1"}
	}
	for name, test := range map[string]struct {
		metric      language.Metric
		now, before metric.Value
		want        *float64
	}{
		"more":                  {language.Visitors, metric.Number(15), metric.Number(10), new(50.0)},
		"less":                  {language.Visitors, metric.Number(1), metric.Number(3), new(-67.0)},
		"from nothing":          {language.Visitors, metric.Number(7), metric.Number(0), new(100.0)},
		"nothing":               {language.Visitors, metric.Number(0), metric.Number(0), new(0.0)},
		"points of a rate":      {language.BounceRate, metric.Number(40), metric.Number(50), new(-10.0)},
		"nothing to compare":    {language.ScrollDepth, metric.Number(40), metric.Value{}, nil},
		"money":                 {language.TotalRevenue, euros(30), euros(20), new(50.0)},
		"money of all kinds":    {language.RevenueByCurrency, metric.Value{Known: true, Amounts: `{"EUR":1}`}, metric.Value{Known: true, Amounts: `{"EUR":2}`}, nil},
		"money of another kind": {language.TotalRevenue, euros(30), metric.Value{Number: 1, Known: true, Currency: "USD"}, nil},
	} {
		got := change(test.metric, test.now, test.before)
		if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

// FuzzAnswer asks questions with hostile texts in every place: each is answered, or refused
// with an error of the question.
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
	reports := must(New(testNames{}, patient()))
	site, now := sites.Site{ID: 1, Timezone: "UTC"}, time.Date(2026, 3, 18, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		ctx, body := t.Context(), []byte(text)
		for kind, ask := range map[string]func() error{
			"numbers": func() error {
				q, err := language.Parse(body)
				if err == nil {
					_, err = reports.Answer(ctx, db, site, now, q)
				}
				return err
			},
			"funnel": func() error {
				q, err := language.ParseFunnel(body)
				if err == nil {
					_, err = reports.Funnel(ctx, db, site, now, q)
				}
				return err
			},
			"cohorts": func() error {
				q, err := language.ParseCohorts(body)
				if err == nil {
					_, err = reports.Cohorts(ctx, db, site, now, q)
				}
				return err
			},
			"journeys": func() error {
				q, err := language.ParseJourneys(body)
				if err == nil {
					_, err = reports.Journeys(ctx, db, site, now, q)
				}
				return err
			},
			"visits": func() error {
				q, err := language.ParseVisitList(body)
				if err == nil {
					_, err = reports.Visits(ctx, db, site, now, q)
				}
				return err
			},
		} {
			err := ask()
			_, invalid := errors.AsType[*validation.Error](err)
			_, limited := errors.AsType[*admission.Error](err)
			if err != nil && !invalid && !limited && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", kind, err)
			}
		}
		var sites int
		if err := db.QueryRow(ctx, `SELECT count(*) FROM sites`).Scan(&sites); err != nil || sites != 1 {
			t.Fatalf("%d sites are left, %v", sites, err)
		}
	})
}
