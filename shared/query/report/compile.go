package report

import (
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// node is a filter for one day: whatever depends on texts was found out once for each text.
type node interface {
	// holds tells whether the filter holds for an event, or for a visit when there is no
	// event (-1).
	holds(event, visit int) bool
}

type allOf []node

func (n allOf) holds(event, visit int) bool {
	for _, part := range n {
		if !part.holds(event, visit) {
			return false
		}
	}
	return true
}

type anyOf []node

func (n anyOf) holds(event, visit int) bool {
	for _, part := range n {
		if part.holds(event, visit) {
			return true
		}
	}
	return false
}

type noneOf struct{ node }

func (n noneOf) holds(event, visit int) bool { return !n.node.holds(event, visit) }

// compared is a filter by the texts of a column.
type compared struct {
	accepted []bool // by the number of the text
	index    []uint32
}

type comparedEvent compared

func (n comparedEvent) holds(event, _ int) bool { return n.accepted[n.index[event]] }

type comparedVisit compared

func (n comparedVisit) holds(_, visit int) bool { return n.accepted[n.index[visit]] }

// reached is a filter by goals.
type reached struct {
	*goalScan
	negative bool
}

func (n reached) holds(event, _ int) bool { return (len(n.of(event)) > 0) != n.negative }

// done is a filter by what else was done in the visit.
type done struct {
	day   *columns.Day
	types []int64
	inner node

	visit int // that was looked at last; -1 before
	found bool
}

func (n *done) holds(_, visit int) bool {
	if n.visit == visit {
		return n.found
	}
	n.visit, n.found = visit, false
	first, end := n.day.EventsOf(visit)
	for i := first; i < end && !n.found; i++ {
		n.found = event.Type(n.types[i]).Counts() && n.inner.holds(i, visit)
	}
	return n.found
}

// compileAll is nil when there is no filter.
func compileAll(d *columns.Day, filters []Filter) node {
	if len(filters) == 0 {
		return nil
	}
	return compileEach(d, filters)
}

func compileEach(d *columns.Day, filters []Filter) allOf {
	nodes := make(allOf, len(filters))
	for i := range filters {
		nodes[i] = compile(d, &filters[i])
	}
	return nodes
}

func compile(d *columns.Day, f *Filter) node {
	switch f.Operator {
	case And:
		return compileEach(d, f.Filters)
	case Or:
		return anyOf(compileEach(d, f.Filters))
	case Not:
		return noneOf{compile(d, &f.Filters[0])}
	case HasDone:
		return &done{day: d, types: d.Numbers(columns.Type), inner: compile(d, &f.Filters[0]), visit: -1}
	case HasNotDone:
		return noneOf{&done{day: d, types: d.Numbers(columns.Type), inner: compile(d, &f.Filters[0]), visit: -1}}
	}
	if f.Dimension.isGoal() {
		negative := f.Operator == IsNot || f.Operator == NotContain || f.Operator == MatchesNot
		return reached{newGoalScan(d, f.goals), negative}
	}
	text := d.Text(f.Dimension.column)
	keeps := f.keeps()
	accepted := make([]bool, len(text.Values))
	for i, value := range text.Values {
		accepted[i] = keeps(value)
	}
	if f.Dimension.ofEvent() {
		return comparedEvent{accepted, text.Index}
	}
	return comparedVisit{accepted, text.Index}
}

// valuer gives the numbers of the values that an event, or a visit, has of a dimension.
type valuer struct {
	ofEvent bool
	index   []uint32 // of the text of each event or visit
	numbers []uint32 // of the values, by the text
	skip    bool     // an event or visit without one is left out

	many func(event, visit int) []uint32 // in the place of these, when there may be several
}

func compileValue(d *columns.Day, dimension *Dimension, goals []Goal, names *names) valuer {
	if dimension.isGoal() {
		scan := newGoalScan(d, goals)
		for i := range goals {
			scan.numbers = append(scan.numbers, names.of(goals[i].Name))
		}
		return valuer{many: func(event, _ int) []uint32 { return scan.of(event) }}
	}
	text := d.Text(dimension.column)
	v := valuer{dimension.ofEvent(), text.Index, make([]uint32, len(text.Values)), dimension.skip, nil}
	for i, value := range text.Values {
		v.numbers[i] = names.of(value)
	}
	return v
}

// goalScan finds the goals that events reach.
type goalScan struct {
	numbers     []uint32 // of the goals
	types       []int64
	names, page columns.Text
	byName      [][]int // goals that the events of a name may reach
	byPage      [][]int // goals that the views of a page may reach
	props       [][]propWanted
	found       []uint32
}

// propWanted is a property that events must have to reach a goal.
type propWanted struct {
	text  columns.Text
	value string
}

func newGoalScan(d *columns.Day, goals []Goal) *goalScan {
	s := &goalScan{types: d.Numbers(columns.Type), names: d.Text(columns.Name), page: d.Text(columns.Page)}
	s.byName, s.byPage = make([][]int, len(s.names.Values)), make([][]int, len(s.page.Values))
	s.props = make([][]propWanted, len(goals))
	for n := range goals {
		goal := &goals[n]
		for i, name := range s.names.Values {
			if goal.Event != "" && name == goal.Event {
				s.byName[i] = append(s.byName[i], n)
			}
		}
		for i, page := range s.page.Values {
			if goal.Page != nil && page != "" && goal.Page(page) {
				s.byPage[i] = append(s.byPage[i], n)
			}
		}
		for key, value := range goal.Props {
			s.props[n] = append(s.props[n], propWanted{d.Text(columns.Prop(key)), value})
		}
	}
	return s
}

// of are the numbers of the goals that an event reaches. They are overwritten by the next
// call.
func (s *goalScan) of(i int) []uint32 {
	s.found = s.found[:0]
	switch event.Type(s.types[i]) {
	case event.Engagement:
		return nil
	case event.View:
		s.find(s.byPage[s.page.Index[i]], i)
	}
	s.find(s.byName[s.names.Index[i]], i)
	return s.found
}

func (s *goalScan) find(goals []int, i int) {
next:
	for _, n := range goals {
		for _, wanted := range s.props[n] {
			if wanted.text.At(i) != wanted.value {
				continue next
			}
		}
		number := uint32(n)
		if s.numbers != nil {
			number = s.numbers[n]
		}
		s.found = append(s.found, number)
	}
}
