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

// fault fails one step of a run: a statement, a COPY, the begin or commit of a transaction,
// or a Redis command. It fails before the step or, like a broken connection, after it.
type fault struct {
	step  int // from 1
	after bool

	mu    sync.Mutex
	steps int // taken so far
}

// reached reports whether the run reached the failing step.
func (f *fault) reached() bool { return f.steps >= f.step }

func (f *fault) during(do func() error) error {
	f.mu.Lock()
	f.steps++
	hit := f.steps == f.step
	f.mu.Unlock()
	if !hit {
		return do()
	}
	if f.after {
		_ = do() // the caller does not see its result
	}
	return errInjected
}

// faultyDB is a database with a fault.
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
			_ = row.Scan() // closes the rows
		}
		return failedRow{err}
	}
	return row
}

// Conn is called only for a COPY, which fails on a closed connection.
func (t faultyTx) Conn() *pgx.Conn {
	conn := t.Tx.Conn()
	if err := t.during(func() error { return nil }); err != nil {
		_ = conn.Close(context.Background())
	}
	return conn
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// faultyRedis is a hook that adds a fault to commands.
type faultyRedis struct{ *fault }

func (faultyRedis) DialHook(next redis.DialHook) redis.DialHook { return next }

// isHandshake reports whether a client sends the command to set up a new connection.
func isHandshake(cmd redis.Cmder) bool { return cmd.Name() == "hello" || cmd.Name() == "client" }

func (r faultyRedis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if isHandshake(cmd) {
			return next(ctx, cmd)
		}
		return r.during(func() error { return next(ctx, cmd) })
	}
}

func (r faultyRedis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if isHandshake(cmds[0]) {
			return next(ctx, cmds)
		}
		return r.during(func() error { return next(ctx, cmds) })
	}
}

