package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// compressAfter is the time between the end of a chunk and its compression. By then the
// salts of its days are deleted, and no more events arrive, unless the queue was stopped
// for long.
const compressAfter = 3 * 24 * time.Hour

const (
	hasChunks = `SELECT to_regclass('timescaledb_information.chunks') IS NOT NULL`

	// A month that begins in a chunk may end up to 31 days after the chunk.
	selectChunk = `
SELECT format('%I.%I', chunk_schema, chunk_name)
FROM timescaledb_information.chunks
WHERE hypertable_name IN ('events', 'visits', 'rollup_day', 'rollup_month') AND NOT is_compressed
  AND range_end < $1::timestamptz - CASE hypertable_name WHEN 'rollup_month' THEN interval '31 days' ELSE '0' END
ORDER BY range_end, hypertable_name
LIMIT 1`

	// Rows that are compressed together share repeated values. With ten times the default
	// number of rows an event takes a sixth less space. Older versions of TimescaleDB do
	// not have this setting, or have a lower limit.
	raiseBatchSize = `SELECT set_config(name, least(10000, max_val::integer)::text, true) FROM pg_settings WHERE name = 'timescaledb.compression_batch_size_limit'`
	compressChunk  = `SELECT compress_chunk($1::text::regclass)`
)

// Compress compresses the chunks that are old enough at now, oldest first, and returns
// their number. Without TimescaleDB it does nothing.
//
// Each chunk is compressed in its own transaction, which is rolled back if ctx ends. The
// transaction locks all shards, so that no rows change while they are moved.
func Compress(ctx context.Context, db database.DB, now time.Time) (n int, err error) {
	var chunks bool
	if err := db.QueryRow(ctx, hasChunks).Scan(&chunks); err != nil {
		return 0, fmt.Errorf("find chunks: %w", err)
	}
	for chunks {
		// Look before locking the shards: there is rarely a chunk to compress.
		chunk, err := nextChunk(ctx, db, now)
		if err != nil || chunk == "" {
			return n, err
		}
		if err := compressOne(ctx, db, now); err != nil {
			return n, fmt.Errorf("compress chunk: %w", err)
		}
		n++
	}
	return n, nil
}

// nextChunk returns the oldest chunk to compress; "" if there is none.
func nextChunk(ctx context.Context, db database.DB, now time.Time) (chunk string, err error) {
	err = db.QueryRow(ctx, selectChunk, now.Add(-compressAfter)).Scan(&chunk)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("find chunks: %w", err)
	}
	return chunk, nil
}

func compressOne(ctx context.Context, db database.DB, now time.Time) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := LockShards(ctx, tx); err != nil {
			return err
		}
		chunk, err := nextChunk(ctx, tx, now) // another process may have compressed it
		if err != nil || chunk == "" {
			return err
		}
		if _, err := tx.Exec(ctx, raiseBatchSize); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, compressChunk, chunk)
		return err
	})
}
