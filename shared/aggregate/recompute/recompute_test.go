package recompute_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/aggregate/recompute"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// record is a migrated database with two sites, and a queue.
type record struct {
	db     *pgxpool.Pool
	client *redis.Client
	writer *queue.Writer
	sites  []sites.Site
}

func newRecord(t *testing.T, url string) *record {
	t.Helper()
	ctx := t.Context()
	db := localtest.Record(t, url)
	if _, err := db.Exec(ctx, `INSERT INTO sites (public_id, domain, timezone) VALUES ('s_1', 'one.example', 'UTC'), ('s_2', 'two.example', 'UTC')`); err != nil {
		t.Fatal(err)
	}
	sites, err := sites.List(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	client := localtest.Client(t, localtest.Redis(t))
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	return &record{db, client, writer, sites}
}

// reset empties the database, except for the sites.
func (r *record) reset(ctx context.Context) error {
	_, err := r.db.Exec(ctx, `DELETE FROM events; DELETE FROM visits; DELETE FROM rollup_hour; DELETE FROM rollup_day; DELETE FROM rollup_month; DELETE FROM rollup_kept`)
	return err
}

// store queues events and stores them.
func (r *record) store(ctx context.Context, events []event.Event) error {
	queued := make([]*event.Event, len(events))
	for i := range events {
		queued[i] = &events[i]
	}
	if err := r.writer.Append(ctx, queued...); err != nil {
		return err
	}
	result, err := (&aggregate.Aggregator{Redis: r.client, Database: r.db, Batch: 1000}).Run(ctx)
	if err == nil && result.Events != int64(len(events)) {
		err = fmt.Errorf("%d events are stored, want %d: %+v", result.Events, len(events), result)
	}
	return err
}

// The histories span the end of a month. Each site has an event on each day.
var firstDay = event.DayOf(time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC))

const days = 3

// recomputeAll recomputes every day of every site.
func (r *record) recomputeAll(ctx context.Context, db database.DB, replace bool) ([]recompute.Report, error) {
	var reports []recompute.Report
	for _, site := range r.sites {
		for day := firstDay; day < firstDay+days; day++ {
			report, err := recompute.Day(ctx, db, site, day, replace)
			if err != nil {
				return reports, err
			}
			reports = append(reports, report)
		}
	}
	return reports, nil
}

func differences(reports []recompute.Report) (n int64) {
	for _, r := range reports {
		n += r.Differences()
	}
	return n
}

func genHistory() *rapid.Generator[[]event.Event] {
	return rapid.Custom(func(t *rapid.T) []event.Event {
		var events []event.Event
		for site := range int32(2) {
			for day := firstDay; day < firstDay+days; day++ {
				for range rapid.IntRange(1, 6).Draw(t, "events") {
					offset := rapid.SampledFrom([]int16{0, 330, -210}).Draw(t, "offset")
					local := day.Date().Add(time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "minute")) * time.Minute)
					events = append(events, event.Event{
						ID: uuid.UUID{byte(len(events)), 1}, Site: site + 1, Day: day,
						Time: local.Add(-time.Duration(offset) * time.Minute), UTCOffset: offset,
						Visitor:    int64(rapid.IntRange(-2, 2).Draw(t, "visitor")) + 10*int64(day),
						Type:       event.Type(rapid.IntRange(1, 5).Draw(t, "type")),
						Engaged:    int32(rapid.IntRange(0, 2).Draw(t, "engaged")),
						Amount:     rapid.SampledFrom([]string{"", "12.5", "-3"}).Draw(t, "amount"),
						Currency:   rapid.SampledFrom([]string{"EUR", "JPY"}).Draw(t, "currency"),
						Name:       rapid.SampledFrom([]string{"", "Signup"}).Draw(t, "name"),
						Page:       rapid.SampledFrom([]string{"/", "/a", "/ä"}).Draw(t, "page"),
						Attributes: event.Attributes{Country: rapid.SampledFrom([]string{"", "FR"}).Draw(t, "country")},
					})
				}
			}
		}
		return events
	})
}

// damage is a statement that may damage one row of a derived table. $1 is the number of the
// row, $2 a small number.
type damage struct {
	sql        string
	row, value int
}

