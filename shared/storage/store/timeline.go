package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

const (
	selectVisits = `
SELECT ` + visitColumns + `
FROM visits`
	selectVisitsBefore = selectVisits + `
WHERE site_id = $1 AND (started_at, visitor) < ($2, $3) AND started_at >= $4
ORDER BY started_at DESC, visitor DESC
LIMIT $5`
	selectVisit = selectVisits + `
WHERE site_id = $1 AND started_at = $2 AND visitor = $3`

	selectWholeEvents = `
SELECT ` + wholeEventColumns + `
FROM events`
	selectVisitorsEvents = selectWholeEvents + `
WHERE site_id = $1 AND time >= $2 AND time <= $3 AND visitor = ANY($4)
ORDER BY time, id
LIMIT $5`
	selectEventsAfter = selectWholeEvents + `
WHERE site_id = $1 AND (time, id) > ($2, $3) AND time >= $2 AND time < $4 AND day BETWEEN $5 AND $6
ORDER BY time, id
LIMIT $7`
)

// ErrNoVisit is returned if the visit does not exist.
var ErrNoVisit = errors.New("no such visit")

// Revenue returns the revenue of a stored visit, a JSON object of decimals by currency. It
// is nil if no event of the visit has an amount.
func (s *StoredVisit) Revenue() []byte { return s.revenue }

// Most is how much is loaded at once.
type Most struct {
	Rows  int
	Bytes int // about, in memory
}

// rowBytes is about how many bytes a visit or an event takes besides its texts.
const rowBytes = 700

// exceeded adds a row to some bytes, and reports whether they are more than may be loaded.
func (m Most) exceeded(bytes *int, row pgx.Rows) bool {
	*bytes += rowBytes
	for _, value := range row.RawValues() {
		*bytes += len(value)
	}
	return *bytes > m.Bytes
}

// VisitsBefore returns stored visits of a site that come before the given start and visitor
// and start no earlier than from. They are sorted by start and visitor, latest first. more
// is false if there are none after those returned.
func VisitsBefore(ctx context.Context, db database.DB, site int32, before time.Time, visitor int64, from time.Time, most Most) (visits []StoredVisit, more bool, err error) {
	rows, err := db.Query(ctx, selectVisitsBefore, site, before, visitor, from, most.Rows)
	if err != nil {
		return nil, false, fmt.Errorf("read visits: %w", err)
	}
	bytes := 0
	err = eachVisit(rows, func(v StoredVisit) bool {
		visits = append(visits, v)
		more = len(visits) == most.Rows || most.exceeded(&bytes, rows)
		return !more
	})
	if err != nil {
		return nil, false, fmt.Errorf("read visits: %w", err)
	}
	return visits, more, nil
}

// Visit returns the stored visit of a visitor that started at a time, or ErrNoVisit.
func Visit(ctx context.Context, db database.DB, site int32, start time.Time, visitor int64) (StoredVisit, error) {
	rows, err := db.Query(ctx, selectVisit, site, start, visitor)
	if err != nil {
		return StoredVisit{}, fmt.Errorf("read visit: %w", err)
	}
	found := false
	var visit StoredVisit
	if err := eachVisit(rows, func(v StoredVisit) bool { visit, found = v, true; return true }); err != nil {
		return StoredVisit{}, fmt.Errorf("read visit: %w", err)
	}
	if !found {
		return StoredVisit{}, ErrNoVisit
	}
	return visit, nil
}

// VisitorsEvents returns the events of some visitors in [from, to] with all their fields,
// sorted by time. It returns ErrTooMany if there are more than may be loaded.
func VisitorsEvents(ctx context.Context, db database.DB, site int32, from, to time.Time, visitors []int64, most Most) ([]*event.Event, error) {
	events, more, err := wholeEvents(ctx, db, Most{most.Rows + 1, most.Bytes}, selectVisitorsEvents, site, from, to, visitors)
	if err == nil && more {
		err = ErrTooMany
	}
	return events, err
}

// EventRange selects events in the time range [From, To) and on the local days from First
// to Last.
type EventRange struct {
	From, To    time.Time
	First, Last event.Day
}

// EventRangeOf returns the range of all events of the local days from first to last.
func EventRangeOf(first, last event.Day) EventRange {
	from, to := Span(first, last)
	return EventRange{from, to, first, last}
}

// EventsAfter returns events of a site in a range that come after a time and id, with all
// their fields, sorted by time and id. more is false if there are none after those returned.
func EventsAfter(ctx context.Context, db database.DB, site int32, in EventRange, after time.Time, id uuid.UUID, most Most) (events []*event.Event, more bool, err error) {
	return wholeEvents(ctx, db, most, selectEventsAfter, site, after, id, in.To, in.First.Date(), in.Last.Date())
}

// wholeEvents returns the events that a statement selects. Its last parameter is the number of
// rows. more reports whether there may be others.
func wholeEvents(ctx context.Context, db database.DB, most Most, sql string, args ...any) (events []*event.Event, more bool, err error) {
	rows, err := db.Query(ctx, sql, append(args, most.Rows)...)
	if err != nil {
		return nil, false, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var e scannedEvent
	into := e.whole()
	bytes := 0
	for !more && rows.Next() {
		if err = rows.Scan(into...); err == nil {
			err = e.finish()
		}
		if err != nil {
			return nil, false, fmt.Errorf("read events: %w", err)
		}
		events = append(events, new(e.Event))
		more = len(events) == most.Rows || most.exceeded(&bytes, rows)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read events: %w", err)
	}
	return events, more, nil
}
