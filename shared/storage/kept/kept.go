// Package kept stores which values the rollups of a closed day keep, if the day has too many
// of a dimension. Package visit applies them.
package kept

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const (
	selectKept = `
SELECT k.site_id, k.day, k.dimension, k.hashes
FROM unnest($1::int[], $2::date[]) AS wanted (site_id, day)
JOIN rollup_kept k ON k.site_id = wanted.site_id AND k.day = wanted.day
WHERE $3::smallint[] IS NULL OR k.dimension = ANY($3)`

	// A day that keeps no value at all has a size too.
	selectSizes = `
SELECT day, sum(32 + length(hashes)) FROM rollup_kept
WHERE site_id = $1 AND day BETWEEN $2 AND $3 AND dimension = ANY($4)
GROUP BY day`

	// What a value counts of the limit of all dimensions: more if it is long.
	weight = `(1 + octet_length(value) / 256)`

	// The values of a day, in the dimensions that still keep all.
	openValues = `
    SELECT dimension, value, visitors, events FROM rollup_day r
    WHERE site_id = $1 AND day = $2 AND dimension <> 0 AND value NOT IN ('', '` + visit.Other + `')
      AND NOT EXISTS (SELECT FROM rollup_kept k WHERE k.site_id = r.site_id AND k.day = r.day AND k.dimension = r.dimension)`

	selectTooMany = `
SELECT coalesce(max(values) > $3 OR sum(weight) > 3 * $3::bigint, false)
FROM (SELECT count(*) AS values, sum` + weight + ` AS weight FROM (` + openValues + `) AS v GROUP BY dimension) AS d`

	// The rows of the day and the month are deleted here, in the database, because they may be
	// more than fit into memory.
	keepValues = `
WITH ranked AS MATERIALIZED (
    SELECT dimension, value, rank > $3 OR sum` + weight + ` OVER (ORDER BY rank, dimension) > 3 * $3::bigint AS dropped
    FROM (
        SELECT dimension, value, row_number() OVER (PARTITION BY dimension ORDER BY visitors DESC, events DESC, value) AS rank
        FROM (` + openValues + `) AS v
    ) AS r
), kept AS (
    INSERT INTO rollup_kept (site_id, day, dimension, hashes)
    SELECT $1, $2, dimension, coalesce(string_agg(hash, '' ORDER BY hash) FILTER (WHERE NOT dropped), '')
    FROM (SELECT dimension, dropped, substring(sha256(convert_to(value, 'UTF8')) FOR 8) AS hash FROM ranked) AS hashes
    GROUP BY dimension
    HAVING bool_or(dropped)
    RETURNING dimension
), others AS (
    DELETE FROM rollup_day d USING ranked r
    WHERE d.site_id = $1 AND d.day = $2 AND d.dimension = r.dimension AND d.value = r.value AND r.dropped
    RETURNING d.dimension, d.value, d.visitors, d.visits, d.pageviews, d.events, d.bounces, d.seconds, d.engaged
), months AS (
UPDATE rollup_month m SET
    visitors = m.visitors - o.visitors, visits = m.visits - o.visits,
    pageviews = m.pageviews - o.pageviews, events = m.events - o.events,
    bounces = m.bounces - o.bounces, seconds = m.seconds - o.seconds,
    engaged = m.engaged - o.engaged
FROM others o
WHERE m.site_id = $1 AND m.month = $4 AND m.dimension = o.dimension AND m.value = o.value
)
SELECT dimension FROM kept ORDER BY dimension`

	deleteEmptyMonth = `
DELETE FROM rollup_month WHERE site_id = $1 AND month = $2 AND dimension = ANY($3) AND visitors = 0`
)

// Days are the values that days of a site keep. A day or a dimension that is missing keeps
// all.
type Days map[event.Day]map[visit.Dimension]*visit.Kept

// Values returns which values of some dimensions days of a site keep. See Sizes for the
// memory that they take.
func Values(ctx context.Context, tx database.DB, site int32, days []event.Day, dimensions []visit.Dimension) (Days, error) {
	kept := Days{}
	if len(days) == 0 || len(dimensions) == 0 {
		return kept, nil
	}
	siteDays := make([]store.SiteDay, len(days))
	for i, day := range days {
		siteDays[i] = store.SiteDay{Site: site, Day: day}
	}
	err := each(ctx, tx, siteDays, dimensions, func(of store.SiteDay, dimension visit.Dimension, values *visit.Kept) {
		if kept[of.Day] == nil {
			kept[of.Day] = map[visit.Dimension]*visit.Kept{}
		}
		kept[of.Day][dimension] = values
	})
	return kept, err
}

