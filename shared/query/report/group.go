package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/model/visit"
)

// group is a row of an answer in the making.
type group struct {
	period time.Time // zero without a time dimension
	values []string  // of the properties, "" when not known
	tallied
}

// running is a group that is being counted. It notes who was counted last, since in it a
// visitor-day counts once and so does a visit.
type running struct {
	counts
	visitorDay uint32
	visit      uint32
	counted    bool  // the visit counts in the group
	deepest    int64 // scroll of the visit so far

	before uint32 // the node of the values before the last one
	value  uint32
}

// earned adds what an event was worth, if anything.
func (g *running) earned(amount, currency string) {
	if amount == "" {
		return
	}
	if sum, ok := visit.ParseDecimal(amount); ok {
		g.earn(currency, revenue{sum, 1})
	}
}

// names numbers the values of a dimension.
type names struct {
	numbers map[string]uint32
	values  []string
}

func (n *names) of(value string) uint32 {
	number, ok := n.numbers[value]
	if !ok {
		number = uint32(len(n.values))
		n.numbers[value] = number
		n.values = append(n.values, value)
	}
	return number
}

// groups finds the group of a period and values: a tree with the periods below its root, a
// level for each dimension below them, and the groups for leaves.
type groups struct {
	names   []*names
	periods map[int64]uint32
	starts  []int64 // the periods, by their number
	levels  []level // one for each dimension
	leaves  []*running
	inner   [][2]uint32 // nodes above the leaves: the one above and the value
	found   []*running
	touched []*running // by the engagements of a visit

	lastPeriod int64
	lastNode   uint32
}

// level finds the node below a node for a value.
type level struct {
	first []uint32          // by the value, below the first node, 1 more than the node: nearly always there is but one
	other map[uint64]uint32 // by the node and the value
}

func newGroups(dimensions int) groups {
	g := groups{periods: map[int64]uint32{}}
	for range dimensions {
		g.names = append(g.names, &names{numbers: map[string]uint32{}})
		g.levels = append(g.levels, level{other: map[uint64]uint32{}})
	}
	return g
}

// of are the groups of an event, or of a visit when there is no event (-1): none when a
// value is not known that must be, several when it has several values. They are
// overwritten by the next call.
func (g *groups) of(period int64, values []valuer, i, visit int) []*running {
	if len(g.starts) == 0 || period != g.lastPeriod {
		node, ok := g.periods[period]
		if !ok {
			node = uint32(len(g.starts))
			g.periods[period] = node
			g.starts = append(g.starts, period)
		}
		g.lastPeriod, g.lastNode = period, node
	}
	g.found = g.found[:0]
	g.descend(g.lastNode, 0, values, i, visit)
	return g.found
}

func (g *groups) descend(node uint32, at int, values []valuer, i, visit int) {
	for ; at < len(values); at++ {
		v := &values[at]
		if v.many != nil {
			for _, number := range v.many(i, visit) {
				g.descend(g.below(node, at, number), at+1, values, i, visit)
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
		node = g.below(node, at, v.numbers[text])
	}
	g.found = append(g.found, g.leaf(node))
}

// below is the node below another for a value of a level's dimension.
func (g *groups) below(node uint32, at int, value uint32) uint32 {
	l := &g.levels[at]
	if node == 0 {
		for int(value) >= len(l.first) {
			l.first = append(l.first, 0)
		}
		if l.first[value] == 0 {
			l.first[value] = g.add(node, at, value) + 1
		}
		return l.first[value] - 1
	}
	key := uint64(node)<<32 | uint64(value)
	below, ok := l.other[key]
	if !ok {
		below = g.add(node, at, value)
		l.other[key] = below
	}
	return below
}

func (g *groups) add(node uint32, at int, value uint32) uint32 {
	if at == len(g.levels)-1 {
		g.leaves = append(g.leaves, &running{before: node, value: value})
		return uint32(len(g.leaves) - 1)
	}
	g.inner = append(g.inner, [2]uint32{node, value})
	return uint32(len(g.inner) - 1)
}

// leaf is the group of a node of the last level; without dimensions that of a period.
func (g *groups) leaf(node uint32) *running {
	if len(g.levels) > 0 {
		return g.leaves[node]
	}
	for int(node) >= len(g.leaves) {
		g.leaves = append(g.leaves, &running{})
	}
	return g.leaves[node]
}

// group is a leaf with its period and values.
func (g *groups) group(number int) *group {
	leaf := g.leaves[number]
	out := &group{values: make([]string, len(g.levels)), tallied: tallied{counts: leaf.counts}}
	node := uint32(number)
	for level := len(g.levels) - 1; level >= 0; level-- {
		above, value := leaf.before, leaf.value
		if level < len(g.levels)-1 {
			above, value = g.inner[node][0], g.inner[node][1]
		}
		out.values[level] = g.names[level].values[value]
		node = above
	}
	out.period = time.UnixMilli(g.starts[node]).UTC()
	return out
}

// merged are the groups of several workers.
func merged(tallies []*tally) []*group {
	var out []*group
	known := map[string]*group{}
	for _, t := range tallies {
		for i, leaf := range t.groups.leaves {
			if leaf.visitors == 0 { // it was only looked at
				continue
			}
			g := t.groups.group(i)
			if t.question.grain == noGrain {
				g.period = time.Time{}
			}
			key := g.key()
			if same, ok := known[key]; ok {
				same.add(g.counts)
				continue
			}
			known[key] = g
			out = append(out, g)
		}
	}
	return out
}

// key tells groups of one question apart.
func (g *group) key() string {
	return strconv.FormatInt(g.period.UnixMilli(), 10) + "\x00" + strings.Join(g.values, "\x00")
}

// compare orders rows as asked, then by time and by values, so that no two ever change
// places.
func (r *resolved) compare(definitions map[string]metricDefinition) func(a, b *group) int {
	return func(a, b *group) int {
		for _, o := range r.Order {
			var c int
			if m, ok := definitions[o.By]; ok {
				c = cmp.Compare(m.order(&a.tallied), m.order(&b.tallied))
			} else if i := slices.IndexFunc(r.properties, func(d Dimension) bool { return d.Name == o.By }); i >= 0 {
				c = cmp.Compare(r.properties[i].named(a.values[i]), r.properties[i].named(b.values[i]))
			} else {
				c = a.period.Compare(b.period)
			}
			if o.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		if c := a.period.Compare(b.period); c != 0 {
			return c
		}
		for i := range r.properties {
			if c := cmp.Compare(r.properties[i].named(a.values[i]), r.properties[i].named(b.values[i])); c != 0 {
				return c
			}
		}
		return 0
	}
}
