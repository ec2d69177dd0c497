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

// MaxName is how many characters the name of something that belongs to a site may have.
const MaxName = 100

// What can be wrong with what belongs to a site: its goals, segments, funnels, annotations
// and share links.
var (
	// ErrNotFound means that the site has no such thing (any more).
	ErrNotFound = errors.New("no such thing")
	// ErrNameTaken means that the site has one of that name.
	ErrNameTaken = errors.New("the name is taken")
	// ErrLimitReached means that the site has as many as it may.
	ErrLimitReached = errors.New("the site has as many as it may")
)

// holdSiteForMore has those that add to a site wait for one another, so that none counts
// without the others. Events are stored meanwhile.
const holdSiteForMore = `SELECT FROM sites WHERE id = $1 FOR NO KEY UPDATE`

// add inserts something for a site, unless count says that the site has most of them.
func add[T any](ctx context.Context, db database.DB, site int32, count string, most int, insert string, args ...any) (added T, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		held, err := tx.Exec(ctx, holdSiteForMore, site)
		if err != nil {
			return err
		}
		if held.RowsAffected() == 0 {
			return ErrNoSite
		}
		var there int
		if err := tx.QueryRow(ctx, count, site).Scan(&there); err != nil {
			return err
		}
		if there >= most {
			return ErrLimitReached
		}
		added, err = one[T](ctx, tx, insert, args...)
		return err
	})
	return added, err
}

// many returns all rows.
func many[T any](ctx context.Context, db database.DB, sql string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

// one returns the only row, or ErrNotFound.
func one[T any](ctx context.Context, db database.DB, sql string, args ...any) (T, error) {
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

// remove deletes one of a site, or returns ErrNotFound.
func remove(ctx context.Context, db database.DB, sql string, site, id int32) error {
	tag, err := db.Exec(ctx, sql, site, id)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	return err
}

// belongingError is err in the words of this package.
func belongingError(doing string, err error) error {
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == pgerrcode.UniqueViolation {
		return ErrNameTaken
	}
	if err == nil || errors.Is(err, ErrNoSite) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrLimitReached) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
