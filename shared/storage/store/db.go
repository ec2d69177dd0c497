// Package store is the record: PostgreSQL, with TimescaleDB where it is there,
// through pgx. It owns the SQL that reads and writes sites, keys, salts, events,
// visits and rollups.
//
// It decides nothing: what a visit is and what it adds to a rollup comes from
// package visit. SQL stands in constants and takes parameters; it is never put
// together from input.
package store

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB is what statements are run on: a pool, a connection or a transaction.
type DB interface {
	Begin(ctx context.Context) (pgx.Tx, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
