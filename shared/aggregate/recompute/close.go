package recompute

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/kept"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Close recomputes a day that can't receive events any more, and repairs differences. If the
// rollups have too many values (see kept.TooMany), the day keeps the most frequent ones from
// now on. They are chosen before the day is recomputed, so that memory has to hold no
// more rows than are kept. A day without events keeps what it has.
//
// The choice depends on the numbers of the day and on nothing else. It is recorded in the
// transaction that replaces the rollups, and every later computation of the rollups uses it.
func Close(ctx context.Context, db database.DB, site sites.Site, day event.Day, most int) (Report, error) {
	// What is kept of pages is kept in the form of today.
	if err := rewriteIfDue(ctx, db, site, day); err != nil {
		return Report{}, err
	}
	tooMany, err := kept.TooMany(ctx, db, site.ID, day, most)
	if err != nil {
		return Report{}, err
	}
	if !tooMany {
		return Day(ctx, db, site, day, true)
	}
	var c comparison
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := store.LockRecord(ctx, tx, site.ID); err != nil {
			return err
		}
		c = newComparison(tx, site, day)
		c.replace = true
		if c.bounded, err = kept.Choose(ctx, tx, site.ID, day, most); err != nil {
			return err
		}
		if err := c.run(ctx); err != nil {
			return err
		}
		if c.report.Events == 0 {
			return errNoEvents
		}
		return nil
	})
	switch {
	case errors.Is(err, errNoEvents):
		return Day(ctx, db, site, day, true)
	case errors.Is(err, sites.ErrNoSite):
		return Report{}, err
	case err != nil:
		return Report{}, fmt.Errorf("close %s of %s: %w", day, site.Domain, err)
	}
	for _, dimension := range c.bounded {
		c.report.Bounded = append(c.report.Bounded, dimension.Column())
	}
	return c.report, nil
}

// errNoEvents is the error for a day whose events were deleted.
var errNoEvents = errors.New("the day has no events")
