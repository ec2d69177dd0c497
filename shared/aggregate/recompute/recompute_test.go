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

// reset empties the record, and keeps the sites.
func (r *record) reset(ctx context.Context) error {
	_, err := r.db.Exec(ctx, `DELETE FROM events; DELETE FROM visits; DELETE FROM rollup_hour; DELETE FROM rollup_day; DELETE FROM rollup_month`)
	return err
}

// keep queues events and stores them.
func (r *record) keep(ctx context.Context, events []event.Event) error {
	queued := make([]*event.Event, len(events))
	for i := range events {
		queued[i] = &events[i]
	}
	if err := r.writer.Append(ctx, queued...); err != nil {
		return err
	}
	result, err := (&aggregate.Drainer{Redis: r.client, Database: r.db, Batch: 1000}).Run(ctx)
	if err == nil && result.Events != int64(len(events)) {
		err = fmt.Errorf("%d events are stored, not %d: %+v", result.Events, len(events), result)
	}
	return err
}

// The days of the histories lie around the end of a month, and each has an event of
// each site.
var firstDay = event.DayOf(time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC))

const days = 3

// all counts every day of every site again.
func (r *record) all(ctx context.Context, db database.DB, replace bool) ([]recompute.Report, error) {
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

// damage is a statement that may do harm to one row of a derived table: $1 is which, $2
// a small number.
type damage struct {
	sql        string
	row, value int
}

const (
	aVisit = ` WHERE (t.site_id, t.started_at, t.visitor) = (SELECT site_id, started_at, visitor FROM visits ORDER BY 1, 2, 3 OFFSET $1 LIMIT 1)`
	anHour = ` WHERE (t.site_id, t.hour, t.day) = (SELECT site_id, hour, day FROM rollup_hour ORDER BY 1, 2, 3 OFFSET $1 LIMIT 1)`
	aDay   = ` WHERE (t.site_id, t.dimension, t.day, t.value) = (SELECT site_id, dimension, day, value FROM rollup_day ORDER BY 1, 2, 3, 4 OFFSET $1 LIMIT 1)`
	aMonth = ` WHERE (t.site_id, t.dimension, t.month, t.value) = (SELECT site_id, dimension, month, value FROM rollup_month ORDER BY 1, 2, 3, 4 OFFSET $1 LIMIT 1)`
)

// copied inserts a copy of a row with some columns set to something else.
func copied(table, columns, where string) string {
	return `INSERT INTO ` + table + ` SELECT c.* FROM ` + table + ` AS t, jsonb_populate_record(t, jsonb_build_object(` + columns + `)) AS c` + where
}

// damages are statements that take both parameters.
func damages() []string {
	all := []string{
		`DELETE FROM visits AS t` + aVisit + ` AND $2 = $2::int`,
		`UPDATE visits AS t SET bounce = NOT bounce` + aVisit + ` AND $2 = $2::int`,
		`UPDATE visits AS t SET day = day + $2::int` + aVisit,
		`UPDATE visits AS t SET day = day + 50 * $2::int` + aVisit,
		`UPDATE visits AS t SET duration = duration + $2::int` + aVisit,
		`UPDATE visits AS t SET events = events + $2::int` + aVisit,
		`UPDATE visits AS t SET entry_page = '/' || $2::int` + aVisit,
		`UPDATE visits AS t SET screen = screen || $2::int` + aVisit,
		`UPDATE visits AS t SET engaged = engaged + $2::int` + aVisit,
		`UPDATE visits AS t SET revenue = jsonb_build_object('EUR', 12.50 * abs($2::int))` + aVisit,
		`UPDATE visits AS t SET revenue = jsonb_build_object('EUR', '12.5', 'JPY', $2::int)` + aVisit,
		`UPDATE visits AS t SET revenue = CASE WHEN $2::int > 0 THEN '{}'::jsonb WHEN $2::int < -1 THEN 'null' END` + aVisit,
		copied("visits", `'visitor', t.visitor + $2::int`, aVisit),
		copied("visits", `'started_at', t.started_at + $2::int * interval '1 microsecond'`, aVisit),
		copied("visits", `'started_at', (date '2026-02-28' + interval '12 hours' + $2::int * interval '1 hour') AT TIME ZONE 'UTC', 'day', t.day + 50`, aVisit),
		copied("rollup_hour", `'hour', t.hour + $2::int * interval '50 days'`, anHour),
		copied("rollup_day", `'value', t.value || $2::int`, aDay),
		copied("rollup_day", `'value', t.value || $2::int, 'visitors', 0, 'visits', 0, 'pageviews', 0, 'events', 0, 'bounces', 0, 'seconds', 0, 'engaged', 0`, aDay),
		copied("rollup_day", `'dimension', 99 * $2::int`, aDay),
		copied("rollup_month", `'value', t.value || $2::int`, aMonth),
		copied("rollup_month", `'value', t.value || $2::int, 'visitors', 0, 'visits', 0, 'pageviews', 0, 'events', 0, 'bounces', 0, 'seconds', 0, 'engaged', 0`, aMonth),
		copied("rollup_month", `'dimension', 99 * $2::int`, aMonth),
	}
	for table, row := range map[string]string{"rollup_hour": anHour, "rollup_day": aDay, "rollup_month": aMonth} {
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

func (r *record) harm(ctx context.Context, all []damage) error {
	for _, d := range all {
		_, err := r.db.Exec(ctx, d.sql, d.row, d.value)
		if refused, ok := errors.AsType[*pgconn.PgError](err); err != nil && (!ok || refused.Code != pgerrcode.UniqueViolation) { // the row is there already
			return fmt.Errorf("%s: %w", d.sql, err)
		}
	}
	return nil
}

// check stores a history, does harm to it, lets it be put right, and returns what is
// wrong then.
func (r *record) check(ctx context.Context, history []event.Event, harm []damage, between func() error) (wrong []string, err error) {
	if err := errors.Join(r.reset(ctx), r.keep(ctx, history)); err != nil {
		return nil, err
	}
	reports, err := r.all(ctx, r.db, true)
	if err != nil {
		return nil, err
	}
	var events int64
	for _, report := range reports {
		events += report.Events
		if report.Differences() != 0 || report.Replaced || len(report.Examples) != 0 {
			wrong = append(wrong, fmt.Sprintf("without harm the report says %+v", report))
		}
	}
	if events != int64(len(history)) {
		wrong = append(wrong, fmt.Sprintf("the reports have %d events, %d are stored", events, len(history)))
	}

	if err := errors.Join(r.harm(ctx, harm), between()); err != nil {
		return wrong, err
	}
	harmed, err := oracle.Differences(ctx, r.db)
	if err != nil {
		return wrong, err
	}
	if reports, err = r.all(ctx, r.db, false); err != nil {
		return wrong, err
	}
	if (len(harmed) > 0) != (differences(reports) > 0) {
		wrong = append(wrong, fmt.Sprintf("the reports say %+v, the oracle %v", reports, harmed))
	}
	for _, report := range reports {
		if report.Replaced || (report.Differences() > 0) != (len(report.Examples) > 0) {
			wrong = append(wrong, fmt.Sprintf("a comparison says %+v", report))
		}
	}
	if reports, err = r.all(ctx, r.db, true); err != nil {
		return wrong, err
	}
	for _, report := range reports {
		if report.Left() {
			wrong = append(wrong, fmt.Sprintf("not put right: %+v", report))
		}
	}
	left, err := oracle.Differences(ctx, r.db)
	return append(wrong, left...), err
}

func nothing() error { return nil }

func TestAnyDamageIsFoundAndPutRight(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	rapid.Check(t, func(rt *rapid.T) {
		wrong, err := r.check(t.Context(), genHistory().Draw(rt, "history"), genDamages().Draw(rt, "harm"), nothing)
		if err != nil {
			rt.Fatal(err)
		}
		for _, w := range wrong {
			rt.Error(w)
		}
	})
}

// compress compresses every chunk, where there are chunks.
func (r *record) compress(ctx context.Context) error {
	_, err := store.Compress(ctx, r.db, time.Now().AddDate(1, 0, 0))
	return err
}

// TestCompressedDays does some harm on each TimescaleDB, and compresses it.
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

// some are n events of as many visitors of the first day of the first site.
func some(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			ID: uuid.UUID{byte(i >> 8), byte(i)}, Site: 1, Day: firstDay, Time: firstDay.Date().Add(time.Duration(i) * time.Second),
			Visitor: int64(i) * 1000, Type: event.View, Page: fmt.Sprintf("/%d", i%50),
		}
	}
	return events
}

// TestADayThatIsReadInParts has more rows than are in memory at once, half of the
// visits missing, and others too many.
func TestADayThatIsReadInParts(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx := t.Context()
			const n = 9000
			if err := r.keep(ctx, some(n)); err != nil {
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
				t.Errorf("%+v; want %+v", report, want)
			}
			oracle.Agrees(t, r.db)
		})
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	if err := r.keep(ctx, some(3)); err != nil {
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
	if got.Site != "one.example" || got.Day != "2026-02-27" || got.Events != 3 || got.VisitorDays != 3 || got.Replaced || !got.Left() ||
		got.Visits != (recompute.Visits{Missing: 1}) || got.Rollups != (recompute.Rollups{Hours: 1, Days: 1, Months: 1}) || got.Differences() != 4 {
		t.Errorf("%+v", got)
	}
	for i, words := range [][]string{
		{"visit", "2026-02-27T00:00:01Z", "not stored"},
		{"hour", "2026-02-27T00:00:00Z", "Visitors:7", "Visitors:3"},
		{"day", `page "/2"`, "Events:9", "Events:1"},
		{"month", "in all", "Events:0", "Events:3"},
	} {
		for _, word := range words {
			if i >= len(got.Examples) || !strings.Contains(got.Examples[i], word) {
				t.Errorf("example %d of %q lacks %q", i, got.Examples, word)
			}
		}
	}
}

