package aggregate_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/queue"
)

// stopAtKiller makes a transaction that stores an event of the page /killer wait for the lock 7.
const stopAtKiller = `
CREATE FUNCTION stop_at_killer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(7);
	RETURN NEW;
END $$;
CREATE TRIGGER stop_at_killer BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.page = '/killer') EXECUTE FUNCTION stop_at_killer()`

// TestDeadlyEntry kills the process with SIGKILL whenever it stores a certain event. It checks
// that batches become smaller until the event is alone, that it then becomes a dead letter, and
// that everything else is stored, also in the other shards.
func TestDeadlyEntry(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := localtest.Postgres(t)
	db, client := prepare(t, database)
	if _, err := db.Exec(ctx, stopAtKiller); err != nil {
		t.Fatal(err)
	}
	lock, err := db.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock(7)`); err != nil {
		t.Fatal(err)
	}

	const n, deadly, deaths = 3000, 1500, 5 // of batches of 64, 16, 4, 1 and 1 entries
	events := newEvents(n)
	events[deadly].Page = "/killer"
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	for one := range slices.Chunk(events, 1) { // each an entry of its own
		if err := writer.Append(ctx, one...); err != nil {
			t.Fatal(err)
		}
	}
	w := &worker{program: build(t), database: database, redis: urlOf(client),
		env: []string{"AGGREGATE_BATCH=64", "AGGREGATE_WORKERS=4"}}
	killed := 0
	for done := false; !done; {
		w.start(t)
		ended := make(chan error, 1)
		go func() { ended <- w.runUntilEmpty(context.WithoutCancel(ctx)) }()
		localtest.Eventually(t, "the worker stores the killer, or everything", func() bool {
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
				done = true
				return true
			default:
				return waits(t, db)
			}
		})
		if !done {
			killed++
			w.kill(t)
			endWaiting(t, db)
		}
	}
	if killed != deaths {
		t.Errorf("the event killed %d workers, want %d", killed, deaths)
	}
	var stored, letters int
	var reason string
	err = db.QueryRow(ctx, `SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM dead_letters), (SELECT max(reason) FROM dead_letters)`).Scan(&stored, &letters, &reason)
	if err != nil || stored != n-1 || letters != 1 || !strings.Contains(reason, "died") {
		t.Errorf("stored %d of %d events, %d dead letters (%s), %v", stored, n, letters, reason, err)
	}
	if left, err := client.Keys(ctx, "*:attempts").Result(); err != nil || len(left) > 0 {
		t.Errorf("notes of attempts are left: %v, %v", left, err)
	}
	differences, err := oracle.Differences(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Error(d)
	}
}

// waits reports whether a transaction waits for the lock of stopAtKiller.
func waits(t *testing.T, db *pgxpool.Pool) (waiting bool) {
	t.Helper()
	err := db.QueryRow(t.Context(), `
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waiting)
	if err != nil {
		t.Fatal(err)
	}
	return waiting
}

// endWaiting ends the transactions that wait for the lock of stopAtKiller. Their client is dead,
// which they would notice only later.
func endWaiting(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	const end = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	if _, err := db.Exec(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	localtest.Eventually(t, "the transaction has ended", func() bool { return !waits(t, db) })
}

// TestSmallerAfterDeath checks that a batch is a quarter as large after its worker was killed, and
// as large as before once its entries are stored.
func TestSmallerAfterDeath(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := localtest.Postgres(t)
	db, client := prepare(t, database)
	const n, batch = 640, 64
	events := newEvents(n)
	for i, e := range events {
		e.Visitor = int64(4 * i) // all in shard 0
	}
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	for one := range slices.Chunk(events, 1) {
		if err := writer.Append(ctx, one...); err != nil {
			t.Fatal(err)
		}
	}
	w := &worker{program: build(t), database: database, redis: urlOf(client), env: []string{fmt.Sprint("AGGREGATE_BATCH=", batch)}}
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, `LOCK TABLE events IN SHARE MODE`); err != nil { // so that nothing is stored
		t.Fatal(err)
	}
	w.start(t)
	go func() { _, _, _ = w.run(context.WithoutCancel(ctx), token) }() // until the kill breaks the connection
	localtest.Eventually(t, "the worker stores a batch", func() bool { return blocked(t, db) })
	w.kill(t)
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}

	w.start(t)
	stored, batches := 0., 0.
	for stored < n { // at first, the transaction of the dead worker may still hold the shard
		status, answer, err := w.run(ctx, token)
		if err != nil || status != 200 {
			t.Fatal(status, answer, err)
		}
		stored += answer["events"].(float64)
		batches += answer["batches"].(float64)
	}
	// Two batches' worth of entries in quarters, the others in whole batches.
	if want := float64(2*batch/(batch/4) + (n-2*batch)/batch); batches != want {
		t.Errorf("stored %.0f events in %.0f batches, want %.0f", stored, batches, want)
	}
}

// blocked reports whether a connection waits for the lock of a table.
func blocked(t *testing.T, db *pgxpool.Pool) (waiting bool) {
	t.Helper()
	err := db.QueryRow(t.Context(), `
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waiting)
	if err != nil {
		t.Fatal(err)
	}
	return waiting
}
