// Package aggregate moves the queue into the record: it takes a batch of a shard,
// stores the events that are new, folds their visitor-days before and after, and
// applies the difference to visits and rollups, all in one transaction. Only once
// that is committed do the entries leave the queue.
//
// So whatever dies when, an event is counted once: before the commit nothing has
// happened, after it a second try finds every event stored and changes nothing.
// The package must never take an entry out of the queue before its commit, and
// never write a number that package visit did not make.
package aggregate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const (
	// DefaultBatch is how many entries one transaction takes at most. Larger batches
	// touch a rollup row less often for each event; of each entry the payload is in
	// memory.
	DefaultBatch = 60_000
	// DefaultAtOnce is of how many entries the events are in memory at once.
	DefaultAtOnce = 20_000
	// earlierPerEntry is how many earlier events of visitor-days may be in memory for each
	// of these: more than visitors commonly have.
	earlierPerEntry = 5
)

// Drainer drains the queue. It is safe for concurrent use; several processes may
// drain at once, each shard is drained by one at a time.
type Drainer struct {
	Redis    redis.UniversalClient
	Database database.DB
	Batch    int // entries of a transaction; DefaultBatch when 0
	AtOnce   int // entries of which the events are in memory; DefaultAtOnce when 0
	Workers  int // shards that are drained at once; GOMAXPROCS, or all when those are fewer, when 0
}

