package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Returned is the payload of an entry that was in the queue before.
type Returned struct {
	Shard   int
	Payload []byte
}

// Return appends payloads to the shards that they came from, as they are, in one
// pipeline. After an error some of them may have been taken.
func Return(ctx context.Context, client redis.UniversalClient, payloads []Returned) error {
	pipe := client.Pipeline()
	for _, p := range payloads {
		if p.Shard < 0 || p.Shard >= Shards {
			return fmt.Errorf("append to the queue: there is no shard %d", p.Shard)
		}
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: stream(p.Shard), Values: []any{field, p.Payload}})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("append to the queue: %w", err)
	}
	return nil
}
