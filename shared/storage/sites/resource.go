package sites

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// MaxName is the maximum length of a resource's name in characters.
const MaxName = 100

// The errors of a site's resources: its goals, segments, funnels, annotations and share
// links.
var (
	// ErrNotFound is returned if the site has no such resource.
	ErrNotFound = errors.New("no such resource")
	// ErrNameTaken is returned if the site has a resource of that kind with the same name.
	ErrNameTaken = errors.New("the name is taken")
	// ErrLimitReached is returned if the site has the maximum number of such resources.
	ErrLimitReached = errors.New("the site has the maximum number of these")
)

// lockSiteForInsert makes transactions that add a resource to a site wait for one
// another, so that each counts the resources of the others. It does not block the storing
// of events.
const lockSiteForInsert = `SELECT FROM sites WHERE id = $1 FOR NO KEY UPDATE`

// insertOne inserts a resource of a site, or returns ErrLimitReached if the site already
// has limit of them.
func insertOne[T any](ctx context.Context, db database.DB, site int32, count string, limit int, insert string, args ...any) (inserted T, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		locked, err := tx.Exec(ctx, lockSiteForInsert, site)
		if err != nil {
			return err
		}
		if locked.RowsAffected() == 0 {
			return ErrNoSite
		}
		var existing int
		if err := tx.QueryRow(ctx, count, site).Scan(&existing); err != nil {
			return err
		}
		if existing >= limit {
			return ErrLimitReached
		}
		inserted, err = selectOne[T](ctx, tx, insert, args...)
		return err
	})
	return inserted, err
}

// selectAll returns all rows.
func selectAll[T any](ctx context.Context, db database.DB, sql string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

// selectOne returns the only row, or ErrNotFound.
func selectOne[T any](ctx context.Context, db database.DB, sql string, args ...any) (T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		var none T
		return none, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, ErrNotFound
	}
	return row, err
}

// deleteOne deletes a resource of a site, or returns ErrNotFound.
func deleteOne(ctx context.Context, db database.DB, sql string, site, id int32) error {
	tag, err := db.Exec(ctx, sql, site, id)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	return err
}

// resourceError returns err as an error of this package, wrapped with the operation that
// failed if it is unexpected.
func resourceError(op string, err error) error {
	if violation, ok := errors.AsType[*pgconn.PgError](err); ok && violation.Code == pgerrcode.UniqueViolation {
		return ErrNameTaken
	}
	if err == nil || errors.Is(err, ErrNoSite) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrLimitReached) {
		return err
	}
	return fmt.Errorf("%s: %w", op, err)
}
