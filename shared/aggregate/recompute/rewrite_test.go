package recompute_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/aggregate/recompute"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/schema"
)

// earlier makes the record what an earlier version has stored: paths were escaped, however they
// came, and days archived. Then it migrates the record.
func (r *record) earlier(ctx context.Context, t *testing.T) {
	t.Helper()
	at := func(day event.Day, n int, visitor int64, page, referrer string) event.Event {
		return event.Event{
			ID: uuid.UUID{byte(day), byte(n)}, Site: 1, Day: day, Time: day.Date().Add(time.Duration(n) * time.Minute), Visitor: visitor,
			Type: event.View, Page: page, Attributes: event.Attributes{Referrer: referrer},
		}
	}
	events := []event.Event{
		at(firstDay, 0, 1, "/1", "x.example/1"), at(firstDay, 1, 1, "/2", ""), at(firstDay, 2, 2, "/1", "x.example/2"), at(firstDay, 3, 3, "/2", ""), at(firstDay, 4, 3, "/a%2Fb", ""),
		at(firstDay+1, 5, 4, "/a%2Fb", ""), // nothing to rewrite
		at(firstDay+2, 6, 5, "/1", ""),     // its events are deleted
	}
	if err := r.store(ctx, events); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE events SET page = '/caf%c3%a9' WHERE page = '/1'`, `UPDATE events SET page = '/caf%C3%A9' WHERE page = '/2'`,
		`UPDATE events SET referrer = 'x.example/%C3%A9' WHERE referrer = 'x.example/1'`, `UPDATE events SET referrer = 'x.example/%c3%a9' WHERE referrer = 'x.example/2'`,
	} {
		if _, err := r.db.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.recomputeAll(ctx, r.db, true); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`DELETE FROM events WHERE visitor = 5`,
		`INSERT INTO day_columns (site_id, day, part, name, data) SELECT DISTINCT site_id, day, 0, 'page', ''::bytea FROM events`,
		`DROP TABLE path_days`, `DELETE FROM schema_migrations WHERE version_id = 14`,
	} {
		if _, err := r.db.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.compress(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(ctx, r.db); err != nil {
		t.Fatal(err)
	}
}

// rowsOf returns the lines that a query selects.
func (r *record) rowsOf(ctx context.Context, t *testing.T, sql string) []string {
	t.Helper()
	rows, err := r.db.Query(ctx, sql)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func (r *record) checkRewritten(ctx context.Context, t *testing.T) {
	t.Helper()
	for sql, want := range map[string][]string{
		`SELECT concat_ws(' ', dimension, value, visitors, pageviews) FROM rollup_day WHERE day = '2026-02-27' AND dimension IN (1, 20, 21, 22) AND value <> '' ORDER BY dimension, value COLLATE "C"`: {
			"1 /a%2Fb 1 1", "1 /café 3 4", "20 /café 3 5", "21 /a%2Fb 1 2", "21 /café 2 3", "22 x.example/é 2 3",
		},
		`SELECT concat_ws(' ', value, visitors) FROM rollup_month WHERE month = '2026-02-01' AND dimension = 1 ORDER BY value COLLATE "C"`: {"/a%2Fb 2", "/café 3"},
		`SELECT DISTINCT entry_page FROM visits WHERE day = '2026-02-27'`:                                                                  {"/café"},
		`SELECT DISTINCT page FROM events WHERE day = '2026-02-27' ORDER BY page`:                                                          {"/a%2Fb", "/café"},
		`SELECT day::text FROM day_columns`:                                                                                                nil,              // to be archived again
		`SELECT concat_ws(' ', value, visitors) FROM rollup_day WHERE day = '2026-03-01' AND dimension = 1`:                                {"/caf%c3%a9 1"}, // as it was
		`SELECT day::text FROM path_days`:                                                                                                  nil,
	} {
		if got := r.rowsOf(ctx, t, sql); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", sql, got, want)
		}
	}
	if report, err := recompute.Day(ctx, r.db, r.sites[0], firstDay, false); err != nil || report.Differences() != 0 {
		t.Errorf("afterwards: %+v, %v", report, err)
	}
}

// TestRewritePaths checks that two spellings of a page become one, with its visitors counted once,
// in compressed chunks too, and that the archived day is deleted.
func TestRewritePaths(t *testing.T) {
	t.Parallel()
	for _, database := range append(localtest.Databases(t), localtest.WebAssembly(t)) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx, log := t.Context(), slog.New(slog.DiscardHandler)
			r.earlier(ctx, t)
			if got := len(r.rowsOf(ctx, t, `SELECT day::text FROM path_days`)); got != days {
				t.Errorf("%d days are marked, want %d", got, days)
			}
			if done, err := recompute.RewritePaths(ctx, r.db, func() bool { return false }, log); err != nil || done.Rewritten != 0 {
				t.Errorf("without time: %+v, %v", done, err)
			}
			done, err := recompute.RewritePaths(ctx, r.db, func() bool { return true }, log)
			if err != nil || done.Rewritten != 1 {
				t.Errorf("%+v, %v; want one day", done, err)
			}
			r.checkRewritten(ctx, t)
		})
	}
}

// TestRewriteOnRequest checks that a day that is recomputed on request is rewritten too, also if it
// takes longer than a run.
func TestRewriteOnRequest(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	r.earlier(ctx, t)
	if _, err := r.db.Exec(ctx, `UPDATE path_days SET tried = true`); err != nil {
		t.Fatal(err)
	}
	done, err := recompute.RewritePaths(ctx, r.db, func() bool { return true }, slog.New(slog.DiscardHandler))
	if err != nil || done.Rewritten != 0 {
		t.Errorf("%+v, %v; want that no day is tried again", done, err)
	}
	reports, err := r.recomputeAll(ctx, r.db, true)
	if err != nil || differences(reports[:2]) != 0 {
		t.Errorf("%+v, %v; want no differences", reports, err)
	}
	r.checkRewritten(ctx, t)
}

// TestRewriteBeforeClose checks that a day that is closed before it was rewritten keeps pages in
// the form of today.
func TestRewriteBeforeClose(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	r.earlier(ctx, t)
	report, err := recompute.Close(ctx, r.db, r.sites[0], firstDay, 1)
	if err != nil || len(report.Bounded) == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	const pages = `SELECT value FROM rollup_day WHERE day = '2026-02-27' AND dimension = 1 ORDER BY value COLLATE "C"`
	if got, want := r.rowsOf(ctx, t, pages), []string{"(other)", "/café"}; !slices.Equal(got, want) {
		t.Errorf("pages %q, want %q", got, want)
	}
}
