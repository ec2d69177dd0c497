package query_test

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/functions/query"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	"github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/aggregate/recompute"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

//go:embed testdata/traffic.sql
var traffic string

// benchSites are the sites of the benchmark, with their visits per day, which have 2.5 events
// on average.
var benchSites = []struct {
	domain string
	visits int
}{{"large.example", 134_000}, {"medium.example", 8_000}, {"small.example", 400}}

const (
	benchFirst = "2026-03-02"
	benchDays  = 30

	// benchRaw makes a plain table of events, with which reports are compared.
	benchRaw = `
CREATE UNLOGGED TABLE raw_events AS SELECT * FROM events;
CREATE INDEX ON raw_events (site_id, time);
ANALYZE raw_events`

	// benchYear makes the rollups of a year of a site with 100 million events.
	benchYear = `
INSERT INTO sites (public_id, domain, timezone) VALUES ('s_year', 'year.example', 'UTC');
INSERT INTO rollup_day (site_id, dimension, day, value, visitors, visits, pageviews, events, bounces, seconds)
SELECT s.id, d, day, CASE d WHEN 0 THEN '' ELSE 'value ' || v END, 270000 / n, 110000 / n, 250000 / n, 274000 / n, 40000 / n, 9000000 / n
FROM sites s, generate_series('2025-04-01'::date, '2026-03-31', '1 day') AS day,
     (VALUES (0, 1), (1, 2000), (23, 300), (30, 200)) AS dimensions (d, n), generate_series(1, n) AS v
WHERE s.domain = 'year.example';
INSERT INTO rollup_month (site_id, dimension, month, value, visitors, visits, pageviews, events, bounces, seconds)
SELECT site_id, dimension, date_trunc('month', day), value, sum(visitors), sum(visits), sum(pageviews), sum(events), sum(bounces), sum(seconds)
FROM rollup_day WHERE site_id = (SELECT id FROM sites WHERE domain = 'year.example') GROUP BY 1, 2, 3, 4`
)

