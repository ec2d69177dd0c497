package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/columns"
	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/visit"
)

const (
	// The statement is put together from the columns of the table, by their names here and
	// from nothing else: what a question has no use for is neither read nor sent.
	scanDayStart = `SELECT id, time, utc_offset, visitor, type, passive, engaged, scroll`
	scanDayEnd   = `
FROM events
WHERE site_id = $1 AND day = $2 AND time >= $3 AND time < $4`

	selectDaysWithEvents = `
SELECT day FROM rollup_day
WHERE site_id = $1 AND dimension = 0 AND day BETWEEN $2 AND $3
ORDER BY day`

	selectDayColumns = `
SELECT day, name, data FROM day_columns
WHERE site_id = $1 AND day = ANY($2) AND name = ANY($3)
ORDER BY day`

	insertDayColumn = `
INSERT INTO day_columns (site_id, day, name, data) VALUES ($1, $2, $3, $4)
ON CONFLICT (site_id, day, name) DO UPDATE SET data = excluded.data`

	deleteDayColumns = `
DELETE FROM day_columns c USING unnest($1::int[], $2::date[]) AS changed (site_id, day)
WHERE c.site_id = changed.site_id AND c.day = changed.day`

	selectDaysWithoutColumns = `
SELECT ` + siteColumns + `, r.day
FROM rollup_day r JOIN sites ON sites.id = r.site_id
WHERE r.dimension = 0 AND r.day BETWEEN $1 AND $2
  AND NOT EXISTS (SELECT FROM day_columns c WHERE c.site_id = r.site_id AND c.day = r.day AND c.name = 'frame')
  AND EXISTS (SELECT FROM events e WHERE e.site_id = r.site_id AND e.day = r.day
              AND e.time >= r.day::timestamp AT TIME ZONE 'UTC' - interval '14 hours'
              AND e.time < r.day::timestamp AT TIME ZONE 'UTC' + interval '36 hours')
ORDER BY r.day DESC, r.site_id
LIMIT $3`
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

// scanned is an event as it is read, and what has still to be made of it.
type scanned struct {
	event.Event
	props string
}

// field ties a column of the table to its place in an event.
type field struct {
	sql    string
	column columns.Column // of which it is part; with "" of all that is derived from pages
	into   func(*scanned) *string
}

func scanFields() []field {
	fields := []field{
		{"page", columns.Page, func(e *scanned) *string { return &e.Page }},
		{"page", columns.EntryPage, func(e *scanned) *string { return &e.Page }},
		{"page", columns.ExitPage, func(e *scanned) *string { return &e.Page }},
		{"name", columns.Name, func(e *scanned) *string { return &e.Name }},
		{"hostname", columns.Hostname, func(e *scanned) *string { return &e.Hostname }},
		{"hostname", columns.EntryHostname, func(e *scanned) *string { return &e.Hostname }},
		{"hostname", columns.ExitHostname, func(e *scanned) *string { return &e.Hostname }},
		{"coalesce(amount::text, '')", columns.Amount, func(e *scanned) *string { return &e.Amount }},
		{"currency", columns.Currency, func(e *scanned) *string { return &e.Currency }},
	}
	for i, column := range columns.Attributes() {
		name := strings.TrimPrefix(string(column), "visit_")
		fields = append(fields, field{name, column, func(e *scanned) *string { return e.AttributeValues()[i] }})
	}
	return fields
}

// ScanDay makes a local day of a site from its events, with some columns, or with all when
// none are named.
func ScanDay(ctx context.Context, db DB, site int32, day event.Day, wanted ...columns.Column) (*columns.Day, error) {
	events, err := scanEvents(ctx, db, site, day, wanted)
	if err != nil {
		return nil, fmt.Errorf("read the events of %s: %w", day, err)
	}
	slices.SortFunc(events, func(a, b *event.Event) int {
		switch {
		case a.Visitor < b.Visitor:
			return -1
		case a.Visitor > b.Visitor:
			return 1
		}
		return visit.Compare(a, b)
	})
	builder := columns.NewBuilder(day, wanted...)
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].Visitor == events[0].Visitor {
			n++
		}
		builder.Add(visit.Fold(events[:n]))
		events = events[n:]
	}
	return builder.Day(), nil
}

