package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// DeadLetterFacts is what there is to know of a kept dead letter beside its payload.
type DeadLetterFacts struct {
	ID        int64
	Shard     int16
	Reason    string
	CreatedAt time.Time
	Size      int64 // of the payload, in bytes
}

// KeptDeadLetter is a dead letter to be tried again.
type KeptDeadLetter struct {
	ID      int64
	Shard   int16
	Payload []byte
}

const (
	selectDeadLetters = `
SELECT id, shard, reason, created_at, length(payload)::bigint
FROM dead_letters WHERE id > $1 ORDER BY id LIMIT $2`
	countDeadLetters = `SELECT count(*), coalesce(max(id), 0) FROM dead_letters`
	takeDeadLetters  = `
SELECT id, shard, payload
FROM dead_letters WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3
FOR UPDATE SKIP LOCKED`
	deleteDeadLetters = `DELETE FROM dead_letters WHERE id = ANY($1)`
)

// DeadLetters returns the facts of at most limit dead letters whose ids are greater
// than after, oldest first.
func DeadLetters(ctx context.Context, db database.DB, after int64, limit int) ([]DeadLetterFacts, error) {
	rows, err := db.Query(ctx, selectDeadLetters, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DeadLetterFacts])
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return letters, nil
}

// CountDeadLetters returns how many there are, and the id of the last one, 0 when there
// is none.
func CountDeadLetters(ctx context.Context, db database.DB) (count, last int64, err error) {
	if err := db.QueryRow(ctx, countDeadLetters).Scan(&count, &last); err != nil {
		return 0, 0, fmt.Errorf("count dead letters: %w", err)
	}
	return count, last, nil
}

// TakeDeadLetters returns at most limit dead letters with ids greater than after and
// not greater than last, oldest first, which nobody else takes before the transaction
// ends. Those that somebody has taken are left out.
func TakeDeadLetters(ctx context.Context, tx database.DB, after, last int64, limit int) ([]KeptDeadLetter, error) {
	rows, err := tx.Query(ctx, takeDeadLetters, after, last, limit)
	if err != nil {
		return nil, fmt.Errorf("take dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByPos[KeptDeadLetter])
	if err != nil {
		return nil, fmt.Errorf("take dead letters: %w", err)
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
