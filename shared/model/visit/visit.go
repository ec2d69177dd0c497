// Package visit implements the core idea of the platform: a visitor-day is a pure function of its
// events. Fold turns the events of one visitor on one local day of a site into visits, and
// Rollups adds up what visitor-days contribute.
//
// All code that writes visits or rollups gets them from here, so neither the order of
// arrival nor batching nor repetition can change a number. The package must never read a
// clock, a database or a setting.
package visit

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Timeout is the gap that ends a visit: an event this long or longer after the previous
// one no longer belongs to it.
const Timeout = 30 * time.Minute

// MaxEvents is the most events that are stored of one visitor-day, engagements included.
// Whoever sends more is a machine, and further events are counted as drops.
const MaxEvents = 10_000

// Visit is a run of events of one visitor-day with gaps under Timeout, see Fold.
type Visit struct {
	Site      int32
	Day       event.Day
	Visitor   int64
	Start     time.Time // of the first event
	Hour      time.Time // local hour in which the visit began, see event.Event.Hour
	Duration  int32     // whole seconds from the first to the last event that counts
	Pageviews int32
	Events    int32              // including page views, without engagements
	Bounce    bool               // at most one of the events is not passive
	Engaged   int64              // milliseconds, of all engagements
	Revenue   map[string]Decimal // sums of the amounts of its events, by currency; nil without amounts
	EntryPage string             // page of the first view; of the first event if there is no view
	ExitPage  string             // page of the last view; of the last event if there is no view
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

// Fold returns the visits of one visitor-day, in order. The events must be of one site, day
// and visitor, each once; their order does not matter. Fold sorts the slice it is given.
//
// Events are ordered by time, then by id. An event belongs to the visit whose latest event,
// of any type, is less than Timeout before it. If there is no such visit, an event that
// counts begins one, and an engagement is ignored.
//
// So an engagement extends a visit and adds to its engaged time; everything else about a
// visit comes from the events that count.
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

// foldVisit folds the events of one visit. The first event must count.
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

// earn adds the amount of an event, if it has one.
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

// Sequence returns the events of a visit that Fold returned, in order, engagements
// included.
func (v *Visit) Sequence() []*event.Event { return v.events }

// Key identifies a stored visit.
type Key struct {
	Site    int32
	Start   int64 // Unix microseconds, the resolution of the record
	Visitor int64
}

// Key returns the key under which the visit is stored.
func (v *Visit) Key() Key { return Key{v.Site, v.Start.UnixMicro(), v.Visitor} }

// Same reports whether two visits are stored as the same row.
func (v *Visit) Same(o *Visit) bool {
	return v.Key() == o.Key() && v.Day == o.Day && v.Duration == o.Duration && v.Pageviews == o.Pageviews &&
		v.Events == o.Events && v.Bounce == o.Bounce && v.Engaged == o.Engaged && maps.Equal(v.Revenue, o.Revenue) &&
		v.EntryPage == o.EntryPage && v.ExitPage == o.ExitPage &&
		v.Hostname == o.Hostname && v.Attributes == o.Attributes
}
