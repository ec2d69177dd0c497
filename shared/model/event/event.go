// Package event defines what an event is: what a client may send (Input), with its limits
// and rules, and the enriched, pseudonymous form (Event) that the queue carries and the
// record stores.
//
// It is pure. An Event must never hold an address, a user agent or a subject in the clear.
// Nothing here reads a clock: the time of arrival is passed in.
package event

import (
	"fmt"
	"time"
)

// Type is the kind of an event.
type Type int16

// The types of events. Their numbers are stored: never reuse one.
const (
	View       Type = 1 // a page was viewed
	Click      Type = 2 // something on a page was used
	Conversion Type = 3 // a goal was reached
	FunnelStep Type = 4 // a step of a named funnel was reached
	Engagement Type = 5 // a page was visible and had the focus for some time; not counted as an event
)

// Counts reports whether events of the type are counted. An engagement is not: it only
// measures how long a page was read.
func (t Type) Counts() bool { return t != Engagement }

// typeNames lists the names of all types, for messages.
const typeNames = "view, click, conversion, funnel_step, engagement"

// ParseType returns the type with a name; ok is false if there is none.
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

// String returns the name that clients send.
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

// Day is a calendar day, counted from 1970-01-01. When it begins and ends depends on a
// site's time zone.
type Day int32

// DayOf returns the calendar day of t in its location.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Date returns midnight UTC of the calendar day, which is how drivers represent a date.
func (d Day) Date() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// Month returns the first day of the day's month.
func (d Day) Month() Day {
	y, m, _ := d.Date().Date()
	return DayOf(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC))
}

// Start returns the first instant of the day in a time zone. Where clocks change at
// midnight, a day can begin at one o'clock, or have two midnights.
func (d Day) Start(location *time.Location) time.Time {
	year, month, date := d.Date().Date()
	t := time.Date(year, month, date, 0, 0, 0, 0, location)
	begin, end := t.ZoneBounds()
	if DayOf(t) < d { // without a midnight, the day begins when clocks change
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

// String returns the day as YYYY-MM-DD.
func (d Day) String() string { return d.Date().Format(time.DateOnly) }

// ParseDay parses a day that String formatted.
func ParseDay(text string) (Day, error) {
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a day such as 2026-11-01: %w", text, err)
	}
	return DayOf(date), nil
}

// Pageview is the name of a view that was sent without one, as in Plausible.
const Pageview = "pageview"

// EventName returns the name that reports use: the event's own, or Pageview for a view
// without one and for its engagements.
func (e *Event) EventName() string {
	if e.Name == "" && (e.Type == View || e.Type == Engagement) {
		return Pageview
	}
	return e.Name
}

// Hour returns the beginning of the local hour of the event. In zones that are half an hour
// off, hours begin at half past.
func (e *Event) Hour() time.Time {
	const hour = int64(3600)
	offset := int64(e.UTCOffset) * 60
	local := e.Time.Unix() + offset
	return time.Unix(local-((local%hour)+hour)%hour-offset, 0).UTC()
}