// run runs an aggregator with a fault.
func (r *record) run(ctx context.Context, a aggregate.Aggregator, f *fault) (aggregate.Result, error) {
	options := r.client.Options()
	client := redis.NewClient(&redis.Options{Addr: options.Addr, Password: options.Password, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	client.AddHook(faultyRedis{f})
	a.Redis, a.Database = client, faultyDB{r.db, f}
	return a.Run(ctx)
}

// runRest aggregates what a failed run left. It retries while a closed connection still
// holds its shard.
func (r *record) runRest(ctx context.Context, a aggregate.Aggregator) error {
	for {
		if done, err := r.run(ctx, a, &fault{}); err != nil || done.Busy == 0 {
			return err
		}
	}
}

// waitUnlocked waits until no closed connection holds a shard any more: a run that finds a
// busy shard takes different steps.
func (r *record) waitUnlocked(ctx context.Context) error {
	for locked := true; locked; {
		err := r.db.QueryRow(ctx, `
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&locked)
		if err != nil {
			return err
		}
	}
	return nil
}

// outcome is what must be the same whatever failed on the way.
type outcome struct {
	events, letters int
	drops           string
	wrong           []string
}

func (r *record) outcome(ctx context.Context) (o outcome, err error) {
	err = r.db.QueryRow(ctx, `
SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM dead_letters),
       coalesce((SELECT string_agg(d::text, ' ' ORDER BY d::text) FROM drops d), '')`).Scan(&o.events, &o.letters, &o.drops)
	if err != nil {
		return o, err
	}
	if n, err := r.queued(ctx); err != nil || n != 0 {
		o.wrong = append(o.wrong, fmt.Sprintf("%d entries left in the queue (%v)", n, err))
	}
	days, err := r.wrongDays(ctx)
	if err != nil {
		return o, err
	}
	differences, err := oracle.Differences(ctx, r.db)
	o.wrong = slices.Concat(o.wrong, days, differences)
	return o, err
}

// queueMixed archives a day and queues entries that exercise every path of a run: visits that
// grow and merge, duplicates of the same and of another visitor, an event of a deleted site,
// counts of dropped events, and a malformed entry. All of them are in one shard.
func (r *record) queueMixed(ctx context.Context) error {
	early, late := newEvents(6), newEvents(12)
	for i := range late {
		late[i].Visitor = int64(i%6) * queue.Shards
		late[i].Time = late[i].Time.Add(-time.Minute)
	}
	for i := range early {
		early[i].Visitor = late[i].Visitor
	}
	other, deleted := *early[3], *late[5]
	other.Visitor, deleted.Site = 10*queue.Shards, 99
	if err := r.writer.Append(ctx, early...); err != nil {
		return err
	}
	if _, err := r.aggregator().Run(ctx); err != nil {
		return err
	}
	if _, err := r.archiveDays(ctx); err != nil {
		return err
	}
	if err := r.writer.Append(ctx, append(late, early[0], late[1], &other, &deleted)...); err != nil {
		return err
	}
	writer := queue.NewWriter(r.client)
	writer.Drop(queue.Drops{Site: 4, Day: early[0].Day, Reason: "bot", Events: 7}) // site 4 is in the same shard
	writer.Close()
	return r.client.XAdd(ctx, &redis.XAddArgs{Stream: "analytics:{0}:events", Values: []string{"e", "junk"}}).Err()
}

// queuePoison queues an event that the database rejects, and a good one behind it.
func (r *record) queuePoison(ctx context.Context) error {
	events := newEvents(2)
	events[0].Visitor, events[1].Visitor = queue.Shards, 2*queue.Shards
	events[0].Name = "text with \x00"
	return r.writer.Append(ctx, events...)
}

// TestFaults fails each step of a run in turn, before and after it is done. Whatever failed,
// another run brings the database into the same state as without a failure.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			testFaults(t, database.URL, (*record).queueMixed,
				outcome{18, 1, "(1,2026-02-28,duplicate,3) (4,2026-02-28,bot,7) (99,2026-02-28,site_gone,1)", nil})
		})
	}
	t.Run("poison", func(t *testing.T) {
		t.Parallel()
		testFaults(t, localtest.Postgres(t), (*record).queuePoison, outcome{1, 1, "", nil})
	})
}

func testFaults(t *testing.T, url string, fill func(*record, context.Context) error, want outcome) {
	t.Helper()
	r := newRecord(t, url)
	for step := 1; ; step++ {
		before, after := &fault{step: step}, &fault{step: step, after: true}
		for _, f := range []*fault{before, after} {
			got, failed := r.fail(t, fill, f)
			if f.reached() && failed == nil {
				t.Errorf("step %d (after: %t) failed, but Run returned no error", step, f.after)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("step %d (after: %t) failed: outcome (-want +got):\n%s", step, f.after, diff)
			}
		}
		if !before.reached() {
			if step < 25 {
				t.Errorf("a run has only %d steps, want at least 25", step)
			}
			return
		}
	}
}

// fail fills the queue, runs with a fault and then without, and returns the outcome and the
// error of the faulty run.
func (r *record) fail(t *testing.T, fill func(*record, context.Context) error, f *fault) (outcome, error) {
	t.Helper()
	ctx := t.Context()
	if err := errors.Join(r.reset(ctx), fill(r, ctx), r.waitUnlocked(ctx)); err != nil {
		t.Fatal(err)
	}
	aggregator := aggregate.Aggregator{Workers: 1, Chunk: 5} // the second batch has 10 of the 18 entries, in two chunks
	_, failed := r.run(ctx, aggregator, f)
	if err := r.runRest(ctx, aggregator); err != nil {
		t.Fatalf("run after step %d failed: %v", f.step, err)
	}
	got, err := r.outcome(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return got, failed
}

// TestAnyHistoryWithFaults plays histories while steps fail.
func TestAnyHistoryWithFaults(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		if err := r.reset(ctx); err != nil {
			rt.Fatal(err)
		}
		s := genScenario().Draw(rt, "scenario")
		aggregator := aggregate.Aggregator{Batch: s.batch, Chunk: s.chunk}
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
			f := &fault{step: rapid.IntRange(1, 60).Draw(rt, "failing step"), after: rapid.Bool().Draw(rt, "after")}
			if _, err := r.run(ctx, aggregator, f); err != nil && !f.reached() {
				rt.Fatal(err)
			}
			if s.archives[i] {
				if _, err := r.archiveDays(ctx); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if err := r.runRest(ctx, aggregator); err != nil {
			rt.Fatal(err)
		}
		got, err := r.outcome(ctx)
		if err != nil {
			rt.Fatal(err)
		}
		if got.events != len(s.history) {
			rt.Errorf("%d events are stored, want %d", got.events, len(s.history))
		}
		for _, w := range got.wrong {
			rt.Error(w)
		}
		if want := wantDrops(s); got.drops != want {
			rt.Errorf("drops = %s, want %s", got.drops, want)
		}
	})
}

// wantDrops returns the drops that a scenario must leave: every arrival of an event except
// the first is a duplicate.
func wantDrops(s scenario) string {
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
