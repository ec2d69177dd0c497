// Package recompute counts a local day of a site again from its raw events, by package
// visit and nothing else, and tells how what is stored differs. When asked to, it puts
// the record right.
//
// It must never change an event, and never write a number that package visit did not
// make. What it tells has no visitor in it.
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

// Report says what counting a day again came to.
type Report struct {
	Site        string   `json:"site"`         // its domain
	Day         string   `json:"day"`          // YYYY-MM-DD, local to the site
	Events      int64    `json:"events"`       // that are stored of the day
	VisitorDays int64    `json:"visitor_days"` // that they make
	Visits      Visits   `json:"visits"`
	Rollups     Rollups  `json:"rollups"`
	Replaced    bool     `json:"replaced"` // the differences were put right
	Examples    []string `json:"examples"` // a few of the differences, in words
}

// Visits are numbers of visits that differ.
type Visits struct {
	Missing int64 `json:"missing"` // not stored
	Extra   int64 `json:"extra"`   // stored, and no events make them
	Changed int64 `json:"changed"` // stored otherwise than the events make them
}

// Rollups are numbers of rollup rows that are missing, too many or wrong.
type Rollups struct {
	Hours  int64 `json:"hours"`
	Days   int64 `json:"days"`   // of all dimensions
	Months int64 `json:"months"` // rows of the day's month that are not the sum of its stored days
}

// Differences is the number of rows that differ.
func (r *Report) Differences() int64 {
	return r.Visits.Missing + r.Visits.Extra + r.Visits.Changed + r.Rollups.Hours + r.Rollups.Days + r.Rollups.Months
}

// Left tells whether there are differences that were not put right.
func (r *Report) Left() bool { return r.Differences() > 0 && !r.Replaced }

// maxExamples bounds the examples of a report.
const maxExamples = 5

func (r *Report) example(format string, args ...any) {
	if len(r.Examples) < maxExamples {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}

// Day counts a local day of a site again and compares; with replace it puts right what
// differs. However large the day is, little of it is in memory at once: the events of
// one visitor, and the rollup rows.
//
// The comparison needs no lock: events are stored together with what is derived from
// them, so that a difference in a snapshot is one indeed. Only to replace, the workers
// that drain the queue are kept waiting, and all is compared once more.
//
// A day without any event is compared and never replaced: its events may have been
// deleted, and its numbers kept on purpose.
//
// ErrNoSite of package store says that the site is gone; then, and with any other
// error, nothing has changed.
func Day(ctx context.Context, db database.DB, site sites.Site, day event.Day, replace bool) (Report, error) {
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
			if err := store.HoldRecord(ctx, tx, site.ID); err != nil {
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
		return Report{}, fmt.Errorf("count %s of %s again: %w", day, site.Domain, err)
	}
	return c.report, nil
}
