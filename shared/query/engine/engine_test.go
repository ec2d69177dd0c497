package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/report"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// update rewrites the plans: go test ./shared/query/engine -run Plans -update
var update = flag.Bool("update", false, "rewrite the files in testdata with which tests compare")

// TestPlans checks how PostgreSQL plans the questions of a dashboard and the reading of days,
// on two years of twenty sites, against the files in testdata/plans: which tables are read by
// which index, and what bounds the index. A lost index shows as a lost line.
func TestPlans(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		if database.Name == "named" { // of any version
			continue
		}
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			comparePlans(t, migrated(t, database.URL), filepath.Join("testdata", "plans", database.Name))
		})
	}
}

// TestPlanQueries checks that the plans with TimescaleDB are of the same queries as those
// without. Few machines have TimescaleDB, so the former would go stale unseen.
func TestPlanQueries(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/plans/plain/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d plans: %v", len(files), err)
	}
	for _, file := range files {
		plain, other := plannedQueries(t, file), plannedQueries(t, strings.Replace(file, "plain", "timescale", 1))
		if diff := gocmp.Diff(plain, other); diff != "" {
			t.Errorf("%s: -plain +timescale\n%s", filepath.Base(file), diff)
		}
	}
}

// plannedQueries returns the first lines of the queries in a file of plans.
func plannedQueries(t *testing.T, file string) (queries []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "  ") {
			queries = append(queries, line)
		}
	}
	return queries
}

func comparePlans(t *testing.T, db *pgxpool.Pool, folder string) {
	t.Helper()
	for _, statement := range []string{
		`INSERT INTO rollup_day SELECT site, dimension, day, value::text, 1, 1, 1, 1, 1, 1
		 FROM generate_series(1, 20) AS site, generate_series(0, 3) AS dimension,
		      generate_series('2025-01-01'::date, '2026-12-31', '1 day') AS day, generate_series(1, 5) AS value`,
		`INSERT INTO rollup_month SELECT site_id, dimension, date_trunc('month', day), value, 1, 1, 1, 1, 1, 1
		 FROM rollup_day GROUP BY 1, 2, 3, 4`,
		`INSERT INTO rollup_hour (site_id, hour, day, visitors, visits, pageviews, events, bounces, seconds)
		 SELECT site, hour, hour::date, 1, 1, 1, 1, 1, 1
		 FROM generate_series(1, 20) AS site, generate_series('2026-01-01', '2026-12-31', interval '1 hour') AS hour`,
		`INSERT INTO rollup_kept SELECT site_id, day, dimension, 'kept' FROM rollup_day WHERE site_id <> 7 GROUP BY 1, 2, 3`,
		`INSERT INTO day_columns (site_id, day, part, name, data) SELECT site, day, 0, 'column ' || n, 'x'
		 FROM generate_series(1, 20) AS site, generate_series('2026-01-01'::date, '2026-12-31', '1 day') AS day, generate_series(1, 20) AS n`,
		`INSERT INTO events (site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title, referrer, source, channel, utm_source,
		     utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser, browser_version, os, os_version, device, language, screen,
		     currency, funnel, funnel_step)
		 SELECT site, time, gen_random_uuid(), time::date, 0, hashint8(n), 1, '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', 0
		 FROM generate_series(1, 20) AS site, generate_series('2026-05-01'::timestamptz, '2026-06-30', interval '10 minutes') WITH ORDINALITY AS t (time, n)`,
		`INSERT INTO visits (site_id, started_at, visitor, day, duration, pageviews, events, bounce, entry_page, exit_page, hostname, referrer, source,
		     channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser, browser_version, os, os_version,
		     device, language, screen)
		 SELECT site_id, time, visitor, day, 0, 1, 1, true, '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '' FROM events`,
		`VACUUM ANALYZE rollup_day, rollup_month, rollup_hour, rollup_kept, day_columns, events, visits`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	noon := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	ask := func(path, question string) func(context.Context, *report.Reporter, database.DB) error {
		site := sites.Site{ID: 7, Timezone: "UTC"}
		return func(ctx context.Context, r *report.Reporter, db database.DB) error {
			body := []byte(`{"site_id":"a",` + question + `}`)
			if path == "visits" {
				v, err := language.ParseVisitList(body)
				if err == nil {
					_, err = r.Visits(ctx, db, site, noon, v)
				}
				return err
			}
			q, err := language.Parse(body)
			if err == nil {
				_, err = r.Answer(ctx, db, site, noon, q)
			}
			return err
		}
	}
	for name, fn := range map[string]func(context.Context, *report.Reporter, database.DB) error{
		"today":                  ask("", `"metrics":["visitors"],"date_range":"day"`),
		"month":                  ask("", `"metrics":["visitors"],"date_range":"30d"`),
		"year":                   ask("", `"metrics":["visitors"],"date_range":"12mo"`),
		"pages of a long range":  ask("", `"metrics":["visitors"],"date_range":["2025-01-15","2026-06-15"],"dimensions":["event:page"]`),
		"trend by day":           ask("", `"metrics":["visitors"],"date_range":"30d","dimensions":["time:day"]`),
		"trend by month":         ask("", `"metrics":["visitors"],"date_range":"12mo","dimensions":["time:month"]`),
		"trend by hour":          ask("", `"metrics":["visitors"],"date_range":"day","dimensions":["time:hour"]`),
		"top pages":              ask("", `"metrics":["visitors"],"date_range":"30d","dimensions":["event:page"],"pagination":{"limit":10}`),
		"a page":                 ask("", `"metrics":["visitors"],"date_range":"30d","filters":[["is","event:page",["1"]]]`),
		"everything":             ask("", `"metrics":["visitors"],"date_range":"all"`),
		"scan of days":           ask("", `"metrics":["visitors"],"date_range":"7d","dimensions":["event:page"],"filters":[["is","visit:country",["FR"]]]`),
		"scan of half an hour":   ask("", `"metrics":["visitors"],"date_range":["2026-06-15T11:30:00Z","2026-06-15T11:59:59Z"]`),
		"visits":                 ask("visits", `"date_range":"7d"`),
		"visits that have pages": ask("visits", `"date_range":"day","filters":[["is","event:page",["/"]]]`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plans := &explainer{DB: db}
			if err := fn(t.Context(), reporter(t, admission.New(admission.LimitsFor(1<<30, 4))), plans); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, strings.ReplaceAll(name, " ", "_")+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(plans.text.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(string(want), plans.text.String()); diff != "" {
				t.Errorf("-%s +planned now\n%s", file, diff)
			}
		})
	}
}

// explainer is a database that notes how each query is planned.
type explainer struct {
	database.DB
	text strings.Builder
	last string
}

// Begin begins a transaction that notes it as well.
func (p *explainer) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := p.DB.Begin(ctx)
	return &explainerTx{tx, p}, err
}

