package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/model/visit"
)

const deleteVisit = `DELETE FROM visits WHERE site_id = $1 AND started_at = $2 AND visitor = $3`

const copyVisits = `
COPY visits (
    site_id, started_at, visitor, day, duration, pageviews, events, bounce, entry_page, exit_page, hostname,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen, engaged, revenue)
FROM STDIN (FORMAT binary)`

const upsertVisits = `
INSERT INTO visits (
    site_id, started_at, visitor, day, duration, pageviews, events, bounce, entry_page, exit_page, hostname,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen, engaged, revenue)
SELECT * FROM unnest(
    $1::int[], $2::timestamptz[], $3::bigint[], $4::date[], $5::int[], $6::int[], $7::int[], $8::boolean[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
    $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::bigint[], $31::jsonb[])
ON CONFLICT (site_id, started_at, visitor) DO UPDATE SET
    day = excluded.day, duration = excluded.duration, pageviews = excluded.pageviews, events = excluded.events,
    bounce = excluded.bounce, entry_page = excluded.entry_page, exit_page = excluded.exit_page,
    hostname = excluded.hostname, referrer = excluded.referrer, source = excluded.source, channel = excluded.channel,
    utm_source = excluded.utm_source, utm_medium = excluded.utm_medium, utm_campaign = excluded.utm_campaign,
    utm_term = excluded.utm_term, utm_content = excluded.utm_content, country = excluded.country,
    region = excluded.region, city = excluded.city, browser = excluded.browser,
    browser_version = excluded.browser_version, os = excluded.os, os_version = excluded.os_version,
    device = excluded.device, language = excluded.language, screen = excluded.screen,
    engaged = excluded.engaged, revenue = excluded.revenue`

// VisitChanges are what happens to stored visits.
type VisitChanges struct {
	Gone    []visit.Key    // are stored, and no longer visits
	Added   []*visit.Visit // are not stored
	Changed []*visit.Visit // are stored, with something else in them
}

// ApplyVisits makes the changes.
func ApplyVisits(ctx context.Context, tx DB, c VisitChanges) error {
	if err := removeVisits(ctx, tx, c.Gone); err != nil {
		return err
	}
	fast, err := copies(ctx, tx)
	if err != nil {
		return err
	}
	if fast {
		err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return addVisits(ctx, tx, c.Added) })
		// A visit that should not be there is written over; the events are not to blame.
		if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == uniqueViolation {
			fast, err = false, nil
		}
	}
	if err != nil {
		return fmt.Errorf("add visits: %w", err)
	}
	if !fast {
		c.Changed = append(c.Changed, c.Added...)
	}
	if err := changeVisits(ctx, tx, c.Changed); err != nil {
		return fmt.Errorf("change visits: %w", err)
	}
	return nil
}

// addVisits sorts the visits into the order of the table's key, in which rows are
// cheapest to add.
func addVisits(ctx context.Context, tx pgx.Tx, visits []*visit.Visit) error {
	if len(visits) == 0 {
		return nil
	}
	slices.SortFunc(visits, func(a, b *visit.Visit) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), a.Start.Compare(b.Start))
	})
	return copyRows(ctx, tx, copyVisits, &visitRows{visits: visits})
}

func changeVisits(ctx context.Context, tx DB, visits []*visit.Visit) error {
	if len(visits) == 0 {
		return nil
	}
	columns, err := byColumn(&visitRows{visits: visits})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, upsertVisits, columns...)
	return err
}

// visitRows are visits as rows of copyVisits.
type visitRows struct {
	visits []*visit.Visit
	values []any
}

func (r *visitRows) len() int { return len(r.visits) }

func (r *visitRows) row(i int) ([]any, error) {
	v := r.visits[i]
	r.values = append(r.values[:0], &v.Site, &v.Start, &v.Visitor, dateOf(v.Day), &v.Duration, &v.Pageviews, &v.Events, v.Bounce, &v.EntryPage, &v.ExitPage, &v.Hostname)
	for _, value := range v.AttributeValues() {
		r.values = append(r.values, value)
	}
	var revenue any
	if v.Revenue != nil {
		encoded, err := json.Marshal(v.Revenue)
		if err != nil {
			return nil, fmt.Errorf("encode the revenue of a visit: %w", err)
		}
		revenue = json.RawMessage(encoded)
	}
	r.values = append(r.values, &v.Engaged, revenue)
	return r.values, nil
}

// removeVisits takes out one after another: they are few, and joined with the table by a
// planner that has old statistics each may read all of it.
func removeVisits(ctx context.Context, tx DB, gone []visit.Key) error {
	for _, k := range gone {
		if _, err := tx.Exec(ctx, deleteVisit, k.Site, time.UnixMicro(k.Start), k.Visitor); err != nil {
			return fmt.Errorf("delete visits: %w", err)
		}
	}
	return nil
}
