// Code generated from package catalogue by `make generate`. DO NOT EDIT.

package columns

import (
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// ArchiveVersion is the version of the archive form that Codec.Encode writes.
const ArchiveVersion = 3

// Columns of events. An empty text means that the value is unknown.
const (
	Time      Column = "time"       // when the event happened: UTC, whole milliseconds
	UTCOffset Column = "utc_offset" // minutes that local time is ahead of UTC
	Type      Column = "type"       // what kind of thing happened
	Name      Column = "name"       // what was clicked or reached
	Hostname  Column = "hostname"   // host of the page
	Page      Column = "page"       // path of the page, in the form of weburl.Canonical
	Amount    Column = "amount"     // decimal number: what the event is worth; empty without
	Currency  Column = "currency"   // ISO 4217 code of the amount
	Subject   Column = "subject"    // keyed hash of a reference to a person; zero without
	Engaged   Column = "engaged"    // milliseconds that the page was visible and had the focus; of an engagement only
	Scroll    Column = "scroll"     // percent of the page that was seen, from 1; 0 when not measured; of an engagement only
	Passive   Column = "passive"    // happened without the visitor doing something; such an event does not end a bounce
	Tag       Column = "tag"        // label of the page's version, to compare versions; empty without
)

// Columns of visits.
const (
	Start          Column = "visit_start"
	StartOffset    Column = "visit_utc_offset"
	Duration       Column = "visit_duration"
	Pageviews      Column = "visit_pageviews"
	Events         Column = "visit_events"
	Bounce         Column = "visit_bounce"
	EntryPage      Column = "visit_entry_page"
	ExitPage       Column = "visit_exit_page"
	EntryHostname  Column = "visit_entry_hostname"
	ExitHostname   Column = "visit_exit_hostname"
	Referrer       Column = "visit_referrer"        // host and path, no query
	Source         Column = "visit_source"          // who sent the visitor, such as Google
	Channel        Column = "visit_channel"         // kind of source, such as Organic Search
	UTMSource      Column = "visit_utm_source"      // as sent
	UTMMedium      Column = "visit_utm_medium"      // as sent
	UTMCampaign    Column = "visit_utm_campaign"    // as sent
	UTMTerm        Column = "visit_utm_term"        // as sent
	UTMContent     Column = "visit_utm_content"     // as sent
	Country        Column = "visit_country"         // ISO 3166-1 alpha-2
	Region         Column = "visit_region"          // ISO 3166-2
	City           Column = "visit_city"            // English name
	Browser        Column = "visit_browser"         // name of the browser or app
	BrowserVersion Column = "visit_browser_version" // major version
	OS             Column = "visit_os"              // name of the operating system
	OSVersion      Column = "visit_os_version"      // version of the operating system
	Device         Column = "visit_device"          // Desktop, Mobile, Tablet, TV or Console
	Language       Column = "visit_language"        // BCP 47
	Screen         Column = "visit_screen"          // WIDTHxHEIGHT in CSS pixels
	VisitEngaged   Column = "visit_engaged"
)

// numberColumns returns the columns that hold numbers.
func numberColumns() []Column {
	return []Column{Time, UTCOffset, Type, Engaged, Scroll, Passive, Start, StartOffset, Duration, Pageviews, Events, Bounce, VisitEngaged}
}

// textColumns returns the columns that hold texts, except those of properties.
func textColumns() []Column {
	return []Column{Name, Hostname, Page, Amount, Currency, Subject, Tag, EntryPage, ExitPage, EntryHostname, ExitHostname, Referrer, Source, Channel, UTMSource, UTMMedium, UTMCampaign, UTMTerm, UTMContent, Country, Region, City, Browser, BrowserVersion, OS, OSVersion, Device, Language, Screen}
}

// since returns the first version of the archive form that has the column.
func (c Column) since() int {
	switch c {
	case Tag:
		return 3
	default:
		return 1
	}
}

// prediction returns the rule by which the column is predicted, none if it is not, and the
// column from which it is predicted.
func (c Column) prediction() (rule rule, from Column) {
	switch c {
	case Start:
		return firstEvent, Time
	case StartOffset:
		return firstEvent, UTCOffset
	case Pageviews:
		return sameNumber, Events
	case Events:
		return eventCount, ""
	case Bounce:
		return singleEvent, Events
	case EntryPage:
		return firstEvent, Page
	case ExitPage:
		return lastEvent, Page
	case EntryHostname:
		return firstEvent, Hostname
	case ExitHostname:
		return lastEvent, Hostname
	case Source:
		return lastSeen, Referrer
	case Channel:
		return lastSeen, Source
	case UTMSource:
		return lastSeen, UTMCampaign
	case UTMMedium:
		return lastSeen, UTMSource
	case Country:
		return lastSeen, City
	case Region:
		return lastSeen, City
	case VisitEngaged:
		return eventSum, Engaged
	default:
		return none, ""
	}
}

// addEventValues adds a row to the columns of events.
func (b *Builder) addEventValues(e *event.Event) {
	b.number(Time, b.since(e.Time))
	b.number(UTCOffset, int64(e.UTCOffset))
	b.number(Type, int64(e.Type))
	b.text(Name, e.EventName())
	b.text(Hostname, e.Hostname)
	b.text(Page, e.Page)
	b.text(Amount, e.Amount)
	b.text(Currency, e.Currency)
	b.text(Subject, b.subject(e))
	b.number(Engaged, int64(e.Engaged))
	b.number(Scroll, int64(e.Scroll))
	b.number(Passive, truth(e.Passive))
	b.text(Tag, e.Tag)
}

// addVisitValues adds a row to the columns of visits.
func (b *Builder) addVisitValues(v *visit.Visit) {
	b.number(Start, b.since(v.Start))
	b.number(StartOffset, int64(v.Sequence()[0].UTCOffset))
	b.number(Duration, int64(v.Duration))
	b.number(Pageviews, int64(v.Pageviews))
	b.number(Events, int64(v.Events))
	b.number(Bounce, truth(v.Bounce))
	b.text(EntryPage, v.EntryPage)
	b.text(ExitPage, v.ExitPage)
	b.text(EntryHostname, v.Hostname)
	b.text(ExitHostname, exitHostname(v))
	b.text(Referrer, v.Referrer)
	b.text(Source, v.Source)
	b.text(Channel, v.Channel)
	b.text(UTMSource, v.UTMSource)
	b.text(UTMMedium, v.UTMMedium)
	b.text(UTMCampaign, v.UTMCampaign)
	b.text(UTMTerm, v.UTMTerm)
	b.text(UTMContent, v.UTMContent)
	b.text(Country, v.Country)
	b.text(Region, v.Region)
	b.text(City, v.City)
	b.text(Browser, v.Browser)
	b.text(BrowserVersion, v.BrowserVersion)
	b.text(OS, v.OS)
	b.text(OSVersion, v.OSVersion)
	b.text(Device, v.Device)
	b.text(Language, v.Language)
	b.text(Screen, v.Screen)
	b.number(VisitEngaged, int64(v.Engaged))
}