type explainerTx struct {
	pgx.Tx
	to *explainer
}

// Query explains a query before it runs it.
func (p *explainerTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	var explained []byte
	if err := p.Tx.QueryRow(ctx, "EXPLAIN (FORMAT JSON) "+sql, args...).Scan(&explained); err != nil {
		return nil, err
	}
	var plans []struct {
		Plan planNode `json:"Plan"`
	}
	if err := json.Unmarshal(explained, &plans); err != nil {
		return nil, err
	}
	var text strings.Builder
	plans[0].Plan.note(&text, "")
	first, _, _ := strings.Cut(strings.TrimSpace(sql), "\n")
	reads := fmt.Sprintf("%.70s\n%s", first, strings.Join(slices.Sorted(strings.Lines(text.String())), ""))
	if p.to.last != reads { // other days have the same plan
		p.to.last = reads
		p.to.text.WriteString(reads)
	}
	return p.Tx.Query(ctx, sql, args...)
}

// note writes which tables a plan reads, by which index, and what bounds it, each line once.
// Chunks are many and bounded by themselves, so it only writes their index.
func (n *planNode) note(to *strings.Builder, table string) {
	if n.Relation != "" {
		table = n.Relation
	}
	index := regexp.MustCompile(`^(_hyper_)?\d+_(\d+_)?(chunk_)?`).ReplaceAllString(n.IndexName, "")
	line := ""
	switch {
	case n.IndexName != "" && strings.HasPrefix(table, "_hyper_"):
		line = fmt.Sprintf("  chunks by %s\n", index)
	case n.IndexName != "":
		line = fmt.Sprintf("  %s by %s: %s\n", table, index, columnsIn(n.IndexCond))
	case strings.HasPrefix(n.Relation, "_hyper_") && n.Type != "Bitmap Heap Scan": // an index below says what it reads
		line = "  all of a chunk\n"
	case n.Relation != "" && n.Type != "Bitmap Heap Scan" && n.Type != "Custom Scan": // it reads chunks
		line = fmt.Sprintf("  all of %s\n", table)
	}
	if !strings.Contains(to.String(), line) {
		to.WriteString(line)
	}
	for i := range n.Plans {
		n.Plans[i].note(to, table)
	}
}

