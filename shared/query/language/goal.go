package language

import (
	"errors"
	"fmt"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Goal is something that visitors should reach: an event with a name, or a view of certain
// pages.
type Goal struct {
	Name  string            // in questions
	Event string            // name of the events that reach it; "" if pages do
	Page  func(string) bool // whether a view of a page reaches it; nil if events do
	Props map[string]string // that the event must also have
	// Currency is the currency of the amounts that count as the goal's revenue; "" counts
	// all amounts.
	Currency string
}

// IsName reports whether the name of an event alone decides whether it reaches the goal.
func (g *Goal) IsName() bool { return g.Event != "" && len(g.Props) == 0 }

// Definitions looks up what the names in a question stand for.
type Definitions struct {
	// Goals returns all goals of the site.
	Goals func() ([]Goal, error)
	// Segment returns the filters of a segment, a JSON array, by its name or its id; ok is
	// false if there is none.
	Segment func(name string) (filters []byte, ok bool, err error)
	// Funnel returns the definition of a funnel, a JSON object, by its name; ok is false if
	// there is none.
	Funnel func(name string) (definition []byte, ok bool, err error)
}

// Resolve replaces the names in the question with what they stand for.
func (q *Question) Resolve(d Definitions) error {
	_, err := q.resolveQuestion(d)
	return err
}

// resolveQuestion replaces the names in what every kind of question has, and returns what is
// left of the budget for the rest of the question.
func (q *Question) resolveQuestion(d Definitions) (left budget, err error) {
	left = q.budget
	if q.dimension(goalName) != nil {
		if q.Goals, err = d.Goals(); err != nil {
			return left, err
		}
	}
	return left, left.resolve(d, "filters", q.Filters)
}

// resolve replaces the names in filters with what they stand for.
func (b *budget) resolve(d Definitions, field string, filters []Filter) error {
	r := segmentResolver{b, d}
	hasGoals := false
	for i := range filters {
		if err := r.resolve(&filters[i], fmt.Sprintf("%s.%d", field, i)); err != nil {
			return err
		}
		hasGoals = hasGoals || filters[i].Any(func(f *Filter) bool { return f.Dimension.IsGoal() })
	}
	if !hasGoals {
		return nil
	}
	goals, err := d.Goals()
	if err != nil {
		return err
	}
	for i := range filters {
		if err := filters[i].resolveGoals(goals, fmt.Sprintf("%s.%d", field, i)); err != nil {
			return err
		}
	}
	return nil
}

func (b *budget) resolveSteps(d Definitions, field string, steps []Step) error {
	for i := range steps {
		if err := b.resolve(d, fmt.Sprintf("%s.%d.filters", field, i), steps[i].Filters); err != nil {
			return err
		}
	}
	return nil
}

// segmentResolver replaces filters by segments with the filters of the segments.
type segmentResolver struct {
	*budget
	definitions Definitions
}

func (r *segmentResolver) resolve(f *Filter, field string) error {
	if r.filters--; r.filters < 0 {
		return validation.New(field, fmt.Sprintf("has segments with too many filters, or one that is part of itself: a question may have %d filters with those of its segments", maxResolved))
	}
	for i := range f.Filters {
		if err := r.resolve(&f.Filters[i], field); err != nil {
			return err
		}
	}
	if f.Dimension.Name != segmentName {
		return nil
	}
	anySegment := Filter{Operator: Or}
	for i, name := range f.Values {
		text, ok, err := r.definitions.Segment(name)
		if err != nil {
			return err
		}
		if !ok {
			return validation.New(fmt.Sprintf("%s.2.%d", field, i), "no such segment of this site")
		}
		at := fmt.Sprintf("%s.2.%d", field, i)
		if r.stored -= len(text); r.stored < 0 {
			return validation.New(at, fmt.Sprintf("is a segment too many: the segments of a question may have %d bytes together", maxStored))
		}
		filters, err := r.parseFilters("filters", text)
		if err != nil {
			return storedError(at, "segment", err)
		}
		segment := Filter{Operator: And, Filters: filters}
		if err := r.resolve(&segment, field); err != nil {
			return err
		}
		anySegment.Filters = append(anySegment.Filters, segment)
	}
	echo := f.Echo()
	if f.Operator == IsNot {
		anySegment = Filter{Operator: Not, Filters: []Filter{anySegment}}
	}
	*f = anySegment
	f.segment = echo
	return nil
}

// storedError names the field of the question that names a stored definition which can't be
// used in it. Its own fields and its limits were checked when it was stored.
func storedError(field, kind string, err error) error {
	if invalid, ok := errors.AsType[*validation.Error](err); ok {
		return validation.New(field, fmt.Sprintf("names a %s that can't be used here: its %s %s", kind, invalid.Field, invalid.Detail))
	}
	return fmt.Errorf("parse a %s: %w", kind, err)
}

func (f *Filter) resolveGoals(goals []Goal, field string) error {
	for i := range f.Filters {
		if err := f.Filters[i].resolveGoals(goals, field); err != nil {
			return err
		}
	}
	if !f.Dimension.IsGoal() {
		return nil
	}
	if f.Equates() {
		for i, value := range f.Values {
			one := Filter{Operator: Is, Values: []string{value}, AnyCase: f.AnyCase}
			if matches := one.matcher(); !anyGoal(goals, matches) {
				return validation.New(fmt.Sprintf("%s.2.%d", field, i), "no such goal of this site: "+describeGoals(goals))
			}
		}
	}
	positive := *f
	switch f.Operator {
	case IsNot:
		positive.Operator = Is
	case ContainsNot:
		positive.Operator = Contains
	case MatchesNot:
		positive.Operator = Matches
	}
	matches := positive.matcher()
	for _, goal := range goals {
		if matches(goal.Name) {
			f.Goals = append(f.Goals, goal)
		}
	}
	return nil
}

func anyGoal(goals []Goal, matches func(name string) bool) bool {
	for i := range goals {
		if matches(goals[i].Name) {
			return true
		}
	}
	return false
}

func describeGoals(goals []Goal) string {
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
