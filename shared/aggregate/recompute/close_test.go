package recompute_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/aggregate/recompute"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// TestClose checks that a day with too many values keeps those that plain SQL chooses, that the
// rollups then agree with the events, also after late events, and that nothing differs.
func TestClose(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			rapid.Check(t, func(rt *rapid.T) {
				ctx := context.Background()
				history, most := genHistory().Draw(rt, "history"), rapid.IntRange(1, 2).Draw(rt, "values")
				late := rapid.IntRange(0, len(history)/2).Draw(rt, "late events")
				shuffled := rapid.Permutation(history).Draw(rt, "order")
				if err := errors.Join(r.reset(ctx), r.store(ctx, shuffled[late:])); err != nil {
					rt.Fatal(err)
				}
				if rapid.Bool().Draw(rt, "compressed") {
					if err := r.compress(ctx); err != nil {
						rt.Fatal(err)
					}
				}
				if err := r.close(ctx, most); err != nil {
					rt.Fatal(err)
				}
				if err := r.agrees(ctx); err != nil {
					rt.Fatalf("closed: %v", err)
				}
				if err := r.store(ctx, shuffled[:late]); err != nil {
					rt.Fatal(err)
				}
				if err := r.agrees(ctx); err != nil {
					rt.Fatalf("after late events: %v", err)
				}
			})
		})
	}
}

// agrees returns an error if the rollups differ from the events.
func (r *record) agrees(ctx context.Context) error {
	wrong, err := oracle.Differences(ctx, r.db)
	if err != nil {
		return err
	}
	reports, err := r.recomputeAll(ctx, r.db, false)
	if err == nil && (len(wrong) > 0 || differences(reports) > 0) {
		err = fmt.Errorf("%v, %+v", wrong, reports)
	}
	return err
}

// close closes all days, and checks what they keep.
func (r *record) close(ctx context.Context, most int) error {
	// The hashes of the values that the days should keep, where they have more.
	const wanted = `
SELECT coalesce(string_agg(site_id || ' ' || day || ' ' || dimension || ' ' || hashes, ', ' ORDER BY site_id, day, dimension), '')
FROM (
    SELECT site_id, day, dimension, coalesce(string_agg(encode(hash, 'hex'), '' ORDER BY hash) FILTER (WHERE is_kept), '') AS hashes
    FROM (
        SELECT site_id, day, dimension, hash, place <= $1 AND 3 * $1 >= count(*) OVER (PARTITION BY site_id, day ORDER BY place, dimension) AS is_kept
        FROM (
            SELECT site_id, day, dimension, substring(sha256(convert_to(value, 'UTF8')) FOR 8) AS hash,
                   rank() OVER (PARTITION BY site_id, day, dimension ORDER BY visitors DESC, events DESC, value) AS place
            FROM rollup_day WHERE dimension > 0 AND value <> ''
        ) AS ranked
    ) AS chosen
    GROUP BY site_id, day, dimension HAVING NOT bool_and(is_kept)
) AS kept`
	const stored = `
SELECT coalesce(string_agg(site_id || ' ' || day || ' ' || dimension || ' ' || encode(hashes, 'hex'), ', ' ORDER BY site_id, day, dimension), '')
FROM rollup_kept`
	const totals = `SELECT string_agg(r::text, ', ' ORDER BY site_id, day) FROM rollup_day r WHERE dimension = 0`
	var want, got, before, after string
	if err := errors.Join(r.db.QueryRow(ctx, wanted, most).Scan(&want), r.db.QueryRow(ctx, totals).Scan(&before)); err != nil {
		return err
	}
	for _, site := range r.sites {
		for day := firstDay; day < firstDay+days; day++ {
			report, err := recompute.Close(ctx, r.db, site, day, most)
			if err != nil {
				return err
			}
			if report.Differences() != 0 || report.Replaced {
				return fmt.Errorf("report %+v", report)
			}
		}
	}
	if err := errors.Join(r.db.QueryRow(ctx, stored).Scan(&got), r.db.QueryRow(ctx, totals).Scan(&after)); err != nil {
		return err
	}
	if got != want || before != after {
		return fmt.Errorf("kept %s, want %s; totals %s, before %s", got, want, after, before)
	}
	return nil
}

