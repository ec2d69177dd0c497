package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/problem"
	"github.com/analytics-platform/analytics/shared/store"
)

// TestRollupsAreReadByIndex checks how the questions of a dashboard are answered
// on two years of rollups of twenty sites.
func TestRollupsAreReadByIndex(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t, database.URL)
			for _, statement := range []string{
				`INSERT INTO rollup_day SELECT site, dimension, day, value::text, 1, 1, 1, 1, 1, 1
				 FROM generate_series(1, 20) AS site, generate_series(0, 3) AS dimension,
				      generate_series('2025-01-01'::date, '2026-12-31', '1 day') AS day, generate_series(1, 5) AS value`,
				`INSERT INTO rollup_month SELECT site_id, dimension, date_trunc('month', day), value, 1, 1, 1, 1, 1, 1
				 FROM rollup_day GROUP BY 1, 2, 3, 4`,
				`INSERT INTO rollup_hour (site_id, hour, day, visitors, visits, pageviews, events, bounces, seconds)
				 SELECT site, hour, hour::date, 1, 1, 1, 1, 1, 1
				 FROM generate_series(1, 20) AS site, generate_series('2026-01-01', '2026-12-31', interval '1 hour') AS hour`,
				`VACUUM ANALYZE rollup_day, rollup_month, rollup_hour`,
			} {
				if _, err := db.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			for _, question := range []string{
				`"date_range":"day"`,
				`"date_range":"30d"`,
				`"date_range":"12mo"`,
				`"date_range":["2025-01-15","2026-06-15"],"dimensions":["event:page"]`,
				`"date_range":"30d","dimensions":["time:day"]`,
				`"date_range":"12mo","dimensions":["time:month"]`,
				`"date_range":"30d","dimensions":["event:page"],"pagination":{"limit":10}`,
				`"date_range":"30d","filters":[["is","event:page",["1"]]]`,
				`"date_range":"day","dimensions":["time:hour"]`,
			} {
				q, err := Parse([]byte(`{"site_id":"a","metrics":["visitors"],` + question + `}`))
				if err != nil {
					t.Fatal(err)
				}
				r := q.resolve(q.dateRange.at(time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)))
				scans := 0
				for _, node := range planOf(t, db, r) {
					if node.Relation == "" {
						continue
					}
					scans++
					// Conditions on site, dimension and time must all bound the index; a chunk
					// that is read is bounded in time by itself.
					chunk := strings.HasPrefix(node.Relation, "_hyper_")
					bounded := strings.Contains(node.IndexCond, "site_id") &&
						(chunk || strings.Contains(node.IndexCond, "day") || strings.Contains(node.IndexCond, "month") || strings.Contains(node.IndexCond, "hour")) &&
						(node.Relation == "rollup_hour" || strings.Contains(node.IndexCond, "dimension"))
					if !bounded {
						t.Errorf("%s: %s of %s by %q", question, node.Type, node.Relation, node.IndexCond)
					}
				}
				if scans == 0 {
					t.Errorf("%s reads no table", question)
				}
			}
		})
	}
}

// planNode is a node of a plan, as EXPLAIN shows it.
type planNode struct {
	Type      string     `json:"Node Type"`
	Relation  string     `json:"Relation Name"`
	IndexName string     `json:"Index Name"`
	IndexCond string     `json:"Index Cond"`
	Plans     []planNode `json:"Plans"`
}

// planOf are all nodes of the plan for the best source of a question. A scan of an
// index for a bitmap counts for its table.
func planOf(t *testing.T, db store.DB, r *resolved) []planNode {
	t.Helper()
	sql, args := r.statement(7, r.sources()[0], &window{Pagination: r.Pagination})
	var nodes []planNode
	err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), settings, "10000"); err != nil {
			return err
		}
		var text []byte
		if err := tx.QueryRow(t.Context(), "EXPLAIN (FORMAT JSON) "+sql, args).Scan(&text); err != nil {
			return err
		}
		var plans []struct {
			Plan planNode `json:"Plan"`
		}
		if err := json.Unmarshal(text, &plans); err != nil {
			return err
		}
		var walk func(planNode)
		walk = func(n planNode) {
			if n.Type == "Bitmap Heap Scan" && len(n.Plans) == 1 {
				n.IndexCond = n.Plans[0].IndexCond
			}
			nodes = append(nodes, n)
			for _, inner := range n.Plans {
				walk(inner)
			}
		}
		walk(plans[0].Plan)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return nodes
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
	_, err = must(NewReporter(testNames{})).Answer(t.Context(), db, store.Site{ID: 1, Timezone: "UTC"}, time.Now(), &q)
	if p, ok := errors.AsType[problem.Problem](err); !ok || p.Status != 422 || p.Code != "query_too_slow" {
		t.Errorf("got %v, want query_too_slow", err)
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
