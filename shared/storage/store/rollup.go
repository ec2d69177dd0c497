package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// Each statement unnests one array and indexes the others with its ordinality. Unnesting
// all arrays would need a function scan for each.
const (
	upsertHours = `
INSERT INTO rollup_hour AS r (site_id, hour, day, visitors, visits, pageviews, events, bounces, seconds, engaged)
SELECT ($1::int[])[i], hour, ($3::date[])[i], ($4::bigint[])[i], ($5::bigint[])[i], ($6::bigint[])[i], ($7::bigint[])[i], ($8::bigint[])[i],
    ($9::bigint[])[i], ($10::bigint[])[i]
FROM unnest($2::timestamptz[]) WITH ORDINALITY AS u (hour, i)
ON CONFLICT (site_id, hour, day) DO UPDATE SET
    visitors = r.visitors + excluded.visitors, visits = r.visits + excluded.visits,
    pageviews = r.pageviews + excluded.pageviews, events = r.events + excluded.events,
    bounces = r.bounces + excluded.bounces, seconds = r.seconds + excluded.seconds,
    engaged = r.engaged + excluded.engaged`

	upsertDays = `
INSERT INTO rollup_day AS r (site_id, dimension, day, value, visitors, visits, pageviews, events, bounces, seconds, engaged)
SELECT ($1::int[])[i], ($2::smallint[])[i], ($3::date[])[i], value, ($5::bigint[])[i], ($6::bigint[])[i], ($7::bigint[])[i], ($8::bigint[])[i],
    ($9::bigint[])[i], ($10::bigint[])[i], ($11::bigint[])[i]
FROM unnest($4::text[]) WITH ORDINALITY AS u (value, i)
ON CONFLICT (site_id, dimension, day, value) DO UPDATE SET
    visitors = r.visitors + excluded.visitors, visits = r.visits + excluded.visits,
    pageviews = r.pageviews + excluded.pageviews, events = r.events + excluded.events,
    bounces = r.bounces + excluded.bounces, seconds = r.seconds + excluded.seconds,
    engaged = r.engaged + excluded.engaged`

	upsertMonths = `
INSERT INTO rollup_month AS r (site_id, dimension, month, value, visitors, visits, pageviews, events, bounces, seconds, engaged)
SELECT ($1::int[])[i], ($2::smallint[])[i], ($3::date[])[i], value, ($5::bigint[])[i], ($6::bigint[])[i], ($7::bigint[])[i], ($8::bigint[])[i],
    ($9::bigint[])[i], ($10::bigint[])[i], ($11::bigint[])[i]
FROM unnest($4::text[]) WITH ORDINALITY AS u (value, i)
ON CONFLICT (site_id, dimension, month, value) DO UPDATE SET
    visitors = r.visitors + excluded.visitors, visits = r.visits + excluded.visits,
    pageviews = r.pageviews + excluded.pageviews, events = r.events + excluded.events,
    bounces = r.bounces + excluded.bounces, seconds = r.seconds + excluded.seconds,
    engaged = r.engaged + excluded.engaged`

	deleteHours = `
DELETE FROM rollup_hour r USING unnest($1::int[], $2::timestamptz[], $3::date[]) AS k (site_id, hour, day)
WHERE r.site_id = k.site_id AND r.hour = k.hour AND r.day = k.day`

	deleteDays = `
DELETE FROM rollup_day r USING unnest($1::int[], $2::smallint[], $3::date[], $4::text[]) AS k (site_id, dimension, day, value)
WHERE r.site_id = k.site_id AND r.dimension = k.dimension AND r.day = k.day AND r.value = k.value`

	deleteMonths = `
DELETE FROM rollup_month r USING unnest($1::int[], $2::smallint[], $3::date[], $4::text[]) AS k (site_id, dimension, month, value)
WHERE r.site_id = k.site_id AND r.dimension = k.dimension AND r.month = k.month AND r.value = k.value`

	deleteEmptyHours  = deleteHours + ` AND r.visitors = 0 AND r.visits = 0 AND r.events = 0`
	deleteEmptyDays   = deleteDays + ` AND r.visitors = 0`
	deleteEmptyMonths = deleteMonths + ` AND r.visitors = 0`
)

// ApplyRollups adds changes to the rollups and deletes the rows that become empty.
//
// Transactions of several shards change the same rows. To avoid deadlocks, every
// transaction must call ApplyRollups last, and rows are locked in a fixed order: hours,
// days, months, each sorted by key.
func ApplyRollups(ctx context.Context, tx database.DB, r *visit.Rollups) error {
	hours, days := r.Hours(), r.Days()
	months := visit.MonthsOf(days)
	if err := addHours(ctx, tx, hours); err != nil {
		return fmt.Errorf("add to the hour rollup: %w", err)
	}
	if err := addDays(ctx, tx, upsertDays, days); err != nil {
		return fmt.Errorf("add to the day rollup: %w", err)
	}
	if err := addDays(ctx, tx, upsertMonths, months); err != nil {
		return fmt.Errorf("add to the month rollup: %w", err)
	}
	if err := deleteEmptied(ctx, tx, hours, days, months); err != nil {
		return fmt.Errorf("delete empty rollup rows: %w", err)
	}
	return nil
}

