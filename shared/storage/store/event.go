package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// VisitorDay names all events of one visitor on one local day of a site.
type VisitorDay struct {
	Site    int32
	Day     event.Day
	Visitor int64
}

// VisitorDayOf is the visitor-day that an event belongs to.
func VisitorDayOf(e *event.Event) VisitorDay { return VisitorDay{e.Site, e.Day, e.Visitor} }

// EventKey is what makes two stored events the same.
type EventKey struct {
	Site int32
	Time int64 // Unix milliseconds
	ID   uuid.UUID
}

// KeyOf is the key of an event.
func KeyOf(e *event.Event) EventKey { return EventKey{e.Site, e.Time.UnixMilli(), e.ID} }

const holdSites = `SELECT id FROM sites FOR KEY SHARE`

// HoldSites returns the ids of all sites, none of which can be deleted before the
// transaction ends: what is stored for a site is deleted with it or before it.
func HoldSites(ctx context.Context, tx database.DB) (map[int32]struct{}, error) {
	rows, err := tx.Query(ctx, holdSites)
	if err != nil {
		return nil, fmt.Errorf("hold the sites: %w", err)
	}
	ids := make(map[int32]struct{})
	var id int32
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { ids[id] = struct{}{}; return nil }); err != nil {
		return nil, fmt.Errorf("hold the sites: %w", err)
	}
	return ids, nil
}

const copyEvents = `
COPY events (` + eventColumns + `)
FROM STDIN (FORMAT binary)`

const addUnknownEvents = `
INSERT INTO events (` + eventColumns + `)
SELECT * FROM unnest(` + eventParameters + `)
ON CONFLICT (site_id, time, id) DO NOTHING
RETURNING site_id, time, id`

// AddEvents stores the events that are not stored yet, and returns the keys of those
// that were. No two of the events may have the same key. It sorts the slice it is
// given into the order of the table's key, in which rows are cheapest to add.
//
// Nearly always none is stored, so COPY is tried first, which can't pass over a row;
// only when it meets one are the events added by a statement that can, at half the
// speed.
func AddEvents(ctx context.Context, tx database.DB, events []*event.Event) (known map[EventKey]struct{}, err error) {
	if len(events) == 0 {
		return nil, nil
	}
	slices.SortFunc(events, func(a, b *event.Event) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), a.Time.Compare(b.Time))
	})
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		return copyRows(ctx, tx, copyEvents, &eventRows{events: events})
	})
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == pgerrcode.UniqueViolation {
		known, err = addUnknown(ctx, tx, events)
	}
	if err != nil {
		return nil, fmt.Errorf("insert events: %w", err)
	}
	return known, nil
}

func addUnknown(ctx context.Context, tx database.DB, events []*event.Event) (known map[EventKey]struct{}, err error) {
	columns, err := byColumn(&eventRows{events: events})
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, addUnknownEvents, columns...)
	if err != nil {
		return nil, err
	}
	known = make(map[EventKey]struct{}, len(events))
	for _, e := range events {
		known[KeyOf(e)] = struct{}{}
	}
	var key EventKey
	var t time.Time
	_, err = pgx.ForEachRow(rows, []any{&key.Site, &t, &key.ID}, func() error {
		key.Time = t.UnixMilli()
		delete(known, key)
		return nil
	})
	return known, err
}

// eventRows are events as rows of copyEvents.
type eventRows struct {
	events []*event.Event
	values []any
}

func (r *eventRows) len() int { return len(r.events) }

func (r *eventRows) row(i int) ([]any, error) {
	var err error
	r.values, err = appendEventRow(r.values[:0], r.events[i])
	return r.values, err
}

// propsValue is properties as SQL takes them; NULL when there are none.
func propsValue(props map[string]string) (any, error) {
	if len(props) == 0 {
		return nil, nil
	}
	encoded, err := json.Marshal(props)
	if err != nil {
		return nil, fmt.Errorf("encode properties: %w", err)
	}
	return json.RawMessage(encoded), nil
}

