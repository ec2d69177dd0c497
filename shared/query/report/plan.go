package report

import (
	"fmt"
	"slices"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// source is where an answer can come from, the cheapest first.
type source int

const (
	fromDays  source = iota // rollups of days, and of months where they are whole
	fromHours               // rollups of hours
	fromScan                // days, scanned in columns; answers everything
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
	r.Dimensions = slices.Clone(q.Dimensions)
	r.Order = slices.Clone(q.Order)
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
	r.properties = nil
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
	if _, _, ok := r.rollup(); ok {
		out = append(out, fromDays)
	}
	if r.grain == hourGrain && len(r.properties) == 0 && len(r.Filters) == 0 && r.span.wholeHours() && !r.onlyScanned() {
		out = append(out, fromHours)
	}
	return append(out, fromScan)
}

// wholeDays tells whether visitor-days are never cut by the range or a period: a
// visitor-day is of one local day.
func (r *resolved) wholeDays() bool { return r.span.whole && !r.grain.cutsDays() }

// onlyScanned tells whether a metric is of what rollups don't hold.
func (r *resolved) onlyScanned() bool {
	return slices.ContainsFunc(r.Metrics, func(m Metric) bool { return m == ScrollDepth || m.moneyed() })
}

// rollup is the dimension whose day and month rollups answer the question, and the filters
// on its values. Its rows are sums for one value each. So the filters must be on the
// dimension that is grouped by; without one, a filter must name a single value, since a
// visitor-day can count under several.
func (r *resolved) rollup() (visit.Dimension, []Filter, bool) {
	if !r.wholeDays() || len(r.properties) > 1 || r.onlyScanned() {
		return 0, nil, false
	}
	filters := make([]Filter, len(r.Filters))
	for i := range r.Filters {
		var ok bool
		if filters[i], ok = r.Filters[i].simple(); !ok {
			return 0, nil, false
		}
	}
	if len(r.properties) == 0 {
		switch {
		case len(filters) == 0:
			return visit.Total, nil, true
		case len(filters) == 1 && filters[0].Operator == Is && len(filters[0].Values) == 1:
			return filters[0].Dimension.rollup, filters, true
		default:
			return 0, nil, false
		}
	}
	grouped := r.properties[0].rollup
	for _, f := range filters {
		if f.Dimension.rollup != grouped {
			return 0, nil, false
		}
	}
	return grouped, filters, grouped != visit.Total
}

// simple is the filter in a form that compares the values of a rollup in SQL, where only
// bytes are compared.
func (f *Filter) simple() (Filter, bool) {
	if f.Dimension.isGoal() && f.Operator == Is && len(f.goals) == 1 && f.goals[0].plain() {
		name, _ := dimensionNamed("event:name")
		return Filter{Operator: Is, Dimension: name, Values: []string{f.goals[0].Event}}, true
	}
	ok := f.Dimension.rollup != visit.Total && !f.AnyCase && !f.Dimension.names &&
		slices.Contains([]Operator{Is, IsNot, Contains, NotContain}, f.Operator)
	return *f, ok
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
	case fromScan:
		return "scan"
	default:
		return fmt.Sprintf("source(%d)", int(s))
	}
}
