// Package oracle checks derived data in tests. It recomputes visits and rollups from the raw
// events with plain SQL, which shares nothing with the code under test, and compares them
// with what is stored.
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

// Agrees reports a test error for each difference between the stored visits and rollups and
// the raw events.
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

// Differences describes how the stored visits and rollups differ from what the raw events
// make, in at most ten lines. It returns none if they are equal.
func Differences(ctx context.Context, db *pgxpool.Pool) ([]string, error) {
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return nil, fmt.Errorf("begin the comparison: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // drops the temporary tables
	if _, err := tx.Exec(ctx, recompute); err != nil {
		return nil, fmt.Errorf("recompute from raw events: %w", err)
	}
	rows, err := tx.Query(ctx, compare)
	if err != nil {
		return nil, fmt.Errorf("compare with the stored rows: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("compare with the stored rows: %w", err)
	}
	return lines, nil
}
