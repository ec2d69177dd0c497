// Package event owns what an event is: the form a client sends (Input), the
// limits and rules it is held to, and the form it has once it is enriched and
// pseudonymous (Event), which is what the queue carries and the record stores.
//
// It is pure. It must never hold an address, a user agent or a subject in an
// Event, and never ask a clock: the time of arrival is passed in.
package event

import (
	"fmt"
	"time"
)

// Type is what kind of thing happened.
type Type int16

// The types of events. Their numbers are stored: never reuse one.
const (
	View       Type = 1 // a page was looked at
	Click      Type = 2 // something on a page was used
	Conversion Type = 3 // a goal was reached
	FunnelStep Type = 4 // a step of a named funnel was reached
	Engagement Type = 5 // a page was visible and had the focus for a while; not counted as an event
)

// Counts tells whether an event of the type is one in the numbers. An engagement is
// not: it only says for how long a page was read.
func (t Type) Counts() bool { return t != Engagement }

// typeNames are the names of all types, for messages.
const typeNames = "view, click, conversion, funnel_step, engagement"

// ParseType reads the name a client sends; ok is false for any other.
func ParseType(name string) (t Type, ok bool) {
	switch name {
	case "view":
		return View, true
	case "click":
		return Click, true
	case "conversion":
		return Conversion, true
	case "funnel_step":
		return FunnelStep, true
	case "engagement":
		return Engagement, true
	default:
		return 0, false
	}
}

// String is the name as clients send it.
func (t Type) String() string {
	switch t {
	case View:
		return "view"
	case Click:
		return "click"
	case Conversion:
		return "conversion"
	case FunnelStep:
		return "funnel_step"
	case Engagement:
		return "engagement"
	default:
		return fmt.Sprintf("type(%d)", int16(t))
	}
}

// Day is a calendar day, counted from 1970-01-01. Which stretch of time it is
// depends on a site's time zone.
type Day int32

// DayOf is the calendar day that t shows in its own location.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Date is midnight UTC of the calendar day, the form in which drivers take a date.
func (d Day) Date() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// Month is the first day of the day's month.
func (d Day) Month() Day {
	y, m, _ := d.Date().Date()
	return DayOf(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC))
}

// Start is the first instant of the day in a time zone. Clocks that are moved at
// midnight make days that begin at one o'clock, or whose midnight comes twice.
func (d Day) Start(location *time.Location) time.Time {
	year, month, date := d.Date().Date()
	t := time.Date(year, month, date, 0, 0, 0, 0, location)
	begin, end := t.ZoneBounds()
	if DayOf(t) < d { // there is no midnight: the day begins when clocks are moved
		return end.In(location)
	}
	if !begin.IsZero() {
		before := begin.Add(-time.Nanosecond).In(location)
		_, offset := before.Zone()
		earlier := d.Date().Add(-time.Duration(offset) * time.Second).In(location)
		if earlier.Before(begin) && DayOf(earlier) == d {
			return earlier
		}
	}
	return t
}

// String is the day as YYYY-MM-DD.
func (d Day) String() string { return d.Date().Format(time.DateOnly) }

// ParseDay reads a day as String writes it.
func ParseDay(text string) (Day, error) {
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a day such as 2026-11-01: %w", text, err)
	}
	return DayOf(date), nil
}

// Pageview is what a view without a name is called, as Plausible does.
const Pageview = "pageview"

// EventName is what questions about the names of events call it: its name, or Pageview for
// a view that has none, and for the engagement with one.
func (e *Event) EventName() string {
	if e.Name == "" && (e.Type == View || e.Type == Engagement) {
		return Pageview
	}
	return e.Name
}

// Hour is when the local hour in which the event happened began. Zones that are
// half an hour off have hours that begin at half past.
func (e *Event) Hour() time.Time {
	const hour = int64(3600)
	offset := int64(e.UTCOffset) * 60
	local := e.Time.Unix() + offset
	return time.Unix(local-((local%hour)+hour)%hour-offset, 0).UTC()
}
