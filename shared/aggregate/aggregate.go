// Package aggregate moves events from the queue to the database. For each batch of a shard,
// one transaction stores the new events, folds their visitor-days without and with them,
// and applies the difference to visits and rollups. The batch leaves the queue only after
// the commit.
//
// So an event is counted exactly once, whatever fails: before the commit nothing has
// changed, and after it a retry finds every event stored and changes nothing. The package
// must never remove an entry from the queue before the commit, and never write a number
// that package visit did not compute.
package aggregate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"strings"
	"sync"
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
	// DefaultBatch is the maximum number of entries per transaction. Larger batches update
	// a rollup row less often per event, but hold the payloads of all entries in memory.
	DefaultBatch = 60_000
	// DefaultChunk is the maximum number of entries whose decoded events are in memory.
	DefaultChunk = 20_000
	// DefaultMemory is the memory, in bytes, that the batches of all workers may take.
	DefaultMemory = 256 << 20
	// earlierPerEntry is how many stored events of visitor-days may be in memory for each
	// entry of a chunk. Visitors rarely have more.
	earlierPerEntry = 5
	// shrinkBits is by how many bits a batch is smaller after each death of a worker.
	shrinkBits = 2
	// maxSingleDeaths is how many workers may die of a single stream entry until it is a dead
	// letter.
	maxSingleDeaths = 2
)

// A worker may use half of its memory for the payloads of a batch, and a quarter each for the
// stored events of visitor-days and for rollup rows. The events of a chunk, with the rollup rows
// that they may add beyond that quarter, fit into as much again; but who sends the most of one
// can't send the most of the others.
const (
	payloadShare = 2
	earlierShare = 4
	rowShare     = 4
	// eventMemory is how many bytes an event of a chunk takes at most besides its payload.
	eventMemory = 6 << 10
	// rowMemory is how many bytes a rollup row takes, from when it is added up until it is a
	// parameter of a statement.
	rowMemory = 400
)

// Aggregator stores the events of the queue. It is safe for concurrent use. Several
// processes may run one; only one at a time works on a shard.
type Aggregator struct {
	Redis    redis.UniversalClient
	Database database.DB
	Batch    int // entries per transaction; DefaultBatch if 0
	Chunk    int // entries whose events are in memory; DefaultChunk if 0
	Workers  int // shards at a time; if 0, GOMAXPROCS or all shards, whichever is less
	Memory   int // bytes of memory for the batches of all workers; DefaultMemory if 0
}

// Run aggregates every shard until it is empty or ctx ends. At a deadline it abandons the
// current transaction, which loses only its work. A failure in one shard does not stop the
// others. Run returns what it did, and all errors joined.
func (a *Aggregator) Run(ctx context.Context) (Result, error) {
	var results [queue.Shards]Result
	var failures [queue.Shards]error
	var group errgroup.Group
	group.SetLimit(a.workers())
	r := run{Aggregator: a}
	for shard := range queue.Shards {
		group.Go(func() error {
			results[shard], failures[shard] = r.shard(ctx, shard)
			return nil
		})
	}
	_ = group.Wait() // failures holds the errors
	var total Result
	for _, r := range results {
		total.add(r)
	}
	return total, errors.Join(failures[:]...)
}

func (a *Aggregator) workers() int {
	if a.Workers > 0 {
		return a.Workers
	}
	return min(runtime.GOMAXPROCS(0), queue.Shards)
}

// memory returns the bytes that each worker may use.
func (a *Aggregator) memory() int { return cmp.Or(a.Memory, DefaultMemory) / a.workers() }

func (a *Aggregator) maxBatch() int { return cmp.Or(a.Batch, DefaultBatch) }

func (a *Aggregator) chunk() int {
	return max(1, min(cmp.Or(a.Chunk, DefaultChunk), a.memory()/eventMemory))
}

// limits returns the limits of storing entries.
func (a *Aggregator) limits() limits {
	return limits{chunk: a.chunk(), earlierBytes: a.memory() / earlierShare, rows: a.memory() / rowShare / rowMemory}
}

// singleAfter returns after how many deaths of workers a batch is a single stream entry.
func (a *Aggregator) singleAfter() int {
	return (bits.Len(uint(a.maxBatch()-1)) + shrinkBits - 1) / shrinkBits
}

// run is a run of an Aggregator.
type run struct {
	*Aggregator

	// A worker holds alone for reading while it handles a batch. It holds it for writing while
	// it handles entries that may have killed a worker before. If they kill again, no other
	// worker was handling entries, so only these are suspected.
	alone sync.RWMutex
}

