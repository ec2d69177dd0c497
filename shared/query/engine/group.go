package engine

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/language"
)

// Group is a row: a period, a value of each property, and what is counted for them.
type Group struct {
	Period time.Time // zero without a time dimension
	Values []string  // of the properties, "" if unknown
	tally
}

// MixesCurrencies reports whether the group has amounts in several currencies.
func (g *Group) MixesCurrencies() bool { return len(g.revenue) > 1 }

// groupCounter counts a group during a scan. It remembers what it counted last, since a
// visitor-day and a visit count once in a group.
type groupCounter struct {
	counts
	visitorDay  uint32
	visit       uint32
	countsVisit bool  // whether the group counts the visit
	deepest     int64 // scroll of the visit so far

	parent uint32 // the node of the values before the last one
	value  uint32
}

// countEntry counts a visit for the bounce rate. Bounce is 1 if it bounced, else 0.
func (g *groupCounter) countEntry(bounce int64) {
	g.entries++
	g.bounces += bounce
}

// addAmount adds the amount of an event, if it has one. It returns the bytes that this takes.
func (g *groupCounter) addAmount(amount, currency string) (bytes int) {
	if amount == "" {
		return 0
	}
	if sum, ok := visit.ParseDecimal(amount); ok {
		before := len(g.revenue)
		g.addRevenue(currency, revenue{sum, 1})
		bytes = (len(g.revenue) - before) * currencySize
	}
	return bytes
}

// About how many bytes these take, with what refers to them; see TestSizes.
const (
	valueSize    = 90  // a value of a dimension, besides its text
	leafSize     = 190 // a group that is being counted
	innerSize    = 60  // a node above
	rowSize      = 220 // a Group without values
	currencySize = 500 // the revenue of a group in one more currency
)

// valueNumbers numbers the values of a dimension.
type valueNumbers struct {
	numbers map[string]uint32
	values  []string
}

// groups finds the group of a period and values. It is a tree: the periods below its root,
// a level for each dimension below them, and the groups as leaves.
type groups struct {
	values   []*valueNumbers // of each dimension
	periods  map[int64]uint32
	starts   []int64 // the periods by their number
	levels   []level // one for each dimension
	leaves   []*groupCounter
	inner    [][2]uint32     // nodes above the leaves: parent and value
	found    []*groupCounter // by the last call of find
	scrolled []*groupCounter // by the engagements of the current visit
	added    int             // bytes that no worker knows of yet

	lastPeriod int64
	lastNode   uint32
}

// level finds the child of a node for a value.
type level struct {
	first []uint32          // children of the first node by value, plus 1: nearly always it is the only node
	other map[uint64]uint32 // by node and value
}

func newGroups(dimensions int) groups {
	g := groups{periods: map[int64]uint32{}}
	for range dimensions {
		g.values = append(g.values, &valueNumbers{numbers: map[string]uint32{}})
		g.levels = append(g.levels, level{other: map[uint64]uint32{}})
	}
	return g
}

// find returns the groups of an event, or of a visit if the event is -1: none if a value is
// unknown that must be known, several if a dimension has several values. The next call
// overwrites them.
func (g *groups) find(period int64, values []valuer, i, visit int) []*groupCounter {
	if len(g.starts) == 0 || period != g.lastPeriod {
		g.lastPeriod, g.lastNode = period, g.period(period)
	}
	g.found = g.found[:0]
	g.descend(g.lastNode, 0, values, i, visit)
	return g.found
}

// number returns the number of a value of a level's dimension.
func (g *groups) number(level int, value string) uint32 {
	n := g.values[level]
	number, ok := n.numbers[value]
	if !ok {
		number = uint32(len(n.values))
		n.numbers[value] = number
		n.values = append(n.values, value)
		g.added += valueSize + len(value)
	}
	return number
}

// period returns the node of a period.
func (g *groups) period(period int64) uint32 {
	node, ok := g.periods[period]
	if !ok {
		node = uint32(len(g.starts))
		g.periods[period] = node
		g.starts = append(g.starts, period)
		g.added += innerSize
	}
	return node
}

func (g *groups) descend(node uint32, at int, values []valuer, i, visit int) {
	for ; at < len(values); at++ {
		v := &values[at]
		if v.many != nil {
			for _, number := range v.many(i, visit) {
				g.descend(g.child(node, at, number), at+1, values, i, visit)
			}
			return
		}
		row := visit
		if v.ofEvent {
			row = i
		}
		text := v.index[row]
		if text == 0 && v.skip {
			return
		}
		number := v.numbers[text]
		if number == 0 { // only values that groups have are remembered
			number = g.number(at, v.texts[text]) + 1
			v.numbers[text] = number
		}
		node = g.child(node, at, number-1)
	}
	g.found = append(g.found, g.leaf(node))
}

// child returns the child of a node for a value of a level's dimension.
func (g *groups) child(node uint32, at int, value uint32) uint32 {
	l := &g.levels[at]
	if node == 0 {
		for int(value) >= len(l.first) {
			l.first = append(l.first, 0)
		}
		if l.first[value] == 0 {
			l.first[value] = g.addChild(node, at, value) + 1
		}
		return l.first[value] - 1
	}
	key := uint64(node)<<32 | uint64(value)
	child, ok := l.other[key]
	if !ok {
		child = g.addChild(node, at, value)
		l.other[key] = child
	}
	return child
}

