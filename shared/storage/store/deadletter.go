package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// DeadLetterInfo describes a stored dead letter without its payload.
type DeadLetterInfo struct {
	ID        int64
	Shard     int16
	Reason    string
	CreatedAt time.Time
	Size      int64 // of the payload, in bytes
}

// StoredDeadLetter is a stored dead letter that is to be replayed.
type StoredDeadLetter struct {
	ID      int64
	Shard   int16
	Payload []byte
}

const (
	selectDeadLetters = `
SELECT id, shard, reason, created_at, length(payload)::bigint
FROM dead_letters WHERE id > $1 ORDER BY id LIMIT $2`
	countDeadLetters = `SELECT count(*), coalesce(max(id), 0) FROM dead_letters`
	lockDeadLetters  = `
SELECT id, shard, payload
FROM dead_letters WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3
FOR UPDATE SKIP LOCKED`
	deleteDeadLetters = `DELETE FROM dead_letters WHERE id = ANY($1)`
)

// DeadLetters describes at most limit dead letters with ids greater than after, oldest
// first.
func DeadLetters(ctx context.Context, db database.DB, after int64, limit int) ([]DeadLetterInfo, error) {
	rows, err := db.Query(ctx, selectDeadLetters, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DeadLetterInfo])
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return letters, nil
}

// CountDeadLetters returns the number of dead letters and the id of the last one, 0 if
// there are none.
func CountDeadLetters(ctx context.Context, db database.DB) (count, last int64, err error) {
	if err := db.QueryRow(ctx, countDeadLetters).Scan(&count, &last); err != nil {
		return 0, 0, fmt.Errorf("count dead letters: %w", err)
	}
	return count, last, nil
}

// LockDeadLetters returns at most limit dead letters with ids greater than after and up to
// last, oldest first, and locks them until the transaction ends. It skips those that
// another transaction has locked.
func LockDeadLetters(ctx context.Context, tx database.DB, after, last int64, limit int) ([]StoredDeadLetter, error) {
	rows, err := tx.Query(ctx, lockDeadLetters, after, last, limit)
	if err != nil {
		return nil, fmt.Errorf("lock dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByPos[StoredDeadLetter])
	if err != nil {
		return nil, fmt.Errorf("lock dead letters: %w", err)
	}
	return letters, nil
}

// DeleteDeadLetters deletes the dead letters with these ids.
func DeleteDeadLetters(ctx context.Context, tx database.DB, ids []int64) error {
	if _, err := tx.Exec(ctx, deleteDeadLetters, ids); err != nil {
		return fmt.Errorf("delete dead letters: %w", err)
	}
	return nil
}