// benchRecord returns a database with the traffic. It is made once and stays in the user's
// cache for later runs.
func benchRecord(b *testing.B) (url string) {
	b.Helper()
	hash := sha256.Sum256([]byte(fmt.Sprint(traffic, benchSites, benchDays, benchRaw, benchYear)))
	cache, err := os.UserCacheDir()
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(cache, "analytics-bench", "query-"+hex.EncodeToString(hash[:8]))
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err != nil {
		if err := os.RemoveAll(dir); err != nil { // what an interrupted run left
			b.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	server, err := postgres.Start(b.Context(), dir, postgres.WithoutSync())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop(context.Background()) })
	if _, err := os.Stat(done); err != nil {
		fill(b, server.URL())
		if err := os.WriteFile(done, nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	db := localtest.Record(b, server.URL()) // applies new migrations
	codec, err := columns.NewCodec()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := archive.ClosedDays(b.Context(), db, codec, time.Now(), func() bool { return true }, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	return server.URL()
}

// fill makes the traffic and everything derived from it.
func fill(b *testing.B, url string) {
	b.Helper()
	ctx := b.Context()
	db, err := pgxpool.New(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := schema.Migrate(ctx, db); err != nil {
		b.Fatal(err)
	}
	first, err := event.ParseDay(benchFirst)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	for _, s := range benchSites {
		site, err := sites.Create(ctx, db, sites.Draft{Domain: s.domain, Timezone: "UTC"})
		if err != nil {
			b.Fatal(err)
		}
		for day := first; day < first+benchDays; day++ {
			if _, err := db.Exec(ctx, traffic, site.ID, day.Date(), s.visits); err != nil {
				b.Fatal(err)
			}
			if _, err := recompute.Day(ctx, db, site, day, true); err != nil {
				b.Fatal(err)
			}
			fmt.Fprintf(os.Stderr, "\rmaking the traffic of %s: day %d of %d, %s so far ", s.domain, day-first+1, benchDays, time.Since(began).Round(time.Second))
		}
	}
	for _, statement := range []string{benchYear, benchRaw} {
		if _, err := db.Exec(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := store.Compress(ctx, db, time.Now()); err != nil {
		b.Fatal(err)
	}
	if _, err := db.Exec(ctx, `VACUUM ANALYZE`); err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "\nmade in %s\n", time.Since(began).Round(time.Second))
}

// dashboard returns the questions of a dashboard without their filters.
func dashboard() []string {
	questions := []string{
		`"metrics":["visitors","visits","pageviews","views_per_visit","bounce_rate","visit_duration","events"]`,
		`"metrics":["visitors","pageviews"],"dimensions":["time:day"]`,
	}
	for _, dimension := range []string{"event:page", "visit:entry_page", "visit:source", "visit:channel", "visit:country", "visit:browser", "visit:device"} {
		questions = append(questions, `"metrics":["visitors","pageviews","bounce_rate"],"pagination":{"limit":10},"dimensions":["`+dimension+`"]`)
	}
	return questions
}

// filters returns the filters of the dashboard, each with its SQL for an event r of the
// visit v.
func filters() map[string]string {
	return map[string]string{
		`["is","visit:country",["DE"]]`:                   `v.country = 'DE'`,
		`["is","event:page",["/pricing"]]`:                `r.page = '/pricing'`,
		`["contains","event:page",["/blog/"]]`:            `r.page LIKE '%/blog/%'`,
		`["is","visit:source",["Google","Bing"]]`:         `v.source IN ('Google', 'Bing')`,
		`["is_not","visit:browser",["Chrome"]]`:           `v.browser <> 'Chrome'`,
		`["is","visit:device",["Mobile"]]`:                `v.device = 'Mobile'`,
		`["matches","event:page",["^/blog/post-[0-9]$"]]`: `r.page ~ '^/blog/post-[0-9]$'`,
		`["is","event:name",["signup"]]`:                  `r.name = 'signup'`,
		`["is","event:props:plan",["pro"]]`:               `r.props ->> 'plan' = 'pro'`,
		`["has_done",["is","event:name",["purchase"]]]`:   `v.purchases > 0`,
	}
}

// BenchmarkQuery asks for the reports of a dashboard, in parallel as a dashboard does, for a
// month of a site with ten million events; then for each with a filter, for a funnel, cohorts
// and journeys, and for a year of a site with a hundred million events. For the dashboard, a
// filtered report, the funnel and the year it also measures SQL on a plain table of events;
// for the year that is one month.
func BenchmarkQuery(b *testing.B) {
	url := benchRecord(b)
	process := host.NewProcess(map[string]string{"DATABASE_URL": url, "ADMIN_TOKEN": token}, slog.New(slog.DiscardHandler))
	b.Cleanup(process.Close)
	handler, err := host.Build(b.Context(), process.Env("query"), query.New)
	if err != nil {
		b.Fatal(err)
	}
	db, err := pgxpool.New(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(db.Close)
	fromRows := func(b *testing.B, took time.Duration, statements ...string) {
		b.Helper()
		if testing.Short() { // it takes ten minutes
			return
		}
		began := time.Now()
		for _, statement := range statements {
			if _, err := db.Exec(b.Context(), statement); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "rows-ms")
		b.ReportMetric(time.Since(began).Seconds()/took.Seconds(), "times-as-long")
	}
	questions := atomic.Int64{}
	ask := func(path, question string) time.Duration {
		// Each question differs, so that no answer is cached.
		body := fmt.Sprintf(`{%s%*s}`, question, 1+questions.Add(1), "")
		began := time.Now()
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Errorf("%s: %s", question, w.Body)
		}
		return time.Since(began)
	}
	const query2 = "/api/v2/query"
	const month = `"site_id":"large.example","date_range":["2026-03-02","2026-03-31"],`
	b.Run("dashboard", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			for range 40 {
				began := time.Now()
				var all sync.WaitGroup
				for _, question := range dashboard() {
					all.Go(func() { ask(query2, month+question) })
				}
				all.Wait()
				took = append(took, time.Since(began))
			}
		}
		reportTimes(b, took)
		fromRows(b, percentile(took, 50), rawDashboard()...)
	})
	all := filters()
	for _, filter := range slices.Sorted(maps.Keys(all)) {
		b.Run("filter="+filter, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				for _, question := range dashboard() {
					took = append(took, ask(query2, month+question+`,"filters":[`+filter+`]`))
				}
			}
			reportTimes(b, took)
			pages := ask(query2, month+dashboard()[2]+`,"filters":[`+filter+`]`)
			fromRows(b, pages, rawVisits+`
SELECT r.page, count(DISTINCT (r.day, r.visitor)) AS visitors, count(*) FILTER (WHERE r.type = 1)
FROM runs AS r JOIN visits AS v USING (day, visitor, run)
WHERE `+all[filter]+` GROUP BY r.page ORDER BY visitors DESC LIMIT 10`)
		})
	}
	ways := map[string]string{
		"funnel of 3 steps": `"steps":[{"filters":[["is","event:page",["/"]]]},{"filters":[["is","event:page",["/pricing"]]]},{"filters":[["is","event:name",["signup"]]]}]`,
		"journeys":          `"from":[["is","event:page",["/"]]],"depth":5`,
		"cohorts":           `"by":"visit:source","did":[{"filters":[["is","event:name",["signup"]]]}]`,
	}
	for name, path := range map[string]string{"funnel of 3 steps": "/v1/funnels", "journeys": "/v1/journeys", "cohorts": "/v1/cohorts"} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				for range 5 {
					took = append(took, ask(path, month+ways[name]))
				}
			}
			reportTimes(b, took)
			if name == "funnel of 3 steps" {
				fromRows(b, percentile(took, 50), rawFunnel)
			}
		})
	}
	b.Run("year of 100 million", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			for range 20 {
				took = append(took, ask(query2, `"site_id":"year.example","date_range":["2025-04-01","2026-03-31"],"metrics":["visitors","pageviews"],"dimensions":["time:month"]`))
			}
		}
		reportTimes(b, took)
		fromRows(b, percentile(took, 50), `
SELECT date_trunc('month', day), count(DISTINCT (day, visitor)), count(*) FILTER (WHERE type = 1) FROM raw_events WHERE site_id = 1 GROUP BY 1`)
	})
}

