package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/analytics-platform/analytics/shared/event"
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
func HoldSites(ctx context.Context, tx DB) (map[int32]struct{}, error) {
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

const insertEvents = `
INSERT INTO events (
    site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen,
    props, amount, currency, subject, funnel, funnel_step, engaged)
SELECT
    site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen,
    props::jsonb, amount::numeric, currency, subject, funnel, funnel_step, engaged
FROM unnest(
    $1::int[], $2::timestamptz[], $3::uuid[], $4::date[], $5::smallint[], $6::bigint[], $7::smallint[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
    $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[],
    $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[],
    $30::text[], $31::text[], $32::text[], $33::uuid[], $34::text[], $35::smallint[], $36::int[])
AS e (
    site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen,
    props, amount, currency, subject, funnel, funnel_step, engaged)
ON CONFLICT (site_id, time, id) DO NOTHING
RETURNING site_id, time, id`

// InsertEvents stores the events that are not stored yet and returns the keys of
// those that went in. No two of the events may have the same key.
func InsertEvents(ctx context.Context, tx DB, events []*event.Event) (map[EventKey]struct{}, error) {
	n := len(events)
	var (
		site                  = make([]int32, n)
		at, day               = make([]time.Time, n), make([]time.Time, n)
		id                    = make([]uuid.UUID, n)
		offset, kind, step    = make([]int16, n), make([]int16, n), make([]int16, n)
		visitor               = make([]int64, n)
		engaged               = make([]int32, n)
		props, amount         = make([]*string, n), make([]*string, n)
		subject               = make([]pgtype.UUID, n)
		text                  = make([][]string, 24)
		name, hostname, page  = 0, 1, 2
		title, currency, funl = 3, 4, 5
		attributes            = 6
	)
	for i := range text {
		text[i] = make([]string, n)
	}
	for i, e := range events {
		site[i], at[i], id[i], day[i], offset[i] = e.Site, e.Time, e.ID, e.Day.Date(), e.UTCOffset
		visitor[i], kind[i], step[i], engaged[i] = e.Visitor, int16(e.Type), e.Step, e.Engaged
		text[name][i], text[hostname][i], text[page][i] = e.Name, e.Hostname, e.Page
		text[title][i], text[currency][i], text[funl][i] = e.Title, e.Currency, e.Funnel
		for j, value := range attributeValues(&e.Attributes) {
			text[attributes+j][i] = *value
		}
		if len(e.Props) > 0 {
			encoded, err := json.Marshal(e.Props)
			if err != nil {
				return nil, fmt.Errorf("encode properties: %w", err)
			}
			props[i] = new(string(encoded))
		}
		if e.Amount != "" {
			amount[i] = &e.Amount
		}
		subject[i] = pgtype.UUID{Bytes: e.Subject, Valid: e.Subject != uuid.Nil}
	}
	args := []any{site, at, id, day, offset, visitor, kind, text[name], text[hostname], text[page], text[title]}
	for _, column := range text[attributes:] {
		args = append(args, column)
	}
	args = append(args, props, amount, text[currency], subject, text[funl], step, engaged)

	rows, err := tx.Query(ctx, insertEvents, args...)
	if err != nil {
		return nil, fmt.Errorf("insert events: %w", err)
	}
	inserted := make(map[EventKey]struct{}, n)
	var key EventKey
	var t time.Time
	_, err = pgx.ForEachRow(rows, []any{&key.Site, &t, &key.ID}, func() error {
		key.Time = t.UnixMilli()
		inserted[key] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("insert events: %w", err)
	}
	return inserted, nil
}

// attributeValues are the attributes in the order of their columns.
func attributeValues(a *event.Attributes) [18]*string {
	return [18]*string{
		&a.Referrer, &a.Source, &a.Channel, &a.UTMSource, &a.UTMMedium, &a.UTMCampaign, &a.UTMTerm, &a.UTMContent,
		&a.Country, &a.Region, &a.City, &a.Browser, &a.BrowserVersion, &a.OS, &a.OSVersion, &a.Device, &a.Language, &a.Screen,
	}
}

const selectVisitorDays = `
SELECT e.site_id, e.time, e.id, e.day, e.utc_offset, e.visitor, e.type, e.name, e.hostname, e.page,
    coalesce(e.amount::text, ''), e.currency, e.engaged,
    e.referrer, e.source, e.channel, e.utm_source, e.utm_medium, e.utm_campaign, e.utm_term, e.utm_content,
    e.country, e.region, e.city, e.browser, e.browser_version, e.os, e.os_version, e.device, e.language, e.screen
FROM unnest($1::int[], $2::date[], $3::bigint[]) AS k (site_id, day, visitor)
JOIN events e ON e.site_id = k.site_id AND e.visitor = k.visitor AND e.day = k.day
WHERE e.time >= $4 AND e.time < $5`

// VisitorDays returns the stored events of the given visitor-days, with what
// package visit needs of them and no more.
func VisitorDays(ctx context.Context, tx DB, keys []VisitorDay) (map[VisitorDay][]event.Event, error) {
	n := len(keys)
	if n == 0 {
		return nil, nil
	}
	sites, days, visitors := make([]int32, n), make([]time.Time, n), make([]int64, n)
	first, last := keys[0].Day, keys[0].Day
	for i, k := range keys {
		sites[i], days[i], visitors[i] = k.Site, k.Day.Date(), k.Visitor
		first, last = min(first, k.Day), max(last, k.Day)
	}
	from, to := span(first, last)
	rows, err := tx.Query(ctx, selectVisitorDays, sites, days, visitors, from, to)
	if err != nil {
		return nil, fmt.Errorf("load events of visitor-days: %w", err)
	}
	out := make(map[VisitorDay][]event.Event)
	err = eachFolded(rows, func(e event.Event) {
		key := VisitorDayOf(&e)
		out[key] = append(out[key], e)
	})
	if err != nil {
		return nil, fmt.Errorf("load events of visitor-days: %w", err)
	}
	return out, nil
}

// span is the stretch of time that holds the local days from first to last in
// whatever zone.
func span(first, last event.Day) (from, to time.Time) {
	return first.Date().Add(-14 * time.Hour), last.Date().Add(36 * time.Hour)
}

func eachFolded(rows pgx.Rows, fn func(event.Event)) error {
	var e event.Event
	var day time.Time
	targets := []any{&e.Site, &e.Time, &e.ID, &day, &e.UTCOffset, &e.Visitor, &e.Type, &e.Name, &e.Hostname, &e.Page,
		&e.Amount, &e.Currency, &e.Engaged}
	for _, value := range attributeValues(&e.Attributes) {
		targets = append(targets, value)
	}
	_, err := pgx.ForEachRow(rows, targets, func() error {
		e.Time, e.Day = e.Time.UTC(), event.DayOf(day)
		fn(e)
		return nil
	})
	return err
}