const (
	visitRow = ` WHERE (t.site_id, t.started_at, t.visitor) = (SELECT site_id, started_at, visitor FROM visits ORDER BY 1, 2, 3 OFFSET $1 LIMIT 1)`
	hourRow  = ` WHERE (t.site_id, t.hour, t.day) = (SELECT site_id, hour, day FROM rollup_hour ORDER BY 1, 2, 3 OFFSET $1 LIMIT 1)`
	dayRow   = ` WHERE (t.site_id, t.dimension, t.day, t.value) = (SELECT site_id, dimension, day, value FROM rollup_day ORDER BY 1, 2, 3, 4 OFFSET $1 LIMIT 1)`
	monthRow = ` WHERE (t.site_id, t.dimension, t.month, t.value) = (SELECT site_id, dimension, month, value FROM rollup_month ORDER BY 1, 2, 3, 4 OFFSET $1 LIMIT 1)`
)

// copyRow returns a statement that inserts a copy of a row with some columns changed.
func copyRow(table, columns, where string) string {
	return `INSERT INTO ` + table + ` SELECT c.* FROM ` + table + ` AS t, jsonb_populate_record(t, jsonb_build_object(` + columns + `)) AS c` + where
}

// damages returns statements that take both parameters.
func damages() []string {
	all := []string{
		`DELETE FROM visits AS t` + visitRow + ` AND $2 = $2::int`,
		`UPDATE visits AS t SET bounce = NOT bounce` + visitRow + ` AND $2 = $2::int`,
		`UPDATE visits AS t SET day = day + $2::int` + visitRow,
		`UPDATE visits AS t SET day = day + 50 * $2::int` + visitRow,
		`UPDATE visits AS t SET duration = duration + $2::int` + visitRow,
		`UPDATE visits AS t SET events = events + $2::int` + visitRow,
		`UPDATE visits AS t SET entry_page = '/' || $2::int` + visitRow,
		`UPDATE visits AS t SET screen = screen || $2::int` + visitRow,
		`UPDATE visits AS t SET engaged = engaged + $2::int` + visitRow,
		`UPDATE visits AS t SET revenue = jsonb_build_object('EUR', 12.50 * abs($2::int))` + visitRow,
		`UPDATE visits AS t SET revenue = jsonb_build_object('EUR', '12.5', 'JPY', $2::int)` + visitRow,
		`UPDATE visits AS t SET revenue = CASE WHEN $2::int > 0 THEN '{}'::jsonb WHEN $2::int < -1 THEN 'null' END` + visitRow,
		copyRow("visits", `'visitor', t.visitor + $2::int`, visitRow),
		copyRow("visits", `'started_at', t.started_at + $2::int * interval '1 microsecond'`, visitRow),
		copyRow("visits", `'started_at', (date '2026-02-28' + interval '12 hours' + $2::int * interval '1 hour') AT TIME ZONE 'UTC', 'day', t.day + 50`, visitRow),
		copyRow("rollup_hour", `'hour', t.hour + $2::int * interval '50 days'`, hourRow),
		copyRow("rollup_day", `'value', t.value || $2::int`, dayRow),
		copyRow("rollup_day", `'value', t.value || $2::int, 'visitors', 0, 'visits', 0, 'pageviews', 0, 'events', 0, 'bounces', 0, 'seconds', 0, 'engaged', 0`, dayRow),
		copyRow("rollup_day", `'dimension', 99 * $2::int`, dayRow),
		copyRow("rollup_month", `'value', t.value || $2::int`, monthRow),
		copyRow("rollup_month", `'value', t.value || $2::int, 'visitors', 0, 'visits', 0, 'pageviews', 0, 'events', 0, 'bounces', 0, 'seconds', 0, 'engaged', 0`, monthRow),
		copyRow("rollup_month", `'dimension', 99 * $2::int`, monthRow),
	}
	for table, row := range map[string]string{"rollup_hour": hourRow, "rollup_day": dayRow, "rollup_month": monthRow} {
		all = append(all, `DELETE FROM `+table+` AS t`+row+` AND $2 = $2::int`)
		for _, column := range []string{"visitors", "visits", "pageviews", "events", "bounces", "seconds", "engaged"} {
			all = append(all, `UPDATE `+table+` AS t SET `+column+` = `+column+` + $2::int`+row)
		}
	}
	slices.Sort(all)
	return all
}

