package report

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
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// update writes the plans anew: go test ./shared/query/report -run Plans -update
var update = flag.Bool("update", false, "write the files of testdata that tests compare with")

// TestPlans compares how the questions of a dashboard, and the reading of days, are planned
// on two years of twenty sites with the files of testdata/plans: which tables are read by
// which index, and what bounds the index. A lost index shows as a lost line.
func TestPlans(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		if database.Name == "named" { // whose versions may be any
			continue
		}
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			comparePlans(t, migrated(t, database.URL), filepath.Join("testdata", "plans", database.Name))
		})
	}
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
		`VACUUM ANALYZE rollup_day, rollup_month, rollup_hour, day_columns, events, visits`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	noon := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	ask := func(path, question string) func(context.Context, *Reporter, store.DB) error {
		site := store.Site{ID: 7, Timezone: "UTC"}
		return func(ctx context.Context, p *Reporter, db store.DB) error {
			body := []byte(`{"site_id":"a",` + question + `}`)
			if path == "visits" {
				v, err := ParseVisitList(body)
				if err == nil {
					_, err = p.Visits(ctx, db, site, noon, &v)
				}
				return err
			}
			q, err := Parse(body)
			if err == nil {
				_, err = p.Answer(ctx, db, site, noon, &q)
			}
			return err
		}
	}
	for name, fn := range map[string]func(context.Context, *Reporter, store.DB) error{
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
			plans := &planned{DB: db}
			if err := fn(t.Context(), must(NewReporter(testNames{}, patient())), plans); err != nil {
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

// planned is a database that notes how each query is planned.
type planned struct {
	store.DB
	text strings.Builder
	last string
}

// Begin begins a transaction that notes it, too.
func (p *planned) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := p.DB.Begin(ctx)
	return &plannedTx{tx, p}, err
}

type plannedTx struct {
	pgx.Tx
	to *planned
}

// Query explains the query before it is asked.
func (p *plannedTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
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
	if p.to.last != reads { // that of another day is the same
		p.to.last = reads
		p.to.text.WriteString(reads)
	}
	return p.Tx.Query(ctx, sql, args...)
}

// note writes which tables a plan reads, by what, and what bounds it: each line once. Of
// chunks, which are bounded by themselves and many, it says by which index they are read.
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
	case strings.HasPrefix(n.Relation, "_hyper_") && n.Type != "Bitmap Heap Scan": // which reads what an index below says
		line = "  all of a chunk\n"
	case n.Relation != "" && n.Type != "Bitmap Heap Scan" && n.Type != "Custom Scan": // which is of chunks
		line = fmt.Sprintf("  all of %s\n", table)
	}
	if !strings.Contains(to.String(), line) {
		to.WriteString(line)
	}
	for i := range n.Plans {
		n.Plans[i].note(to, table)
	}
}

// columnsIn are the columns that a condition bounds, but for values, which may be looked at
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

// planNode is a node of a plan, as EXPLAIN shows it.
type planNode struct {
	Type      string     `json:"Node Type"`
	Relation  string     `json:"Relation Name"`
	IndexName string     `json:"Index Name"`
	IndexCond string     `json:"Index Cond"`
	Plans     []planNode `json:"Plans"`
}

// TestTooSlow holds a lock for which a question has to wait.
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
	q, err := Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":"30d"}`))
	if err != nil {
		t.Fatal(err)
	}
	reports := must(NewReporter(testNames{}, Limits{Time: 100 * time.Millisecond, Rows: 1}))
	_, err = reports.Answer(t.Context(), db, store.Site{ID: 1, Timezone: "UTC"}, time.Now(), &q)
	if p, ok := errors.AsType[problem.Problem](err); !ok || p.Status != 422 || p.Code != "query_too_slow" {
		t.Errorf("got %v, want query_too_slow", err)
	}
}

// TestTooLarge asks for more rows than are held, in an order that has to be made of all.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	if _, err := db.Exec(t.Context(), `INSERT INTO rollup_day SELECT 1, 30, '2026-03-01', 'C' || n, 1, 1, 1, 1, 1, 1 FROM generate_series(1, 11) AS n`); err != nil {
		t.Fatal(err)
	}
	q, err := Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":["2026-03-01","2026-03-02"],"dimensions":["visit:country_name"]}`))
	if err != nil {
		t.Fatal(err)
	}
	reports := must(NewReporter(testNames{}, Limits{Time: time.Hour, Rows: 10}))
	_, err = reports.Answer(t.Context(), db, store.Site{ID: 1, Timezone: "UTC"}, time.Now(), &q)
	if p, ok := errors.AsType[problem.Problem](err); !ok || p.Status != 422 || p.Code != "query_too_large" {
		t.Errorf("got %v, want query_too_large", err)
	}
}

// TestAnswersOnlyRead checks that the statements of a question can't write,
// whatever they are.
func TestAnswersOnlyRead(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), snapshot); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), settings, "10000"); err != nil {
			return err
		}
		var timeout, jit, plan string
		err := tx.QueryRow(t.Context(), `SELECT current_setting('statement_timeout'), current_setting('jit'), current_setting('plan_cache_mode')`).Scan(&timeout, &jit, &plan)
		if got := fmt.Sprint(timeout, " ", jit, " ", plan); err != nil || got != "10s off force_custom_plan" {
			t.Errorf("the settings are %s (%v)", got, err)
		}
		_, err = tx.Exec(t.Context(), `DELETE FROM sites`)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v, want that the transaction is read-only", err)
	}
}
