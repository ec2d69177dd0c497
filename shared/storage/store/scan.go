package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// The statement is put together from the columns of the table, by their names here and
	// from nothing else: what a question has no use for is neither read nor sent.
	scanDayStart = `SELECT id, time, utc_offset, visitor, type, passive, engaged, scroll`
	scanDayEnd   = `
FROM events
WHERE site_id = $1 AND day = $2 AND time >= $3 AND time < $4`
	scanPartEnd = scanDayEnd + `
  AND visitor IN (SELECT visitor FROM events WHERE site_id = $1 AND day = $2 AND time >= $5 AND time < $6)`
	scanOrder = `
ORDER BY visitor, time`

	selectDaysWithEvents = `
SELECT day FROM rollup_day
WHERE site_id = $1 AND dimension = 0 AND day BETWEEN $2 AND $3
ORDER BY day`

	selectDayColumns = `
SELECT day, part, name, data FROM day_columns
WHERE site_id = $1 AND day = ANY($2) AND name = ANY($3)
ORDER BY day, part`

	insertDayColumns = `
INSERT INTO day_columns (site_id, day, part, name, data)
SELECT $1, $2, $3, name, data FROM unnest($4::text[], $5::bytea[]) AS piece (name, data)`

	// The name, which no column has, says that the day can't be kept.
	passedOver  = `passed_over`
	passOverDay = `
INSERT INTO day_columns (site_id, day, part, name, data)
SELECT id, $2, 0, '` + passedOver + `', '' FROM sites WHERE id = $1 FOR KEY SHARE
ON CONFLICT DO NOTHING`

	deleteDayColumns = `
DELETE FROM day_columns c USING unnest($1::int[], $2::date[]) AS changed (site_id, day)
WHERE c.site_id = changed.site_id AND c.day = changed.day`

	// The first number, which is arbitrary, sets these locks apart from others of two
	// numbers; the second is the day.
	shareDays     = `SELECT pg_advisory_xact_lock_shared(1684108385, day) FROM unnest($1::int[]) AS day`
	holdDay       = `SELECT pg_try_advisory_xact_lock(1684108385, $1)`
	holdSiteOfDay = `SELECT FROM sites WHERE id = $1 FOR KEY SHARE`

	selectDaysWithoutColumns = `
SELECT ` + sites.Columns + `, r.day
FROM rollup_day r JOIN sites ON sites.id = r.site_id
WHERE r.dimension = 0 AND r.day <= $1
  AND NOT EXISTS (
      SELECT FROM day_columns c
      WHERE c.site_id = r.site_id AND c.day = r.day
        AND (c.name = 'version' AND c.data = $3 OR c.name = '` + passedOver + `'))
ORDER BY r.day DESC, r.site_id
LIMIT $2`
)

// texts are texts of which few differ: each is in memory once.
type texts map[string]string

func (t texts) of(text []byte) string {
	if known, ok := t[string(text)]; ok {
		return known
	}
	t[string(text)] = string(text)
	return t[string(text)]
}

// interned scans a text into one of the texts.
type interned struct {
	texts texts
	into  *string
}

// ScanBytes is for pgx.
func (i interned) ScanBytes(text []byte) error {
	*i.into = i.texts.of(text)
	return nil
}

// textField is a text of events, and the columns that are made from it.
type textField struct {
	sql     string
	columns []columns.Column
	target  func(*event.Event) *string
}

// ScanDay makes a local day of a site from its events, with some columns, or with all when
// none are named. The events of one visitor are in memory at once, and the columns.
func ScanDay(ctx context.Context, db database.DB, site int32, day event.Day, wanted ...columns.Column) (*columns.Day, error) {
	from, to := span(day, day)
	return scanDay(ctx, db, day, wanted, selection{scanDayEnd, []any{site, day.Date(), from, to}})
}

// ScanPart is as ScanDay, with the visitor-days only that have an event between two times,
// the first of which is included.
func ScanPart(ctx context.Context, db database.DB, site int32, day event.Day, from, to time.Time, wanted ...columns.Column) (*columns.Day, error) {
	first, last := span(day, day)
	return scanDay(ctx, db, day, wanted, selection{scanPartEnd, []any{site, day.Date(), first, last, from, to}})
}

// selection says which events are read.
type selection struct {
	sql  string
	args []any
}