// amountValue is an amount as SQL takes it; NULL when it is empty.
func amountValue(amount string) (any, error) {
	if amount == "" {
		return nil, nil
	}
	var decimal pgtype.Numeric
	if err := decimal.Scan(amount); err != nil {
		return nil, errors.New("the amount is not a decimal number")
	}
	return decimal, nil
}

// idValue is an id that may be absent as SQL takes it; NULL when it is zero.
func idValue(id uuid.UUID) any {
	if id == uuid.Nil {
		return nil
	}
	return pgtype.UUID{Bytes: id, Valid: true}
}

func dateOf(day event.Day) pgtype.Date { return pgtype.Date{Time: day.Date(), Valid: true} }

// While its statistics are old, the planner believes that there are no events of these
// days, and would read all of them, once for each visitor. OFFSET 0 leaves it no other
// join than visitor by visitor; and since the site is not asked for, of whom a visitor is
// alone or nearly, no other index than the one that begins with the day and the visitor.
const selectVisitorDays = `
SELECT ` + foldedEventColumns + `
FROM unnest($1::date[], $2::bigint[]) AS k (key_day, key_visitor)
CROSS JOIN LATERAL (
    SELECT * FROM events WHERE day = key_day AND visitor = key_visitor AND time >= $3 AND time < $4 OFFSET 0
) AS e
LIMIT $5`

// ErrTooMany means that more events would have to be in memory than are allowed.
var ErrTooMany = errors.New("the visitor-days have too many events to be loaded at once")

// VisitorDays returns the stored events of the given visitor-days, with what
// package visit needs of them and no more: most at most, else ErrTooMany. It sorts the
// slice it is given. There may be other visitor-days among them.
func VisitorDays(ctx context.Context, tx database.DB, keys []VisitorDay, most int) (map[VisitorDay][]*event.Event, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	// In the order of the index its pages are read one after another.
	slices.SortFunc(keys, func(a, b VisitorDay) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Visitor, b.Visitor))
	})
	var days []pgtype.Date
	var visitors []int64
	for i, k := range keys {
		if i == 0 || k.Day != keys[i-1].Day || k.Visitor != keys[i-1].Visitor {
			days, visitors = append(days, dateOf(k.Day)), append(visitors, k.Visitor)
		}
	}
	from, to := span(keys[0].Day, keys[len(keys)-1].Day)
	rows, err := tx.Query(ctx, selectVisitorDays, days, visitors, from, to, most+1)
	if err != nil {
		return nil, fmt.Errorf("load events of visitor-days: %w", err)
	}
	out := make(map[VisitorDay][]*event.Event)
	loaded := 0
	err = eachFolded(rows, func(e *event.Event) {
		key := VisitorDayOf(e)
		out[key] = append(out[key], e)
		loaded++
	})
	if err != nil {
		return nil, fmt.Errorf("load events of visitor-days: %w", err)
	}
	if loaded > most {
		return nil, ErrTooMany
	}
	return out, nil
}

// span is the stretch of time that holds the local days from first to last in
// whatever zone.
func span(first, last event.Day) (from, to time.Time) {
	return first.Date().Add(-14 * time.Hour), last.Date().Add(36 * time.Hour)
}

// scannedEvent is an event as it is scanned. Its finish method sets the fields whose form
// in SQL differs.
type scannedEvent struct {
	event.Event
	day     time.Time
	props   string // JSON; "" without
	subject *uuid.UUID
}

func (e *scannedEvent) finish() error {
	e.Time, e.Day, e.Subject, e.Props = e.Time.UTC(), event.DayOf(e.day), uuid.Nil, nil
	if e.subject != nil {
		e.Subject = *e.subject
	}
	if e.props != "" {
		if err := json.Unmarshal([]byte(e.props), &e.Props); err != nil {
			return fmt.Errorf("decode properties: %w", err)
		}
	}
	return nil
}

// eachFolded calls fn with each event of rows of foldedEventColumns.
func eachFolded(rows pgx.Rows, fn func(*event.Event)) error {
	var e scannedEvent
	_, err := pgx.ForEachRow(rows, e.folded(), func() error {
		err := e.finish()
		fn(new(e.Event))
		return err
	})
	return err
}
