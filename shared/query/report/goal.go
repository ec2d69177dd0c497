package report

import (
	"context"
	"fmt"
	"strings"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Goal is something that visitors are to reach: an event of a name, or a view of certain
// pages.
type Goal struct {
	Name  string            // by which questions call it
	Event string            // name of the events that reach it; "" when it is of pages
	Page  func(string) bool // tells whether a view of a page reaches it; nil when it is of events
	Props map[string]string // that the event must have, too
	// Currency is that of the amounts which count as the goal's revenue; all do when it
	// is "".
	Currency string
}

// plain tells whether the name of an event says all.
func (g *Goal) plain() bool { return g.Event != "" && len(g.Props) == 0 }

// Names knows what a site's owner has given names to. It is asked within the transaction
// that answers the question.
type Names interface {
	// Goals are all goals of the site.
	Goals(ctx context.Context, db store.DB, site int32) ([]Goal, error)
	// Segment is the filters of a segment, a JSON array, by its name or its id; ok is
	// false when there is none.
	Segment(ctx context.Context, db store.DB, site int32, name string) (filters []byte, ok bool, err error)
	// Funnel is the definition of a funnel by its name; ok is false when there is none.
	Funnel(ctx context.Context, db store.DB, site int32, name string) (definition []byte, ok bool, err error)
	// Annotations are what was noted of days, in their order.
	Annotations(ctx context.Context, db store.DB, site int32, first, last event.Day) ([]Annotation, error)
}

// Annotation is what was noted of a day of a site.
type Annotation struct {
	Day  string `json:"day"` // YYYY-MM-DD
	Text string `json:"text"`
}

// maxDefined bounds how many filters the segments of a question may hold, altogether.
const maxDefined = 1000

// define puts in the place of names what they stand for.
func (a asked) define(ctx context.Context, q *Question) (err error) {
	if q.dimension(goalName) != nil {
		if q.goals, err = a.names.Goals(ctx, a.tx, a.site.ID); err != nil {
			return err
		}
	}
	return a.defineAll(ctx, "filters", q.Filters)
}

// defineAll does so in filters.
func (a asked) defineAll(ctx context.Context, field string, filters []Filter) error {
	d := definer{asked: a}
	ofGoals := false
	for i := range filters {
		if err := d.segments(ctx, &filters[i], fmt.Sprintf("%s.%d", field, i)); err != nil {
			return err
		}
		ofGoals = ofGoals || filters[i].any(func(f *Filter) bool { return f.Dimension.isGoal() })
	}
	if !ofGoals {
		return nil
	}
	goals, err := a.names.Goals(ctx, a.tx, a.site.ID)
	if err != nil {
		return err
	}
	for i := range filters {
		if err := filters[i].defineGoals(goals, fmt.Sprintf("%s.%d", field, i)); err != nil {
			return err
		}
	}
	return nil
}

// definer puts the filters of segments in their place.
type definer struct {
	asked
	filters int // that it has gone through
}

func (d *definer) segments(ctx context.Context, f *Filter, field string) error {
	if d.filters++; d.filters > maxDefined {
		return problem.Invalid(field, "has segments with too many filters, or one that is part of itself")
	}
	for i := range f.Filters {
		if err := d.segments(ctx, &f.Filters[i], field); err != nil {
			return err
		}
	}
	if f.Dimension.Name != segmentName {
		return nil
	}
	either := Filter{Operator: Or}
	for i, name := range f.Values {
		text, ok, err := d.names.Segment(ctx, d.tx, d.site.ID, name)
		if err != nil {
			return err
		}
		if !ok {
			return problem.Invalid(fmt.Sprintf("%s.2.%d", field, i), "no such segment of this site")
		}
		filters, err := ParseFilters(text)
		if err != nil {
			return fmt.Errorf("read a segment: %w", err)
		}
		all := Filter{Operator: And, Filters: filters}
		if err := d.segments(ctx, &all, field); err != nil {
			return err
		}
		either.Filters = append(either.Filters, all)
	}
	segment := f.echo()
	if f.Operator == IsNot {
		either = Filter{Operator: Not, Filters: []Filter{either}}
	}
	*f = either
	f.segment = segment
	return nil
}

func (f *Filter) defineGoals(goals []Goal, field string) error {
	for i := range f.Filters {
		if err := f.Filters[i].defineGoals(goals, field); err != nil {
			return err
		}
	}
	if !f.Dimension.isGoal() {
		return nil
	}
	if f.equates() {
		for i, value := range f.Values {
			one := Filter{Operator: Is, Values: []string{value}, AnyCase: f.AnyCase}
			if accepts := one.accepts(); !anyGoal(goals, accepts) {
				return problem.Invalid(fmt.Sprintf("%s.2.%d", field, i), "no such goal of this site: "+goalNames(goals))
			}
		}
	}
	positive := *f
	switch f.Operator {
	case IsNot:
		positive.Operator = Is
	case NotContain:
		positive.Operator = Contains
	case MatchesNot:
		positive.Operator = Matches
	}
	accepts := positive.accepts()
	for _, goal := range goals {
		if accepts(goal.Name) {
			f.goals = append(f.goals, goal)
		}
	}
	return nil
}

func anyGoal(goals []Goal, accepts func(string) bool) bool {
	for i := range goals {
		if accepts(goals[i].Name) {
			return true
		}
	}
	return false
}

func goalNames(goals []Goal) string {
	if len(goals) == 0 {
		return "it has none, add some in its settings"
	}
	var names []string
	for i := range goals {
		if i == 20 {
			names = append(names, "…")
			break
		}
		names = append(names, goals[i].Name)
	}
	return "it has " + strings.Join(names, ", ")
}