func scanDay(ctx context.Context, db database.DB, day event.Day, wanted []columns.Column, of selection) (*columns.Day, error) {
	builder := columns.NewBuilder(day, wanted...)
	err := scanVisitorDays(ctx, db, day, wanted, of, func(visits []visit.Visit) error {
		builder.Add(visits)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return builder.Day(), nil
}

// ScanParts calls fn with all columns of a local day of a site, made from its events, in
// parts of as many events or some more: no more than one is in memory at once. There is a
// part, which is empty, of a day without events.
func ScanParts(ctx context.Context, db database.DB, site int32, day event.Day, events int, fn func(*columns.Day) error) error {
	from, to := span(day, day)
	builder := columns.NewBuilder(day)
	err := scanVisitorDays(ctx, db, day, nil, selection{scanDayEnd, []any{site, day.Date(), from, to}}, func(visits []visit.Visit) error {
		if builder.Full(events) {
			if err := fn(builder.Day()); err != nil {
				return err
			}
			builder = columns.NewBuilder(day)
		}
		builder.Add(visits)
		return nil
	})
	if err != nil {
		return err
	}
	return fn(builder.Day())
}

// scanVisitorDays calls fn with the visits of each visitor-day.
func scanVisitorDays(ctx context.Context, db database.DB, day event.Day, wanted []columns.Column, of selection, fn func([]visit.Visit) error) error {
	var events []*event.Event // of one visitor
	err := scanEvents(ctx, db, day, wanted, of, func(e *event.Event) (err error) {
		if len(events) > 0 && events[0].Visitor != e.Visitor {
			err = fn(visit.Fold(events))
			events = events[:0]
		}
		events = append(events, e)
		return err
	})
	if err == nil {
		err = fn(visit.Fold(events))
	}
	if err != nil {
		return fmt.Errorf("read the events of %s: %w", day, err)
	}
	return nil
}

// scanEvents calls fn with the events of a day, visitor by visitor, with what the wanted
// columns are made of.
func scanEvents(ctx context.Context, db database.DB, day event.Day, wanted []columns.Column, of selection, fn func(*event.Event) error) error {
	all := len(wanted) == 0
	wants := func(c columns.Column) bool { return all || slices.Contains(wanted, c) }
	fields := []string{scanDayStart}
	var e scannedEvent
	into := []any{&e.ID, &e.Time, &e.UTCOffset, &e.Visitor, &e.Type, &e.Passive, &e.Engaged, &e.Scroll}
	known := texts{"": ""}
	for _, f := range textFields() {
		if slices.ContainsFunc(f.columns, wants) {
			fields = append(fields, f.sql)
			into = append(into, interned{known, f.target(&e.Event)})
		}
	}
	hasProps := all || slices.ContainsFunc(wanted, func(c columns.Column) bool { _, ok := c.Key(); return ok })
	if hasProps {
		fields = append(fields, `coalesce(props::text, '')`)
		into = append(into, interned{known, &e.props})
	}
	if wants(columns.Subject) {
		fields = append(fields, `subject`)
		into = append(into, &e.subject)
	}
	rows, err := db.Query(ctx, strings.Join(fields, ", ")+of.sql+scanOrder, of.args...)
	if err != nil {
		return err
	}
	props := map[string]map[string]string{"": nil}
	_, err = pgx.ForEachRow(rows, into, func() error {
		e.Day, e.Time, e.Subject = day, e.Time.UTC(), uuid.Nil
		if e.subject != nil {
			e.Subject = *e.subject
		}
		if hasProps {
			decoded, ok := props[e.props]
			if !ok {
				if err := json.Unmarshal([]byte(e.props), &decoded); err != nil {
					return fmt.Errorf("read properties: %w", err)
				}
				props[e.props] = decoded
			}
			e.Props = decoded
		}
		return fn(new(e.Event))
	})
	return err
}

// DaysWithEvents are the local days of a site from first to last that had events.
func DaysWithEvents(ctx context.Context, db database.DB, site int32, first, last event.Day) ([]event.Day, error) {
	rows, err := db.Query(ctx, selectDaysWithEvents, site, first.Date(), last.Date())
	if err != nil {
		return nil, fmt.Errorf("look for days with events: %w", err)
	}
	days, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Day, error) {
		var day time.Time
		err := row.Scan(&day)
		return event.DayOf(day), err
	})
	if err != nil {
		return nil, fmt.Errorf("look for days with events: %w", err)
	}
	return days, nil
}

// KeptDay is what is kept of a day: the pieces of each of its parts, see columns.Codec.
type KeptDay struct {
	Day   event.Day
	Parts []map[columns.Column][]byte
}

// has tells whether columns are kept of the day.
func (k *KeptDay) has(wanted []columns.Column) bool {
	return len(k.Parts) > 0 && !slices.ContainsFunc(k.Parts, func(pieces map[columns.Column][]byte) bool { return !columns.Holds(pieces, wanted...) })
}

// DayColumns reads what is kept of some days of a site, no more of it than the wanted
// columns need, in the order of days. Days of which those are not kept are left out.
func DayColumns(ctx context.Context, db database.DB, site int32, days []event.Day, wanted ...columns.Column) iter.Seq2[KeptDay, error] {
	return func(yield func(KeptDay, error) bool) {
		dates := make([]time.Time, len(days))
		for i, day := range days {
			dates[i] = day.Date()
		}
		var names []string
		for _, column := range columns.Needed(wanted...) {
			names = append(names, string(column))
		}
		rows, err := db.Query(ctx, selectDayColumns, site, dates, names)
		if err != nil {
			yield(KeptDay{}, fmt.Errorf("read days in columns: %w", err))
			return
		}
		defer rows.Close()
		var kept KeptDay
		for rows.Next() {
			var date time.Time
			var part int
			var name columns.Column
			var data []byte
			if err := rows.Scan(&date, &part, &name, &data); err != nil {
				yield(KeptDay{}, fmt.Errorf("read days in columns: %w", err))
				return
			}
			if day := event.DayOf(date); day != kept.Day {
				if kept.has(wanted) && !yield(kept, nil) {
					return
				}
				kept = KeptDay{Day: day}
			}
			for len(kept.Parts) <= part {
				kept.Parts = append(kept.Parts, map[columns.Column][]byte{})
			}
			kept.Parts[part][name] = data
		}
		if err := rows.Err(); err != nil {
			yield(KeptDay{}, fmt.Errorf("read days in columns: %w", err))
			return
		}
		if kept.has(wanted) {
			yield(kept, nil)
		}
	}
}