// columnsIn returns the columns that a condition bounds, except value, which may be compared
// later as well.
func columnsIn(condition string) string {
	var found []string
	for _, part := range regexp.MustCompile(`\("?([a-z_]+)"? (?:=|<|>|<=|>=) |ROW\(([a-z_, ]+)\)`).FindAllStringSubmatch(condition, -1) {
		name := part[1] + part[2]
		if name != "value" && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return strings.Join(found, ", ")
}

// planNode is a node of a plan in the output of EXPLAIN.
type planNode struct {
	Type      string     `json:"Node Type"`
	Relation  string     `json:"Relation Name"`
	IndexName string     `json:"Index Name"`
	IndexCond string     `json:"Index Cond"`
	Plans     []planNode `json:"Plans"`
}

// TestTooSlow holds a lock that a question has to wait for.
func TestTooSlow(t *testing.T) {
	t.Parallel()
	url := localtest.Postgres(t)
	db := migrated(t, url)
	holder, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := holder.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := holder.Exec(t.Context(), `BEGIN; LOCK TABLE rollup_day`); err != nil {
		t.Fatal(err)
	}
	q, err := language.Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":"30d"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = reporter(t, admission.New(admission.Limits{Time: 100 * time.Millisecond, Small: admission.Share{Memory: 1 << 20, Turns: 1, Each: 1}})).Answer(t.Context(), db, sites.Site{ID: 1, Timezone: "UTC"}, time.Now(), q)
	if limit, ok := errors.AsType[*admission.Error](err); !ok || limit.Code != admission.CodeTooSlow {
		t.Errorf("got %v, want %s", err, admission.CodeTooSlow)
	}
}

// TestTooLarge asks for too many rows, in an order that needs all of them in memory.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	if _, err := db.Exec(t.Context(), `INSERT INTO rollup_day SELECT 1, 30, '2026-03-01', 'C' || n, 1, 1, 1, 1, 1, 1 FROM generate_series(1, 10000) AS n`); err != nil {
		t.Fatal(err)
	}
	q, err := language.Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":["2026-03-01","2026-03-02"],"dimensions":["visit:country_name"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = reporter(t, admission.New(patient(2<<20))).Answer(t.Context(), db, sites.Site{ID: 1, Timezone: "UTC"}, time.Now(), q)
	if limit, ok := errors.AsType[*admission.Error](err); !ok || limit.Code != admission.CodeTooLarge {
		t.Errorf("got %v, want %s", err, admission.CodeTooLarge)
	}
}

// TestSessionIsReadOnly checks the settings of a session, and that nothing can write in it.
func TestSessionIsReadOnly(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	e, err := engine.New(noNames{}, admission.New(admission.LimitsFor(1<<30, 4)))
	if err != nil {
		t.Fatal(err)
	}
	err = e.Run(t.Context(), db, sites.Site{ID: 1, Timezone: "UTC"}, time.Now(), func(ctx context.Context, s *engine.Session) error {
		return s.Read(ctx, func(tx database.DB) error {
			var timeout, jit, plan, isolation string
			err := tx.QueryRow(ctx, `SELECT current_setting('statement_timeout'), current_setting('jit'), current_setting('plan_cache_mode'), current_setting('transaction_isolation')`).Scan(&timeout, &jit, &plan, &isolation)
			if got := fmt.Sprint(timeout, " ", jit, " ", plan, " ", isolation); err != nil || got != "10s off force_custom_plan repeatable read" {
				t.Errorf("the settings are %s (%v)", got, err)
			}
			_, err = tx.Exec(ctx, `DELETE FROM sites`)
			return err
		})
	})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v, want that the transaction is read-only", err)
	}
}

// patient returns limits without a limit of time, and with some bytes for a large question.
func patient(memory int64) admission.Limits {
	return admission.Limits{
		Time: time.Hour, Small: admission.Share{Memory: 1 << 20, Turns: 12, Each: 12},
		Large: admission.Share{Memory: memory, Turns: 2, Each: 1}, File: admission.Share{Memory: 8 << 20, Turns: 2, Each: 2},
	}
}

// noNames is a site without goals, segments, funnels and annotations.
type noNames struct{}

func (noNames) Goals(context.Context, database.DB, int32) ([]language.Goal, error) { return nil, nil }

func (noNames) Segment(context.Context, database.DB, int32, string) ([]byte, bool, error) {
	return nil, false, nil
}

func (noNames) Funnel(context.Context, database.DB, int32, string) ([]byte, bool, error) {
	return nil, false, nil
}

func (noNames) Annotations(context.Context, database.DB, int32, event.Day, event.Day) ([]engine.Annotation, error) {
	return nil, nil
}

func reporter(t *testing.T, gate *admission.Gate) *report.Reporter {
	t.Helper()
	r, err := report.New(noNames{}, gate)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// migrated returns a pool with one connection, since a question must not need a second one.
func migrated(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	db, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}