// TestADayWithoutEventsKeepsItsNumbers: nothing tells why there are none.
func TestADayWithoutEventsKeepsItsNumbers(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	if err := r.keep(ctx, some(3)); err != nil {
		t.Fatal(err)
	}
	before := r.derived(t)
	if _, err := r.db.Exec(ctx, `DELETE FROM events`); err != nil {
		t.Fatal(err)
	}
	report, err := recompute.Day(ctx, r.db, r.sites[0], firstDay, true)
	if err != nil || report.Events != 0 || report.Visits.Extra != 3 || !report.Left() {
		t.Errorf("%+v, %v", report, err)
	}
	if r.derived(t) != before {
		t.Error("the numbers of the day are gone")
	}
}

func TestASiteThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	if err := r.keep(ctx, some(3)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Exec(ctx, `DELETE FROM sites WHERE id = 1; DELETE FROM visits`); err != nil {
		t.Fatal(err)
	}
	if _, err := recompute.Day(ctx, r.db, r.sites[0], firstDay, true); !errors.Is(err, sites.ErrNoSite) {
		t.Errorf("got %v, want ErrNoSite", err)
	}
}

// derived is everything that is derived.
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

// faulty is a database on which the context ends at a statement.
type faulty struct {
	database.DB
	left atomic.Int64 // statements before that
	end  context.CancelFunc
}