func (g *groups) addChild(node uint32, at int, value uint32) uint32 {
	if at == len(g.levels)-1 {
		g.leaves = append(g.leaves, &groupCounter{parent: node, value: value})
		g.added += leafSize
		return uint32(len(g.leaves) - 1)
	}
	g.inner = append(g.inner, [2]uint32{node, value})
	g.added += innerSize
	return uint32(len(g.inner) - 1)
}

// leaf returns the group of a node of the last level; without dimensions, of a period.
func (g *groups) leaf(node uint32) *groupCounter {
	if len(g.levels) > 0 {
		return g.leaves[node]
	}
	for int(node) >= len(g.leaves) {
		g.leaves = append(g.leaves, &groupCounter{})
		g.added += leafSize
	}
	return g.leaves[node]
}

// group returns a leaf with its period and values. The place is for its use.
func (g *groups) group(number int, place []uint32) *Group {
	out := &Group{Values: make([]string, len(g.levels)), tally: tally{counts: g.leaves[number].counts}}
	out.Period = time.UnixMilli(g.path(number, place)).UTC()
	for level, value := range place {
		out.Values[level] = g.values[level].values[value]
	}
	return out
}

// path returns the place of a leaf: its period, and the number of its value on each level.
func (g *groups) path(number int, values []uint32) (period int64) {
	leaf := g.leaves[number]
	node := uint32(number)
	for level := len(g.levels) - 1; level >= 0; level-- {
		parent, value := leaf.parent, leaf.value
		if level < len(g.levels)-1 {
			parent, value = g.inner[node][0], g.inner[node][1]
		}
		values[level], node = value, parent
	}
	return g.starts[node]
}

// at returns the group of a place, which may be new.
func (g *groups) at(period int64, values []uint32) *groupCounter {
	node := g.period(period)
	for level, value := range values {
		node = g.child(node, level, value)
	}
	return g.leaf(node)
}

// merge adds the groups of another worker.
func (g *groups) merge(o *groups) {
	numbers := make([][]uint32, len(o.values)) // of the other's values
	for level, values := range o.values {
		for _, value := range values.values {
			numbers[level] = append(numbers[level], g.number(level, value))
		}
	}
	place := make([]uint32, len(g.levels))
	for i, leaf := range o.leaves {
		if leaf.Visitors == 0 { // only engagements led to it
			continue
		}
		period := o.path(i, place)
		for level := range place {
			place[level] = numbers[level][place[level]]
		}
		g.at(period, place).add(&leaf.counts)
	}
}

// mergeGroups returns the groups of several workers as one list.
func (s *Session) mergeGroups(ctx context.Context, scanners []*scanner) ([]*Group, error) {
	all := &scanners[0].groups
	for i, other := range scanners[1:] {
		all.merge(&other.groups)
		scanners[i+1] = nil // its memory is free
		if err := s.Use(ctx, int64(all.added)); err != nil {
			return nil, err
		}
		all.added = 0
	}
	if err := s.Use(ctx, int64(len(all.leaves))*int64(rowSize+16*len(all.levels))); err != nil {
		return nil, err
	}
	merged, place := make([]*Group, 0, len(all.leaves)), make([]uint32, len(all.levels))
	for i, leaf := range all.leaves {
		if leaf.Visitors == 0 {
			continue
		}
		g := all.group(i, place)
		if scanners[0].plan.Grain == language.NoGrain {
			g.Period = time.Time{}
		}
		merged = append(merged, g)
	}
	return merged, nil
}

// key identifies a group among those of a question.
func (g *Group) key() string {
	return strconv.FormatInt(g.Period.UnixMilli(), 10) + "\x00" + strings.Join(g.Values, "\x00")
}

// compare returns the order of rows: the question's, then by time and by values, so that it
// is the same for every page.
func (p *Plan) compare() func(a, b *Group) int {
	metrics := map[string]definition{}
	for _, d := range definitions() {
		metrics[string(d.name)] = d
	}
	compareLabels := func(i int, a, b *Group) int {
		return cmp.Compare(p.Properties[i].Label(a.Values[i]), p.Properties[i].Label(b.Values[i]))
	}
	return func(a, b *Group) int {
		for _, o := range p.Order {
			var c int
			if m, ok := metrics[o.By]; ok {
				c = cmp.Compare(m.order(&a.tally), m.order(&b.tally))
			} else if i := slices.IndexFunc(p.Properties, func(d language.Dimension) bool { return d.Name == o.By }); i >= 0 {
				c = compareLabels(i, a, b)
			} else {
				c = a.Period.Compare(b.Period)
			}
			if o.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		if c := a.Period.Compare(b.Period); c != 0 {
			return c
		}
		for i := range p.Properties {
			if c := compareLabels(i, a, b); c != 0 {
				return c
			}
		}
		return 0
	}
}
