package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// ShardPayload is the payload of an entry and the shard that it came from.
type ShardPayload struct {
	Shard   int
	Payload []byte
}

// Requeue appends payloads unchanged to the shards that they came from, in one pipeline.
// After an error some of them may have been appended.
func Requeue(ctx context.Context, client redis.UniversalClient, payloads []ShardPayload) error {
	pipe := client.Pipeline()
	for _, p := range payloads {
		if p.Shard < 0 || p.Shard >= Shards {
			return fmt.Errorf("append to the queue: shard %d does not exist", p.Shard)
		}
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: mainStream(p.Shard), Values: []any{field, p.Payload}})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("append to the queue: %w", err)
	}
	return nil
}
