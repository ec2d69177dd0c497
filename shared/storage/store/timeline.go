package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
)

const (
	selectVisits = `
SELECT site_id, started_at, visitor, day, duration, pageviews, events, bounce, entry_page, exit_page, hostname,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen, engaged, revenue
FROM visits`
	selectVisitsBefore = selectVisits + `
WHERE site_id = $1 AND (started_at, visitor) < ($2, $3) AND started_at >= $4
ORDER BY started_at DESC, visitor DESC
LIMIT $5`
	selectVisit = selectVisits + `
WHERE site_id = $1 AND started_at = $2 AND visitor = $3`

	selectWholeEvents = `
SELECT site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen,
    coalesce(props::text, ''), coalesce(amount::text, ''), currency, subject, funnel, funnel_step, engaged, scroll, passive
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
func VisitsBefore(ctx context.Context, db DB, site int32, before time.Time, visitor int64, from time.Time, most int) ([]StoredVisit, error) {
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
func Visit(ctx context.Context, db DB, site int32, start time.Time, visitor int64) (StoredVisit, error) {
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
func VisitorsEvents(ctx context.Context, db DB, site int32, from, to time.Time, visitors []int64, most int) ([]*event.Event, error) {
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
func EventsAfter(ctx context.Context, db DB, site int32, in Stretch, after time.Time, id uuid.UUID, most int) ([]*event.Event, error) {
	return wholeEvents(ctx, db, selectEventsAfter, site, after, id, in.To, in.First.Date(), in.Last.Date(), most)
}

func wholeEvents(ctx context.Context, db DB, sql string, args ...any) ([]*event.Event, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	var e event.Event
	var day time.Time
	var props string
	var subject *uuid.UUID
	targets := []any{&e.Site, &e.Time, &e.ID, &day, &e.UTCOffset, &e.Visitor, &e.Type, &e.Name, &e.Hostname, &e.Page, &e.Title}
	for _, value := range e.AttributeValues() {
		targets = append(targets, value)
	}
	targets = append(targets, &props, &e.Amount, &e.Currency, &subject, &e.Funnel, &e.Step, &e.Engaged, &e.Scroll, &e.Passive)
	var events []*event.Event
	_, err = pgx.ForEachRow(rows, targets, func() error {
		e.Time, e.Day, e.Subject, e.Props = e.Time.UTC(), event.DayOf(day), uuid.Nil, nil
		if subject != nil {
			e.Subject = *subject
		}
		if props != "" {
			if err := json.Unmarshal([]byte(props), &e.Props); err != nil {
				return fmt.Errorf("read properties: %w", err)
			}
		}
		events = append(events, new(e))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return events, nil
}
