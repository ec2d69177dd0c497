package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/big"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// fetchSize is the number of rows that each FETCH below returns.
const fetchSize = 2000

const (
	// The cursors are read to the end, so their plans should not favor the first rows.
	// Sorting a day may use more memory than other statements before it spills to disk. A
	// process that hangs must not hold its locks forever.
	readDays = `
SET LOCAL cursor_tuple_fraction = 1;
SET LOCAL work_mem = '32MB';
SET LOCAL idle_in_transaction_session_timeout = '60s'`

	readSnapshot = `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY`

	declareDayEvents = `
DECLARE day_events NO SCROLL CURSOR FOR
SELECT ` + foldedEventColumns + `
FROM events
WHERE site_id = $1 AND day = $2 AND time >= $3 AND time < $4
ORDER BY visitor, time`
	fetchDayEvents = `FETCH 2000 FROM day_events`
	closeDayEvents = `CLOSE day_events`

	// No event can create a visit whose local day does not contain its start in any time
	// zone. Such a row is read with the UTC day of its start, so that every row of the table
	// belongs to some day.
	declareDayVisits = `
DECLARE day_visits NO SCROLL CURSOR FOR
SELECT ` + visitColumns + `
FROM visits
WHERE site_id = $1 AND started_at >= $3 AND started_at < $4
  AND (day = $2
       OR (started_at AT TIME ZONE 'UTC')::date = $2
          AND NOT (started_at >= day::timestamp AT TIME ZONE 'UTC' - interval '14 hours'
                   AND started_at < day::timestamp AT TIME ZONE 'UTC' + interval '36 hours'))
ORDER BY visitor, started_at`
	fetchDayVisits = `FETCH 2000 FROM day_visits`
	closeDayVisits = `CLOSE day_visits`

	selectDayHours = `
SELECT hour, visitors, visits, pageviews, events, bounces, seconds, engaged
FROM rollup_hour
WHERE site_id = $1 AND day = $2`

	selectDayRows = `
SELECT dimension, value, visitors, visits, pageviews, events, bounces, seconds, engaged
FROM rollup_day
WHERE site_id = $1 AND day = $2`

	// The sums use the corrected rows of the day in place of its stored ones.
	selectWrongMonths = `
WITH corrected AS (
    SELECT * FROM unnest($4::smallint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
    AS c (dimension, value, visitors, visits, pageviews, events, bounces, seconds, engaged)
), days AS (
    SELECT dimension, value, visitors, visits, pageviews, events, bounces, seconds, engaged
    FROM rollup_day
    WHERE site_id = $1 AND day >= $2 AND day < ($2::date + interval '1 month')::date
      AND NOT (day = $3 AND (dimension, value) IN (SELECT dimension, value FROM corrected))
    UNION ALL
    SELECT * FROM corrected WHERE visitors > 0
), sums AS (
    SELECT dimension, value, sum(visitors)::bigint AS visitors, sum(visits)::bigint AS visits, sum(pageviews)::bigint AS pageviews,
           sum(events)::bigint AS events, sum(bounces)::bigint AS bounces, sum(seconds)::bigint AS seconds,
           sum(engaged)::bigint AS engaged
    FROM days
    GROUP BY dimension, value
), months AS (
    SELECT * FROM rollup_month WHERE site_id = $1 AND month = $2
)
SELECT dimension, value,
       coalesce(s.visitors, 0), coalesce(s.visits, 0), coalesce(s.pageviews, 0),
       coalesce(s.events, 0), coalesce(s.bounces, 0), coalesce(s.seconds, 0), coalesce(s.engaged, 0),
       coalesce(m.visitors, 0), coalesce(m.visits, 0), coalesce(m.pageviews, 0),
       coalesce(m.events, 0), coalesce(m.bounces, 0), coalesce(m.seconds, 0), coalesce(m.engaged, 0)
FROM sums s FULL JOIN months m USING (dimension, value)
WHERE (s.visitors, s.visits, s.pageviews, s.events, s.bounces, s.seconds, s.engaged)
      IS DISTINCT FROM (m.visitors, m.visits, m.pageviews, m.events, m.bounces, m.seconds, m.engaged)`
)

