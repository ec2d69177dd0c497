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

// followBlock is how long a read waits for something new before it asks again.
const followBlock = 5 * time.Second

// Position is a place in the queue: for each shard the id of the last entry before
// it.
type Position [Shards]string

// End is the position after everything that was appended until now.
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

// Follow calls fn with every event that is appended after a position, until ctx
// ends (then it returns nil) or Redis fails. It takes nothing out of the queue. fn is
// called from one goroutine a shard.
//
// It follows the main lanes, to which every event is appended. A follower that is
// slower than the workers, who move events and take them out, can miss some: use it
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

// lastID is the id of the last entry that a shard ever had.
func lastID(ctx context.Context, client redis.UniversalClient, shard int) (string, error) {
	if n, err := client.Exists(ctx, stream(shard)).Result(); err != nil {
		return "", fmt.Errorf("follow the queue's shard %d: %w", shard, err)
	} else if n == 0 {
		return "0-0", nil
	}
	info, err := client.XInfoStream(ctx, stream(shard)).Result()
	if err != nil {
		return "", fmt.Errorf("follow the queue's shard %d: %w", shard, err)
	}
	return info.LastGeneratedID, nil
}

func follow(ctx context.Context, client redis.UniversalClient, shard int, from string, fn func(event.Event)) error {
	for ctx.Err() == nil {
		streams, err := client.XRead(ctx, &redis.XReadArgs{
			Streams: []string{stream(shard), from},
			Count:   1000,
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
