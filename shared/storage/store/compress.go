package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// compressAfter is how old a chunk's last moment is before the chunk is compressed: by
// then the salts of its days are destroyed and, but for a queue that stood still for
// long, nothing more comes.
const compressAfter = 3 * 24 * time.Hour

const (
	hasChunks = `SELECT to_regclass('timescaledb_information.chunks') IS NOT NULL`

	// A month that begins before the end of a chunk may last 31 days more.
	selectChunk = `
SELECT format('%I.%I', chunk_schema, chunk_name)
FROM timescaledb_information.chunks
WHERE hypertable_name IN ('events', 'visits', 'rollup_day', 'rollup_month') AND NOT is_compressed
  AND range_end < $1::timestamptz - CASE hypertable_name WHEN 'rollup_month' THEN interval '31 days' ELSE '0' END
ORDER BY range_end, hypertable_name
LIMIT 1`

	// Values that repeat are stored once for all rows that are compressed together: with
	// ten times as many as by default an event takes a sixth less. Older versions of
	// TimescaleDB have no such setting, or a lower limit.
	compressTogether = `SELECT set_config(name, least(10000, max_val::integer)::text, true) FROM pg_settings WHERE name = 'timescaledb.compression_batch_size_limit'`
	compressChunk    = `SELECT compress_chunk($1::text::regclass)`
)

// Compress compresses the chunks that are old enough at now, the oldest first, and
// returns how many there were. Without TimescaleDB there is none.
//
// While a chunk is compressed no shard is drained: so nobody changes rows that are on
// their way to another place. Each chunk is a transaction of its own; one that ctx ends
// is as it was.
func Compress(ctx context.Context, db database.DB, now time.Time) (n int, err error) {
	var chunks bool
	if err := db.QueryRow(ctx, hasChunks).Scan(&chunks); err != nil {
		return 0, fmt.Errorf("look for chunks: %w", err)
	}
	for chunks {
		// Looking holds nobody up: nearly always there is nothing to do.
		chunk, err := oldChunk(ctx, db, now)
		if err != nil || chunk == "" {
			return n, err
		}
		if err := compressOne(ctx, db, now); err != nil {
			return n, fmt.Errorf("compress a chunk: %w", err)
		}
		n++
	}
	return n, nil
}

// oldChunk is the oldest chunk to compress; "" when there is none.
func oldChunk(ctx context.Context, db database.DB, now time.Time) (chunk string, err error) {
	err = db.QueryRow(ctx, selectChunk, now.Add(-compressAfter)).Scan(&chunk)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("look for chunks: %w", err)
	}
	return chunk, nil
}

func compressOne(ctx context.Context, db database.DB, now time.Time) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := HoldShards(ctx, tx); err != nil {
			return err
		}
		chunk, err := oldChunk(ctx, tx, now) // another may have been faster
		if err != nil || chunk == "" {
			return err
		}
		if _, err := tx.Exec(ctx, compressTogether); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, compressChunk, chunk)
		return err
	})
}