// SiteDay is a local day of a site.
type SiteDay struct {
	Site int32
	Day  event.Day
}

// HoldDay makes the transaction the only one that may change the events of a local day
// until it ends: what it reads of them from now on is all that there is, and stays so.
// Whoever changes some meanwhile waits in ForgetDayColumns. ok is false when somebody is
// changing events of the day just now. sites.ErrNoSite says that the site is gone.
//
// The day is held for all sites: so a transaction that changes many takes few locks, of
// which the database has room for some thousands only.
func HoldDay(ctx context.Context, tx database.DB, d SiteDay) (ok bool, err error) {
	if err := prepareDays(ctx, tx); err != nil {
		return false, err
	}
	site, err := tx.Exec(ctx, holdSiteOfDay, d.Site)
	if err != nil {
		return false, fmt.Errorf("hold the site: %w", err)
	}
	if site.RowsAffected() == 0 {
		return false, sites.ErrNoSite
	}
	// It must not wait: others that come for the day would wait behind it.
	if err := tx.QueryRow(ctx, holdDay, int32(d.Day)).Scan(&ok); err != nil {
		return false, fmt.Errorf("hold %s: %w", d.Day, err)
	}
	return ok, nil
}

// KeepDayColumns keeps a day in columns, in the place of what was kept of it. The
// transaction must have held the day before it read its events, see HoldDay.
func KeepDayColumns(ctx context.Context, tx database.DB, d SiteDay, parts []map[columns.Column][]byte) error {
	_, err := tx.Exec(ctx, deleteDayColumns, []int32{d.Site}, []time.Time{d.Day.Date()})
	for part, pieces := range parts {
		if err != nil {
			break
		}
		names, data := make([]string, 0, len(pieces)), make([][]byte, 0, len(pieces))
		for name, piece := range pieces {
			names, data = append(names, string(name)), append(data, piece)
		}
		_, err = tx.Exec(ctx, insertDayColumns, d.Site, d.Day.Date(), part, names, data)
	}
	if err != nil {
		return fmt.Errorf("keep %s in columns: %w", d.Day, err)
	}
	return nil
}

// PassOverDay notes that a day takes too long to be kept in columns: until its events
// change, DaysWithoutColumns leaves it out.
func PassOverDay(ctx context.Context, db database.DB, d SiteDay) error {
	if _, err := db.Exec(ctx, passOverDay, d.Site, d.Day.Date()); err != nil {
		return fmt.Errorf("note that %s can't be kept in columns: %w", d.Day, err)
	}
	return nil
}

// ForgetDayColumns takes away what is kept of days to which the transaction adds events, or
// takes some from. It must do so for each such day, before or after, and see what others
// commit meanwhile, as transactions do that are not told otherwise. Since it may wait until
// a day has been kept (see HoldDay), it had better come before what others wait for.
func ForgetDayColumns(ctx context.Context, tx database.DB, days []SiteDay) error {
	if len(days) == 0 {
		return nil
	}
	sites, dates, locks := make([]int32, len(days)), make([]time.Time, len(days)), make([]int32, len(days))
	for i, d := range days {
		sites[i], dates[i], locks[i] = d.Site, d.Day.Date(), int32(d.Day)
	}
	slices.Sort(locks)
	// A statement of its own: the next one must see what was kept while it waited.
	if _, err := tx.Exec(ctx, shareDays, slices.Compact(locks)); err != nil {
		return fmt.Errorf("hold the days of events: %w", err)
	}
	if _, err := tx.Exec(ctx, deleteDayColumns, sites, dates); err != nil {
		return fmt.Errorf("forget days in columns: %w", err)
	}
	return nil
}

// UnkeptDay is a local day of a site that is not kept in columns.
type UnkeptDay struct {
	sites.Site
	Date time.Time
}

// DaysWithoutColumns returns days up to last that had events and are not kept in columns,
// of all sites, newest first, and those that are kept in an older form. They may not be
// all.
func DaysWithoutColumns(ctx context.Context, db database.DB, last event.Day) ([]UnkeptDay, error) {
	rows, err := db.Query(ctx, selectDaysWithoutColumns, last.Date(), maxUnchecked, binary.AppendUvarint(nil, columns.ArchiveVersion))
	if err != nil {
		return nil, fmt.Errorf("look for days to keep in columns: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[UnkeptDay])
	if err != nil {
		return nil, fmt.Errorf("look for days to keep in columns: %w", err)
	}
	return days, nil
}
