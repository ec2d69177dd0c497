// Package recompute recomputes a local day of a site from its raw events, with package visit
// and nothing else, and reports how the stored numbers differ. On request it repairs them.
//
// It must never change an event, and never write a number that package visit did not
// compute. Its reports contain nothing about a visitor.
package recompute

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Report is the result of recomputing a day.
type Report struct {
	Site        string   `json:"site"`         // domain
	Day         string   `json:"day"`          // YYYY-MM-DD, local to the site
	Events      int64    `json:"events"`       // stored events of the day
	VisitorDays int64    `json:"visitor_days"` // visitor-days of the events
	Visits      Visits   `json:"visits"`
	Rollups     Rollups  `json:"rollups"`
	Replaced    bool     `json:"replaced"` // the differences were repaired
	Examples    []string `json:"examples"` // a few of the differences, as text
	// Bounded lists the dimensions that had too many values when the day was closed, so that
	// the most frequent ones were kept.
	Bounded []string `json:"bounded,omitempty"`
}

// Visits counts the visits that differ.
type Visits struct {
	Missing int64 `json:"missing"` // not stored
	Extra   int64 `json:"extra"`   // stored, but without events
	Changed int64 `json:"changed"` // stored, but different from the visits of the events
}

// Rollups counts the rollup rows that are missing, extra or wrong.
type Rollups struct {
	Hours  int64 `json:"hours"`
	Days   int64 `json:"days"`   // of all dimensions
	Months int64 `json:"months"` // rows of the day's month that differ from the sum of its stored days
}

// Differences returns the number of rows that differ.
func (r *Report) Differences() int64 {
	return r.Visits.Missing + r.Visits.Extra + r.Visits.Changed + r.Rollups.Hours + r.Rollups.Days + r.Rollups.Months
}

// Unrepaired reports whether there are differences that were not repaired.
func (r *Report) Unrepaired() bool { return r.Differences() > 0 && !r.Replaced }

// maxExamples is the maximum number of examples in a report.
const maxExamples = 5

func (r *Report) example(format string, args ...any) {
	if len(r.Examples) < maxExamples {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}

// Day recomputes a local day of a site and compares it with what is stored. If replace is
// true, it repairs the differences. Memory is bounded even for a large day: it holds the
// events of one visitor, and the rollup rows.
//
// The comparison needs no lock: events are stored in the same transaction as what is derived
// from them, so a difference in a snapshot is real. Only a repair blocks the workers of the
// queue, and compares again.
//
// A day that RewritePaths has yet to rewrite is rewritten first, if replace is true.
//
// A day without events is compared but never repaired: its events may have been deleted,
// and its numbers kept on purpose.
//
// Day returns sites.ErrNoSite if the site was deleted. After an error nothing has changed.
func Day(ctx context.Context, db database.DB, site sites.Site, day event.Day, replace bool) (Report, error) {
	if replace {
		if err := rewriteIfDue(ctx, db, site, day); err != nil {
			return Report{}, err
		}
	}
	var c comparison
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := store.ReadSnapshot(ctx, tx); err != nil {
			return err
		}
		c = newComparison(tx, site, day)
		return c.run(ctx)
	})
	if err == nil && replace && c.report.Differences() > 0 && c.report.Events > 0 {
		err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if err := store.LockRecord(ctx, tx, site.ID); err != nil {
				return err
			}
			c = newComparison(tx, site, day)
			c.replace = true
			return c.run(ctx)
		})
	}
	if errors.Is(err, sites.ErrNoSite) {
		return Report{}, err
	}
	if err != nil {
		return Report{}, fmt.Errorf("recompute %s of %s: %w", day, site.Domain, err)
	}
	return c.report, nil
}