func genDamages() *rapid.Generator[[]damage] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) damage {
		return damage{
			rapid.SampledFrom(damages()).Draw(t, "damage"),
			rapid.IntRange(0, 60).Draw(t, "row"), rapid.SampledFrom([]int{-2, -1, 1, 2}).Draw(t, "value"),
		}
	}), 1, 5)
}

// apply executes the statements of damages.
func (r *record) apply(ctx context.Context, all []damage) error {
	for _, d := range all {
		_, err := r.db.Exec(ctx, d.sql, d.row, d.value)
		if violation, ok := errors.AsType[*pgconn.PgError](err); err != nil && (!ok || violation.Code != pgerrcode.UniqueViolation) { // the row exists already
			return fmt.Errorf("%s: %w", d.sql, err)
		}
	}
	return nil
}

// check stores a history, damages it, repairs it, and returns what is wrong afterwards.
func (r *record) check(ctx context.Context, history []event.Event, damages []damage, between func() error) (wrong []string, err error) {
	if err := errors.Join(r.reset(ctx), r.store(ctx, history)); err != nil {
		return nil, err
	}
	reports, err := r.recomputeAll(ctx, r.db, true)
	if err != nil {
		return nil, err
	}
	var events int64
	for _, report := range reports {
		events += report.Events
		if report.Differences() != 0 || report.Replaced || len(report.Examples) != 0 {
			wrong = append(wrong, fmt.Sprintf("report without damage: %+v", report))
		}
	}
	if events != int64(len(history)) {
		wrong = append(wrong, fmt.Sprintf("the reports have %d events, want %d", events, len(history)))
	}

	if err := errors.Join(r.apply(ctx, damages), between()); err != nil {
		return wrong, err
	}
	damaged, err := oracle.Differences(ctx, r.db)
	if err != nil {
		return wrong, err
	}
	if reports, err = r.recomputeAll(ctx, r.db, false); err != nil {
		return wrong, err
	}
	if (len(damaged) > 0) != (differences(reports) > 0) {
		wrong = append(wrong, fmt.Sprintf("reports: %+v; oracle: %v", reports, damaged))
	}
	for _, report := range reports {
		if report.Replaced || (report.Differences() > 0) != (len(report.Examples) > 0) {
			wrong = append(wrong, fmt.Sprintf("report of a comparison: %+v", report))
		}
	}
	if reports, err = r.recomputeAll(ctx, r.db, true); err != nil {
		return wrong, err
	}
	for _, report := range reports {
		if report.Unrepaired() {
			wrong = append(wrong, fmt.Sprintf("not repaired: %+v", report))
		}
	}
	left, err := oracle.Differences(ctx, r.db)
	return append(wrong, left...), err
}

// nothing is a step between damage and repair that does nothing.
func nothing() error { return nil }

func TestAnyDamage(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	rapid.Check(t, func(rt *rapid.T) {
		wrong, err := r.check(t.Context(), genHistory().Draw(rt, "history"), genDamages().Draw(rt, "damages"), nothing)
		if err != nil {
			rt.Fatal(err)
		}
		for _, w := range wrong {
			rt.Error(w)
		}
	})
}

// compress compresses every chunk, if there are chunks.
func (r *record) compress(ctx context.Context) error {
	_, err := store.Compress(ctx, r.db, time.Now().AddDate(1, 0, 0))
	return err
}

// TestCompressedDays repairs damage in compressed chunks of each TimescaleDB.
func TestCompressedDays(t *testing.T) {
	t.Parallel()
	for _, database := range append(localtest.Databases(t)[1:], localtest.WebAssembly(t)) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			for seed := range 4 {
				wrong, err := r.check(t.Context(), genHistory().Example(seed), genDamages().Example(seed), func() error { return r.compress(t.Context()) })
				if err != nil {
					t.Fatalf("history %d: %v", seed, err)
				}
				for _, w := range wrong {
					t.Errorf("history %d: %s", seed, w)
				}
			}
		})
	}
}

