package visit

import "github.com/analytics-platform/analytics/shared/model/event"

// Dimension is a property by whose values numbers are broken down. The numbers
// are stored in the rollups: never reuse one.
type Dimension int16

// Total is the dimension of the numbers that are not broken down; its only
// value is "".
const Total Dimension = 0

// Dimensions of an event: two events of one visit may differ in them.
const (
	Page     Dimension = 1
	Name     Dimension = 2
	Hostname Dimension = 3
)

// Dimensions of a visit: every event of the visit counts under the one value.
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

// definition ties a dimension to the column that holds it in the events table
// (dimensions of an event) or the visits table (dimensions of a visit), and to
// its value in Go.
type definition struct {
	dimension Dimension
	column    string
	ofEvent   func(*event.Event) string
	ofVisit   func(*Visit) string
}

// definitions lists every dimension but Total, in the order of their numbers.
// Adding one here, with its column, is all that it takes.
func definitions() []definition {
	return []definition{
		{Page, "page", func(e *event.Event) string { return e.Page }, nil},
		{Name, "name", (*event.Event).EventName, nil},
		{Hostname, "hostname", func(e *event.Event) string { return e.Hostname }, nil},
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

// Dimensions are all dimensions but Total.
func Dimensions() []Dimension {
	all := definitions()
	out := make([]Dimension, len(all))
	for i, d := range all {
		out[i] = d.dimension
	}
	return out
}

// OfEvent tells whether two events of one visit may differ in the dimension.
func (d Dimension) OfEvent() bool { return d >= Page && d < EntryPage }

// Column is the name of the dimension's column: in events for a dimension of an
// event, in visits for one of a visit. It is "" for Total and for no dimension.
func (d Dimension) Column() string {
	for _, def := range definitions() {
		if def.dimension == d {
			return def.column
		}
	}
	return ""
}
