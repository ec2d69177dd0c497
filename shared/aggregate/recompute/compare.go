package recompute

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/kept"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// flushSize is how many visits are repaired at a time.
const flushSize = 2000

// comparison compares a day in a transaction.
type comparison struct {
	tx      database.DB
	site    sites.Site
	day     event.Day
	replace bool
	bounded []visit.Dimension // that have got a row of visit.Other just now
	report  Report

	rollups *visit.Rollups
	visits  store.VisitChanges
}

func newComparison(tx database.DB, site sites.Site, day event.Day) comparison {
	return comparison{
		tx: tx, site: site, day: day,
		report:  Report{Site: site.Domain, Day: day.String(), Examples: []string{}},
		rollups: visit.NewRollups(),
	}
}

func (c *comparison) run(ctx context.Context) error {
	if err := kept.Tell(ctx, c.tx, c.rollups, store.SiteDay{Site: c.site.ID, Day: c.day}); err != nil {
		return err
	}
	if err := c.visitorDays(ctx); err != nil {
		return err
	}
	if err := c.rows(ctx); err != nil {
		return err
	}
	c.report.Replaced = c.replace && c.report.Differences() > 0
	return nil
}

// visitorDays folds the day visitor by visitor, in step with the stored visits, which have
// the same order.
func (c *comparison) visitorDays(ctx context.Context) error {
	next, stop := iter.Pull2(store.DayVisits(ctx, c.tx, c.site.ID, c.day))
	defer stop()
	stored := &storedVisits{next: next}
	if err := stored.advance(); err != nil {
		return err
	}
	var events []*event.Event // of one visitor
	for e, err := range store.DayEvents(ctx, c.tx, c.site.ID, c.day) {
		if err != nil {
			return err
		}
		if len(events) > 0 && events[0].Visitor != e.Visitor {
			if err := c.visitorDay(ctx, events, stored); err != nil {
				return err
			}
			events = events[:0]
		}
		events = append(events, e)
	}
	if err := c.visitorDay(ctx, events, stored); err != nil {
		return err
	}
	for stored.more {
		if err := c.extra(stored); err != nil {
			return err
		}
		if err := c.flush(ctx, flushSize); err != nil {
			return err
		}
	}
	return c.flush(ctx, 1)
}

// visitorDay compares the visits of a visitor's events with the stored ones.
func (c *comparison) visitorDay(ctx context.Context, events []*event.Event, stored *storedVisits) error {
	visits := visit.Fold(events)
	c.report.Events += int64(len(events))
	if len(events) > 0 {
		c.report.VisitorDays++
	}
	c.rollups.Add(visits)
	for i := range visits {
		v := &visits[i]
		for stored.more && before(&stored.row.Visit, v) {
			if err := c.extra(stored); err != nil {
				return err
			}
		}
		switch {
		case !stored.more || stored.row.Visit.Key() != v.Key():
			c.report.Visits.Missing++
			c.report.example("the visit that began at %s is not stored", clock(v.Start))
			// Changed and not Added: it may be stored under another day.
			c.visits.Changed = append(c.visits.Changed, v)
			continue
		case !stored.row.Matches(v):
			c.report.Visits.Changed++
			c.report.example("the visit that began at %s is stored, but differs from its events", clock(v.Start))
			c.visits.Changed = append(c.visits.Changed, v)
		}
		if err := stored.advance(); err != nil {
			return err
		}
	}
	return c.flush(ctx, flushSize)
}

// extra reports a stored visit without events, and advances past it.
func (c *comparison) extra(stored *storedVisits) error {
	v := &stored.row.Visit
	c.report.Visits.Extra++
	c.report.example("the visit that began at %s is stored, but has no events", clock(v.Start))
	c.visits.Deleted = append(c.visits.Deleted, v.Key())
	return stored.advance()
}

// flush repairs the wrong visits found so far, once there are at least threshold of them.
func (c *comparison) flush(ctx context.Context, threshold int) error {
	if len(c.visits.Deleted)+len(c.visits.Changed) < threshold {
		return nil
	}
	if c.replace {
		if err := store.ApplyVisits(ctx, c.tx, c.visits); err != nil {
			return err
		}
	}
	c.visits = store.VisitChanges{}
	return nil
}