func scanEvents(ctx context.Context, db DB, site int32, day event.Day, wanted []columns.Column) ([]*event.Event, error) {
	all := len(wanted) == 0
	sql, at := scanDayStart, &scanned{}
	e := &at.Event
	into := []any{&e.ID, &e.Time, &e.UTCOffset, &e.Visitor, &e.Type, &e.Passive, &e.Engaged, &e.Scroll}
	known := texts{"": ""}
	selected := map[string]bool{}
	for _, f := range scanFields() {
		if (all || slices.Contains(wanted, f.column)) && !selected[f.sql] {
			selected[f.sql] = true
			sql += `, ` + f.sql
			into = append(into, interned{known, f.into(at)})
		}
	}
	hasProps := all || slices.ContainsFunc(wanted, func(c columns.Column) bool { _, ok := c.Key(); return ok })
	if hasProps {
		sql += `, coalesce(props::text, '')`
		into = append(into, interned{known, &at.props})
	}
	var subject *uuid.UUID
	if all || slices.Contains(wanted, columns.Subject) {
		sql += `, subject`
		into = append(into, &subject)
	}
	from, to := span(day, day)
	rows, err := db.Query(ctx, sql+scanDayEnd, site, day.Date(), from, to)
	if err != nil {
		return nil, err
	}
	var events []*event.Event
	props := map[string]map[string]string{"": nil}
	_, err = pgx.ForEachRow(rows, into, func() error {
		e.Site, e.Day, e.Time, e.Subject = site, day, e.Time.UTC(), uuid.Nil
		if subject != nil {
			e.Subject = *subject
		}
		if hasProps {
			decoded, ok := props[at.props]
			if !ok {
				if err := json.Unmarshal([]byte(at.props), &decoded); err != nil {
					return fmt.Errorf("read properties: %w", err)
				}
				props[at.props] = decoded
			}
			e.Props = decoded
		}
		events = append(events, new(*e))
		return nil
	})
	return events, err
}

// DaysWithEvents are the local days of a site from first to last that had events.
func DaysWithEvents(ctx context.Context, db DB, site int32, first, last event.Day) ([]event.Day, error) {
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

// Pieces are what is kept of a day, see columns.Codec.
type Pieces struct {
	Day    event.Day
	Pieces map[columns.Column][]byte
}

// DayColumns reads what is kept of some days of a site, the wanted columns only, in the
// order of days. Days that are not kept are left out.
func DayColumns(ctx context.Context, db DB, site int32, days []event.Day, wanted ...columns.Column) iter.Seq2[Pieces, error] {
	return func(yield func(Pieces, error) bool) {
		dates := make([]time.Time, len(days))
		for i, day := range days {
			dates[i] = day.Date()
		}
		names := []string{string(columns.Frame)}
		for _, column := range wanted {
			names = append(names, string(column))
		}
		rows, err := db.Query(ctx, selectDayColumns, site, dates, names)
		if err != nil {
			yield(Pieces{}, fmt.Errorf("read days in columns: %w", err))
			return
		}
		defer rows.Close()
		var pieces Pieces
		for rows.Next() {
			var date time.Time
			var name columns.Column
			var data []byte
			if err := rows.Scan(&date, &name, &data); err != nil {
				yield(Pieces{}, fmt.Errorf("read days in columns: %w", err))
				return
			}
			if day := event.DayOf(date); pieces.Pieces == nil || day != pieces.Day {
				if pieces.Pieces != nil && !yield(pieces, nil) {
					return
				}
				pieces = Pieces{day, map[columns.Column][]byte{}}
			}
			pieces.Pieces[name] = data
		}
		if err := rows.Err(); err != nil {
			yield(Pieces{}, fmt.Errorf("read days in columns: %w", err))
			return
		}
		if pieces.Pieces != nil {
			yield(pieces, nil)
		}
	}
}

// KeepDayColumns keeps a day in columns. It must be called in the transaction that
// HoldRecord has begun and that read the day's events.
func KeepDayColumns(ctx context.Context, tx DB, site int32, day event.Day, pieces iter.Seq2[columns.Column, []byte]) error {
	for name, data := range pieces {
		if _, err := tx.Exec(ctx, insertDayColumn, site, day.Date(), string(name), data); err != nil {
			return fmt.Errorf("keep %s in columns: %w", day, err)
		}
	}
	return nil
}

// SiteDay is a local day of a site.
type SiteDay struct {
	Site int32
	Day  event.Day
}

// ForgetDayColumns takes away what is kept of days, to which the transaction adds events
// or takes some from.
func ForgetDayColumns(ctx context.Context, tx DB, days []SiteDay) error {
	sites, dates := make([]int32, len(days)), make([]time.Time, len(days))
	for i, d := range days {
		sites[i], dates[i] = d.Site, d.Day.Date()
	}
	if _, err := tx.Exec(ctx, deleteDayColumns, sites, dates); err != nil {
		return fmt.Errorf("forget days in columns: %w", err)
	}
	return nil
}

// DaysWithoutColumns returns days from first to last that have events and are not kept in
// columns, of all sites, newest first. They may not be all.
func DaysWithoutColumns(ctx context.Context, db DB, first, last event.Day) ([]UncheckedDay, error) {
	rows, err := db.Query(ctx, selectDaysWithoutColumns, first.Date(), last.Date(), maxUnchecked)
	if err != nil {
		return nil, fmt.Errorf("look for days to keep in columns: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[UncheckedDay])
	if err != nil {
		return nil, fmt.Errorf("look for days to keep in columns: %w", err)
	}
	return days, nil
}
