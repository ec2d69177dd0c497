// Package deadletter lists the queue entries that could not be stored, and requeues them
// unchanged for another try.
//
// It must never expose a payload, which may contain personal data.
package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Letter is a dead letter without its payload.
type Letter struct {
	ID        int64     `json:"id"`
	Shard     int16     `json:"shard"`
	Reason    string    `json:"reason"` // why the entry could not be stored
	CreatedAt time.Time `json:"created_at"`
	Size      int64     `json:"size"` // bytes
}

// List is a page of dead letters, oldest first.
type List struct {
	Letters []Letter `json:"dead_letters"`
	Total   int64    `json:"total"` // of all dead letters in the database
}

// Read lists up to limit dead letters with ids greater than after.
func Read(ctx context.Context, db database.DB, after int64, limit int) (List, error) {
	list := List{Letters: []Letter{}}
	letters, err := store.DeadLetters(ctx, db, after, limit)
	if err != nil {
		return list, err
	}
	for _, l := range letters {
		list.Letters = append(list.Letters, Letter{l.ID, l.Shard, l.Reason, l.CreatedAt.UTC(), l.Size})
	}
	list.Total, _, err = store.CountDeadLetters(ctx, db)
	return list, err
}

// batch is how many letters one transaction requeues.
const batch = 200

// ErrQueue is returned if the queue did not accept the letters, which remain dead letters.
var ErrQueue = errors.New("the queue does not accept dead letters now")

// Replay requeues the oldest dead letters, up to limit, and deletes them from the database.
// It returns how many it requeued, also with an error, and calls progress with the running
// total. It ignores letters added after it began, so an entry that fails again, and becomes
// a dead letter with a new id, is not replayed twice.
//
// A letter is appended before it is deleted. If Replay fails in between, the next one
// appends it again. That is harmless: an event is stored once, however often it is queued.
func Replay(ctx context.Context, db database.DB, client redis.UniversalClient, limit int, progress func(replayed int)) (replayed int, err error) {
	_, last, err := store.CountDeadLetters(ctx, db)
	if err != nil {
		return 0, err
	}
	guard := queue.NewMemoryGuard(client, 0)
	for after := int64(0); replayed < limit; progress(replayed) {
		// Ignore the error: if the memory is unknown, Redis itself refuses.
		if _ = guard.Load(ctx); guard.Full() {
			return replayed, fmt.Errorf("%w: Redis is short of memory until the queue is drained", ErrQueue)
		}
		n, lastID, err := replayBatch(ctx, db, client, after, last, min(batch, limit-replayed))
		if err != nil {
			return replayed, fmt.Errorf("replay dead letters: %w", err)
		}
		if n == 0 {
			break
		}
		replayed, after = replayed+n, lastID
	}
	return replayed, nil
}

// replayBatch requeues letters with ids in (after, last], and returns their number and the
// last id.
func replayBatch(ctx context.Context, db database.DB, client redis.UniversalClient, after, last int64, limit int) (n int, lastID int64, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		letters, err := store.LockDeadLetters(ctx, tx, after, last, limit)
		if err != nil || len(letters) == 0 {
			return err
		}
		var ids []int64
		var payloads []queue.ShardPayload
		for _, l := range letters {
			ids = append(ids, l.ID)
			payloads = append(payloads, queue.ShardPayload{Shard: int(l.Shard), Payload: l.Payload})
		}
		if err := queue.Requeue(ctx, client, payloads); err != nil {
			return fmt.Errorf("%w: %w", ErrQueue, err)
		}
		n, lastID = len(ids), ids[len(ids)-1]
		return store.DeleteDeadLetters(ctx, tx, ids)
	})
	return n, lastID, err
}