// newEvents returns n events of n visitors, on the first day of the first site.
func newEvents(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			ID: uuid.UUID{byte(i >> 8), byte(i)}, Site: 1, Day: firstDay, Time: firstDay.Date().Add(time.Duration(i) * time.Second),
			Visitor: int64(i) * 1000, Type: event.View, Page: fmt.Sprintf("/%d", i%50),
		}
	}
	return events
}

// TestLargeDay repairs a day with more rows than are in memory at a time, with half of the
// visits missing and as many extra.
func TestLargeDay(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx := t.Context()
			const n = 9000
			if err := r.store(ctx, newEvents(n)); err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{
				`DELETE FROM visits WHERE visitor % 2000 = 0`,
				`INSERT INTO visits SELECT c.* FROM visits AS t, jsonb_populate_record(t, jsonb_build_object('visitor', visitor + 1)) AS c`,
				`UPDATE visits SET exit_page = '/wrong' WHERE visitor % 3000 = 0`,
			} {
				if _, err := r.db.Exec(ctx, statement); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.compress(ctx); err != nil {
				t.Fatal(err)
			}
			report, err := recompute.Day(ctx, r.db, r.sites[0], firstDay, true)
			if err != nil {
				t.Fatal(err)
			}
			want := recompute.Visits{Missing: n / 2, Extra: n / 2, Changed: n / 6}
			if report.Visits != want || report.Events != n || report.VisitorDays != n || !report.Replaced {
				t.Errorf("report = %+v, want visits %+v", report, want)
			}
			oracle.Agrees(t, r.db)
		})
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	if err := r.store(ctx, newEvents(3)); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`DELETE FROM visits WHERE visitor = 1000`,
		`UPDATE rollup_hour SET visitors = 7`,
		`UPDATE rollup_day SET events = 9 WHERE dimension = 1 AND value = '/2'`,
		`DELETE FROM rollup_month WHERE dimension = 0`,
	} {
		if _, err := r.db.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	got, err := recompute.Day(ctx, r.db, r.sites[0], firstDay, false)
	if err != nil {
		t.Fatal(err)
	}
	if got.Site != "one.example" || got.Day != "2026-02-27" || got.Events != 3 || got.VisitorDays != 3 || got.Replaced || !got.Unrepaired() ||
		got.Visits != (recompute.Visits{Missing: 1}) || got.Rollups != (recompute.Rollups{Hours: 1, Days: 1, Months: 1}) || got.Differences() != 4 {
		t.Errorf("report = %+v", got)
	}
	for i, words := range [][]string{
		{"visit", "2026-02-27T00:00:01Z", "not stored"},
		{"hour", "2026-02-27T00:00:00Z", "Visitors:7", "Visitors:3"},
		{"day", `page "/2"`, "Events:9", "Events:1"},
		{"month", "total", "Events:0", "Events:3"},
	} {
		for _, word := range words {
			if i >= len(got.Examples) || !strings.Contains(got.Examples[i], word) {
				t.Errorf("example %d of %q does not contain %q", i, got.Examples, word)
			}
		}
	}
}

// TestNoEvents checks that a day without events keeps its numbers: they may be kept on purpose.
func TestNoEvents(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	if err := r.store(ctx, newEvents(3)); err != nil {
		t.Fatal(err)
	}
	before := r.derived(t)
	if _, err := r.db.Exec(ctx, `DELETE FROM events`); err != nil {
		t.Fatal(err)
	}
	report, err := recompute.Day(ctx, r.db, r.sites[0], firstDay, true)
	if err != nil || report.Events != 0 || report.Visits.Extra != 3 || !report.Unrepaired() {
		t.Errorf("report = %+v, %v, want 3 extra visits", report, err)
	}
	if r.derived(t) != before {
		t.Error("the numbers of the day changed")
	}
}

