// Package paths stores which days may have pages and referrers in the form of earlier versions, and
// gives them the form of today.
package paths

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/weburl"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const (
	selectDays = `
SELECT ` + sites.Columns + `, p.day FROM path_days p JOIN sites ON id = p.site_id
WHERE NOT p.tried
ORDER BY p.day DESC, id
LIMIT $1`
	selectDay = `SELECT EXISTS (SELECT FROM path_days WHERE site_id = $1 AND day = $2)`
	skipDay   = `UPDATE path_days SET tried = true WHERE site_id = $1 AND day = $2`
	deleteDay = `DELETE FROM path_days WHERE site_id = $1 AND day = $2`

	// Only paths with a percent sign have another form than before.
	selectPaths = `
SELECT DISTINCT path FROM (
    SELECT unnest(ARRAY[page, referrer]) COLLATE "C" AS path FROM events
    WHERE site_id = $1 AND day = $2 AND time >= $3 AND time < $4 AND (page LIKE '%\%%' OR referrer LIKE '%\%%')
) AS p
WHERE path LIKE '%\%%' AND path > $5
ORDER BY path
LIMIT $6`
	updatePages = `
UPDATE events SET page = p.form FROM unnest($5::text[], $6::text[]) AS p (path, form)
WHERE site_id = $1 AND day = $2 AND time >= $3 AND time < $4 AND page = p.path`
	updateReferrers = `
UPDATE events SET referrer = p.form FROM unnest($5::text[], $6::text[]) AS p (path, form)
WHERE site_id = $1 AND day = $2 AND time >= $3 AND time < $4 AND referrer = p.path`
)

const (
	maxPaths = 10_000 // paths that Rewrite has in memory at a time
	maxDays  = 1000   // that Due returns
)

// Day is a local day of a site that may have paths in the form of before.
type Day struct {
	sites.Site
	Date time.Time
}

// Due returns days that are to be rewritten, newest first, except those for which
// Skip was called. It returns at most maxDays of them.
func Due(ctx context.Context, db database.DB) ([]Day, error) {
	rows, err := db.Query(ctx, selectDays, maxDays)
	if err != nil {
		return nil, fmt.Errorf("find days to rewrite: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Day])
	if err != nil {
		return nil, fmt.Errorf("find days to rewrite: %w", err)
	}
	return days, nil
}

// IsDue reports whether a day is to be rewritten.
func IsDue(ctx context.Context, db database.DB, site int32, day event.Day) (is bool, err error) {
	if err := db.QueryRow(ctx, selectDay, site, day.Date()).Scan(&is); err != nil {
		return false, fmt.Errorf("look for %s among the days to rewrite: %w", day, err)
	}
	return is, nil
}

// Skip leaves a day out of what Due returns, because it takes too long.
func Skip(ctx context.Context, db database.DB, site int32, day event.Day) error {
	if _, err := db.Exec(ctx, skipDay, site, day.Date()); err != nil {
		return fmt.Errorf("skip %s: %w", day, err)
	}
	return nil
}

// Rewrite gives the pages and referrers of the events of a day the form of
// weburl.Canonical, and returns how many fields it changed. The day is no longer one to be
// rewritten. The transaction must have called store.LockRecord, and what is derived from the events
// must be computed anew in it.
func Rewrite(ctx context.Context, tx database.DB, site int32, day event.Day) (changed int64, err error) {
	from, to := store.Span(day, day)
	last := ""
	for more := true; more; {
		rows, err := tx.Query(ctx, selectPaths, site, day.Date(), from, to, last, maxPaths)
		if err != nil {
			return 0, fmt.Errorf("read the paths of %s: %w", day, err)
		}
		paths, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return 0, fmt.Errorf("read the paths of %s: %w", day, err)
		}
		var old, forms []string
		for _, path := range paths {
			if form := weburl.Canonical(path); form != path {
				old, forms = append(old, path), append(forms, form)
			}
			last = path
		}
		more = len(paths) == maxPaths
		if len(old) == 0 {
			continue
		}
		for _, update := range []string{updatePages, updateReferrers} {
			result, err := tx.Exec(ctx, update, site, day.Date(), from, to, old, forms)
			if err != nil {
				return 0, fmt.Errorf("rewrite the paths of %s: %w", day, err)
			}
			changed += result.RowsAffected()
		}
	}
	if _, err := tx.Exec(ctx, deleteDay, site, day.Date()); err != nil {
		return 0, fmt.Errorf("rewrite the paths of %s: %w", day, err)
	}
	return changed, nil
}
