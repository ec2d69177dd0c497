package store

import (
	"context"
	"fmt"
)

// lockClass and shards are those of the advisory locks of package drain.
const (
	lockClass = 0x616e61
	shards    = 4
	holdShard = `SELECT pg_advisory_xact_lock($1, $2)`
)

// HoldShards waits until no shard is being drained, and keeps it so until the
// transaction ends: nothing derived changes meanwhile but by this transaction.
func HoldShards(ctx context.Context, tx DB) error {
	for shard := range shards {
		if _, err := tx.Exec(ctx, holdShard, lockClass, shard); err != nil {
			return fmt.Errorf("hold all shards: %w", err)
		}
	}
	return nil
}
