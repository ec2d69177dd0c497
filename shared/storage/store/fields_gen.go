// Code generated from package catalogue by `make generate`. DO NOT EDIT.

package store

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

const (
	// eventColumns are the columns of the table events.
	eventColumns = `site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title, referrer, source,
    channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser,
    browser_version, os, os_version, device, language, screen, props, amount, currency, subject, funnel,
    funnel_step, engaged, scroll, passive, tag`
	// eventParameters are one array parameter for each of eventColumns.
	eventParameters = `$1::int[], $2::timestamptz[], $3::uuid[], $4::date[], $5::smallint[], $6::bigint[], $7::smallint[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
    $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[],
    $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[],
    $30::jsonb[], $31::numeric[], $32::text[], $33::uuid[], $34::text[], $35::smallint[], $36::int[],
    $37::smallint[], $38::boolean[], $39::text[]`
	// wholeEventColumns are selected to read all fields of an event; see scannedEvent.
	wholeEventColumns = `site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title, referrer, source,
    channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser,
    browser_version, os, os_version, device, language, screen, coalesce(props::text, ''),
    coalesce(amount::text, ''), currency, subject, funnel, funnel_step, engaged, scroll, passive, tag`
	// foldedEventColumns are selected to read the fields that visit.Fold needs.
	foldedEventColumns = `site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, referrer, source, channel,
    utm_source, utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser,
    browser_version, os, os_version, device, language, screen, coalesce(amount::text, ''), currency,
    engaged, passive, tag`

	// visitColumns are the columns of the table visits.
	visitColumns = `site_id, started_at, visitor, day, duration, pageviews, events, bounce, entry_page, exit_page,
    hostname, referrer, source, channel, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, browser_version, os, os_version, device, language, screen, engaged,
    revenue`
	// visitParameters are one array parameter for each of visitColumns.
	visitParameters = `$1::int[], $2::timestamptz[], $3::bigint[], $4::date[], $5::int[], $6::int[], $7::int[],
    $8::boolean[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
    $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[],
    $22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::text[],
    $29::text[], $30::bigint[], $31::jsonb[]`
	// visitUpdates set all columns except those of the key.
	visitUpdates = `day = excluded.day, duration = excluded.duration, pageviews = excluded.pageviews,
    events = excluded.events, bounce = excluded.bounce, entry_page = excluded.entry_page,
    exit_page = excluded.exit_page, hostname = excluded.hostname, referrer = excluded.referrer,
    source = excluded.source, channel = excluded.channel, utm_source = excluded.utm_source,
    utm_medium = excluded.utm_medium, utm_campaign = excluded.utm_campaign, utm_term = excluded.utm_term,
    utm_content = excluded.utm_content, country = excluded.country, region = excluded.region,
    city = excluded.city, browser = excluded.browser, browser_version = excluded.browser_version,
    os = excluded.os, os_version = excluded.os_version, device = excluded.device,
    language = excluded.language, screen = excluded.screen, engaged = excluded.engaged,
    revenue = excluded.revenue`
)

// appendEventRow appends the values of eventColumns.
func appendEventRow(row []any, e *event.Event) ([]any, error) {
	props, err := propsValue(e.Props)
	if err != nil {
		return nil, err
	}
	amount, err := amountValue(e.Amount)
	if err != nil {
		return nil, err
	}
	return append(row, &e.Site, &e.Time, pgtype.UUID{Bytes: e.ID, Valid: true}, dateOf(e.Day), &e.UTCOffset, &e.Visitor, (*int16)(&e.Type), &e.Name, &e.Hostname, &e.Page, &e.Title, &e.Referrer, &e.Source, &e.Channel, &e.UTMSource, &e.UTMMedium, &e.UTMCampaign, &e.UTMTerm, &e.UTMContent, &e.Country, &e.Region, &e.City, &e.Browser, &e.BrowserVersion, &e.OS, &e.OSVersion, &e.Device, &e.Language, &e.Screen, props, amount, &e.Currency, idValue(e.Subject), &e.Funnel, &e.Step, &e.Engaged, &e.Scroll, e.Passive, &e.Tag), nil
}

// whole returns what wholeEventColumns are scanned into.
func (e *scannedEvent) whole() []any {
	return []any{&e.Site, &e.Time, &e.ID, &e.day, &e.UTCOffset, &e.Visitor, &e.Type, &e.Name, &e.Hostname, &e.Page, &e.Title, &e.Referrer, &e.Source, &e.Channel, &e.UTMSource, &e.UTMMedium, &e.UTMCampaign, &e.UTMTerm, &e.UTMContent, &e.Country, &e.Region, &e.City, &e.Browser, &e.BrowserVersion, &e.OS, &e.OSVersion, &e.Device, &e.Language, &e.Screen, &e.props, &e.Amount, &e.Currency, &e.subject, &e.Funnel, &e.Step, &e.Engaged, &e.Scroll, &e.Passive, &e.Tag}
}

