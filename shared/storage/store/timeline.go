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

// ErrNoVisit means that there is no such visit.
var ErrNoVisit = errors.New("no such visit")

// Revenue is what a stored visit was worth: a JSON object of decimals by currency, nil when
// nothing of it has an amount.
func (s *StoredVisit) Revenue() []byte { return s.revenue }

// VisitsBefore returns stored visits of a site that began before a time, or at that time
// by a lesser visitor, and not before another time: the latest first, most at most.
func VisitsBefore(ctx context.Context, db database.DB, site int32, before time.Time, visitor int64, from time.Time, most int) ([]StoredVisit, error) {
	rows, err := db.Query(ctx, selectVisitsBefore, site, before, visitor, from, most)
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	var visits []StoredVisit
	if err := eachVisit(rows, func(v StoredVisit) { visits = append(visits, v) }); err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	return visits, nil
}

// Visit returns the stored visit that a visitor began at a time, or ErrNoVisit.
func Visit(ctx context.Context, db database.DB, site int32, start time.Time, visitor int64) (StoredVisit, error) {
	rows, err := db.Query(ctx, selectVisit, site, start, visitor)
	if err != nil {
		return StoredVisit{}, fmt.Errorf("read a visit: %w", err)
	}
	found := false
	var visit StoredVisit
	if err := eachVisit(rows, func(v StoredVisit) { visit, found = v, true }); err != nil {
		return StoredVisit{}, fmt.Errorf("read a visit: %w", err)
	}
	if !found {
		return StoredVisit{}, ErrNoVisit
	}
	return visit, nil
}

// VisitorsEvents returns all that is stored of the events of some visitors between two
// times, both included, in order: most at most, else ErrTooMany.
func VisitorsEvents(ctx context.Context, db database.DB, site int32, from, to time.Time, visitors []int64, most int) ([]*event.Event, error) {
	events, err := wholeEvents(ctx, db, selectVisitorsEvents, site, from, to, visitors, most+1)
	if err == nil && len(events) > most {
		err = ErrTooMany
	}
	return events, err
}

// Stretch is where events are looked for: from a time to another, which is not part of it,
// and on some local days of their site.
type Stretch struct {
	From, To    time.Time
	First, Last event.Day
}

// StretchOf is that of all events of some local days.
func StretchOf(first, last event.Day) Stretch {
	from, to := span(first, last)
	return Stretch{from, to, first, last}
}

// EventsAfter returns all that is stored of the events of a site in a stretch that come
// after a time and id, in order: most at most.
func EventsAfter(ctx context.Context, db database.DB, site int32, in Stretch, after time.Time, id uuid.UUID, most int) ([]*event.Event, error) {
	return wholeEvents(ctx, db, selectEventsAfter, site, after, id, in.To, in.First.Date(), in.Last.Date(), most)
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