// ReadSnapshot prepares a transaction for comparing days. It makes it read-only, with a
// single snapshot for all statements.
func ReadSnapshot(ctx context.Context, tx database.DB) error {
	if _, err := tx.Exec(ctx, readSnapshot); err != nil {
		return fmt.Errorf("set up snapshot: %w", err)
	}
	return prepareDays(ctx, tx)
}

// LockRecord prepares a transaction for replacing the visits and rollups of a site. No
// other transaction can change them until it ends. It returns sites.ErrNoSite if the site
// no longer exists.
func LockRecord(ctx context.Context, tx database.DB, site int32) error {
	if err := prepareDays(ctx, tx); err != nil {
		return err
	}
	if err := database.LiftDecompressionLimit(ctx, tx); err != nil {
		return err
	}
	if err := LockShards(ctx, tx); err != nil {
		return err
	}
	locked, err := LockSites(ctx, tx)
	if err != nil {
		return err
	}
	if _, ok := locked[site]; !ok {
		return sites.ErrNoSite
	}
	return nil
}

func prepareDays(ctx context.Context, tx database.DB) error {
	if _, err := tx.Exec(ctx, readDays); err != nil {
		return fmt.Errorf("set up transaction: %w", err)
	}
	return nil
}

// DayEvents reads the events of a local day of a site, sorted by visitor and time, with
// the fields that package visit needs. It uses a cursor, so few of them are in memory at
// once; tx must be a transaction, and may run other statements meanwhile.
func DayEvents(ctx context.Context, tx database.DB, site int32, day event.Day) iter.Seq2[*event.Event, error] {
	return stream(ctx, tx, cursor{declareDayEvents, fetchDayEvents, closeDayEvents}, site, day, eachFolded)
}

// StoredVisit is a row of the visits table.
type StoredVisit struct {
	Visit   visit.Visit // without its revenue
	revenue []byte      // JSON; nil if there is none
}

// Matches reports whether the row is equal to the row of v.
func (s *StoredVisit) Matches(v *visit.Visit) bool {
	stored := s.Visit
	stored.Revenue = v.Revenue
	return stored.Same(v) && sameRevenue(s.revenue, v.Revenue)
}

// sameRevenue compares like the database: 12.50 equals 12.5, but "12.5" and null do not.
func sameRevenue(stored []byte, revenue map[string]visit.Decimal) bool {
	if stored == nil || revenue == nil {
		return stored == nil && revenue == nil
	}
	var sums map[string]any
	decoder := json.NewDecoder(bytes.NewReader(stored))
	decoder.UseNumber()
	if err := decoder.Decode(&sums); err != nil || len(sums) != len(revenue) {
		return false
	}
	for currency, sum := range revenue {
		number, _ := sums[currency].(json.Number)
		got, ok := new(big.Rat).SetString(number.String())
		want, _ := new(big.Rat).SetString(sum.String())
		if !ok || got.Cmp(want) != 0 {
			return false
		}
	}
	return true
}

// DayVisits reads the stored visits of a local day of a site, sorted by visitor and start.
// Like DayEvents it uses a cursor, which does not see later changes of the transaction.
func DayVisits(ctx context.Context, tx database.DB, site int32, day event.Day) iter.Seq2[StoredVisit, error] {
	return stream(ctx, tx, cursor{declareDayVisits, fetchDayVisits, closeDayVisits}, site, day, func(rows pgx.Rows, fn func(StoredVisit)) error {
		return eachVisit(rows, func(v StoredVisit) bool { fn(v); return true })
	})
}

// eachVisit calls fn with the visit of each row, until it returns false.
func eachVisit(rows pgx.Rows, fn func(StoredVisit) bool) error {
	defer rows.Close()
	var s scannedVisit
	into := s.targets()
	for more := true; more && rows.Next(); {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		s.Visit.Start, s.Visit.Day = s.Visit.Start.UTC(), event.DayOf(s.day)
		more = fn(s.StoredVisit)
	}
	rows.Close()
	return rows.Err()
}

