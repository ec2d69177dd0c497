// Code generated from package catalogue by `make generate`. DO NOT EDIT.

package visit

import "github.com/analytics-platform/analytics/shared/model/event"

// Dimensions of events: two events of one visit may differ in them.
const (
	Page     Dimension = 1
	Name     Dimension = 2
	Hostname Dimension = 3
	Tag      Dimension = 4
)

// Dimensions of visits: every event of a visit counts under the visit's one value.
const (
	EntryPage   Dimension = 20
	ExitPage    Dimension = 21
	Referrer    Dimension = 22
	Source      Dimension = 23
	Channel     Dimension = 24
	UTMSource   Dimension = 25
	UTMMedium   Dimension = 26
	UTMCampaign Dimension = 27
	UTMTerm     Dimension = 28
	UTMContent  Dimension = 29
	Country     Dimension = 30
	Region      Dimension = 31
	City        Dimension = 32
	Browser     Dimension = 33
	OS          Dimension = 34
	Device      Dimension = 35
	Language    Dimension = 36
	Screen      Dimension = 37
)

// definitions returns every dimension but Total, in the order of their numbers.
func definitions() []definition {
	return []definition{
		{Page, "page", func(e *event.Event) string { return e.Page }, nil},
		{Name, "name", func(e *event.Event) string { return e.EventName() }, nil},
		{Hostname, "hostname", func(e *event.Event) string { return e.Hostname }, nil},
		{Tag, "tag", func(e *event.Event) string { return e.Tag }, nil},
		{EntryPage, "entry_page", nil, func(v *Visit) string { return v.EntryPage }},
		{ExitPage, "exit_page", nil, func(v *Visit) string { return v.ExitPage }},
		{Referrer, "referrer", nil, func(v *Visit) string { return v.Referrer }},
		{Source, "source", nil, func(v *Visit) string { return v.Source }},
		{Channel, "channel", nil, func(v *Visit) string { return v.Channel }},
		{UTMSource, "utm_source", nil, func(v *Visit) string { return v.UTMSource }},
		{UTMMedium, "utm_medium", nil, func(v *Visit) string { return v.UTMMedium }},
		{UTMCampaign, "utm_campaign", nil, func(v *Visit) string { return v.UTMCampaign }},
		{UTMTerm, "utm_term", nil, func(v *Visit) string { return v.UTMTerm }},
		{UTMContent, "utm_content", nil, func(v *Visit) string { return v.UTMContent }},
		{Country, "country", nil, func(v *Visit) string { return v.Country }},
		{Region, "region", nil, func(v *Visit) string { return v.Region }},
		{City, "city", nil, func(v *Visit) string { return v.City }},
		{Browser, "browser", nil, func(v *Visit) string { return v.Browser }},
		{OS, "os", nil, func(v *Visit) string { return v.OS }},
		{Device, "device", nil, func(v *Visit) string { return v.Device }},
		{Language, "language", nil, func(v *Visit) string { return v.Language }},
		{Screen, "screen", nil, func(v *Visit) string { return v.Screen }},
	}
}
