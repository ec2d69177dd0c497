package engine

import (
	"context"
	"slices"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// Predicate is a filter compiled for one day: each distinct text is compared only once.
type Predicate interface {
	// Holds reports whether the filter holds for an event of a visit, or for the visit if the
	// event is -1.
	Holds(event, visit int) bool
}

type allOf []Predicate

func (p allOf) Holds(event, visit int) bool {
	for _, part := range p {
		if !part.Holds(event, visit) {
			return false
		}
	}
	return true
}

type anyOf []Predicate

func (p anyOf) Holds(event, visit int) bool {
	for _, part := range p {
		if part.Holds(event, visit) {
			return true
		}
	}
	return false
}

type negation struct{ Predicate }

func (p negation) Holds(event, visit int) bool { return !p.Predicate.Holds(event, visit) }

// textSet holds for some of the texts of a column.
type textSet struct {
	accepted []bool // by the number of the text
	index    []uint32
}

type eventTextSet textSet

func (p eventTextSet) Holds(event, _ int) bool { return p.accepted[p.index[event]] }

type visitTextSet textSet

func (p visitTextSet) Holds(_, visit int) bool { return p.accepted[p.index[visit]] }

// goalPredicate holds for events that reach any of some goals, or none.
type goalPredicate struct {
	*goalMatcher
	negated bool
}

func (p goalPredicate) Holds(event, _ int) bool { return (len(p.match(event)) > 0) != p.negated }

// visitPredicate holds if another one holds for any event of the visit.
type visitPredicate struct {
	day   *columns.Day
	types []int64
	inner Predicate

	visit int // of the last call; -1 before
	holds bool
}

func (p *visitPredicate) Holds(_, visit int) bool {
	if p.visit == visit {
		return p.holds
	}
	p.visit, p.holds = visit, false
	first, end := p.day.EventsOf(visit)
	for i := first; i < end && !p.holds; i++ {
		p.holds = event.Type(p.types[i]).Counts() && p.inner.Holds(i, visit)
	}
	return p.holds
}

// Compile returns a predicate that holds if all filters do. It is nil if there are none. The
// error is for the caller of the scan: the question has ended, or there is no memory.
func Compile(ctx context.Context, w *Worker, d *columns.Day, filters []language.Filter) (Predicate, error) {
	if len(filters) == 0 {
		return nil, nil //nolint:nilnil // everything passes
	}
	return compiler{w, d}.all(ctx, filters)
}

// compiler compiles the filters of a worker for a day.
type compiler struct {
	worker *Worker
	day    *columns.Day
}

func (c compiler) all(ctx context.Context, filters []language.Filter) (allOf, error) {
	predicates := make(allOf, len(filters))
	for i := range filters {
		var err error
		if predicates[i], err = c.one(ctx, &filters[i]); err != nil {
			return nil, err
		}
	}
	return predicates, nil
}

func (c compiler) one(ctx context.Context, f *language.Filter) (Predicate, error) {
	switch f.Operator {
	case language.And:
		return c.all(ctx, f.Filters)
	case language.Or:
		parts, err := c.all(ctx, f.Filters)
		return anyOf(parts), err
	case language.Not:
		inner, err := c.one(ctx, &f.Filters[0])
		return negation{inner}, err
	case language.HasDone:
		return c.visit(ctx, &f.Filters[0])
	case language.HasNotDone:
		inner, err := c.visit(ctx, &f.Filters[0])
		return negation{inner}, err
	}
	if f.Dimension.IsGoal() {
		matcher, err := c.goals(ctx, f.Goals)
		return goalPredicate{matcher, f.Negated()}, err
	}
	text := c.day.Text(f.Dimension.Column())
	accepted, err := c.accepted(ctx, text.Values, withOther(f, c.worker.keeps(c.day, &f.Dimension)))
	if f.Dimension.OfEvent() {
		return eventTextSet{accepted, text.Index}, err
	}
	return visitTextSet{accepted, text.Index}, err
}

// keeps returns which values of a dimension the rollups of a day keep, nil if they keep all.
func (w *Worker) keeps(d *columns.Day, dimension *language.Dimension) *visit.Kept {
	return w.values[d.Date][dimension.Rollup()]
}

// withOther returns whether a stored value passes a filter on a dimension of a day. A value
// that the day does not keep also equals visit.Other, the name of the row that counts it.
func withOther(f *language.Filter, kept *visit.Kept) func(stored string) bool {
	passes := f.Predicate()
	if kept == nil || !f.Equates() {
		return passes
	}
	other, negated := passes(visit.Other), f.Negated()
	return func(stored string) bool {
		switch {
		case kept.Has(stored):
			return passes(stored)
		case negated:
			return other && passes(stored)
		default:
			return other || passes(stored)
		}
	}
}

// accepted returns which texts pass. A regular expression may take some milliseconds for
// each, so it looks before each whether the question has ended.
func (c compiler) accepted(ctx context.Context, texts []string, passes func(string) bool) ([]bool, error) {
	if err := c.worker.borrow(int64(len(texts))); err != nil {
		return nil, err
	}
	accepted := make([]bool, len(texts))
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		accepted[i] = passes(text)
	}
	return accepted, nil
}

