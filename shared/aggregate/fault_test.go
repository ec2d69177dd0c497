package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

var errInjected = errors.New("injected failure")

// fault fails one step of a drain: a statement, a COPY, the begin or commit of a
// transaction, a command to Redis. It fails it before it is done or, which is what
// a connection that breaks looks like, after it was done.
type fault struct {
	step  int // from 1
	after bool

	mu    sync.Mutex
	taken int
}

// reached tells whether there were as many steps.
func (f *fault) reached() bool { return f.taken >= f.step }

func (f *fault) during(do func() error) error {
	f.mu.Lock()
	f.taken++
	hit := f.taken == f.step
	f.mu.Unlock()
	if !hit {
		return do()
	}
	if f.after {
		_ = do() // the caller never learns
	}
	return errInjected
}

// faultyDB is a database whose steps go through a fault.
type faultyDB struct {
	database.DB
	*fault
}

func (d faultyDB) Begin(ctx context.Context) (pgx.Tx, error) {
	var tx pgx.Tx
	err := d.during(func() (err error) { tx, err = d.DB.Begin(ctx); return err })
	if err != nil {
		if tx != nil {
			_ = tx.Rollback(ctx)
		}
		return nil, err
	}
	return faultyTx{tx, d.fault}, nil
}

type faultyTx struct {
	pgx.Tx
	*fault
}

func (t faultyTx) Begin(ctx context.Context) (pgx.Tx, error) {
	var inner pgx.Tx
	err := t.during(func() (err error) { inner, err = t.Tx.Begin(ctx); return err })
	if err != nil {
		return nil, err
	}
	return faultyTx{inner, t.fault}, nil
}

func (t faultyTx) Commit(ctx context.Context) error {
	return t.during(func() error { return t.Tx.Commit(ctx) })
}

func (t faultyTx) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	err = t.during(func() (err error) { tag, err = t.Tx.Exec(ctx, sql, args...); return err })
	return tag, err
}

func (t faultyTx) Query(ctx context.Context, sql string, args ...any) (rows pgx.Rows, err error) {
	err = t.during(func() (err error) { rows, err = t.Tx.Query(ctx, sql, args...); return err }) //nolint:sqlclosecheck // the caller closes them
	if err != nil && rows != nil {
		rows.Close()
	}
	return rows, err
}

func (t faultyTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	var row pgx.Row
	if err := t.during(func() error { row = t.Tx.QueryRow(ctx, sql, args...); return nil }); err != nil {
		if row != nil {
			_ = row.Scan() // ends it
		}
		return failedRow{err}
	}
	return row
}

// Conn is asked for by nothing but a COPY, which fails on a connection that is closed.
func (t faultyTx) Conn() *pgx.Conn {
	conn := t.Tx.Conn()
	if err := t.during(func() error { return nil }); err != nil {
		_ = conn.Close(context.Background())
	}
	return conn
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// faultyRedis lets commands go through a fault.
type faultyRedis struct{ *fault }

func (faultyRedis) DialHook(next redis.DialHook) redis.DialHook { return next }

// isGreeting tells whether a command is what a client says on a new connection.
func isGreeting(cmd redis.Cmder) bool { return cmd.Name() == "hello" || cmd.Name() == "client" }

func (r faultyRedis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if isGreeting(cmd) {
			return next(ctx, cmd)
		}
		return r.during(func() error { return next(ctx, cmd) })
	}
}

func (r faultyRedis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if isGreeting(cmds[0]) {
			return next(ctx, cmds)
		}
		return r.during(func() error { return next(ctx, cmds) })
	}
}

