package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

const deleteVisit = `DELETE FROM visits WHERE site_id = $1 AND started_at = $2 AND visitor = $3`

const copyVisits = `
COPY visits (` + visitColumns + `)
FROM STDIN (FORMAT binary)`

const upsertVisits = `
INSERT INTO visits (` + visitColumns + `)
SELECT * FROM unnest(` + visitParameters + `)
ON CONFLICT (site_id, started_at, visitor) DO UPDATE SET ` + visitUpdates

// VisitChanges are changes to stored visits.
type VisitChanges struct {
	Deleted []visit.Key    // stored visits that no longer exist
	Added   []*visit.Visit // visits that are not stored
	Changed []*visit.Visit // stored visits with new values
}

// ApplyVisits applies the changes.
func ApplyVisits(ctx context.Context, tx database.DB, c VisitChanges) error {
	if err := deleteVisits(ctx, tx, c.Deleted); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return addVisits(ctx, tx, c.Added) })
	// An unexpected stored visit must not keep the events from being stored: overwrite it.
	if violation, ok := errors.AsType[*pgconn.PgError](err); ok && violation.Code == pgerrcode.UniqueViolation {
		c.Changed = append(c.Changed, c.Added...)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("add visits: %w", err)
	}
	if err := changeVisits(ctx, tx, c.Changed); err != nil {
		return fmt.Errorf("change visits: %w", err)
	}
	return nil
}

// addVisits adds visits sorted by the key of the table, since rows are cheapest to add in
// that order.
func addVisits(ctx context.Context, tx pgx.Tx, visits []*visit.Visit) error {
	if len(visits) == 0 {
		return nil
	}
	slices.SortFunc(visits, func(a, b *visit.Visit) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), a.Start.Compare(b.Start))
	})
	return copyRows(ctx, tx, copyVisits, &visitRows{visits: visits})
}

func changeVisits(ctx context.Context, tx database.DB, visits []*visit.Visit) error {
	return byColumn(&visitRows{visits: visits}, func(columns []any) error {
		_, err := tx.Exec(ctx, upsertVisits, columns...)
		return err
	})
}

// visitRows provides visits as rows of the table visits.
type visitRows struct {
	visits []*visit.Visit
	values []any
}

func (r *visitRows) len() int { return len(r.visits) }

func (r *visitRows) row(i int) ([]any, error) {
	var err error
	r.values, err = appendVisitRow(r.values[:0], r.visits[i])
	return r.values, err
}

// revenueValue returns the revenue of a visit as a column value; NULL if there is none.
func revenueValue(revenue map[string]visit.Decimal) (any, error) {
	if revenue == nil {
		return nil, nil
	}
	encoded, err := json.Marshal(revenue)
	if err != nil {
		return nil, fmt.Errorf("encode revenue: %w", err)
	}
	return json.RawMessage(encoded), nil
}

// deleteVisits deletes visits one by one. They are few, and with outdated statistics the
// plan of a join might read the whole table for each.
func deleteVisits(ctx context.Context, tx database.DB, keys []visit.Key) error {
	for _, k := range keys {
		if _, err := tx.Exec(ctx, deleteVisit, k.Site, time.UnixMicro(k.Start), k.Visitor); err != nil {
			return fmt.Errorf("delete visits: %w", err)
		}
	}
	return nil
}