func TestDeletedSite(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	if err := r.store(ctx, newEvents(3)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Exec(ctx, `DELETE FROM sites WHERE id = 1; DELETE FROM visits`); err != nil {
		t.Fatal(err)
	}
	if _, err := recompute.Day(ctx, r.db, r.sites[0], firstDay, true); !errors.Is(err, sites.ErrNoSite) {
		t.Errorf("got %v, want ErrNoSite", err)
	}
}

// derived returns the content of all derived tables.
func (r *record) derived(t *testing.T) string {
	t.Helper()
	var all string
	if err := r.db.QueryRow(context.Background(), `
SELECT concat_ws(' ', (SELECT string_agg(v::text, ' ' ORDER BY v::text) FROM visits v), (SELECT string_agg(h::text, ' ' ORDER BY h::text) FROM rollup_hour h),
    (SELECT string_agg(d::text, ' ' ORDER BY d::text) FROM rollup_day d), (SELECT string_agg(m::text, ' ' ORDER BY m::text) FROM rollup_month m))`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// cancelingDB is a database that cancels the context at a statement.
type cancelingDB struct {
	database.DB
	left atomic.Int64 // statements until then
	end  context.CancelFunc
}

func (d *cancelingDB) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := d.DB.Begin(ctx)
	return &cancelingTx{tx, d}, err
}

func (d *cancelingDB) count() {
	if d.left.Add(-1) == 0 {
		d.end()
	}
}

type cancelingTx struct {
	pgx.Tx
	db *cancelingDB
}

func (t *cancelingTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	t.db.count()
	return t.Tx.Exec(ctx, sql, args...)
}

func (t *cancelingTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	t.db.count()
	return t.Tx.Query(ctx, sql, args...)
}

// TestCanceled checks that a repair canceled at any of its statements changes nothing.
func TestCanceled(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	if err := r.store(ctx, newEvents(30)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Exec(ctx, `
DELETE FROM visits WHERE visitor % 2000 = 0; UPDATE rollup_hour SET visitors = 7; DELETE FROM rollup_day WHERE dimension = 1; DELETE FROM rollup_month WHERE dimension = 1`); err != nil {
		t.Fatal(err)
	}
	before := r.derived(t)
	statements := 1
	for ; ; statements++ {
		canceled, end := context.WithCancel(ctx)
		db := &cancelingDB{DB: r.db, end: end}
		db.left.Store(int64(statements))
		report, err := recompute.Day(canceled, db, r.sites[0], firstDay, true)
		end()
		if err == nil {
			if !report.Replaced {
				t.Errorf("report = %+v, want the differences replaced", report)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("statement %d: %v", statements, err)
		}
		if r.derived(t) != before {
			t.Fatalf("canceled at statement %d, the repair left changes", statements)
		}
	}
	if statements < 20 {
		t.Errorf("a repair has only %d statements, want at least 20", statements)
	}
	oracle.Agrees(t, r.db)
}

// TestDayConcurrently repeatedly recomputes days that are being damaged and receive events.
// It checks that no event is lost, and that a day that was not damaged never differs.
func TestDayConcurrently(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	const n = 4000
	events := newEvents(n)
	for i := range events {
		events[i].Site = int32(i%2) + 1
		events[i].Visitor = int64(i % 700)
	}
	queued := make([]*event.Event, n)
	for i := range events {
		queued[i] = &events[i]
	}
	if err := r.writer.Append(ctx, queued...); err != nil {
		t.Fatal(err)
	}
	aggregated := make(chan error, 1)
	var stored atomic.Int64
	go func() {
		a := &aggregate.Aggregator{Redis: r.client, Database: r.db, Batch: 40}
		for stored.Load() < n {
			result, err := a.Run(ctx)
			stored.Add(result.Events)
			if err != nil {
				aggregated <- err
				return
			}
		}
		aggregated <- nil
	}()
	replaced := 0
	for done := false; !done; {
		select {
		case err := <-aggregated:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
		if _, err := r.db.Exec(ctx, `UPDATE visits SET exit_page = '/wrong' WHERE site_id = 1 AND visitor < 20`); err != nil {
			t.Fatal(err)
		}
		for i, site := range r.sites {
			report, err := recompute.Day(ctx, r.db, site, firstDay, true)
			if err != nil {
				t.Fatal(err)
			}
			if report.Replaced {
				replaced++
			}
			if i == 1 && report.Differences() > 0 {
				t.Fatalf("the undamaged site differs: %+v", report)
			}
		}
	}
	if replaced < 2 {
		t.Errorf("the damage was repaired only %d times, want at least 2", replaced)
	}
	oracle.Agrees(t, r.db)
}
