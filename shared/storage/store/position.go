package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// ErrShardBusy means that another transaction holds the shard.
var ErrShardBusy = errors.New("another process drains the shard")

const (
	holdShard  = `SELECT mark FROM queue_positions WHERE shard = $1 FOR UPDATE SKIP LOCKED`
	hasShard   = `SELECT EXISTS (SELECT FROM queue_positions WHERE shard = $1)`
	holdShards = `SELECT shard FROM queue_positions ORDER BY shard FOR UPDATE`
	setMark    = `UPDATE queue_positions SET mark = $2 WHERE shard = $1`
)

// HoldShard makes the transaction the only one that drains a shard, until it ends
// however it ends, and returns the mark that SetMark left. While another has the shard
// it returns ErrShardBusy at once.
func HoldShard(ctx context.Context, tx database.DB, shard int) (mark string, err error) {
	err = tx.QueryRow(ctx, holdShard, int16(shard)).Scan(&mark)
	if !errors.Is(err, pgx.ErrNoRows) {
		if err != nil {
			err = fmt.Errorf("hold shard %d: %w", shard, err)
		}
		return mark, err
	}
	var exists bool
	if err := tx.QueryRow(ctx, hasShard, int16(shard)).Scan(&exists); err != nil {
		return "", fmt.Errorf("hold shard %d: %w", shard, err)
	}
	if !exists {
		return "", fmt.Errorf("hold shard %d: the table queue_positions has no row for it", shard)
	}
	return "", ErrShardBusy
}

// HoldShards waits until no shard is being drained, and keeps it so until the
// transaction ends: nothing derived changes meanwhile but by this transaction.
func HoldShards(ctx context.Context, tx database.DB) error {
	if _, err := tx.Exec(ctx, holdShards); err != nil {
		return fmt.Errorf("hold all shards: %w", err)
	}
	return nil
}

// SetMark notes what the transaction stored of a shard that it holds.
func SetMark(ctx context.Context, tx database.DB, shard int, mark string) error {
	if _, err := tx.Exec(ctx, setMark, int16(shard), mark); err != nil {
		return fmt.Errorf("note the position in shard %d: %w", shard, err)
	}
	return nil
}
