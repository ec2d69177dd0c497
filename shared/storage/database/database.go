// Package database is what the packages that hold SQL share.
package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB runs statements. It is a pool, a connection or a transaction. Functions that
// need a transaction name the parameter tx.
type DB interface {
	Begin(ctx context.Context) (pgx.Tx, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Outdated reports whether a statement failed because a table or a column does not exist: the
// database lacks migrations of this release.
func Outdated(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (failure.Code == pgerrcode.UndefinedTable || failure.Code == pgerrcode.UndefinedColumn)
}

// liftDecompressionLimit sets the limit for the current transaction only. Without
// TimescaleDB the setting has no effect.
const liftDecompressionLimit = `SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)`

// LiftDecompressionLimit lets the transaction change any number of compressed rows.
// TimescaleDB limits how many rows a transaction may decompress, which suits
// transactions that change single rows, not those that replace or delete whole days.
func LiftDecompressionLimit(ctx context.Context, tx DB) error {
	if _, err := tx.Exec(ctx, liftDecompressionLimit); err != nil {
		return fmt.Errorf("lift the decompression limit: %w", err)
	}
	return nil
}
