package report

import (
	"fmt"

	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/visit"
)

// source is where an answer can come from, the cheapest first.
type source int

const (
	fromDays   source = iota // rollups of days, and of months where they are whole
	fromHours                // rollups of hours
	fromVisits               // visits, of whole days
	fromEvents               // events and the visits they belong to; answers everything
)

// resolved is a question about a known stretch of time.
type resolved struct {
	Question
	span       span
	grain      grain
	properties []Dimension // the dimensions but time, in order
}

// resolve fixes what depends on the span.
func (q *Question) resolve(s span) *resolved {
	r := &resolved{Question: *q, span: s}
	r.Dimensions = append([]Dimension(nil), q.Dimensions...)
	r.Order = append([]Order(nil), q.Order...)
	if d := r.time(); d != nil {
		asked := d.Name
		if r.grain = d.grain; r.grain == autoGrain {
			r.grain = s.grain()
		}
		d.Name, d.grain = r.grain.dimension(), r.grain
		for i := range r.Order {
			if r.Order[i].By == asked {
				r.Order[i].By = d.Name
			}
		}
	}
	for _, d := range r.Dimensions {
		if !d.isTime() {
			r.properties = append(r.properties, d)
		}
	}
	return r
}

// sources are those that can answer the question exactly, the best first.
func (r *resolved) sources() []source {
	var out []source
	if _, ok := r.rollup(); ok {
		out = append(out, fromDays)
	}
	if r.grain == hourGrain && len(r.properties) == 0 && len(r.Filters) == 0 && r.span.wholeHours() {
		out = append(out, fromHours)
	}
	if r.wholeDays() && !r.aboutEvents() {
		out = append(out, fromVisits)
	}
	return append(out, fromEvents)
}

// wholeDays tells whether visitor-days are never cut by the range or a period: a
// visitor-day is of one local day.
func (r *resolved) wholeDays() bool { return r.span.whole && r.grain != hourGrain }

// aboutEvents tells whether the question needs to look into visits.
func (r *resolved) aboutEvents() bool {
	for _, d := range r.properties {
		if d.value.OfEvent() {
			return true
		}
	}
	for _, f := range r.Filters {
		if f.Dimension.value.OfEvent() {
			return true
		}
	}
	return false
}

// rollup is the dimension whose day and month rollups answer the question. Its
// rows are sums for one value each. So the filters must be on the dimension that
// is grouped by; without one, a filter must name a single value, since a
// visitor-day can count under several.
func (r *resolved) rollup() (visit.Dimension, bool) {
	if !r.wholeDays() || len(r.properties) > 1 {
		return 0, false
	}
	if len(r.properties) == 0 {
		switch {
		case len(r.Filters) == 0:
			return visit.Total, true
		case len(r.Filters) == 1 && r.Filters[0].Operator == Is && len(r.Filters[0].Values) == 1:
			return r.Filters[0].Dimension.value, true
		default:
			return 0, false
		}
	}
	for _, f := range r.Filters {
		if f.Dimension.value != r.properties[0].value {
			return 0, false
		}
	}
	return r.properties[0].value, true
}

// stretches cut whole days into days, whole months and days again. A stretch
// without a day has its last before its first.
type stretches struct {
	head, months, tail [2]event.Day
}

func (r *resolved) stretches() stretches {
	first, last := r.span.first, r.span.last
	none := [2]event.Day{last + 1, last}
	all := stretches{head: [2]event.Day{first, last}, months: none, tail: none}
	if r.grain == dayGrain || r.grain == weekGrain {
		return all
	}
	begin := first.Month() // of the first whole month
	if begin < first {
		begin = nextMonth(first)
	}
	end := nextMonth(last) // of the month after the last whole one
	if last+1 < end {
		end = last.Month()
	}
	if end <= begin {
		return all
	}
	return stretches{
		head:   [2]event.Day{first, begin - 1},
		months: [2]event.Day{begin, end - 1},
		tail:   [2]event.Day{end, last},
	}
}

// nextMonth is the first day of the month after the day's.
func nextMonth(day event.Day) event.Day { return (day.Month() + 31).Month() }

func (s source) String() string {
	switch s {
	case fromDays:
		return "days"
	case fromHours:
		return "hours"
	case fromVisits:
		return "visits"
	case fromEvents:
		return "events"
	default:
		return fmt.Sprintf("source(%d)", int(s))
	}
}
