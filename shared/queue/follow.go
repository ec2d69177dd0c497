package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// followBlock is how long one XREAD waits for new entries before Follow sends the next.
const followBlock = 5 * time.Second

// followPage is how many stream entries one XREAD returns at most. Redis can't limit a reply
// by bytes: if all are as large as an entry can be, they take 4 MB for each shard.
const followPage = 100

// Position is a place in the queue: the id of the last entry before it, for each shard.
type Position [Shards]string

// End returns the position after all entries appended so far.
func End(ctx context.Context, client redis.UniversalClient) (Position, error) {
	var end Position
	for shard := range Shards {
		last, err := lastID(ctx, client, shard)
		if err != nil {
			return end, err
		}
		end[shard] = last
	}
	return end, nil
}

// Follow calls fn with every event appended after a position, until ctx ends or Redis
// fails. It returns nil if ctx ended. It removes nothing from the queue. Each shard calls
// fn from its own goroutine, so fn must be safe for concurrent use.
//
// Follow reads the main streams, to which every event is appended. A follower that is
// slower than the workers, which promote and trim entries, can miss some of them: use it
// for live views, never for the record.
func Follow(ctx context.Context, client redis.UniversalClient, from Position, fn func(event.Event)) error {
	group, inner := errgroup.WithContext(ctx)
	for shard := range Shards {
		group.Go(func() error { return follow(inner, client, shard, from[shard], fn) })
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// lastID returns the id of the last entry ever appended to a shard.
func lastID(ctx context.Context, client redis.UniversalClient, shard int) (string, error) {
	if n, err := client.Exists(ctx, mainStream(shard)).Result(); err != nil {
		return "", fmt.Errorf("follow the queue's shard %d: %w", shard, err)
	} else if n == 0 {
		return "0-0", nil
	}
	info, err := client.XInfoStream(ctx, mainStream(shard)).Result()
	if err != nil {
		return "", fmt.Errorf("follow the queue's shard %d: %w", shard, err)
	}
	return info.LastGeneratedID, nil
}

func follow(ctx context.Context, client redis.UniversalClient, shard int, from string, fn func(event.Event)) error {
	for ctx.Err() == nil {
		streams, err := client.XRead(ctx, &redis.XReadArgs{
			Streams: []string{mainStream(shard), from},
			Count:   followPage,
			Block:   followBlock,
		}).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return fmt.Errorf("follow the queue's shard %d: %w", shard, err)
		}
		for _, message := range streams[0].Messages {
			from = message.ID
			for _, entry := range appendEntries(nil, message) {
				if e, err := entry.Event(); err == nil {
					fn(*e)
				}
			}
		}
	}
	return nil
}
