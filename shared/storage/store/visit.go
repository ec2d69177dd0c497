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

// VisitChanges are what happens to stored visits.
type VisitChanges struct {
	Gone    []visit.Key    // are stored, and no longer visits
	Added   []*visit.Visit // are not stored
	Changed []*visit.Visit // are stored, with something else in them
}

// ApplyVisits makes the changes.
func ApplyVisits(ctx context.Context, tx database.DB, c VisitChanges) error {
	if err := removeVisits(ctx, tx, c.Gone); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return addVisits(ctx, tx, c.Added) })
	// A visit that should not be there is written over; the events are not to blame.
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == pgerrcode.UniqueViolation {
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

// addVisits sorts the visits into the order of the table's key, in which rows are
// cheapest to add.
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
	if len(visits) == 0 {
		return nil
	}
	columns, err := byColumn(&visitRows{visits: visits})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, upsertVisits, columns...)
	return err
}

// visitRows are visits as rows of copyVisits.
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

// revenueValue is the revenue of a visit as SQL takes it; NULL when there is none.
func revenueValue(revenue map[string]visit.Decimal) (any, error) {
	if revenue == nil {
		return nil, nil
	}
	encoded, err := json.Marshal(revenue)
	if err != nil {
		return nil, fmt.Errorf("encode the revenue of a visit: %w", err)
	}
	return json.RawMessage(encoded), nil
}

// removeVisits takes out one after another: they are few, and joined with the table by a
// planner that has old statistics each may read all of it.
func removeVisits(ctx context.Context, tx database.DB, gone []visit.Key) error {
	for _, k := range gone {
		if _, err := tx.Exec(ctx, deleteVisit, k.Site, time.UnixMicro(k.Start), k.Visitor); err != nil {
			return fmt.Errorf("delete visits: %w", err)
		}
	}
	return nil
}
