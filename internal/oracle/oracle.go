// Package oracle tells tests whether derived data is right: it computes visits and
// rollups again from the raw events, by plain SQL that shares nothing with the code
// under test, and compares them with what is stored.
package oracle

import (
	"context"
	_ "embed"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed recompute.sql
var recompute string

//go:embed compare.sql
var compare string

// Agrees fails a test unless the stored visits and rollups are exactly what the raw
// events say.
func Agrees(tb testing.TB, db *pgxpool.Pool) {
	tb.Helper()
	differences, err := Differences(tb.Context(), db)
	if err != nil {
		tb.Error(err)
	}
	for _, difference := range differences {
		tb.Error(difference)
	}
}

// Differences returns what is wrong with the stored visits and rollups, ten lines
// at most; none means that they are exactly what the raw events say.
func Differences(ctx context.Context, db *pgxpool.Pool) ([]string, error) {
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return nil, fmt.Errorf("begin the comparison: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // it only read
	if _, err := tx.Exec(ctx, recompute); err != nil {
		return nil, fmt.Errorf("recompute from raw: %w", err)
	}
	rows, err := tx.Query(ctx, compare)
	if err != nil {
		return nil, fmt.Errorf("compare with the record: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("compare with the record: %w", err)
	}
	return lines, nil
}