// rows compares the rollup rows of the visits with the stored ones.
func (c *comparison) rows(ctx context.Context) error {
	storedHours, storedDays, err := store.DayRollups(ctx, c.tx, c.site.ID, c.day)
	if err != nil {
		return err
	}
	var hours []visit.HourRow // wrong rows with the right values
	for _, row := range c.rollups.Hours() {
		if was, ok := storedHours[row.HourKey]; !ok || was != row.Counts {
			hours = append(hours, row)
			c.wrong("the hour from "+clock(row.StartOf()), was, row.Counts)
		}
		delete(storedHours, row.HourKey)
	}
	for key, was := range storedHours {
		hours = append(hours, visit.HourRow{HourKey: key})
		c.wrong("the hour from "+clock(key.StartOf()), was, visit.Counts{})
	}
	var days []visit.DayRow
	var expected, expectedMonths int64 // rows that differ because they are new
	for _, row := range c.rollups.Days() {
		if was, ok := storedDays[row.DayKey]; !ok || was != row.Counts {
			days = append(days, row)
			if c.isNew(row.DayKey) {
				expected++
			} else {
				c.wrong("the day, "+nameOf(row.DayKey), was, row.Counts)
			}
		}
		delete(storedDays, row.DayKey)
	}
	for key, was := range storedDays {
		days = append(days, visit.DayRow{DayKey: key})
		c.wrong("the day, "+nameOf(key), was, visit.Counts{})
	}
	wrong, err := store.WrongMonths(ctx, c.tx, c.site.ID, c.day, days)
	if err != nil {
		return err
	}
	var months []visit.DayRow
	for _, w := range wrong {
		months = append(months, w.Right)
		if c.isNew(w.Right.DayKey) {
			expectedMonths++
			continue
		}
		c.wrong("the month, "+nameOf(w.Right.DayKey), w.Stored, w.Right.Counts)
	}
	c.report.Rollups = Rollups{int64(len(hours)), int64(len(days)) - expected, int64(len(months)) - expectedMonths}
	if !c.replace {
		return nil
	}
	return replaceRows(ctx, c.tx, hours, days, months)
}

func replaceRows(ctx context.Context, tx database.DB, hours []visit.HourRow, days, months []visit.DayRow) error {
	if err := store.ReplaceHours(ctx, tx, hours); err != nil {
		return err
	}
	if err := store.ReplaceDays(ctx, tx, days); err != nil {
		return err
	}
	return store.ReplaceMonths(ctx, tx, months)
}

// isNew reports whether a row of the day or its month is new, since the day keeps only some
// values from now on.
func (c *comparison) isNew(key visit.DayKey) bool {
	return key.Value == visit.Other && slices.Contains(c.bounded, key.Dimension)
}

// wrong adds a wrong rollup row to the examples.
func (c *comparison) wrong(what string, stored, computed visit.Counts) {
	c.report.example("%s: stored %+v, computed %+v", what, stored, computed)
}

// nameOf describes a row of a day or month.
func nameOf(key visit.DayKey) string {
	switch name := key.Dimension.Column(); {
	case key.Dimension == visit.Total:
		return "total"
	case name == "":
		return fmt.Sprintf("unknown dimension %d, %.100q", key.Dimension, key.Value)
	default:
		return fmt.Sprintf("%s %.100q", name, key.Value)
	}
}

// clock formats a time to the second, enough for an example.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// before reports whether a comes before b in the order in which visits are read.
func before(a, b *visit.Visit) bool {
	return cmp.Or(cmp.Compare(a.Visitor, b.Visitor), a.Start.Compare(b.Start)) < 0
}

// storedVisits iterates over the stored visits of a day, one row ahead.
type storedVisits struct {
	next func() (store.StoredVisit, error, bool)
	row  store.StoredVisit
	more bool // row is valid
}

func (s *storedVisits) advance() (err error) {
	s.row, err, s.more = s.next()
	return err
}
