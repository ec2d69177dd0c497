package archive_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/columnstest"
	"github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// record is a migrated database with two sites.
type record struct {
	db    *pgxpool.Pool
	codec *columns.Codec
}

func newRecord(t *testing.T, url string) *record {
	t.Helper()
	r := &record{db: localtest.Record(t, url)}
	for _, domain := range []string{"one.example", "two.example"} {
		if _, err := sites.Create(t.Context(), r.db, sites.Draft{Domain: domain, Timezone: "UTC"}); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if r.codec, err = columns.NewCodec(); err != nil {
		t.Fatal(err)
	}
	return r
}

// add stores the events of a visitor-day with the rollups.
func (r *record) add(t *testing.T, events ...*event.Event) {
	t.Helper()
	rollups := visit.NewRollups()
	rollups.Add(visit.Fold(events))
	_, err := store.AddEvents(t.Context(), r.db, events)
	if err := errors.Join(err, store.ApplyRollups(t.Context(), r.db, rollups)); err != nil {
		t.Fatal(err)
	}
}

func siteDay(site int32, day event.Day) store.SiteDay { return store.SiteDay{Site: site, Day: day} }

func view(site int32, day event.Day) *event.Event {
	return &event.Event{ID: uuid.New(), Site: site, Day: day, Time: day.Date().Add(12 * time.Hour), Visitor: int64(day), Type: event.View, Page: "/"}
}

// archived returns the archived days, oldest first.
func (r *record) archived(t *testing.T) []store.SiteDay {
	t.Helper()
	rows, err := r.db.Query(t.Context(), `SELECT site_id, (day - date '1970-01-01') FROM day_columns WHERE name = 'frame' ORDER BY day, site_id`)
	if err != nil {
		t.Fatal(err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.SiteDay])
	if err != nil {
		t.Fatal(err)
	}
	return days
}

// TestDay checks that an archived day matches its events.
func TestDay(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			for seed := range 15 {
				if _, err := r.db.Exec(t.Context(), `DELETE FROM events`); err != nil {
					t.Fatal(err)
				}
				for _, events := range columnstest.GenVisitorDays().Example(seed) {
					if _, err := store.AddEvents(t.Context(), r.db, events); err != nil {
						t.Fatal(err)
					}
				}
				d := store.SiteDay{Site: 1, Day: columnstest.Day}
				size := 1 + seed
				if ok, err := archive.Day(t.Context(), r.db, r.codec, d, size); err != nil || !ok {
					t.Fatal(ok, err)
				}
				wanted := columnstest.GenColumns().Example(seed)
				scanned, err := columnstest.Scan(t.Context(), r.db, store.Scan{Site: d.Site, Day: d.Day, Wanted: wanted})
				if err != nil {
					t.Fatal(err)
				}
				sizes, err := store.ArchivedDays(t.Context(), r.db, d.Site, []event.Day{d.Day - 1, d.Day}, wanted...)
				if err != nil || len(sizes) != 1 {
					t.Fatalf("the days %v are archived, %v", sizes, err)
				}
				var parts []*columns.Day
				var bytes int64
				for archived, err := range store.ArchivedParts(t.Context(), r.db, d.Site, []event.Day{d.Day}, wanted...) {
					if err != nil {
						t.Fatal(err)
					}
					part, err := r.codec.Decode(archived.Day, archived.Pieces, wanted...)
					if err != nil {
						t.Fatal(err)
					}
					if part.Events() > size+8 || part.VisitorDays() > size {
						t.Errorf("a part of size %d has %d events of %d visitors", size, part.Events(), part.VisitorDays())
					}
					parts, bytes = append(parts, part), bytes+archived.Size()
				}
				if bytes != sizes[d.Day] {
					t.Errorf("the parts have %d bytes, not %d", bytes, sizes[d.Day])
				}
				if diff := cmp.Diff(columnstest.FormatVisitorDays(wanted, scanned), columnstest.FormatVisitorDays(wanted, parts...)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestClosedDays checks that closed days are archived, newest first and while there is time,
// and again after their archive was deleted.
func TestClosedDays(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	today := event.DayOf(now)
	for _, d := range []store.SiteDay{siteDay(1, today), siteDay(1, today-1), siteDay(1, today-2), siteDay(2, today-2), siteDay(1, today-3), siteDay(1, today-700)} {
		r.add(t, view(d.Site, d.Day))
	}
	run := func(limit int) archive.Result {
		done, err := archive.ClosedDays(t.Context(), r.db, r.codec, now, func() bool { limit--; return limit >= -1 }, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	three := []store.SiteDay{siteDay(1, today-3), siteDay(1, today-2), siteDay(2, today-2)}
	if done := run(3); done.Days != 3 || !cmp.Equal(r.archived(t), three) {
		t.Errorf("result = %+v, archived days = %v", done, r.archived(t))
	}
	all := append([]store.SiteDay{siteDay(1, today-700)}, three...)
	if done := run(9); done.Days != 1 || !cmp.Equal(r.archived(t), all) {
		t.Errorf("result = %+v, archived days = %v", done, r.archived(t))
	}
	if done := run(9); done.Days != 0 {
		t.Errorf("result = %+v, want no more days", done)
	}
	if err := store.InvalidateDays(t.Context(), r.db, []store.SiteDay{siteDay(1, today-3), siteDay(2, today), siteDay(1, today)}); err != nil {
		t.Fatal(err)
	}
	if done := run(9); done.Days != 1 || !cmp.Equal(r.archived(t), all) {
		t.Errorf("result = %+v, archived days = %v", done, r.archived(t))
	}
}

// TestDayConcurrently checks that a day whose events are being changed is skipped, and that a
// change of a day that is being archived waits.
func TestDayConcurrently(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	e := view(1, 20_000)
	d, other := store.SiteDay{Site: 1, Day: e.Day}, store.SiteDay{Site: 1, Day: e.Day + 1}
	r.add(t, e)

	adder, err := r.db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.InvalidateDays(ctx, adder, []store.SiteDay{d}); err != nil {
		t.Fatal(err)
	}
	if ok, err := archive.Day(ctx, r.db, r.codec, d, archive.PartEvents); ok || err != nil {
		t.Errorf("Day of a day that is being changed = %t, %v, want false", ok, err)
	}
	if ok, err := archive.Day(ctx, r.db, r.codec, other, archive.PartEvents); !ok || err != nil {
		t.Errorf("Day of another day = %t, %v, want true", ok, err)
	}
	if err := adder.Rollback(ctx); err != nil {
		t.Fatal(err)
	}

	archiver, err := r.db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := store.LockDay(ctx, archiver, d); !ok || err != nil {
		t.Fatal(ok, err)
	}
	added := make(chan error)
	go func() {
		added <- pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error { return store.InvalidateDays(ctx, tx, []store.SiteDay{d}) })
	}()
	r.waitForLock(t)
	if err := store.ArchiveDay(ctx, archiver, d, []map[columns.Column][]byte{{columns.Frame: {}}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(archiver.Commit(ctx), <-added); err != nil {
		t.Fatal(err)
	}
	if archived := r.archived(t); !cmp.Equal(archived, []store.SiteDay{other}) {
		t.Errorf("archived days = %v, want the changed day deleted", archived)
	}
}

// waitForLock waits until a transaction waits for an advisory lock.
func (r *record) waitForLock(t *testing.T) {
	t.Helper()
	for waiting := false; !waiting; {
		err := r.db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// manualDeadline is a context whose deadline passes when done is closed.
type manualDeadline struct {
	context.Context //nolint:containedctx // a context itself
	done            chan struct{}
}

func (e *manualDeadline) Done() <-chan struct{} { return e.done }

func (e *manualDeadline) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// waits reports whether a session waits for a lock in the database.
func (r *record) waits(t *testing.T) bool {
	t.Helper()
	var waiting bool
	err := r.db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
	if err != nil {
		t.Error(err)
	}
	return waiting
}

// TestTooLarge checks that a day that takes too long is skipped until its events change.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	large := event.DayOf(now) - 2
	r.add(t, view(1, large))
	r.add(t, view(1, large-1))
	log := new(strings.Builder)
	run := func(ctx context.Context) archive.Result {
		done, err := archive.ClosedDays(ctx, r.db, r.codec, now, func() bool { return true }, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Error(err)
		}
		return done
	}
	// While the table is locked, archiving waits until the deadline.
	lock, err := r.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), `LOCK TABLE day_columns IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx := &manualDeadline{t.Context(), make(chan struct{})}
	tooLong := make(chan archive.Result, 1)
	go func() { tooLong <- run(ctx) }()
	localtest.Eventually(t, "the day waits for the table", func() bool { return r.waits(t) })
	close(ctx.done)
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done := <-tooLong; done != (archive.Result{TooLarge: 1}) || strings.Count(log.String(), "too large") != 1 {
		t.Errorf("result = %+v, want one day too large; log: %s", done, log)
	}
	if done := run(t.Context()); done != (archive.Result{Days: 1}) {
		t.Errorf("result = %+v, want the other day archived", done)
	}
	if err := store.InvalidateDays(t.Context(), r.db, []store.SiteDay{siteDay(1, large)}); err != nil {
		t.Fatal(err)
	}
	if done := run(t.Context()); done != (archive.Result{Days: 1}) {
		t.Errorf("result = %+v, want the changed day archived", done)
	}
}

func TestDeletedSites(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	for site := range int32(2) {
		r.add(t, view(site+1, 20_000))
		if ok, err := archive.Day(t.Context(), r.db, r.codec, store.SiteDay{Site: site + 1, Day: 20_000}, archive.PartEvents); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if err := sites.Delete(t.Context(), r.db, 1); err != nil {
		t.Fatal(err)
	}
	if archived := r.archived(t); !cmp.Equal(archived, []store.SiteDay{siteDay(2, 20_000)}) {
		t.Errorf("archived days = %v, want the other site's", archived)
	}
	if ok, err := archive.Day(t.Context(), r.db, r.codec, store.SiteDay{Site: 1, Day: 20_000}, archive.PartEvents); ok || !errors.Is(err, sites.ErrNoSite) {
		t.Errorf("Day of a deleted site = %t, %v, want ErrNoSite", ok, err)
	}
}

// TestOldVersions checks that days archived in an older version of the format are archived
// again.
func TestOldVersions(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	day := event.DayOf(now) - 2
	r.add(t, view(1, day))
	for _, step := range []struct {
		before string // statement
		want   archive.Result
	}{
		{`SELECT`, archive.Result{Days: 1}},
		{`SELECT`, archive.Result{}},
		{`DELETE FROM day_columns WHERE name = 'version'`, archive.Result{Days: 1}}, // as in the first version
		{`UPDATE day_columns SET data = '\x01' WHERE name = 'version'`, archive.Result{Days: 1}},
		{`SELECT`, archive.Result{}},
	} {
		if _, err := r.db.Exec(t.Context(), step.before); err != nil {
			t.Fatal(err)
		}
		done, err := archive.ClosedDays(t.Context(), r.db, r.codec, now, func() bool { return true }, slog.New(slog.DiscardHandler))
		if err != nil || done != step.want {
			t.Errorf("after %s: result = %+v, %v, want %+v", step.before, done, err, step.want)
		}
	}
}
