// Package columns holds a day of a site in columns: what a question scans when no rollup
// answers it.
//
// A Day is made from the visits that visit.Fold makes of each visitor-day, and from
// nothing else. It can be kept (see Codec), so that a question about one page and one
// country reads the columns of pages and countries, and neither rows nor anything else.
// Of an event that is part of no visit, which counts nowhere, a Day knows nothing.
//
// The package must never decide what a number means, and never hold what identifies a
// visitor: visitor-days are numbered, no more.
package columns

import (
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Column names a column. The names are stored.
type Column string

// Columns of events. In those of texts "" stands for what is not known.
const (
	Time      Column = "time"       // milliseconds since midnight, UTC, of the date that the day has; of the whole second
	UTCOffset Column = "utc_offset" // minutes that local time is ahead of UTC
	Type      Column = "type"       // see event.Type
	Passive   Column = "passive"    // 1 when the visitor did nothing for it
	Engaged   Column = "engaged"    // milliseconds, of an engagement
	Scroll    Column = "scroll"     // percent, of an engagement; 0 when not measured
	Name      Column = "name"       // see event.Event.EventName
	Page      Column = "page"
	Hostname  Column = "hostname"
	Amount    Column = "amount"   // decimal
	Currency  Column = "currency" // ISO 4217
	Subject   Column = "subject"  // keyed hash, in hexadecimal
)

// Columns of visits.
const (
	Start         Column = "visit_start"      // as Time
	StartOffset   Column = "visit_utc_offset" // as UTCOffset
	Duration      Column = "visit_duration"   // seconds
	Pageviews     Column = "visit_pageviews"
	Events        Column = "visit_events" // engagements left out
	Bounce        Column = "visit_bounce" // 1 when it is one
	VisitEngaged  Column = "visit_engaged"
	EntryPage     Column = "visit_entry_page"
	ExitPage      Column = "visit_exit_page"
	EntryHostname Column = "visit_entry_hostname"
	ExitHostname  Column = "visit_exit_hostname"
	Referrer      Column = "visit_referrer"
	Source        Column = "visit_source"
	Channel       Column = "visit_channel"
	UTMSource     Column = "visit_utm_source"
	UTMMedium     Column = "visit_utm_medium"
	UTMCampaign   Column = "visit_utm_campaign"
	UTMTerm       Column = "visit_utm_term"
	UTMContent    Column = "visit_utm_content"
	Country       Column = "visit_country"
	Region        Column = "visit_region"
	City          Column = "visit_city"
	Browser       Column = "visit_browser"
	BrowserVer    Column = "visit_browser_version"
	OS            Column = "visit_os"
	OSVersion     Column = "visit_os_version"
	Device        Column = "visit_device"
	Language      Column = "visit_language"
	Screen        Column = "visit_screen"
)

// propPrefix begins the name of the column of a property of events.
const propPrefix = "props:"

// Prop is the column of the property with a key.
func Prop(key string) Column { return Column(propPrefix + key) }

// Key is the key of the property that a column is of; ok is false for any other.
func (c Column) Key() (key string, ok bool) { return strings.CutPrefix(string(c), propPrefix) }

// OfVisits tells whether the column has a value for each visit, not for each event.
func (c Column) OfVisits() bool { return strings.HasPrefix(string(c), "visit_") }

// OfNumbers tells whether the column holds numbers, not texts.
func (c Column) OfNumbers() bool { return slices.Contains(numbers(), c) }

// Attributes are the columns of a visit's attributes, in the order of
// event.Attributes.AttributeValues.
func Attributes() [18]Column {
	return [18]Column{
		Referrer, Source, Channel, UTMSource, UTMMedium, UTMCampaign, UTMTerm, UTMContent,
		Country, Region, City, Browser, BrowserVer, OS, OSVersion, Device, Language, Screen,
	}
}

// numbers are the columns that hold numbers; all others hold texts.
func numbers() []Column {
	return []Column{Time, UTCOffset, Type, Passive, Engaged, Scroll, Start, StartOffset, Duration, Pageviews, Events, Bounce, VisitEngaged}
}

// All are all columns but those of properties.
func All() []Column {
	all := append(numbers(), Name, Page, Hostname, Amount, Currency, Subject, EntryPage, ExitPage, EntryHostname, ExitHostname)
	for _, column := range Attributes() {
		all = append(all, column)
	}
	return all
}

// Text is a column of texts: row i has Values[Index[i]].
type Text struct {
	Values []string // each once; the first is ""
	Index  []uint32
}

// At is the text of a row.
func (t Text) At(row int) string { return t.Values[t.Index[row]] }

// Day is a local day of a site, or a part of one: some of its visitor-days. These, their visits and the events of those
// are numbered from 0, each in one order: of a visitor-day's visits and a visit's events
// in the order of time.
type Day struct {
	Date     event.Day
	visits   []uint32 // the first visit of each visitor-day, and one past the last
	events   []uint32 // the first event of each visit, and one past the last
	texts    map[Column]Text
	numbers  map[Column][]int64
	hasProps bool // that a property has no column means that no event has it
	more     bool // there are properties without a column, of which there would have been too many
}

// VisitorDays is how many there are.
func (d *Day) VisitorDays() int { return len(d.visits) - 1 }

// Visits is how many there are.
func (d *Day) Visits() int { return len(d.events) - 1 }

// Events is how many there are, engagements among them.
func (d *Day) Events() int { return int(d.events[len(d.events)-1]) }

// VisitsOf are the visits of a visitor-day: from first up to, not with, end.
func (d *Day) VisitsOf(visitorDay int) (first, end int) {
	return int(d.visits[visitorDay]), int(d.visits[visitorDay+1])
}

// EventsOf are the events of a visit: from first up to, not with, end.
func (d *Day) EventsOf(visit int) (first, end int) {
	return int(d.events[visit]), int(d.events[visit+1])
}

// Text is a column of texts. One that was not asked for when the day was made or loaded
// panics; that of a property that no event has is empty throughout.
func (d *Day) Text(c Column) Text {
	if text, ok := d.texts[c]; ok {
		return text
	}
	if _, ok := c.Key(); !ok || !d.hasProps {
		panic("the column " + string(c) + " was not asked for")
	}
	text := Text{Values: []string{""}, Index: make([]uint32, d.Events())}
	d.texts[c] = text
	return text
}

// Numbers is a column of numbers. One that was not asked for panics.
func (d *Day) Numbers(c Column) []int64 {
	column, ok := d.numbers[c]
	if !ok {
		panic("the column " + string(c) + " was not asked for")
	}
	return column
}