// The visits of the plain table of events, and a funnel: how many visitor-days saw the home
// page, then the pricing page, then signed up.
const (
	rawVisits = `
WITH runs AS (
    SELECT *, sum(begins) OVER (PARTITION BY day, visitor ORDER BY time) AS run
    FROM (SELECT *, CASE WHEN time - lag(time) OVER (PARTITION BY day, visitor ORDER BY time) < interval '30 minutes' THEN 0 ELSE 1 END AS begins
          FROM raw_events WHERE site_id = 1 AND time >= '2026-03-02' AND time < '2026-04-01') AS marked
), visits AS (
    SELECT day, visitor, run, count(*) AS events, count(*) FILTER (WHERE type = 1) AS pageviews, max(time) - min(time) AS duration,
           count(*) FILTER (WHERE name = 'purchase') AS purchases,
           (array_agg(page ORDER BY time))[1] AS entry_page, (array_agg(source ORDER BY time))[1] AS source,
           (array_agg(channel ORDER BY time))[1] AS channel, (array_agg(country ORDER BY time))[1] AS country,
           (array_agg(browser ORDER BY time))[1] AS browser, (array_agg(device ORDER BY time))[1] AS device
    FROM runs GROUP BY day, visitor, run
) `
	rawFunnel = `
WITH month AS (
    SELECT day, visitor, time, page, name FROM raw_events WHERE site_id = 1 AND time >= '2026-03-02' AND time < '2026-04-01'
), first AS (
    SELECT day, visitor, min(time) AS at FROM month WHERE page = '/' GROUP BY day, visitor
), second AS (
    SELECT day, visitor, min(e.time) AS at FROM month AS e JOIN first USING (day, visitor) WHERE e.page = '/pricing' AND e.time > first.at GROUP BY day, visitor
), third AS (
    SELECT day, visitor, min(e.time) AS at FROM month AS e JOIN second USING (day, visitor) WHERE e.name = 'signup' AND e.time > second.at GROUP BY day, visitor
)
SELECT (SELECT count(*) FROM first), (SELECT count(*) FROM second), (SELECT count(*) FROM third)`
)

// rawDashboard returns the SQL of the dashboard on a plain table of events.
func rawDashboard() []string {
	const all = `count(DISTINCT (day, visitor)) AS visitors, count(*) AS visits, sum(pageviews), sum(events), avg(CASE WHEN events = 1 THEN 1 ELSE 0 END), avg(duration) FROM visits`
	statements := []string{
		rawVisits + `SELECT ` + all,
		rawVisits + `SELECT day, ` + all + ` GROUP BY day ORDER BY day`,
		`SELECT page, count(DISTINCT (day, visitor)) AS visitors, count(*) FROM raw_events
		 WHERE site_id = 1 AND time >= '2026-03-02' AND time < '2026-04-01' GROUP BY page ORDER BY visitors DESC LIMIT 10`,
	}
	for _, column := range []string{"entry_page", "source", "channel", "country", "browser", "device"} {
		statements = append(statements, rawVisits+`SELECT `+column+`, `+all+` GROUP BY `+column+` ORDER BY visitors DESC LIMIT 10`)
	}
	return statements
}

func percentile(took []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

func reportTimes(b *testing.B, took []time.Duration) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	for _, p := range []int{50, 95} {
		b.ReportMetric(float64(percentile(took, p).Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
}