// scannedVisit is the scan target of a stored visit.
type scannedVisit struct {
	StoredVisit
	day time.Time
}

// cursor holds the statements that read rows in batches.
type cursor struct{ declare, fetch, close string }

func stream[T any](ctx context.Context, tx database.DB, c cursor, site int32, day event.Day, each func(pgx.Rows, func(T)) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		from, to := Span(day, day)
		if _, err := tx.Exec(ctx, c.declare, site, day.Date(), from, to); err != nil {
			yield(none, fmt.Errorf("read %s: %w", day, err))
			return
		}
		batch := make([]T, 0, fetchSize)
		for more := true; more; more = len(batch) == fetchSize {
			batch = batch[:0]
			rows, err := tx.Query(ctx, c.fetch)
			if err == nil {
				err = each(rows, func(row T) { batch = append(batch, row) })
			}
			if err != nil {
				yield(none, fmt.Errorf("read %s: %w", day, err))
				return
			}
			for _, row := range batch {
				if !yield(row, nil) {
					return
				}
			}
		}
		if _, err := tx.Exec(ctx, c.close); err != nil {
			yield(none, fmt.Errorf("read %s: %w", day, err))
		}
	}
}

// DayRollups returns the rows of the hour and day rollups of a local day of a site.
func DayRollups(ctx context.Context, tx database.DB, site int32, day event.Day) (map[visit.HourKey]visit.Counts, map[visit.DayKey]visit.Counts, error) {
	rows, err := tx.Query(ctx, selectDayHours, site, day.Date())
	if err != nil {
		return nil, nil, fmt.Errorf("read the hour rollup: %w", err)
	}
	hours := map[visit.HourKey]visit.Counts{}
	var hour time.Time
	var c visit.Counts
	_, err = pgx.ForEachRow(rows, append([]any{&hour}, countTargets(&c)...), func() error {
		hours[visit.HourKey{Site: site, Hour: hour.Unix(), Day: day}] = c
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the hour rollup: %w", err)
	}
	rows, err = tx.Query(ctx, selectDayRows, site, day.Date())
	if err != nil {
		return nil, nil, fmt.Errorf("read the day rollup: %w", err)
	}
	days := map[visit.DayKey]visit.Counts{}
	key := visit.DayKey{Site: site, Day: day}
	_, err = pgx.ForEachRow(rows, append([]any{&key.Dimension, &key.Value}, countTargets(&c)...), func() error {
		days[key] = c
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the day rollup: %w", err)
	}
	return hours, days, nil
}

// WrongMonth is a row of the month rollup that is not the sum of its days.
type WrongMonth struct {
	Right  visit.DayRow // the correct row; with zero counts if there should be none
	Stored visit.Counts // zero if there is no row
}

// WrongMonths returns the wrong rows of the month rollup for the month that contains day.
// It assumes that the rollup rows of the day are correct after the corrected ones replace
// them.
func WrongMonths(ctx context.Context, tx database.DB, site int32, day event.Day, corrected []visit.DayRow) ([]WrongMonth, error) {
	c := newCounts(len(corrected))
	for _, row := range corrected {
		c.append(row.Counts)
	}
	_, dimensions, _, values := dayKeys(corrected)
	month := day.Month()
	rows, err := tx.Query(ctx, selectWrongMonths, c.args(site, month.Date(), day.Date(), dimensions, values)...)
	if err != nil {
		return nil, fmt.Errorf("compare the month rollup: %w", err)
	}
	var wrong []WrongMonth
	w := WrongMonth{Right: visit.DayRow{DayKey: visit.DayKey{Site: site, Day: month}}}
	targets := append([]any{&w.Right.Dimension, &w.Right.Value}, countTargets(&w.Right.Counts)...)
	_, err = pgx.ForEachRow(rows, append(targets, countTargets(&w.Stored)...), func() error {
		wrong = append(wrong, w)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare the month rollup: %w", err)
	}
	return wrong, nil
}