// run drains with a fault.
func (r *record) run(ctx context.Context, d aggregate.Drainer, f *fault) (aggregate.Result, error) {
	client := redis.NewClient(&redis.Options{Addr: r.client.Options().Addr, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	client.AddHook(faultyRedis{f})
	d.Redis, d.Database = client, faultyDB{r.db, f}
	return d.Run(ctx)
}

// rest drains what a fault left. A connection that was closed may hold its shard for a
// moment more.
func (r *record) rest(ctx context.Context, d aggregate.Drainer) error {
	for {
		if done, err := r.run(ctx, d, &fault{}); err != nil || done.Busy == 0 {
			return err
		}
	}
}

// unlocked waits until no connection that was closed holds a shard any more: a run that finds
// one busy takes other steps.
func (r *record) unlocked(ctx context.Context) error {
	for locked := true; locked; {
		err := r.db.QueryRow(ctx, `
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&locked)
		if err != nil {
			return err
		}
	}
	return nil
}

// left is what must be the same whatever failed on the way.
type left struct {
	events, letters int
	drops           string
	wrong           []string
}

func (r *record) left(ctx context.Context) (l left, err error) {
	err = r.db.QueryRow(ctx, `
SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM dead_letters),
       coalesce((SELECT string_agg(d::text, ' ' ORDER BY d::text) FROM drops d), '')`).Scan(&l.events, &l.letters, &l.drops)
	if err != nil {
		return l, err
	}
	if n, err := r.queued(ctx); err != nil || n != 0 {
		l.wrong = append(l.wrong, fmt.Sprintf("%d entries are left in the queue (%v)", n, err))
	}
	kept, err := r.wrongDays(ctx)
	if err != nil {
		return l, err
	}
	differences, err := oracle.Differences(ctx, r.db)
	l.wrong = slices.Concat(l.wrong, kept, differences)
	return l, err
}

// everything queues what makes a drain do all it can: a day that is kept, visits that grow and meet,
// duplicates of the same and of another visitor, an event of a site that is gone,
// counts of dropped events, and an entry that is no event. All of it is in one shard.
func (r *record) everything(ctx context.Context) error {
	early, late := some(6), some(12)
	for i := range late {
		late[i].Visitor = int64(i%6) * queue.Shards
		late[i].Time = late[i].Time.Add(-time.Minute)
	}
	for i := range early {
		early[i].Visitor = late[i].Visitor
	}
	other, gone := *early[3], *late[5]
	other.Visitor, gone.Site = 10*queue.Shards, 99
	if err := r.writer.Append(ctx, early...); err != nil {
		return err
	}
	if _, err := r.drainer().Run(ctx); err != nil {
		return err
	}
	if _, err := r.keep(ctx); err != nil {
		return err
	}
	if err := r.writer.Append(ctx, append(late, early[0], late[1], &other, &gone)...); err != nil {
		return err
	}
	writer := queue.NewWriter(r.client)
	writer.Drop(queue.Drops{Site: 4, Day: early[0].Day, Reason: "bot", Events: 7}) // in the same shard
	writer.Close()
	return r.client.XAdd(ctx, &redis.XAddArgs{Stream: "analytics:{0}:events", Values: []string{"e", "junk"}}).Err()
}

// poison queues an event that the database refuses before one that it takes.
func (r *record) poison(ctx context.Context) error {
	events := some(2)
	events[0].Visitor, events[1].Visitor = queue.Shards, 2*queue.Shards
	events[0].Name = "no database text holds \x00"
	return r.writer.Append(ctx, events...)
}

// TestEveryStepMayFail lets each step of a drain fail in turn, before and after it was
// done. Whatever failed, once the drain has been run again all is as if nothing had.
func TestEveryStepMayFail(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			everyStepMayFail(t, database.URL, (*record).everything,
				left{18, 1, "(1,2026-02-28,duplicate,3) (4,2026-02-28,bot,7) (99,2026-02-28,site_gone,1)", nil})
		})
	}
	t.Run("poison", func(t *testing.T) {
		t.Parallel()
		everyStepMayFail(t, localtest.Postgres(t), (*record).poison, left{1, 1, "", nil})
	})
}

func everyStepMayFail(t *testing.T, url string, fill func(*record, context.Context) error, want left) {
	t.Helper()
	r := newRecord(t, url)
	for step := 1; ; step++ {
		before, after := &fault{step: step}, &fault{step: step, after: true}
		for _, f := range []*fault{before, after} {
			got, failed := r.fail(t, fill, f)
			if f.reached() && failed == nil {
				t.Errorf("step %d (after: %t) failed, and the run said nothing", step, f.after)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(left{})); diff != "" {
				t.Errorf("step %d (after: %t) failed:\n%s", step, f.after, diff)
			}
		}
		if !before.reached() {
			if step < 25 {
				t.Errorf("there were only %d steps", step)
			}
			return
		}
	}
}

// fail drains what fill queues with a fault, then without, and returns what the
// faulty run said and what is left in the end.
func (r *record) fail(t *testing.T, fill func(*record, context.Context) error, f *fault) (left, error) {
	t.Helper()
	ctx := t.Context()
	if err := errors.Join(r.reset(ctx), fill(r, ctx), r.unlocked(ctx)); err != nil {
		t.Fatal(err)
	}
	drainer := aggregate.Drainer{Workers: 1, AtOnce: 5} // of 18 entries the second batch has 10, in two parts
	_, failed := r.run(ctx, drainer, f)
	if err := r.rest(ctx, drainer); err != nil {
		t.Fatalf("after step %d had failed: %v", f.step, err)
	}
	l, err := r.left(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return l, failed
}

// TestAnyHistoryWithFailures plays histories while steps fail, again and again.
func TestAnyHistoryWithFailures(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		if err := r.reset(ctx); err != nil {
			rt.Fatal(err)
		}
		s := genScenario().Draw(rt, "scenario")
		drainer := aggregate.Drainer{Batch: s.batch, AtOnce: s.atOnce}
		arrivals := s.arrivals
		for i, cut := range s.cuts {
			queued := make([]*event.Event, cut)
			for i := range queued {
				queued[i] = &arrivals[i]
			}
			arrivals = arrivals[cut:]
			if err := r.writer.Append(ctx, queued...); err != nil {
				rt.Fatal(err)
			}
			f := &fault{step: rapid.IntRange(1, 60).Draw(rt, "failing step"), after: rapid.Bool().Draw(rt, "after it was done")}
			if _, err := r.run(ctx, drainer, f); err != nil && !f.reached() {
				rt.Fatal(err)
			}
			if s.keeps[i] {
				if _, err := r.keep(ctx); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if err := r.rest(ctx, drainer); err != nil {
			rt.Fatal(err)
		}
		l, err := r.left(ctx)
		if err != nil {
			rt.Fatal(err)
		}
		if l.events != len(s.history) {
			rt.Errorf("%d events are stored, %d different ones were queued", l.events, len(s.history))
		}
		for _, w := range l.wrong {
			rt.Error(w)
		}
		if want := countDrops(s); l.drops != want {
			rt.Errorf("drops are %s; want %s", l.drops, want)
		}
	})
}

// countDrops says which drops a scenario must leave: each arrival but the first of an
// event is a duplicate.
func countDrops(s scenario) string {
	counts := map[store.DropKey]int{}
	ids := map[string]struct{}{}
	for i := range s.arrivals {
		e := &s.arrivals[i]
		if _, ok := ids[e.ID.String()]; ok {
			counts[store.DropKey{Site: e.Site, Day: e.Day, Reason: aggregate.Duplicate}]++
		}
		ids[e.ID.String()] = struct{}{}
	}
	var rows []string
	for key, n := range counts {
		rows = append(rows, fmt.Sprintf("(%d,%s,%s,%d)", key.Site, key.Day, key.Reason, n))
	}
	slices.Sort(rows)
	return strings.Join(rows, " ")
}
