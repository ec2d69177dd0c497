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
	"maps"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Timeout is the gap that ends a visit: an event this long after the one before,
// or longer, does not belong to it any more.
const Timeout = 30 * time.Minute

// MaxEvents is how many events of one visitor-day are kept, engagements among them.
// Past that it is a machine, and its further events are counted as dropped.
const MaxEvents = 10_000

// Visit is a run of events of one visitor-day with gaps under Timeout, see Fold.
type Visit struct {
	Site      int32
	Day       event.Day
	Visitor   int64
	Start     time.Time // of the first event
	Hour      time.Time // in which the visit began, see event.Event.Hour
	Duration  int32     // whole seconds from the first to the last event that counts
	Pageviews int32
	Events    int32              // page views included, engagements not
	Bounce    bool               // no more than one of the events is not passive
	Engaged   int64              // milliseconds, of all engagements
	Revenue   map[string]Decimal // sums of the amounts of its events, by currency; nil when none has one
	EntryPage string             // page of the first view; of the first event when there is no view
	ExitPage  string             // page of the last view; of the last event when there is no view
	Hostname  string             // of the first event
	event.Attributes

	events []*event.Event // in order
}

// Compare orders the events of a visitor-day: by time, then by id.
func Compare(a, b *event.Event) int {
	if c := a.Time.Compare(b.Time); c != 0 {
		return c
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// Fold returns the visits of one visitor-day, in order. The events must be of one
// site, day and visitor, each once; their order does not matter. Fold sorts the
// slice it is given.
//
// Events follow each other by time, then by id. An event belongs to the visit whose
// latest event, of whatever type, lies less than Timeout before it. Without such a
// visit an event that counts begins one, and an engagement, which says how long a
// page was read and is not an event in the numbers, counts nowhere.
//
// So an engagement keeps a visit alive, and adds to its engaged time; everything
// else that is known of a visit comes from the events that count.
func Fold(events []*event.Event) []Visit {
	slices.SortFunc(events, Compare)
	var visits []Visit
	for start := 0; start < len(events); {
		end := start + 1
		for end < len(events) && events[end].Time.Sub(events[end-1].Time) < Timeout {
			end++
		}
		run := events[start:end]
		for len(run) > 0 && !run[0].Type.Counts() {
			run = run[1:]
		}
		if len(run) > 0 {
			visits = append(visits, foldVisit(run))
		}
		start = end
	}
	return visits
}

// foldVisit folds the events of one visit, the first of which counts.
func foldVisit(events []*event.Event) Visit {
	first := events[0]
	v := Visit{
		Site:       first.Site,
		Day:        first.Day,
		Visitor:    first.Visitor,
		Start:      first.Time,
		Hour:       first.Hour(),
		EntryPage:  first.Page,
		Hostname:   first.Hostname,
		Attributes: first.Attributes,
		events:     events,
	}
	last, active := first, 0
	for _, e := range events {
		if !e.Type.Counts() {
			v.Engaged += int64(e.Engaged)
			continue
		}
		last = e
		v.Events++
		if !e.Passive {
			active++
		}
		v.earn(e)
		if e.Type != event.View {
			continue
		}
		if v.Pageviews == 0 {
			v.EntryPage = e.Page
		}
		v.ExitPage = e.Page
		v.Pageviews++
	}
	if v.Pageviews == 0 {
		v.ExitPage = last.Page
	}
	v.Bounce = active <= 1
	v.Duration = int32(last.Time.Sub(first.Time) / time.Second)
	return v
}

// earn adds what an event is worth, if anything.
func (v *Visit) earn(e *event.Event) {
	amount, ok := ParseDecimal(e.Amount)
	if !ok {
		return
	}
	sum := v.Revenue[e.Currency]
	sum.Add(amount)
	if v.Revenue == nil {
		v.Revenue = map[string]Decimal{}
	}
	v.Revenue[e.Currency] = sum
}

// Sequence are the events of a visit that Fold returned, in order, engagements among them.
func (v *Visit) Sequence() []*event.Event { return v.events }

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
		v.Events == o.Events && v.Bounce == o.Bounce && v.Engaged == o.Engaged && maps.Equal(v.Revenue, o.Revenue) &&
		v.EntryPage == o.EntryPage && v.ExitPage == o.ExitPage &&
		v.Hostname == o.Hostname && v.Attributes == o.Attributes
}
