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

// VisitsBefore returns at limit limit stored visits of a site that come before the given
// start and visitor and start no earlier than from. They are sorted by start and visitor,
// latest first.
func VisitsBefore(ctx context.Context, db database.DB, site int32, before time.Time, visitor int64, from time.Time, limit int) ([]StoredVisit, error) {
	rows, err := db.Query(ctx, selectVisitsBefore, site, before, visitor, from, limit)
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	var visits []StoredVisit
	if err := eachVisit(rows, func(v StoredVisit) { visits = append(visits, v) }); err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	return visits, nil
}

// Visit returns the stored visit of a visitor that started at a time, or ErrNoVisit.
func Visit(ctx context.Context, db database.DB, site int32, start time.Time, visitor int64) (StoredVisit, error) {
	rows, err := db.Query(ctx, selectVisit, site, start, visitor)
	if err != nil {
		return StoredVisit{}, fmt.Errorf("read visit: %w", err)
	}
	found := false
	var visit StoredVisit
	if err := eachVisit(rows, func(v StoredVisit) { visit, found = v, true }); err != nil {
		return StoredVisit{}, fmt.Errorf("read visit: %w", err)
	}
	if !found {
		return StoredVisit{}, ErrNoVisit
	}
	return visit, nil
}

// VisitorsEvents returns the events of some visitors in [from, to] with all their fields,
// sorted by time. It returns ErrTooMany if there are more than limit.
func VisitorsEvents(ctx context.Context, db database.DB, site int32, from, to time.Time, visitors []int64, limit int) ([]*event.Event, error) {
	events, err := wholeEvents(ctx, db, selectVisitorsEvents, site, from, to, visitors, limit+1)
	if err == nil && len(events) > limit {
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
	from, to := span(first, last)
	return EventRange{from, to, first, last}
}

// EventsAfter returns at limit limit events of a site in a range that come after a time and
// id, with all their fields, sorted by time and id.
func EventsAfter(ctx context.Context, db database.DB, site int32, in EventRange, after time.Time, id uuid.UUID, limit int) ([]*event.Event, error) {
	return wholeEvents(ctx, db, selectEventsAfter, site, after, id, in.To, in.First.Date(), in.Last.Date(), limit)
}

func wholeEvents(ctx context.Context, db database.DB, sql string, args ...any) ([]*event.Event, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	var events []*event.Event
	var e scannedEvent
	_, err = pgx.ForEachRow(rows, e.whole(), func() error {
		err := e.finish()
		events = append(events, new(e.Event))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return events, nil
}
