package queue

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Attempt is an attempt to store the oldest entries of a shard. While it lasts, Redis holds a
// note of it. So a note that is left means that a worker died, perhaps because the entries
// were too much for it, and the next ones can read fewer until those entries are stored.
//
// The notes of a shard are a list, because Redis can shorten a list even if it is out of
// memory. The first note is the number of events to store until deaths are forgotten.
type Attempt struct {
	// Deaths is how many workers died since entries were stored without trouble.
	Deaths int

	client redis.UniversalClient
	key    string
	noted  bool
	left   int // events to store until deaths are forgotten; 0 if unknown
}

// attemptsKey returns the key of the notes of a shard's attempts.
func attemptsKey(shard int) string { return key(shard, "attempts") }

// NextAttempt returns the next attempt to store entries of a shard. Only the worker that has
// locked the shard may make one.
func NextAttempt(ctx context.Context, client redis.UniversalClient, shard int) (*Attempt, error) {
	a := &Attempt{client: client, key: attemptsKey(shard)}
	notes, err := client.LRange(ctx, a.key, 0, -1).Result()
	if err != nil {
		return nil, a.wrap(err)
	}
	if a.Deaths = len(notes); a.Deaths > 0 {
		a.left, _ = strconv.Atoi(notes[0]) // not a number if the worker died while it read
	}
	return a, nil
}

// Begin notes that the attempt begins. It must be called before Read. If Redis is out of
// memory there is no note, and a death is not noticed: the queue must be drained all the same.
func (a *Attempt) Begin(ctx context.Context) error {
	err := a.client.RPush(ctx, a.key, "").Err()
	a.noted = err == nil
	return a.wrap(exceptFull(err))
}

// SetBatch notes how much Read returned.
func (a *Attempt) SetBatch(ctx context.Context, batch Batch) error {
	if !a.noted || a.left > 0 {
		return nil
	}
	// Smaller batches may divide themselves differently between the streams, but after twice
	// as many events both are past the entries of this one.
	a.left = 2 * len(batch.Entries)
	return a.wrap(exceptFull(a.client.LSet(ctx, a.key, 0, a.left).Err()))
}

// exceptFull returns err, or nil if it means that Redis is out of memory.
func exceptFull(err error) error {
	if redis.HasErrorPrefix(err, "OOM") {
		return nil
	}
	return err
}

func (a *Attempt) wrap(err error) error {
	if err != nil {
		return fmt.Errorf("note the attempt to store entries of the queue: %w", err)
	}
	return nil
}

// Forget makes End take back all deaths if the attempt succeeds: what killed is known and gone.
func (a *Attempt) Forget() { a.left = 0 }

// End notes that the attempt ended without a death. stored is the batch that it stored; it is
// empty if there was nothing to store or the attempt failed. A success takes back the deaths
// beyond keep, and all of them once the entries of the first one are stored.
func (a *Attempt) End(ctx context.Context, stored Batch, keep int) error {
	succeeded, left := len(stored.Entries) > 0, a.left-len(stored.Entries)
	switch {
	case a.Deaths == 0, succeeded && (left <= 0 || keep <= 0):
		return a.wrap(a.client.Del(ctx, a.key).Err())
	case succeeded:
		err := a.client.LTrim(ctx, a.key, 0, int64(min(a.Deaths, keep)-1)).Err()
		if err == nil {
			err = exceptFull(a.client.LSet(ctx, a.key, 0, left).Err())
		}
		return a.wrap(err)
	case a.noted:
		return a.wrap(a.client.RPop(ctx, a.key).Err())
	default:
		return nil
	}
}
