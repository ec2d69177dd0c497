package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The WebAssembly build of TimescaleDB, on which the tests run everywhere, dies of
// COPY into a hypertable. It is the only server that was compiled by emcc.
const canCopy = `SELECT version() NOT LIKE '%compiled by emcc%'`

// copies tells whether rows can be added by COPY, the fastest way.
func copies(ctx context.Context, tx DB) (yes bool, err error) {
	if err := tx.QueryRow(ctx, canCopy).Scan(&yes); err != nil {
		return false, fmt.Errorf("ask for the server's version: %w", err)
	}
	return yes, nil
}

// byColumn turns rows into a slice a column, as unnest takes them.
func byColumn(rows pgx.CopyFromSource) ([]any, error) {
	var columns [][]any
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return nil, err
		}
		if columns == nil {
			columns = make([][]any, len(row))
		}
		for i, value := range row {
			columns[i] = append(columns[i], value)
		}
	}
	args := make([]any, len(columns))
	for i, column := range columns {
		args[i] = column
	}
	return args, rows.Err()
}
