// Package deadletter shows the queue entries that could not be stored, and puts them
// back into the queue to be tried again, as they are.
//
// It must never show a payload: it may hold what people typed.
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

// Letter is a dead letter as it is shown.
type Letter struct {
	ID        int64     `json:"id"`
	Shard     int16     `json:"shard"`
	Reason    string    `json:"reason"` // why it could not be stored
	CreatedAt time.Time `json:"created_at"`
	Size      int64     `json:"size"` // bytes
}

// List is some dead letters, oldest first.
type List struct {
	Letters []Letter `json:"dead_letters"`
	Total   int64    `json:"total"` // in the record, these and others
}

// Read lists at most limit dead letters whose ids are greater than after.
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

// batch is how many letters are put back in one transaction.
const batch = 200

// ErrQueue says that the queue did not take the letters, which stay where they were.
var ErrQueue = errors.New("the queue takes no letters now")

// Replay puts the oldest dead letters back into the queue, at most limit of them, and
// deletes them in the record. It returns how many were put back, with an error too, and
// calls progress with that number as it grows. Letters that are kept after it began are
// left alone: one that is still bad becomes a dead letter again, with a new id.
//
// A letter is appended first and deleted then. Where that ends in between, the letter
// is there once more and is appended again by the next replay, which harms nothing:
// an event is stored once, whatever number of times it is in the queue.
func Replay(ctx context.Context, db database.DB, client redis.UniversalClient, limit int, progress func(replayed int)) (replayed int, err error) {
	_, last, err := store.CountDeadLetters(ctx, db)
	if err != nil {
		return 0, err
	}
	room := queue.NewMemoryGuard(client, 0)
	for after := int64(0); replayed < limit; progress(replayed) {
		// What Redis doesn't tell it will refuse.
		if _ = room.Load(ctx); room.Full() {
			return replayed, fmt.Errorf("%w: Redis is short of memory until it has been drained", ErrQueue)
		}
		n, upTo, err := some(ctx, db, client, after, last, min(batch, limit-replayed))
		if err != nil {
			return replayed, fmt.Errorf("replay dead letters: %w", err)
		}
		if n == 0 {
			break
		}
		replayed, after = replayed+n, upTo
	}
	return replayed, nil
}

// some puts a few letters back, and returns how many, and the id of the last.
func some(ctx context.Context, db database.DB, client redis.UniversalClient, after, last int64, limit int) (n int, upTo int64, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		letters, err := store.TakeDeadLetters(ctx, tx, after, last, limit)
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
		n, upTo = len(ids), ids[len(ids)-1]
		return store.DeleteDeadLetters(ctx, tx, ids)
	})
	return n, upTo, err
}
