package store

import (
	"context"
	"fmt"
	"time"

	"github.com/analytics-platform/analytics/shared/visit"
)

const (
	deleteVisits = `
DELETE FROM visits v
USING unnest($1::int[], $2::timestamptz[], $3::bigint[]) AS k (site_id, started_at, visitor)
WHERE v.site_id = k.site_id AND v.started_at = k.started_at AND v.visitor = k.visitor
  AND v.started_at >= $4 AND v.started_at <= $5`

	upsertVisits = `
INSERT INTO visits (
    site_id, started_at, visitor, day, duration, pageviews, events, bounce, entry_page, exit_page, hostname,
    referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen)
SELECT * FROM unnest(
    $1::int[], $2::timestamptz[], $3::bigint[], $4::date[], $5::int[], $6::int[], $7::int[], $8::boolean[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
    $25::text[], $26::text[], $27::text[], $28::text[], $29::text[])
ON CONFLICT (site_id, started_at, visitor) DO UPDATE SET
    day = excluded.day, duration = excluded.duration, pageviews = excluded.pageviews, events = excluded.events,
    bounce = excluded.bounce, entry_page = excluded.entry_page, exit_page = excluded.exit_page,
    hostname = excluded.hostname, referrer = excluded.referrer, source = excluded.source, channel = excluded.channel,
    utm_source = excluded.utm_source, utm_medium = excluded.utm_medium, utm_campaign = excluded.utm_campaign,
    utm_term = excluded.utm_term, utm_content = excluded.utm_content, country = excluded.country,
    region = excluded.region, city = excluded.city, browser = excluded.browser,
    browser_version = excluded.browser_version, os = excluded.os, os_version = excluded.os_version,
    device = excluded.device, language = excluded.language, screen = excluded.screen`
)

// ApplyVisits deletes the visits named by gone, then writes those in changed,
// whether they are stored already or not.
func ApplyVisits(ctx context.Context, tx DB, gone []visit.Key, changed []*visit.Visit) error {
	if err := removeVisits(ctx, tx, gone); err != nil {
		return err
	}
	n := len(changed)
	if n == 0 {
		return nil
	}
	var (
		site                        = make([]int32, n)
		start, day                  = make([]time.Time, n), make([]time.Time, n)
		visitor                     = make([]int64, n)
		duration, pageviews, events = make([]int32, n), make([]int32, n), make([]int32, n)
		bounce                      = make([]bool, n)
		text                        = make([][]string, 3+18)
	)
	for i := range text {
		text[i] = make([]string, n)
	}
	for i, v := range changed {
		site[i], start[i], visitor[i], day[i] = v.Site, v.Start, v.Visitor, v.Day.Date()
		duration[i], pageviews[i], events[i], bounce[i] = v.Duration, v.Pageviews, v.Events, v.Bounce()
		text[0][i], text[1][i], text[2][i] = v.EntryPage, v.ExitPage, v.Hostname
		for j, value := range attributeValues(&v.Attributes) {
			text[3+j][i] = *value
		}
	}
	args := []any{site, start, visitor, day, duration, pageviews, events, bounce}
	for _, column := range text {
		args = append(args, column)
	}
	if _, err := tx.Exec(ctx, upsertVisits, args...); err != nil {
		return fmt.Errorf("write visits: %w", err)
	}
	return nil
}

func removeVisits(ctx context.Context, tx DB, gone []visit.Key) error {
	n := len(gone)
	if n == 0 {
		return nil
	}
	site, start, visitor := make([]int32, n), make([]time.Time, n), make([]int64, n)
	first, last := gone[0].Start, gone[0].Start
	for i, k := range gone {
		site[i], start[i], visitor[i] = k.Site, time.UnixMicro(k.Start), k.Visitor
		first, last = min(first, k.Start), max(last, k.Start)
	}
	if _, err := tx.Exec(ctx, deleteVisits, site, start, visitor, time.UnixMicro(first), time.UnixMicro(last)); err != nil {
		return fmt.Errorf("delete visits: %w", err)
	}
	return nil
}