// shard aggregates one shard until it is empty, busy or ctx ends.
func (a *run) shard(ctx context.Context, shard int) (Result, error) {
	var total Result
	// The first batch is small, because the first transaction to store something of a week
	// makes the others wait until it ends.
	for count := min(a.maxBatch(), a.chunk()); ctx.Err() == nil; {
		done, read, err := a.batch(ctx, shard, count)
		switch {
		case isPoison(err) && !read.Single():
			// Bisect to the bad entry, storing good ones on the way.
			count = (len(read.Entries) + 1) / 2
			continue
		case isPoison(err):
			done, err = a.salvage(ctx, shard, read, err)
		}
		if err != nil && ctx.Err() == nil {
			return total, fmt.Errorf("aggregate shard %d: %w", shard, err)
		}
		total.add(done.Result)
		if len(done.batch.Entries) == 0 { // empty, busy, or abandoned at the deadline
			break
		}
		if err := queue.Trim(ctx, a.Redis, shard, done.batch); err != nil {
			return total, err
		}
		if !done.batch.More {
			break
		}
		if len(done.batch.Entries) < len(read.Entries) {
			count = len(done.batch.Entries) // so that the next batch has its share of both streams
		} else {
			count = min(2*count, a.maxBatch())
		}
	}
	return total, nil
}

// batchResult is the result of a committed transaction.
type batchResult struct {
	Result
	batch queue.Batch // the stored batch; empty if there was none
}

// settings configure a transaction. Its queries look up thousands of rows by index, each
// once. Every other plan is wrong, but looks cheaper to the planner while the newest chunk
// has no statistics. The timeout frees the shard if its process hangs. The last setting
// lifts a limit that events of compressed chunks can exceed, because storing them
// decompresses many rows.
const settings = `
SET LOCAL plan_cache_mode = force_custom_plan;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_memoize = off;
SET LOCAL idle_in_transaction_session_timeout = '60s';
SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)`

// batch stores up to count entries of a shard in one transaction. It also returns the
// entries that it read, even with an error.
func (a *run) batch(ctx context.Context, shard, count int) (done batchResult, read queue.Batch, err error) {
	done, err = a.transaction(ctx, shard, func(tx pgx.Tx, try *queue.Attempt, start time.Time) (queue.Batch, Result, error) {
		shrink := shrinkBits * try.Deaths
		read, err = queue.Read(ctx, a.Redis, shard, queue.Limit{
			Events: max(1, min(count, a.maxBatch()>>shrink)), Bytes: a.memory() / payloadShare >> shrink,
		})
		if err != nil || len(read.Entries) == 0 {
			return queue.Batch{}, Result{}, err
		}
		if err := try.SetBatch(ctx, read); err != nil {
			return queue.Batch{}, Result{}, err
		}
		if read.Single() && try.Deaths >= a.singleAfter()+maxSingleDeaths {
			try.Forget()
			result, err := giveUp(ctx, tx, shard, read.Entries)
			return read, result, err
		}
		var claim Seconds
		claim.since(start)
		result, stored, err := record(ctx, tx, shard, read.Entries, a.limits())
		result.Stages.Claim += claim
		return read.First(stored), result, err
	})
	return done, read, err
}

// giveUp makes dead letters of entries that killed workers.
func giveUp(ctx context.Context, tx pgx.Tx, shard int, entries []queue.Entry) (Result, error) {
	letters := make([]store.DeadLetter, len(entries))
	for i, entry := range entries {
		letters[i] = deadLetter(shard, entry, "aggregate died whenever it tried to store the entry")
	}
	return Result{DeadLetters: int64(len(letters))}, store.AddDeadLetters(ctx, tx, letters)
}

// salvage stores what it can of a single stream entry, and makes dead letters of the rest.
// cause is the error of storing all of it.
func (a *run) salvage(ctx context.Context, shard int, batch queue.Batch, cause error) (batchResult, error) {
	return a.transaction(ctx, shard, func(tx pgx.Tx, _ *queue.Attempt, _ time.Time) (queue.Batch, Result, error) {
		good, bad, err := a.classify(ctx, tx, shard, batch.Entries, cause)
		if err != nil {
			return queue.Batch{}, Result{}, err
		}
		if err := store.AddDeadLetters(ctx, tx, bad); err != nil {
			return queue.Batch{}, Result{}, err
		}
		result, _, err := record(ctx, tx, shard, good, a.limits()) // last, because it waits for rollup rows of other shards
		result.DeadLetters += int64(len(bad))
		return batch, result, err
	})
}

