package recompute

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/paths"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// RewriteResult is what RewritePaths did.
type RewriteResult struct {
	Rewritten int64 `json:"days_rewritten"` // days of sites that had paths in the form of before
}

// RewritePaths gives the paths of days that an earlier version stored the form of today, newest
// days first, and computes what is derived from them again: two spellings of a page become one,
// and visitors of both can't be added. It starts another day only while more returns true. The next
// call continues with the days that are left.
func RewritePaths(ctx context.Context, db database.DB, more func() bool, log *slog.Logger) (done RewriteResult, err error) {
	due, err := paths.Due(ctx, db)
	if err != nil {
		return done, err
	}
	for _, d := range due {
		if ctx.Err() != nil || !more() {
			break
		}
		day := event.DayOf(d.Date)
		changed, err := rewrite(ctx, db, d.Site, day)
		switch {
		case err == nil:
			if changed {
				done.Rewritten++
			}
		case errors.Is(err, sites.ErrNoSite):
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			// Give the day up: retrying it would block all others, and the queue.
			log.ErrorContext(ctx, "rewriting the paths of a day takes longer than a run: use the command analytics recompute with --replace", "site", d.PublicID, "day", day.String())
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
			defer cancel()
			return done, paths.Skip(ctx, db, d.ID, day)
		default:
			return done, err
		}
	}
	return done, nil
}

// rewriteIfDue rewrites a day that RewritePaths has yet to rewrite, or has given up.
func rewriteIfDue(ctx context.Context, db database.DB, site sites.Site, day event.Day) error {
	due, err := paths.IsDue(ctx, db, site.ID, day)
	if err == nil && due {
		_, err = rewrite(ctx, db, site, day)
	}
	return err
}

// rewrite rewrites a day, if that is due, and reports whether there was something to rewrite. A
// day whose events were deleted keeps its numbers.
func rewrite(ctx context.Context, db database.DB, site sites.Site, day event.Day) (changed bool, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := store.InvalidateDays(ctx, tx, []store.SiteDay{{Site: site.ID, Day: day}}); err != nil {
			return err
		}
		if err := store.LockRecord(ctx, tx, site.ID); err != nil {
			return err
		}
		fields, err := paths.Rewrite(ctx, tx, site.ID, day)
		if changed = fields > 0; err != nil || !changed {
			return err
		}
		c := newComparison(tx, site, day)
		c.replace = true
		return c.run(ctx)
	})
	if err != nil && !errors.Is(err, sites.ErrNoSite) {
		err = fmt.Errorf("rewrite %s of %s: %w", day, site.Domain, err)
	}
	return changed && err == nil, err
}
