package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// ErrShardBusy is returned if another transaction has locked the shard.
var ErrShardBusy = errors.New("another process aggregates the shard")

const (
	lockShard  = `SELECT mark FROM queue_positions WHERE shard = $1 FOR UPDATE SKIP LOCKED`
	hasShard   = `SELECT EXISTS (SELECT FROM queue_positions WHERE shard = $1)`
	lockShards = `SELECT shard FROM queue_positions ORDER BY shard FOR UPDATE`
	setMark    = `UPDATE queue_positions SET mark = $2 WHERE shard = $1`
)

// LockShard locks a shard until the transaction ends, so that no other transaction stores
// its events, and returns the mark that SetMark stored. It returns ErrShardBusy without
// waiting if another transaction has locked the shard.
func LockShard(ctx context.Context, tx database.DB, shard int) (mark string, err error) {
	err = tx.QueryRow(ctx, lockShard, int16(shard)).Scan(&mark)
	if !errors.Is(err, pgx.ErrNoRows) {
		if err != nil {
			err = fmt.Errorf("lock shard %d: %w", shard, err)
		}
		return mark, err
	}
	var exists bool
	if err := tx.QueryRow(ctx, hasShard, int16(shard)).Scan(&exists); err != nil {
		return "", fmt.Errorf("lock shard %d: %w", shard, err)
	}
	if !exists {
		return "", fmt.Errorf("lock shard %d: the table queue_positions has no row for it", shard)
	}
	return "", ErrShardBusy
}

// LockShards waits until no shard is being aggregated and locks all of them until the
// transaction ends, so that no other transaction changes visits or rollups.
func LockShards(ctx context.Context, tx database.DB) error {
	if _, err := tx.Exec(ctx, lockShards); err != nil {
		return fmt.Errorf("lock all shards: %w", err)
	}
	return nil
}

// SetMark stores the position up to which the transaction has stored a shard. The
// transaction must have locked the shard.
func SetMark(ctx context.Context, tx database.DB, shard int, mark string) error {
	if _, err := tx.Exec(ctx, setMark, int16(shard), mark); err != nil {
		return fmt.Errorf("store the position in shard %d: %w", shard, err)
	}
	return nil
}