// classify divides the entries of a single stream entry into those that can be stored and
// dead letters. If there is only one entry, or the entries fail only together, all are dead
// letters.
func (a *Aggregator) classify(ctx context.Context, tx pgx.Tx, shard int, entries []queue.Entry, cause error) (good []queue.Entry, bad []store.DeadLetter, err error) {
	for _, entry := range entries {
		failure := cause
		if len(entries) > 1 {
			failure = a.try(ctx, tx, shard, entry)
		}
		switch {
		case failure == nil:
			good = append(good, entry)
		case isPoison(failure):
			bad = append(bad, deadLetter(shard, entry, reason(failure)))
		default:
			return nil, nil, failure
		}
	}
	if len(bad) > 0 {
		cause = a.try(ctx, tx, shard, good...)
	}
	if cause == nil {
		return good, bad, nil
	}
	if !isPoison(cause) {
		return nil, nil, cause
	}
	for _, entry := range good {
		bad = append(bad, deadLetter(shard, entry, reason(cause)))
	}
	return nil, bad, nil
}

// try stores entries, rolls back, and returns the error of storing them. It keeps no locks,
// so that the transaction still locks rollup rows last and in order.
func (a *Aggregator) try(ctx context.Context, tx pgx.Tx, shard int, entries ...queue.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	attempt, err := tx.Begin(ctx)
	if err != nil {
		return fmt.Errorf("try to store entries: %w", err)
	}
	_, _, failure := record(ctx, attempt, shard, entries, a.limits())
	if err := attempt.Rollback(ctx); err != nil {
		return fmt.Errorf("try to store entries: %w", err)
	}
	return failure
}

// deadLetter makes a dead letter of an entry.
func deadLetter(shard int, entry queue.Entry, reason string) store.DeadLetter {
	return store.DeadLetter{Shard: shard, Entry: entry.Name(), Payload: []byte(entry.Payload), Reason: reason}
}

// transaction calls handle, which stores a batch of a shard, and saves the batch's mark in
// the same transaction. If another process holds the shard, it does nothing.
func (a *run) transaction(
	ctx context.Context, shard int, handle func(tx pgx.Tx, try *queue.Attempt, start time.Time) (queue.Batch, Result, error),
) (batchResult, error) {
	var out batchResult
	at := time.Now()
	err := pgx.BeginFunc(ctx, a.Database, func(tx pgx.Tx) error {
		err := a.claim(ctx, tx, shard)
		if err != nil {
			return err
		}
		if out.batch, out.Result, err = a.attempt(ctx, shard, func(try *queue.Attempt) (queue.Batch, Result, error) {
			return handle(tx, try, at)
		}); err != nil || len(out.batch.Entries) == 0 {
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

// attempt calls handle, which stores a batch of a shard that the caller has locked, and keeps a
// note of it in Redis meanwhile.
func (a *run) attempt(
	ctx context.Context, shard int, handle func(try *queue.Attempt) (queue.Batch, Result, error),
) (stored queue.Batch, result Result, err error) {
	try, err := queue.NextAttempt(ctx, a.Redis, shard)
	if err != nil {
		return stored, result, err
	}
	if try.Deaths > 0 {
		a.alone.Lock()
		defer a.alone.Unlock()
	} else {
		a.alone.RLock()
		defer a.alone.RUnlock()
	}
	if err := try.Begin(ctx); err != nil {
		return stored, result, err
	}
	if stored, result, err = handle(try); err != nil {
		stored = queue.Batch{}
	}
	// Even if ctx has ended, the worker has not died. If this can't be noted, err does not count:
	// entries that can't be stored will be found again.
	if failure := try.End(context.WithoutCancel(ctx), stored, a.singleAfter()); failure != nil {
		return stored, result, failure
	}
	return stored, result, err
}

// claim locks the shard, and removes from the queue a batch that a worker stored but did
// not trim before it died.
func (a *Aggregator) claim(ctx context.Context, tx pgx.Tx, shard int) error {
	if _, err := tx.Exec(ctx, settings); err != nil {
		return fmt.Errorf("configure the transaction: %w", err)
	}
	mark, err := store.LockShard(ctx, tx, shard)
	if err != nil {
		return err
	}
	return queue.TrimMarked(ctx, a.Redis, shard, queue.Mark(mark))
}

// isPoison reports whether the database rejected the data itself, so that a retry can't
// succeed. It matches classes of SQLSTATE (the first two characters), so that it also
// matches codes that newer versions of PostgreSQL add.
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

// reason returns the reason of a dead letter. It omits the details of a database error,
// which contain values.
func reason(err error) string {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		return "the database rejected it with SQLSTATE " + failure.Code
	}
	return err.Error()
}
