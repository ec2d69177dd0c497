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

// fetched is how many rows of a cursor are in memory at once; the cursors below
// fetch as many.
const fetched = 2000

const (
	// A cursor is planned to be read to its end, not for its first rows. What sorts
	// a day may use more memory than other statements, and then goes to disk. A
	// process that froze must not keep what it holds for good.
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

	// No event makes a visit of a day that was over, or had not begun, in whatever
	// zone when the visit began: such a row counts to the day, in UTC, of its
	// beginning, so that each row of the table belongs to some day.
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

	// In the sums the day has the rows that are right for it, whatever it has stored.
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

// ReadSnapshot begins a transaction that compares days: all that it reads is of one
// moment, and it writes nothing.
func ReadSnapshot(ctx context.Context, tx database.DB) error {
	if _, err := tx.Exec(ctx, readSnapshot); err != nil {
		return fmt.Errorf("set up a snapshot: %w", err)
	}
	return prepareDays(ctx, tx)
}

// HoldRecord begins a transaction that replaces what is derived for a site: nobody
// else changes any of it before the transaction ends. sites.ErrNoSite says that the site
// is gone.
func HoldRecord(ctx context.Context, tx database.DB, site int32) error {
	if err := prepareDays(ctx, tx); err != nil {
		return err
	}
	if err := database.LiftDecompressionLimit(ctx, tx); err != nil {
		return err
	}
	if err := HoldShards(ctx, tx); err != nil {
		return err
	}
	held, err := HoldSites(ctx, tx)
	if err != nil {
		return err
	}
	if _, ok := held[site]; !ok {
		return sites.ErrNoSite
	}
	return nil
}

func prepareDays(ctx context.Context, tx database.DB) error {
	if _, err := tx.Exec(ctx, readDays); err != nil {
		return fmt.Errorf("set up the transaction: %w", err)
	}
	return nil
}

// DayEvents reads the events of a local day of a site, with what package visit needs
// of them, visitor by visitor: as many as there are, few of them in memory. It needs
// a transaction, which other statements may use meanwhile.
func DayEvents(ctx context.Context, tx database.DB, site int32, day event.Day) iter.Seq2[*event.Event, error] {
	return stream(ctx, tx, cursor{declareDayEvents, fetchDayEvents, closeDayEvents}, site, day, eachFolded)
}

// StoredVisit is a row of the visits table.
type StoredVisit struct {
	Visit   visit.Visit // without its revenue
	revenue []byte      // JSON; nil when there is none
}

// Is tells whether the row is what a visit is stored as.
func (s *StoredVisit) Is(v *visit.Visit) bool {
	stored := s.Visit
	stored.Revenue = v.Revenue
	return stored.Same(v) && sameRevenue(s.revenue, v.Revenue)
}

// sameRevenue compares as the database does: 12.50 is 12.5, "12.5" and null are not.
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
		was, ok := new(big.Rat).SetString(number.String())
		is, _ := new(big.Rat).SetString(sum.String())
		if !ok || was.Cmp(is) != 0 {
			return false
		}
	}
	return true
}

// DayVisits reads the stored visits of a local day of a site in the order of visitor
// and start, as DayEvents does. Changes that the transaction makes meanwhile don't
// show.
func DayVisits(ctx context.Context, tx database.DB, site int32, day event.Day) iter.Seq2[StoredVisit, error] {
	return stream(ctx, tx, cursor{declareDayVisits, fetchDayVisits, closeDayVisits}, site, day, eachVisit)
}

func eachVisit(rows pgx.Rows, fn func(StoredVisit)) error {
	var s scannedVisit
	_, err := pgx.ForEachRow(rows, s.targets(), func() error {
		s.Visit.Start, s.Visit.Day = s.Visit.Start.UTC(), event.DayOf(s.day)
		fn(s.StoredVisit)
		return nil
	})
	return err
}

// scannedVisit is a stored visit as it is scanned.
type scannedVisit struct {
	StoredVisit
	day time.Time
}

// cursor is how rows are read a few at a time.
type cursor struct{ declare, fetch, close string }

func stream[T any](ctx context.Context, tx database.DB, c cursor, site int32, day event.Day, each func(pgx.Rows, func(T)) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		from, to := span(day, day)
		if _, err := tx.Exec(ctx, c.declare, site, day.Date(), from, to); err != nil {
			yield(none, fmt.Errorf("read %s: %w", day, err))
			return
		}
		batch := make([]T, 0, fetched)
		for more := true; more; more = len(batch) == fetched {
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

// DayRollups returns the stored rows of the hour and day rollups of a local day of a
// site.
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
	Right  visit.DayRow // without counts when there should be no row
	Stored visit.Counts // none when there is no row
}

// WrongMonths returns the wrong rows of the month rollup for the month of a day, whose
// own rows are taken to be right once those in corrected are in their place.
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