// ReplaceHours replaces the rows of the hour rollup that have the same keys. A row with
// zero counts deletes the stored one. The transaction must have called LockRecord, since
// ReplaceHours locks rows in no particular order.
func ReplaceHours(ctx context.Context, tx database.DB, rows []visit.HourRow) error {
	if len(rows) == 0 {
		return nil
	}
	sites, hours, days := hourKeys(rows)
	if _, err := tx.Exec(ctx, deleteHours, sites, hours, days); err != nil {
		return fmt.Errorf("replace rows of the hour rollup: %w", err)
	}
	rows = slices.DeleteFunc(slices.Clone(rows), func(row visit.HourRow) bool { return row.Counts == visit.Counts{} })
	if err := addHours(ctx, tx, rows); err != nil {
		return fmt.Errorf("replace rows of the hour rollup: %w", err)
	}
	return nil
}

// ReplaceDays replaces rows of the day rollup, as ReplaceHours does.
func ReplaceDays(ctx context.Context, tx database.DB, rows []visit.DayRow) error {
	if err := replaceDays(ctx, tx, deleteDays, upsertDays, rows); err != nil {
		return fmt.Errorf("replace rows of the day rollup: %w", err)
	}
	return nil
}

// ReplaceMonths replaces rows of the month rollup, as ReplaceHours does.
func ReplaceMonths(ctx context.Context, tx database.DB, rows []visit.DayRow) error {
	if err := replaceDays(ctx, tx, deleteMonths, upsertMonths, rows); err != nil {
		return fmt.Errorf("replace rows of the month rollup: %w", err)
	}
	return nil
}

func replaceDays(ctx context.Context, tx database.DB, remove, upsert string, rows []visit.DayRow) error {
	if len(rows) == 0 {
		return nil
	}
	sites, dimensions, days, values := dayKeys(rows)
	if _, err := tx.Exec(ctx, remove, sites, dimensions, days, values); err != nil {
		return err
	}
	rows = slices.DeleteFunc(slices.Clone(rows), func(row visit.DayRow) bool { return row.Counts == visit.Counts{} })
	return addDays(ctx, tx, upsert, rows)
}

// maxUpsert is the maximum number of rows in a statement. It bounds the memory that client
// and server need.
const maxUpsert = 5000

// countTargets returns the scan targets of counts, in the order of their columns.
func countTargets(c *visit.Counts) []any {
	return []any{&c.Visitors, &c.Visits, &c.Pageviews, &c.Events, &c.Bounces, &c.Seconds, &c.Engaged}
}

// counts are Counts by column.
type counts [7][]int64

func newCounts(n int) (c counts) {
	for i := range c {
		c[i] = make([]int64, 0, n)
	}
	return c
}

func (c *counts) append(of visit.Counts) {
	for i, value := range [7]int64{of.Visitors, of.Visits, of.Pageviews, of.Events, of.Bounces, of.Seconds, of.Engaged} {
		c[i] = append(c[i], value)
	}
}

func (c *counts) args(keys ...any) []any {
	for _, column := range c {
		keys = append(keys, column)
	}
	return keys
}

func addHours(ctx context.Context, tx database.DB, rows []visit.HourRow) error {
	if len(rows) == 0 {
		return nil
	}
	c := newCounts(len(rows))
	for _, row := range rows {
		c.append(row.Counts)
	}
	sites, hours, days := hourKeys(rows)
	_, err := tx.Exec(ctx, upsertHours, c.args(sites, hours, days)...)
	return err
}

func addDays(ctx context.Context, tx database.DB, upsert string, rows []visit.DayRow) error {
	for rows := range slices.Chunk(rows, maxUpsert) {
		c := newCounts(len(rows))
		for _, row := range rows {
			c.append(row.Counts)
		}
		sites, dimensions, days, values := dayKeys(rows)
		if _, err := tx.Exec(ctx, upsert, c.args(sites, dimensions, days, values)...); err != nil {
			return err
		}
	}
	return nil
}

// deleteEmptied deletes the rows that have become empty. Only rows that were decreased can
// be empty, and all of them are locked by now.
func deleteEmptied(ctx context.Context, tx database.DB, hours []visit.HourRow, days, months []visit.DayRow) error {
	var decreased []visit.HourRow
	for _, row := range hours {
		if row.Visitors < 0 || row.Visits < 0 {
			decreased = append(decreased, row)
		}
	}
	if len(decreased) > 0 {
		sites, starts, days := hourKeys(decreased)
		if _, err := tx.Exec(ctx, deleteEmptyHours, sites, starts, days); err != nil {
			return err
		}
	}
	for _, table := range []struct {
		delete string
		rows   []visit.DayRow
	}{{deleteEmptyDays, days}, {deleteEmptyMonths, months}} {
		var decreased []visit.DayRow
		for _, row := range table.rows {
			if row.Visitors < 0 {
				decreased = append(decreased, row)
			}
		}
		if len(decreased) == 0 {
			continue
		}
		sites, dimensions, starts, values := dayKeys(decreased)
		if _, err := tx.Exec(ctx, table.delete, sites, dimensions, starts, values); err != nil {
			return err
		}
	}
	return nil
}

func hourKeys(rows []visit.HourRow) (sites []int32, hours, days []time.Time) {
	for _, row := range rows {
		sites, hours, days = append(sites, row.Site), append(hours, row.StartOf()), append(days, row.Day.Date())
	}
	return sites, hours, days
}

func dayKeys(rows []visit.DayRow) (sites []int32, dimensions []int16, days []time.Time, values []string) {
	for _, row := range rows {
		sites, dimensions = append(sites, row.Site), append(dimensions, int16(row.Dimension))
		days, values = append(days, row.Day.Date()), append(values, row.Value)
	}
	return sites, dimensions, days, values
}
