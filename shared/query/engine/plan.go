package engine

import (
	"fmt"
	"slices"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/language"
)

// Source is where rows come from, the cheapest first.
type Source int

// The sources.
const (
	DayRollups  Source = iota // rollups of days, and of whole months
	HourRollups               // rollups of hours
	Scan                      // days in columns; answers every question
)

// Plan is a question about a known range.
type Plan struct {
	language.Question
	Range      language.Range
	Grain      language.Grain
	Properties []language.Dimension // the dimensions except time, in order
}

// NewPlan returns the plan of a question about a range. The names in the question must be
// resolved.
func NewPlan(q *language.Question, r language.Range) *Plan {
	p := &Plan{Range: r}
	p.Question, p.Grain = q.ForRange(r)
	for _, d := range p.Dimensions {
		if !d.IsTime() {
			p.Properties = append(p.Properties, d)
		}
	}
	return p
}

// Sources lists the sources that can answer the question exactly, the best first.
func (p *Plan) Sources() []Source {
	var sources []Source
	if _, _, ok := p.rollup(); ok {
		sources = append(sources, DayRollups)
	}
	if p.Grain == language.HourGrain && len(p.Properties) == 0 && len(p.Filters) == 0 && p.Range.WholeHours() && !p.needsScan() {
		sources = append(sources, HourRollups)
	}
	return append(sources, Scan)
}

// split splits a plan for whole days and the beginning of a further one: rollups answer the
// head, so that only one day is scanned. ok is false if they don't, or there is no such day.
func (p *Plan) split() (head, tail *Plan, ok bool) {
	location := p.Range.From.Location()
	first, last := p.Range.First, p.Range.Last
	if p.Range.Whole || p.Grain.SplitsDays() || first == last || !p.Range.From.Equal(first.Start(location)) ||
		p.Range.From.Before(p.Range.Since) { // days of another time zone began at other times
		return nil, nil, false
	}
	head = NewPlan(&p.Question, language.DayRange(first, last-1, location))
	tail = NewPlan(&p.Question, language.TimeRange(last.Start(location), p.Range.To, location))
	head.Range.Since, tail.Range.Since = p.Range.Since, p.Range.Since
	_, _, ok = head.rollup()
	return head, tail, ok
}

// WholeDays reports whether the range and its periods consist of whole days, so that they
// never split a visitor-day.
func (p *Plan) WholeDays() bool { return p.Range.Whole && !p.Grain.SplitsDays() }

// needsScan reports whether rollups lack a metric.
func (p *Plan) needsScan() bool {
	return slices.ContainsFunc(p.Metrics, func(m language.Metric) bool { return m == language.ScrollDepth || m.ReadsAmounts() })
}

// needsEngagements reports whether a metric is about engagements.
func (p *Plan) needsEngagements() bool {
	for _, m := range p.Metrics {
		if m == language.ScrollDepth || m == language.TimeOnPage {
			return true
		}
	}
	return false
}

// countsEntries reports whether bounce_rate is about the visits that began on the pages of the
// question, not about all that have an event there: a visit that goes on from its first page
// says nothing of the others.
func (p *Plan) countsEntries() bool {
	isPage := func(d language.Dimension) bool { return d.Rollup() == visit.Page }
	return slices.Contains(p.Metrics, language.BounceRate) && (slices.ContainsFunc(p.Properties, isPage) || filtersPages(p.Filters))
}

// filtersPages reports whether filters are about the page of an event.
func filtersPages(filters []language.Filter) bool {
	return slices.ContainsFunc(filters, func(f language.Filter) bool {
		ofVisit := f.Operator == language.HasDone || f.Operator == language.HasNotDone
		return !ofVisit && (f.Dimension.Rollup() == visit.Page || filtersPages(f.Filters))
	})
}

// needsMoney reports whether a metric is about amounts.
func (p *Plan) needsMoney() bool {
	return slices.ContainsFunc(p.Metrics, language.Metric.ReadsAmounts)
}

// rollup returns the dimension whose day and month rollups answer the question, and the
// filters on its values. Each row of a rollup is about one value. So filters must be on the
// dimension that is grouped by. Without one, a filter must name a single value, since a
// visitor-day can count under several.
func (p *Plan) rollup() (visit.Dimension, []language.Filter, bool) {
	if !p.WholeDays() || len(p.Properties) > 1 || p.needsScan() {
		return 0, nil, false
	}
	filters := make([]language.Filter, len(p.Filters))
	for i := range p.Filters {
		var ok bool
		if filters[i], ok = rollupFilter(&p.Filters[i]); !ok {
			return 0, nil, false
		}
	}
	if len(p.Properties) == 0 {
		switch {
		case len(filters) == 0:
			return visit.Total, nil, true
		case len(filters) == 1 && filters[0].Operator == language.Is && len(filters[0].Values) == 1:
			return filters[0].Dimension.Rollup(), filters, true
		default:
			return 0, nil, false
		}
	}
	grouped := p.Properties[0].Rollup()
	for i := range filters {
		if filters[i].Dimension.Rollup() != grouped {
			return 0, nil, false
		}
	}
	return grouped, filters, grouped != visit.Total
}

// rollupFilter returns a filter in the form that compares values of a rollup in SQL, byte by
// byte; ok is false if there is no such form.
func rollupFilter(f *language.Filter) (simple language.Filter, ok bool) {
	if f.Dimension.IsGoal() && f.Operator == language.Is && len(f.Goals) == 1 && f.Goals[0].IsName() {
		name, _ := language.DimensionByName("event:name")
		return language.Filter{Operator: language.Is, Dimension: name, Values: []string{f.Goals[0].Event}}, true
	}
	ok = f.Dimension.Rollup() != visit.Total && !f.AnyCase && !f.Dimension.ShowsNames() &&
		slices.Contains([]language.Operator{language.Is, language.IsNot, language.Contains, language.ContainsNot}, f.Operator)
	return *f, ok
}

// segments split a range into days, whole months and days again. The last day of an empty
// segment is before its first.
type segments struct {
	head, months, tail [2]event.Day
}

func (p *Plan) segments() segments {
	first, last := p.Range.First, p.Range.Last
	none := [2]event.Day{last + 1, last}
	all := segments{head: [2]event.Day{first, last}, months: none, tail: none}
	if p.Grain == language.DayGrain || p.Grain == language.WeekGrain {
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
	return segments{
		head:   [2]event.Day{first, begin - 1},
		months: [2]event.Day{begin, end - 1},
		tail:   [2]event.Day{end, last},
	}
}

// nextMonth returns the first day of the following month.
func nextMonth(day event.Day) event.Day { return (day.Month() + 31).Month() }

// String returns the name of the source.
func (s Source) String() string {
	switch s {
	case DayRollups:
		return "days"
	case HourRollups:
		return "hours"
	case Scan:
		return "scan"
	default:
		return fmt.Sprintf("Source(%d)", int(s))
	}
}