func (f *faulty) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := f.DB.Begin(ctx)
	return &faultyTx{tx, f}, err
}

func (f *faulty) count() {
	if f.left.Add(-1) == 0 {
		f.end()
	}
}

type faultyTx struct {
	pgx.Tx
	of *faulty
}

func (f *faultyTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	f.of.count()
	return f.Tx.Exec(ctx, sql, args...)
}

func (f *faultyTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	f.of.count()
	return f.Tx.Query(ctx, sql, args...)
}

// TestAFaultChangesNothing ends the work at each of its statements in turn.
func TestAFaultChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	if err := r.keep(ctx, some(30)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Exec(ctx, `
DELETE FROM visits WHERE visitor % 2000 = 0; UPDATE rollup_hour SET visitors = 7; DELETE FROM rollup_day WHERE dimension = 1; DELETE FROM rollup_month WHERE dimension = 1`); err != nil {
		t.Fatal(err)
	}
	before := r.derived(t)
	statements := 1
	for ; ; statements++ {
		ending, end := context.WithCancel(ctx)
		db := &faulty{DB: r.db, end: end}
		db.left.Store(int64(statements))
		report, err := recompute.Day(ending, db, r.sites[0], firstDay, true)
		end()
		if err == nil {
			if !report.Replaced {
				t.Errorf("%+v", report)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("statement %d: %v", statements, err)
		}
		if r.derived(t) != before {
			t.Fatalf("ended at statement %d, it left something changed", statements)
		}
	}
	if statements < 20 {
		t.Errorf("only %d statements were tried", statements)
	}
	oracle.Agrees(t, r.db)
}

// TestBesideADrain counts days again and again that are being added to, and harmed: the
// drain goes on, nothing is lost, and a day that nobody harmed has no difference at any
// moment.
func TestBesideADrain(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	const n = 4000
	events := some(n)
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
	drained := make(chan error, 1)
	var stored atomic.Int64
	go func() {
		d := &aggregate.Drainer{Redis: r.client, Database: r.db, Batch: 40}
		for stored.Load() < n {
			result, err := d.Run(ctx)
			stored.Add(result.Events)
			if err != nil {
				drained <- err
				return
			}
		}
		drained <- nil
	}()
	replaced := 0
	for done := false; !done; {
		select {
		case err := <-drained:
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
				t.Fatalf("nobody harmed it: %+v", report)
			}
		}
	}
	if replaced < 2 {
		t.Errorf("the harm was put right %d times only", replaced)
	}
	oracle.Agrees(t, r.db)
}
