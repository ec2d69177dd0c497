// Package drain moves the queue into the record: it takes a batch of a shard,
// stores the events that are new, folds their visitor-days before and after, and
// applies the difference to visits and rollups, all in one transaction. Only once
// that is committed do the entries leave the queue.
//
// So whatever dies when, an event is counted once: before the commit nothing has
// happened, after it a second try finds every event stored and changes nothing.
// The package must never take an entry out of the queue before its commit, and
// never write a number that package visit did not make.
package drain

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/store"
)

// DefaultBatch is how many entries one transaction takes at most. Larger batches
// touch a rollup row less often for each event and need more memory.
const DefaultBatch = 20_000

// Drainer drains the queue. It is safe for concurrent use; several processes may
// drain at once, each shard is drained by one at a time.
type Drainer struct {
	Redis    redis.UniversalClient
	Database store.DB
	Batch    int // entries of a transaction; DefaultBatch when 0
}

// Result says what was done.
type Result struct {
	Events      int64 `json:"events"`       // stored
	Duplicates  int64 `json:"duplicates"`   // stored before
	Dropped     int64 `json:"dropped"`      // left out for a reason that table drops counts
	DeadLetters int64 `json:"dead_letters"` // kept aside since they can't be stored
	Batches     int64 `json:"batches"`      // transactions
	Busy        int64 `json:"busy"`         // shards that another process is draining
}

func (r *Result) add(o Result) {
	r.Events += o.Events
	r.Duplicates += o.Duplicates
	r.Dropped += o.Dropped
	r.DeadLetters += o.DeadLetters
	r.Batches += o.Batches
	r.Busy += o.Busy
}

// Run drains every shard until it is empty or ctx ends; the transaction under way
// at a deadline is given up, which costs its work and nothing else. What one shard
// fails at does not stop the others; all errors are returned, with what was done.
func (d *Drainer) Run(ctx context.Context) (Result, error) {
	var results [queue.Shards]Result
	var failures [queue.Shards]error
	var group errgroup.Group
	for shard := range queue.Shards {
		group.Go(func() error {
			results[shard], failures[shard] = d.shard(ctx, shard)
			return nil
		})
	}
	_ = group.Wait() // failures are collected by shard
	var total Result
	for _, r := range results {
		total.add(r)
	}
	return total, errors.Join(failures[:]...)
}

// shard drains one shard until it is empty, busy or ctx ends.
func (d *Drainer) shard(ctx context.Context, shard int) (Result, error) {
	most := d.Batch
	if most == 0 {
		most = DefaultBatch
	}
	var total Result
	for count := most; ctx.Err() == nil; {
		done, read, err := d.batch(ctx, shard, count)
		switch {
		case isPoison(err) && count > 1:
			// One entry is to blame; halves lead to it, and the good ones go in.
			count = (count + 1) / 2
			continue
		case isPoison(err):
			done, err = d.bury(ctx, shard, read, err)
		}
		if err != nil && ctx.Err() == nil {
			return total, fmt.Errorf("drain shard %d: %w", shard, err)
		}
		total.add(done.Result)
		if len(done.batch.Entries) == 0 { // empty, busy, or given up at the deadline
			break
		}
		if err := queue.Trim(ctx, d.Redis, shard, done.batch); err != nil {
			return total, err
		}
		if len(done.batch.Entries) < count {
			break
		}
		count = min(2*count, most)
	}
	return total, nil
}

// batchResult is what a committed transaction did.
type batchResult struct {
	Result
	batch queue.Batch // which is stored now; empty when there was nothing
}

// lockClass sets the advisory locks of shards apart from others.
const lockClass = 0x616e61

const (
	lockShard = `SELECT pg_try_advisory_xact_lock($1, $2)`
	// The query for a batch's earlier events is right for few visitors and for
	// thousands only when it is planned for its values. And a drainer that froze
	// must not keep its shard for good.
	settings = `
SET LOCAL plan_cache_mode = force_custom_plan;
SET LOCAL idle_in_transaction_session_timeout = '60s'`
)

// batch stores up to count entries of a shard in one transaction, which holds the
// shard's lock: the lock goes with the transaction, however that ends. What it read
// it returns with an error too.
func (d *Drainer) batch(ctx context.Context, shard, count int) (done batchResult, read queue.Batch, err error) {
	err = d.locked(ctx, shard, func(tx pgx.Tx) error {
		if read, err = queue.Read(ctx, d.Redis, shard, count); err != nil || len(read.Entries) == 0 {
			return err
		}
		done.batch = read
		done.Result, err = record(ctx, tx, shard, read.Entries)
		return err
	})
	if errors.Is(err, errBusy) {
		return batchResult{Result: Result{Busy: 1}}, read, nil
	}
	if err != nil {
		return batchResult{}, read, err
	}
	return done, read, nil
}

// bury keeps the one entry of a batch aside: cause says why it can't be stored.
func (d *Drainer) bury(ctx context.Context, shard int, batch queue.Batch, cause error) (batchResult, error) {
	err := d.locked(ctx, shard, func(tx pgx.Tx) error {
		entry := &batch.Entries[0]
		return store.AddDeadLetters(ctx, tx, []store.DeadLetter{{
			Shard: shard, Entry: entry.ID, Payload: entry.Payload, Reason: reason(cause),
		}})
	})
	if errors.Is(err, errBusy) {
		return batchResult{Result: Result{Busy: 1}}, nil
	}
	if err != nil {
		return batchResult{}, err
	}
	return batchResult{Result{DeadLetters: 1, Batches: 1}, batch}, nil
}

var errBusy = errors.New("another process drains the shard")

func (d *Drainer) locked(ctx context.Context, shard int, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, d.Database, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, settings); err != nil {
			return fmt.Errorf("set up the transaction: %w", err)
		}
		var mine bool
		if err := tx.QueryRow(ctx, lockShard, lockClass, shard).Scan(&mine); err != nil {
			return fmt.Errorf("lock the shard: %w", err)
		}
		if !mine {
			return errBusy
		}
		return fn(tx)
	})
}

// isPoison tells whether the database refused the data itself, so that trying the
// same again is of no use: SQLSTATE classes 21 to 23, and 54, a program limit.
func isPoison(err error) bool {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) {
		return false
	}
	for _, class := range []string{"21", "22", "23", "54"} {
		if strings.HasPrefix(failure.Code, class) {
			return true
		}
	}
	return false
}

// reason says why an entry can't be stored, without the values that the database
// puts into its details.
func reason(err error) string {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		return "the database refused it with SQLSTATE " + failure.Code
	}
	return err.Error()
}