// Sizes returns the days of a range that don't keep every value of some dimensions, and about
// how many bytes of memory the values take that each keeps.
func Sizes(ctx context.Context, tx database.DB, site int32, first, last event.Day, dimensions []visit.Dimension) (map[event.Day]int64, error) {
	sizes := map[event.Day]int64{}
	if len(dimensions) == 0 {
		return sizes, nil
	}
	rows, err := tx.Query(ctx, selectSizes, site, first.Date(), last.Date(), dimensions)
	if err != nil {
		return nil, fmt.Errorf("read kept values: %w", err)
	}
	var (
		date time.Time
		size int64
	)
	_, err = pgx.ForEachRow(rows, []any{&date, &size}, func() error {
		sizes[event.DayOf(date)] = size
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read kept values: %w", err)
	}
	return sizes, nil
}

// Tell tells rollups which values days keep. It must be called before anything of
// these days is added. So that the values don't change before the rollups are written, the
// transaction must have called store.LockShard, unless it only compares.
func Tell(ctx context.Context, tx database.DB, r *visit.Rollups, days ...store.SiteDay) error {
	if len(days) == 0 {
		return nil
	}
	return each(ctx, tx, days, nil, func(of store.SiteDay, dimension visit.Dimension, values *visit.Kept) {
		r.Keep(of.Site, of.Day, dimension, values)
	})
}

// each calls fn with what days keep of some dimensions; nil stands for all.
func each(ctx context.Context, tx database.DB, of []store.SiteDay, dimensions []visit.Dimension, fn func(store.SiteDay, visit.Dimension, *visit.Kept)) error {
	sites, dates := make([]int32, len(of)), make([]time.Time, len(of))
	for i, d := range of {
		sites[i], dates[i] = d.Site, d.Day.Date()
	}
	rows, err := tx.Query(ctx, selectKept, sites, dates, dimensions)
	if err != nil {
		return fmt.Errorf("read kept values: %w", err)
	}
	var (
		site      int32
		date      time.Time
		dimension visit.Dimension
		hashes    []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&site, &date, &dimension, &hashes}, func() error {
		kept, err := visit.ParseKept(hashes)
		if err == nil {
			fn(store.SiteDay{Site: site, Day: event.DayOf(date)}, dimension, kept)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read kept values: %w", err)
	}
	return nil
}

// TooMany reports whether the rollups of a day hold more values of a dimension than most, or
// more of all together than three times as many, where a value of 256 bytes or more counts
// several times. Dimensions of which the day keeps only some values already don't count.
func TooMany(ctx context.Context, tx database.DB, site int32, day event.Day, most int) (tooMany bool, err error) {
	if err := tx.QueryRow(ctx, selectTooMany, site, day.Date(), most).Scan(&tooMany); err != nil {
		return false, fmt.Errorf("count values: %w", err)
	}
	return tooMany, nil
}

// Choose decides that a day with too many values keeps only the most frequent ones of each
// dimension: those with the most visitors, then with the most events, then the least ones. It
// deletes the rows of all others from the rollups, and returns the dimensions that it has
// cut. The transaction must have called store.LockRecord, and must then add the rows of
// visit.Other, by recomputing the day.
func Choose(ctx context.Context, tx database.DB, site int32, day event.Day, most int) ([]visit.Dimension, error) {
	month := day.Month().Date()
	rows, err := tx.Query(ctx, keepValues, site, day.Date(), most, month)
	if err != nil {
		return nil, fmt.Errorf("keep the most frequent values: %w", err)
	}
	dimensions, err := pgx.CollectRows(rows, pgx.RowTo[visit.Dimension])
	if err != nil {
		return nil, fmt.Errorf("keep the most frequent values: %w", err)
	}
	if _, err := tx.Exec(ctx, deleteEmptyMonth, site, month, dimensions); err != nil {
		return nil, fmt.Errorf("keep the most frequent values: %w", err)
	}
	return dimensions, nil
}
