package enrich

import (
	"fmt"
	"strings"
)

// list is one of the lists whose marks are looked for in user agents.
type list int

const (
	browsers list = iota
	systems
	devices
	headless
	programs
	lists // how many there are
)

// marks finds what stands in a user agent, of all lists in one pass. A mark is found by
// its first three bytes, of which hardly any stand in a browser's. An Aho-Corasick
// automaton (coregx/ahocorasick) was slower to build and to search.
type marks struct {
	byStart map[uint32][]mark
	maybe   [1 << 16]bool // by a hash of the three bytes, to spare the look into the map
	ranks   [lists]int    // how many marks a list has
}

// mark stands for a name. "^" before its text stands for the start of the user agent, "$"
// behind it for its end.
type mark struct {
	text       string
	start, end bool
	of         list
	name       string
	rank       int // in its list: the first one there counts
}

// found is what was found of a list; nothing when the name is "".
type found struct {
	name   string
	behind string // what stands behind the mark
	rank   int
}

func newMarks() *marks { return &marks{byStart: map[uint32][]mark{}} }

// add adds a name's marks behind those that a list has.
func (m *marks) add(of list, name string, texts ...string) error {
	for _, text := range texts {
		one := mark{of: of, name: name, rank: m.ranks[of]}
		text, one.start = strings.CutPrefix(text, "^")
		one.text, one.end = strings.CutSuffix(text, "$")
		if len(one.text) < 3 {
			return fmt.Errorf("index the user agents: the mark %q is shorter than 3 bytes", text)
		}
		m.ranks[of]++
		first := three(one.text)
		m.byStart[first] = append(m.byStart[first], one)
		m.maybe[hash(first)] = true
	}
	return nil
}

// find finds of each list the first name whose mark stands in the user agent.
func (m *marks) find(agent string) (first [lists]found) {
	for at := 0; at+3 <= len(agent); at++ {
		start := three(agent[at:])
		if !m.maybe[hash(start)] {
			continue
		}
		candidates := m.byStart[start]
		for i := range candidates {
			c := &candidates[i]
			best := &first[c.of]
			if best.name != "" && best.rank <= c.rank || !strings.HasPrefix(agent[at:], c.text) ||
				c.start && at > 0 || c.end && at+len(c.text) < len(agent) {
				continue
			}
			*best = found{c.name, agent[at+len(c.text):], c.rank}
		}
	}
	return first
}

func three(s string) uint32 { return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 }

func hash(three uint32) uint16 { return uint16((three * 2654435761) >> 16) }