func (c compiler) visit(ctx context.Context, f *language.Filter) (Predicate, error) {
	inner, err := c.one(ctx, f)
	return &visitPredicate{day: c.day, types: c.day.Numbers(columns.Type), inner: inner, visit: -1}, err
}

// valuer returns the values that an event or a visit has of a dimension, as numbers.
type valuer struct {
	ofEvent bool
	index   []uint32 // the text of each event or visit
	texts   []string
	numbers []uint32 // the value of each text, plus 1; 0 if nothing has it yet
	skip    bool     // whether events or visits of the unknown value are left out

	many func(event, visit int) []uint32 // replaces the others if there may be several values
}

// compileValue returns the values of the dimension of a level of groups.
func compileValue(ctx context.Context, w *Worker, d *columns.Day, dimension *language.Dimension, goals []language.Goal, g *groups, level int) (valuer, error) {
	if dimension.IsGoal() {
		matcher, err := compiler{w, d}.goals(ctx, goals)
		if err != nil {
			return valuer{}, err
		}
		for i := range goals {
			matcher.numbers = append(matcher.numbers, g.number(level, goals[i].Name))
		}
		return valuer{many: func(event, _ int) []uint32 { return matcher.match(event) }}, nil
	}
	text := d.Text(dimension.Column())
	if err := w.borrow(int64(4 * len(text.Values))); err != nil {
		return valuer{}, err
	}
	texts := text.Values
	if kept := w.keeps(d, dimension); kept != nil {
		if err := w.borrow(int64(16 * len(texts))); err != nil {
			return valuer{}, err
		}
		texts = slices.Clone(texts)
		for i := range texts {
			texts[i] = kept.RowOf(texts[i])
		}
	}
	return valuer{dimension.OfEvent(), text.Index, texts, make([]uint32, len(text.Values)), dimension.SkipsUnknown(), nil}, nil
}

// goalMatcher finds the goals that events reach.
type goalMatcher struct {
	numbers     []uint32 // of the goals; nil numbers them from 0
	types       []int64
	names, page columns.Text
	byName      [][]int // goals that events with a name may reach
	byPage      [][]int // goals that views of a page may reach
	props       [][]propValue
	found       []uint32
}

// propValue is a property that events must have to reach a goal.
type propValue struct {
	text  columns.Text
	value string
}

func (c compiler) goals(ctx context.Context, goals []language.Goal) (*goalMatcher, error) {
	d := c.day
	m := &goalMatcher{types: d.Numbers(columns.Type), names: d.Text(columns.Name), page: d.Text(columns.Page)}
	const size = 24 + 16 // bytes of a slice with a goal or two
	if err := c.worker.borrow(int64(size * (len(m.names.Values) + len(m.page.Values)))); err != nil {
		return nil, err
	}
	m.byName, m.byPage = make([][]int, len(m.names.Values)), make([][]int, len(m.page.Values))
	m.props = make([][]propValue, len(goals))
	for n := range goals {
		goal := &goals[n]
		for i, name := range m.names.Values {
			if goal.Event != "" && name == goal.Event {
				m.byName[i] = append(m.byName[i], n)
			}
		}
		for i, page := range m.page.Values {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if goal.Page != nil && page != "" && goal.Page(page) {
				m.byPage[i] = append(m.byPage[i], n)
			}
		}
		for key, value := range goal.Props {
			m.props[n] = append(m.props[n], propValue{d.Text(columns.Prop(key)), value})
		}
	}
	return m, nil
}

// match returns the numbers of the goals that an event reaches. The next call overwrites
// them.
func (m *goalMatcher) match(i int) []uint32 {
	m.found = m.found[:0]
	switch event.Type(m.types[i]) {
	case event.Engagement:
		return nil
	case event.View:
		m.add(m.byPage[m.page.Index[i]], i)
	}
	m.add(m.byName[m.names.Index[i]], i)
	return m.found
}

// add adds those of some goals whose properties the event has.
func (m *goalMatcher) add(goals []int, i int) {
next:
	for _, n := range goals {
		for _, prop := range m.props[n] {
			if prop.text.At(i) != prop.value {
				continue next
			}
		}
		number := uint32(n)
		if m.numbers != nil {
			number = m.numbers[n]
		}
		m.found = append(m.found, number)
	}
}
