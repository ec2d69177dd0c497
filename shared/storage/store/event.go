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

// VisitorDay identifies the events of one visitor on one local day of a site.
type VisitorDay struct {
	Site    int32
	Day     event.Day
	Visitor int64
}

// VisitorDayOf returns the visitor-day to which an event belongs.
func VisitorDayOf(e *event.Event) VisitorDay { return VisitorDay{e.Site, e.Day, e.Visitor} }

// EventKey identifies a stored event.
type EventKey struct {
	Site int32
	Time int64 // Unix milliseconds
	ID   uuid.UUID
}

// KeyOf returns the key of an event.
func KeyOf(e *event.Event) EventKey { return EventKey{e.Site, e.Time.UnixMilli(), e.ID} }

const lockSites = `SELECT id FROM sites FOR KEY SHARE`

// LockSites returns the ids of all sites and prevents their deletion until the transaction
// ends, so that nothing is stored for a site after its deletion.
func LockSites(ctx context.Context, tx database.DB) (map[int32]struct{}, error) {
	rows, err := tx.Query(ctx, lockSites)
	if err != nil {
		return nil, fmt.Errorf("lock sites: %w", err)
	}
	ids := make(map[int32]struct{})
	var id int32
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { ids[id] = struct{}{}; return nil }); err != nil {
		return nil, fmt.Errorf("lock sites: %w", err)
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

// AddEvents stores the events that are not stored yet and returns the keys of the others.
// No two events may have the same key. It sorts the given slice by the key of the table,
// since rows are cheapest to add in that order.
//
// The events are rarely stored already, so AddEvents first tries COPY, which can't skip
// rows. If that fails because of a known event, it uses an INSERT that skips known events,
// at half the speed.
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
	if violation, ok := errors.AsType[*pgconn.PgError](err); ok && violation.Code == pgerrcode.UniqueViolation {
		known, err = addUnknown(ctx, tx, events)
	}
	if err != nil {
		return nil, fmt.Errorf("insert events: %w", err)
	}
	return known, nil
}

func addUnknown(ctx context.Context, tx database.DB, events []*event.Event) (known map[EventKey]struct{}, err error) {
	known = make(map[EventKey]struct{}, len(events))
	for _, e := range events {
		known[KeyOf(e)] = struct{}{}
	}
	err = byColumn(&eventRows{events: events}, func(columns []any) error {
		rows, err := tx.Query(ctx, addUnknownEvents, columns...)
		if err != nil {
			return err
		}
		var key EventKey
		var t time.Time
		_, err = pgx.ForEachRow(rows, []any{&key.Site, &t, &key.ID}, func() error {
			key.Time = t.UnixMilli()
			delete(known, key)
			return nil
		})
		return err
	})
	return known, err
}

// eventRows provides events as rows of the table events.
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

// propsValue returns properties as a column value; NULL if there are none.
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

// amountValue returns an amount as a column value; NULL if it is empty.
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

// idValue returns an optional id as a column value; NULL if it is zero.
func idValue(id uuid.UUID) any {
	if id == uuid.Nil {
		return nil
	}
	return pgtype.UUID{Bytes: id, Valid: true}
}

func dateOf(day event.Day) pgtype.Date { return pgtype.Date{Time: day.Date(), Valid: true} }

// With outdated statistics the planner expects no events of these days, and might read all
// of them once for each visitor. OFFSET 0 forces a nested loop over the visitors. Leaving
// out the site, which a visitor's random number nearly implies, forces the index that
// begins with the day and the visitor.
const selectVisitorDays = `
SELECT ` + foldedEventColumns + `
FROM unnest($1::date[], $2::bigint[]) AS k (key_day, key_visitor)
CROSS JOIN LATERAL (
    SELECT * FROM events WHERE day = key_day AND visitor = key_visitor AND time >= $3 AND time < $4 OFFSET 0
) AS e
LIMIT $5`

// ErrTooMany is returned if a query finds more events than may be loaded at once.
var ErrTooMany = errors.New("too many events to load at once")

// Limit bounds the events that are in memory at once.
type Limit struct {
	Events int
	Bytes  int // of their values, as the database sends them
}

// VisitorDays returns the stored events of the given visitor-days, with the fields that
// package visit needs. It returns ErrTooMany if there are more than the limit allows; the
// bytes of a single visitor-day, which are bounded by visit.MaxEvents, are not limited. It
// sorts the given slice. The result may contain other visitor-days as well.
func VisitorDays(ctx context.Context, tx database.DB, keys []VisitorDay, limit Limit) (map[VisitorDay][]*event.Event, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	// In this order the pages of the index are read one after another.
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
	from, to := Span(keys[0].Day, keys[len(keys)-1].Day)
	rows, err := tx.Query(ctx, selectVisitorDays, days, visitors, from, to, limit.Events+1)
	if err != nil {
		return nil, fmt.Errorf("load events of visitor-days: %w", err)
	}
	out := make(map[VisitorDay][]*event.Event)
	var e scannedEvent
	events, bytes := 0, 0
	_, err = pgx.ForEachRow(rows, e.folded(), func() error {
		events++
		for _, value := range rows.RawValues() {
			bytes += len(value)
		}
		if events > limit.Events || bytes > limit.Bytes && len(keys) > 1 {
			return ErrTooMany
		}
		err := e.finish()
		key := VisitorDayOf(&e.Event)
		out[key] = append(out[key], new(e.Event))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load events of visitor-days: %w", err)
	}
	return out, nil
}

// Span returns the time range [from, to) that contains the local days from first to last
// in any time zone.
func Span(first, last event.Day) (from, to time.Time) {
	return first.Date().Add(-14 * time.Hour), last.Date().Add(36 * time.Hour)
}

// scannedEvent is the scan target of an event. Its finish method converts the fields whose
// type in SQL differs.
type scannedEvent struct {
	event.Event
	day     time.Time
	props   string // JSON; "" if there are none
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

// eachFolded calls fn with the event of each row of foldedEventColumns.
func eachFolded(rows pgx.Rows, fn func(*event.Event)) error {
	var e scannedEvent
	_, err := pgx.ForEachRow(rows, e.folded(), func() error {
		err := e.finish()
		fn(new(e.Event))
		return err
	})
	return err
}
