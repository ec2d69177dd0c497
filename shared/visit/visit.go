// Package visit holds the one idea of the platform: a visitor-day is a pure
// function of its events. Fold turns the events of one visitor on one local day
// of a site into visits, and Rollups adds up what visitor-days contribute.
//
// Whatever writes visits or rollups gets them from here, so that neither order
// of arrival nor batching nor repetition can change a number. The package must
// never read a clock, a database or a setting.
package visit

import (
	"bytes"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/event"
)

// Timeout is the gap that ends a visit: an event this long after the one before,
// or longer, begins a new visit.
const Timeout = 30 * time.Minute

// MaxEvents is how many events of one visitor-day are kept. Past that it is a
// machine, and its further events are counted as dropped.
const MaxEvents = 10_000

// Visit is a run of events of one visitor-day with gaps under Timeout.
type Visit struct {
	Site      int32
	Day       event.Day
	Visitor   int64
	Start     time.Time // of the first event
	Hour      time.Time // in which the visit began, see event.Event.Hour
	Duration  int32     // whole seconds from the first to the last event
	Pageviews int32
	Events    int32  // page views included
	EntryPage string // page of the first view; of the first event when there is no view
	ExitPage  string // page of the last view; of the last event when there is no view
	Hostname  string // of the first event
	event.Attributes

	events []event.Event // in order
}

// Bounce tells whether the visit had a single event.
func (v *Visit) Bounce() bool { return v.Events == 1 }

// Compare orders the events of a visitor-day: by time, then by id.
func Compare(a, b event.Event) int {
	if c := a.Time.Compare(b.Time); c != 0 {
		return c
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// Fold returns the visits of one visitor-day, in order. The events must be of one
// site, day and visitor, each once; their order does not matter. Fold sorts the
// slice it is given.
func Fold(events []event.Event) []Visit {
	slices.SortFunc(events, Compare)
	var visits []Visit
	for start := 0; start < len(events); {
		end := start + 1
		for end < len(events) && events[end].Time.Sub(events[end-1].Time) < Timeout {
			end++
		}
		visits = append(visits, foldVisit(events[start:end]))
		start = end
	}
	return visits
}

func foldVisit(events []event.Event) Visit {
	first, last := &events[0], &events[len(events)-1]
	v := Visit{
		Site:       first.Site,
		Day:        first.Day,
		Visitor:    first.Visitor,
		Start:      first.Time,
		Hour:       first.Hour(),
		Duration:   int32(last.Time.Sub(first.Time) / time.Second),
		Events:     int32(len(events)),
		EntryPage:  first.Page,
		ExitPage:   last.Page,
		Hostname:   first.Hostname,
		Attributes: first.Attributes,
		events:     events,
	}
	for i := range events {
		e := &events[i]
		if e.Type != event.View {
			continue
		}
		if v.Pageviews == 0 {
			v.EntryPage = e.Page
		}
		v.ExitPage = e.Page
		v.Pageviews++
	}
	return v
}

// Key is the identity of a visit as it is stored.
type Key struct {
	Site    int32
	Start   int64 // Unix microseconds, which is what the record can tell apart
	Visitor int64
}

// Key names the visit in the record.
func (v *Visit) Key() Key { return Key{v.Site, v.Start.UnixMicro(), v.Visitor} }

// Same tells whether two visits are stored as the same row.
func (v *Visit) Same(o *Visit) bool {
	return v.Key() == o.Key() && v.Day == o.Day && v.Duration == o.Duration && v.Pageviews == o.Pageviews &&
		v.Events == o.Events && v.EntryPage == o.EntryPage && v.ExitPage == o.ExitPage &&
		v.Hostname == o.Hostname && v.Attributes == o.Attributes
}
