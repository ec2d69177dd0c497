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

// DayCheck says what counting a day of a site again came to.
type DayCheck struct {
	Site        int32
	Day         event.Day
	At          time.Time
	Differences *int64 // rows that differed; nil: the day takes longer than a run may
	Replaced    bool   // they were put right
}

// UncheckedDay is a local day of a site.
type UncheckedDay struct {
	sites.Site
	Date time.Time
}

// maxUnchecked bounds how many days UncheckedDays returns.
const maxUnchecked = 1000

const (
	selectUncheckedDays = `
SELECT ` + sites.Columns + `, due.day::date
FROM sites CROSS JOIN generate_series($1::date, $2::date, interval '1 day') AS due (day)
WHERE NOT EXISTS (SELECT FROM day_checks c WHERE c.site_id = sites.id AND c.day = due.day)
ORDER BY due.day DESC, id
LIMIT $3`

	// A site that is being deleted has no checks any more once it is gone.
	upsertDayCheck = `
INSERT INTO day_checks (site_id, day, checked_at, differences, replaced)
SELECT id, $2, $3, $4, $5 FROM sites WHERE id = $1 FOR KEY SHARE
ON CONFLICT (site_id, day) DO UPDATE SET
    checked_at = excluded.checked_at, differences = excluded.differences, replaced = excluded.replaced`

	reviseDayCheck = `
UPDATE day_checks SET checked_at = $3, differences = $4, replaced = $5
WHERE site_id = $1 AND day = $2 AND (differences IS NULL OR $4 > 0)`
)

// UncheckedDays returns days from first to last that were not checked yet, of all
// sites, newest first. They may not be all.
func UncheckedDays(ctx context.Context, db database.DB, first, last event.Day) ([]UncheckedDay, error) {
	rows, err := db.Query(ctx, selectUncheckedDays, first.Date(), last.Date(), maxUnchecked)
	if err != nil {
		return nil, fmt.Errorf("look for days to check: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[UncheckedDay])
	if err != nil {
		return nil, fmt.Errorf("look for days to check: %w", err)
	}
	return days, nil
}

// AddDayCheck keeps the result of a check.
func AddDayCheck(ctx context.Context, db database.DB, c DayCheck) error {
	if _, err := db.Exec(ctx, upsertDayCheck, c.Site, c.Day.Date(), c.At, c.Differences, c.Replaced); err != nil {
		return fmt.Errorf("keep the check of a day: %w", err)
	}
	return nil
}

// ReviseDayCheck keeps the result of a later check of a day that was checked before,
// when it says more than the one before: a day that once was wrong stays known as one.
func ReviseDayCheck(ctx context.Context, db database.DB, c DayCheck) error {
	if _, err := db.Exec(ctx, reviseDayCheck, c.Site, c.Day.Date(), c.At, c.Differences, c.Replaced); err != nil {
		return fmt.Errorf("revise the check of a day: %w", err)
	}
	return nil
}