// TestCloseLongValues closes a day with few values, which are long: they count several times.
func TestCloseLongValues(t *testing.T) {
	t.Parallel()
	r, ctx := newRecord(t, localtest.Postgres(t)), t.Context()
	var events []event.Event
	for i := range 3 {
		at := firstDay.Date().Add(time.Duration(i) * time.Minute)
		page := strings.Repeat("/long", 300) + strconv.Itoa(i) // 1,501 bytes count 6 times
		events = append(events, event.Event{ID: uuid.UUID{byte(i), 1}, Site: 1, Day: firstDay, Time: at, Visitor: int64(i), Type: event.View, Page: page})
	}
	if err := r.store(ctx, events); err != nil {
		t.Fatal(err)
	}
	if report, err := recompute.Close(ctx, r.db, r.sites[0], firstDay, 100); err != nil || len(report.Bounded) != 0 {
		t.Fatalf("room for all: %+v, %v", report, err)
	}
	report, err := recompute.Close(ctx, r.db, r.sites[0], firstDay, 3)
	if err != nil || !slices.Equal(report.Bounded, []string{"page", "entry_page", "exit_page"}) {
		t.Fatalf("room for 9 of 54: %+v, %v", report, err)
	}
	var kept string
	const query = `SELECT string_agg(dimension || ' ' || length(hashes) / 8, ', ' ORDER BY dimension) FROM rollup_kept`
	if err := r.db.QueryRow(ctx, query).Scan(&kept); err != nil || kept != "1 1, 20 0, 21 0" {
		t.Errorf("kept %s (%v)", kept, err)
	}
	oracle.Agrees(t, r.db)
}

// TestCloseOnce checks that a closed day is not closed again by other numbers, that a damaged
// day is reported although it is bounded, and that a day without events keeps its rows.
func TestCloseOnce(t *testing.T) {
	t.Parallel()
	r, ctx := newRecord(t, localtest.Postgres(t)), t.Context()
	var events []event.Event
	for i, page := range []string{"/a", "/a", "/b", "/c", "/d", "/d"} {
		at := firstDay.Date().Add(time.Duration(i) * time.Minute)
		events = append(events, event.Event{ID: uuid.UUID{byte(i), 1}, Site: 1, Day: firstDay, Time: at, Visitor: int64(i % 5), Type: event.View, Page: page})
	}
	later := slices.Clone(events)
	for i := range later {
		later[i].ID[1], later[i].Visitor, later[i].Page = 2, int64(10+i), "/new"
	}
	if err := r.store(ctx, events); err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Exec(ctx, `UPDATE rollup_day SET pageviews = 7 WHERE dimension = 1 AND value = '/a'`); err != nil {
		t.Fatal(err)
	}
	report, err := recompute.Close(ctx, r.db, r.sites[0], firstDay, 3)
	if err != nil || report.Rollups.Days != 1 || !report.Replaced || !slices.Equal(report.Bounded, []string{"page", "entry_page", "exit_page"}) {
		t.Fatalf("report of a damaged day: %+v, %v", report, err)
	}
	if err := r.store(ctx, later); err != nil {
		t.Fatal(err)
	}
	if report, err = recompute.Close(ctx, r.db, r.sites[0], firstDay, 3); err != nil || report.Differences() != 0 || len(report.Bounded) != 0 {
		t.Errorf("report of the second time: %+v, %v", report, err)
	}
	oracle.Agrees(t, r.db)
	var others int64
	if err := r.db.QueryRow(ctx, `SELECT visitors FROM rollup_day WHERE dimension = 1 AND value = '(other)'`).Scan(&others); err != nil || others != 7 {
		t.Errorf("(other) has %d visitors, want 7 (%v)", others, err)
	}

	if _, err := r.db.Exec(ctx, `DELETE FROM rollup_kept; DELETE FROM events`); err != nil {
		t.Fatal(err)
	}
	if report, err = recompute.Close(ctx, r.db, r.sites[0], firstDay, 1); err != nil || report.Events != 0 || report.Replaced || len(report.Bounded) != 0 {
		t.Errorf("report of a day without events: %+v, %v", report, err)
	}
	var rows int
	if err := r.db.QueryRow(ctx, `SELECT count(*) FROM rollup_day WHERE dimension = 1`).Scan(&rows); err != nil || rows != 4 {
		t.Errorf("%d pages are left, want 4 (%v)", rows, err)
	}
}
