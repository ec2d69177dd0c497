// Package store is the record: PostgreSQL, with TimescaleDB where it is there,
// through pgx. It owns the SQL that reads and writes sites and what belongs to them,
// keys, salts, events, visits and rollups.
//
// It decides what a site may be (ReadSite), how many things a site may have, and when
// another time zone takes effect. What a visit is and what it adds to a rollup comes
// from package visit; goals, filters and names are checked by the packages that define
// them, before they come here. SQL takes parameters; it is never put together from
// input.
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
