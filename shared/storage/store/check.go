package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// DayCheck is the result of recomputing a day of a site.
type DayCheck struct {
	Site        int32
	Day         event.Day
	At          time.Time
	Differences *int64 // number of rows that differed; nil if the check exceeded its time limit
	Replaced    bool   // the rows that differed were replaced
}

// UncheckedDay is a local day of a site that has no DayCheck.
type UncheckedDay struct {
	sites.Site
	Date time.Time
}

// maxDueDays is the maximum number of days that UncheckedDays and DueDays return.
const maxDueDays = 1000

const (
	selectUncheckedDays = `
SELECT ` + sites.Columns + `, due.day::date
FROM sites CROSS JOIN generate_series($1::date, $2::date, interval '1 day') AS due (day)
WHERE NOT EXISTS (SELECT FROM day_checks c WHERE c.site_id = sites.id AND c.day = due.day)
ORDER BY due.day DESC, id
LIMIT $3`

	// The row lock prevents a check from being added after its site was deleted.
	upsertDayCheck = `
INSERT INTO day_checks (site_id, day, checked_at, differences, replaced)
SELECT id, $2, $3, $4, $5 FROM sites WHERE id = $1 FOR KEY SHARE
ON CONFLICT (site_id, day) DO UPDATE SET
    checked_at = excluded.checked_at, differences = excluded.differences, replaced = excluded.replaced`

	reviseDayCheck = `
UPDATE day_checks SET checked_at = $3, differences = $4, replaced = $5
WHERE site_id = $1 AND day = $2 AND (differences IS NULL OR $4 > 0)`
)

// UncheckedDays returns days of all sites from first to last that have no check, newest
// first. It returns at most maxDueDays of them.
func UncheckedDays(ctx context.Context, db database.DB, first, last event.Day) ([]UncheckedDay, error) {
	rows, err := db.Query(ctx, selectUncheckedDays, first.Date(), last.Date(), maxDueDays)
	if err != nil {
		return nil, fmt.Errorf("find days to check: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[UncheckedDay])
	if err != nil {
		return nil, fmt.Errorf("find days to check: %w", err)
	}
	return days, nil
}

// AddDayCheck stores the result of a check. It replaces an earlier one of the day.
func AddDayCheck(ctx context.Context, db database.DB, c DayCheck) error {
	if _, err := db.Exec(ctx, upsertDayCheck, c.Site, c.Day.Date(), c.At, c.Differences, c.Replaced); err != nil {
		return fmt.Errorf("store day check: %w", err)
	}
	return nil
}

// ReviseDayCheck stores the result of another check of a day that has one. A check that
// found no differences does not replace one that found some, so that a day that was once
// wrong stays on record.
func ReviseDayCheck(ctx context.Context, db database.DB, c DayCheck) error {
	if _, err := db.Exec(ctx, reviseDayCheck, c.Site, c.Day.Date(), c.At, c.Differences, c.Replaced); err != nil {
		return fmt.Errorf("revise day check: %w", err)
	}
	return nil
}