// Run drains every shard until it is empty or ctx ends; the transaction under way
// at a deadline is given up, which costs its work and nothing else. What one shard
// fails at does not stop the others; all errors are returned, with what was done.
func (d *Drainer) Run(ctx context.Context) (Result, error) {
	var results [queue.Shards]Result
	var failures [queue.Shards]error
	var group errgroup.Group
	group.SetLimit(d.workers())
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

func (d *Drainer) workers() int {
	if d.Workers > 0 {
		return d.Workers
	}
	return min(runtime.GOMAXPROCS(0), queue.Shards)
}

// shard drains one shard until it is empty, busy or ctx ends.
func (d *Drainer) shard(ctx context.Context, shard int) (Result, error) {
	most := cmp.Or(d.Batch, DefaultBatch)
	var total Result
	// Who is the first to store something of a week makes the others wait until the
	// transaction ends, so it had better be short.
	for count := min(most, d.atOnce()); ctx.Err() == nil; {
		done, read, err := d.batch(ctx, shard, count)
		switch {
		case isPoison(err) && !read.Single():
			// One entry is to blame; halves lead to it, and the good ones go in.
			count = (len(read.Entries) + 1) / 2
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
		if !done.batch.More {
			break
		}
		count = min(2*count, most)
	}
	return total, nil
}

func (d *Drainer) atOnce() int { return cmp.Or(d.AtOnce, DefaultAtOnce) }

// batchResult is what a committed transaction did.
type batchResult struct {
	Result
	batch queue.Batch // which is stored now; empty when there was nothing
}

// settings of a transaction. What it looks for is found by an index, and it looks for
// thousands, each once: anything else is never right but looks so while the newest
// chunk has no statistics yet. A drainer that froze must not keep its shard for good.
// And an event that comes after its chunk was compressed may need more rows unpacked
// than a statement is allowed by default.
const settings = `
SET LOCAL plan_cache_mode = force_custom_plan;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_memoize = off;
SET LOCAL idle_in_transaction_session_timeout = '60s';
SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)`

// batch stores up to count entries of a shard in one transaction. What it read it
// returns with an error too.
func (d *Drainer) batch(ctx context.Context, shard, count int) (done batchResult, read queue.Batch, err error) {
	done, err = d.transaction(ctx, shard, func(tx pgx.Tx, start time.Time) (queue.Batch, Result, error) {
		if read, err = queue.Read(ctx, d.Redis, shard, count); err != nil || len(read.Entries) == 0 {
			return queue.Batch{}, Result{}, err
		}
		var claim Seconds
		claim.since(start)
		result, err := record(ctx, tx, shard, read.Entries, d.atOnce())
		result.Stages.Claim += claim
		return read, result, err
	})
	return done, read, err
}

// bury keeps aside what can't be stored of a single entry of the stream, and stores the rest
// of it: cause says why it can't be stored as it is.
func (d *Drainer) bury(ctx context.Context, shard int, batch queue.Batch, cause error) (batchResult, error) {
	return d.transaction(ctx, shard, func(tx pgx.Tx, _ time.Time) (queue.Batch, Result, error) {
		good, bad, err := d.sift(ctx, tx, shard, batch.Entries, cause)
		if err != nil {
			return queue.Batch{}, Result{}, err
		}
		if err := store.AddDeadLetters(ctx, tx, bad); err != nil {
			return queue.Batch{}, Result{}, err
		}
		result, err := record(ctx, tx, shard, good, d.atOnce()) // which waits for others' rollup rows last
		result.DeadLetters += int64(len(bad))
		return batch, result, err
	})
}

// sift tells which of the entries of a pack can be stored. Where it is not one or the other
// that can't be, but only all together, or where there is but one, all are to blame.
func (d *Drainer) sift(ctx context.Context, tx pgx.Tx, shard int, entries []queue.Entry, cause error) (good []queue.Entry, bad []store.DeadLetter, err error) {
	for _, entry := range entries {
		failure := cause
		if len(entries) > 1 {
			failure = d.try(ctx, tx, shard, entry)
		}
		switch {
		case failure == nil:
			good = append(good, entry)
		case isPoison(failure):
			bad = append(bad, letter(shard, entry, reason(failure)))
		default:
			return nil, nil, failure
		}
	}
	if len(bad) > 0 {
		cause = d.try(ctx, tx, shard, good...)
	}
	if cause == nil {
		return good, bad, nil
	}
	if !isPoison(cause) {
		return nil, nil, cause
	}
	for _, entry := range good {
		bad = append(bad, letter(shard, entry, reason(cause)))
	}
	return nil, bad, nil
}

// try tells why entries can't be stored, nil when they can. It leaves nothing behind, and no
// lock either, so that rollup rows are still touched last and in their order.
func (d *Drainer) try(ctx context.Context, tx pgx.Tx, shard int, entries ...queue.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	attempt, err := tx.Begin(ctx)
	if err != nil {
		return fmt.Errorf("try to store less: %w", err)
	}
	_, failure := record(ctx, attempt, shard, entries, d.atOnce())
	if err := attempt.Rollback(ctx); err != nil {
		return fmt.Errorf("try to store less: %w", err)
	}
	return failure
}

// letter is an entry that is kept aside.
func letter(shard int, entry queue.Entry, reason string) store.DeadLetter {
	return store.DeadLetter{Shard: shard, Entry: entry.Name(), Payload: []byte(entry.Payload), Reason: reason}
}

// transaction lets handle deal with a batch of a shard, and notes in the same
// transaction that it is dealt with. While another holds the shard it does nothing.
func (d *Drainer) transaction(
	ctx context.Context, shard int, handle func(tx pgx.Tx, start time.Time) (queue.Batch, Result, error),
) (batchResult, error) {
	var out batchResult
	at := time.Now()
	err := pgx.BeginFunc(ctx, d.Database, func(tx pgx.Tx) error {
		err := d.claim(ctx, tx, shard)
		if err != nil {
			return err
		}
		if out.batch, out.Result, err = handle(tx, at); err != nil || len(out.batch.Entries) == 0 {
			return err
		}
		out.Batches = 1
		at = time.Now()
		return store.SetMark(ctx, tx, shard, string(out.batch.Mark()))
	})
	if errors.Is(err, store.ErrShardBusy) {
		return batchResult{Result: Result{Busy: 1}}, nil
	}
	if err != nil {
		return batchResult{}, err
	}
	out.Stages.Commit.since(at)
	return out, nil
}

// claim holds the shard, and takes out of the queue what was stored by a worker that
// died before it could do so.
func (d *Drainer) claim(ctx context.Context, tx pgx.Tx, shard int) error {
	if _, err := tx.Exec(ctx, settings); err != nil {
		return fmt.Errorf("set up the transaction: %w", err)
	}
	mark, err := store.HoldShard(ctx, tx, shard)
	if err != nil {
		return err
	}
	return queue.TrimMarked(ctx, d.Redis, shard, queue.Mark(mark))
}

// isPoison tells whether the database refused the data itself, so that trying the
// same again is of no use. A code that is newer than the list of codes counts with its
// class, which is its first two characters.
func isPoison(err error) bool {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) {
		return false
	}
	for _, class := range []string{
		pgerrcode.CardinalityViolation, pgerrcode.DataException, pgerrcode.IntegrityConstraintViolation, pgerrcode.ProgramLimitExceeded,
	} {
		if strings.HasPrefix(failure.Code, class[:2]) {
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