// folded returns what foldedEventColumns are scanned into.
func (e *scannedEvent) folded() []any {
	return []any{&e.Site, &e.Time, &e.ID, &e.day, &e.UTCOffset, &e.Visitor, &e.Type, &e.Name, &e.Hostname, &e.Page, &e.Referrer, &e.Source, &e.Channel, &e.UTMSource, &e.UTMMedium, &e.UTMCampaign, &e.UTMTerm, &e.UTMContent, &e.Country, &e.Region, &e.City, &e.Browser, &e.BrowserVersion, &e.OS, &e.OSVersion, &e.Device, &e.Language, &e.Screen, &e.Amount, &e.Currency, &e.Engaged, &e.Passive, &e.Tag}
}

// appendVisitRow appends the values of visitColumns.
func appendVisitRow(row []any, v *visit.Visit) ([]any, error) {
	revenue, err := revenueValue(v.Revenue)
	if err != nil {
		return nil, err
	}
	return append(row, &v.Site, &v.Start, &v.Visitor, dateOf(v.Day), &v.Duration, &v.Pageviews, &v.Events, v.Bounce, &v.EntryPage, &v.ExitPage, &v.Hostname, &v.Referrer, &v.Source, &v.Channel, &v.UTMSource, &v.UTMMedium, &v.UTMCampaign, &v.UTMTerm, &v.UTMContent, &v.Country, &v.Region, &v.City, &v.Browser, &v.BrowserVersion, &v.OS, &v.OSVersion, &v.Device, &v.Language, &v.Screen, &v.Engaged, revenue), nil
}

// targets returns what visitColumns are scanned into.
func (s *scannedVisit) targets() []any {
	return []any{&s.Visit.Site, &s.Visit.Start, &s.Visit.Visitor, &s.day, &s.Visit.Duration, &s.Visit.Pageviews, &s.Visit.Events, &s.Visit.Bounce, &s.Visit.EntryPage, &s.Visit.ExitPage, &s.Visit.Hostname, &s.Visit.Referrer, &s.Visit.Source, &s.Visit.Channel, &s.Visit.UTMSource, &s.Visit.UTMMedium, &s.Visit.UTMCampaign, &s.Visit.UTMTerm, &s.Visit.UTMContent, &s.Visit.Country, &s.Visit.Region, &s.Visit.City, &s.Visit.Browser, &s.Visit.BrowserVersion, &s.Visit.OS, &s.Visit.OSVersion, &s.Visit.Device, &s.Visit.Language, &s.Visit.Screen, &s.Visit.Engaged, &s.revenue}
}

// textFields returns the texts of events that a scan reads only when one of their columns
// is wanted.
func textFields() []textField {
	return []textField{
		{"name", []columns.Column{columns.Name}, func(e *event.Event) *string { return &e.Name }},
		{"hostname", []columns.Column{columns.Hostname, columns.EntryHostname, columns.ExitHostname}, func(e *event.Event) *string { return &e.Hostname }},
		{"page", []columns.Column{columns.Page, columns.EntryPage, columns.ExitPage}, func(e *event.Event) *string { return &e.Page }},
		{"referrer", []columns.Column{columns.Referrer}, func(e *event.Event) *string { return &e.Referrer }},
		{"source", []columns.Column{columns.Source}, func(e *event.Event) *string { return &e.Source }},
		{"channel", []columns.Column{columns.Channel}, func(e *event.Event) *string { return &e.Channel }},
		{"utm_source", []columns.Column{columns.UTMSource}, func(e *event.Event) *string { return &e.UTMSource }},
		{"utm_medium", []columns.Column{columns.UTMMedium}, func(e *event.Event) *string { return &e.UTMMedium }},
		{"utm_campaign", []columns.Column{columns.UTMCampaign}, func(e *event.Event) *string { return &e.UTMCampaign }},
		{"utm_term", []columns.Column{columns.UTMTerm}, func(e *event.Event) *string { return &e.UTMTerm }},
		{"utm_content", []columns.Column{columns.UTMContent}, func(e *event.Event) *string { return &e.UTMContent }},
		{"country", []columns.Column{columns.Country}, func(e *event.Event) *string { return &e.Country }},
		{"region", []columns.Column{columns.Region}, func(e *event.Event) *string { return &e.Region }},
		{"city", []columns.Column{columns.City}, func(e *event.Event) *string { return &e.City }},
		{"browser", []columns.Column{columns.Browser}, func(e *event.Event) *string { return &e.Browser }},
		{"browser_version", []columns.Column{columns.BrowserVersion}, func(e *event.Event) *string { return &e.BrowserVersion }},
		{"os", []columns.Column{columns.OS}, func(e *event.Event) *string { return &e.OS }},
		{"os_version", []columns.Column{columns.OSVersion}, func(e *event.Event) *string { return &e.OSVersion }},
		{"device", []columns.Column{columns.Device}, func(e *event.Event) *string { return &e.Device }},
		{"language", []columns.Column{columns.Language}, func(e *event.Event) *string { return &e.Language }},
		{"screen", []columns.Column{columns.Screen}, func(e *event.Event) *string { return &e.Screen }},
		{"coalesce(amount::text, '')", []columns.Column{columns.Amount}, func(e *event.Event) *string { return &e.Amount }},
		{"currency", []columns.Column{columns.Currency}, func(e *event.Event) *string { return &e.Currency }},
		{"tag", []columns.Column{columns.Tag}, func(e *event.Event) *string { return &e.Tag }},
	}
}
