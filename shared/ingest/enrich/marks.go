package enrich

import (
	"fmt"
	"strings"
)

// list is a list of marks to find in user agents.
type list int

const (
	browsers list = iota
	systems
	devices
	headless
	programs
	lists // number of lists
)

// marks finds the marks of all lists in one pass over a user agent. It looks up each three
// bytes of the user agent; few are the start of a mark. An Aho-Corasick automaton
// (coregx/ahocorasick) was slower to build and to search.
type marks struct {
	byStart map[uint32][]mark
	maybe   [1 << 16]bool // by a hash of the three bytes: false spares the map lookup
	ranks   [lists]int    // number of marks in a list
}

// mark is a text in user agents that identifies a name. A leading "^" anchors the text to
// the start of the user agent, a trailing "$" to its end.
type mark struct {
	text       string
	start, end bool
	of         list
	name       string
	rank       int // position in its list; the lowest match counts
}

// match is the best match in a list. The name is "" if there is none.
type match struct {
	name  string
	after string // text after the mark
	rank  int
}

func newMarks() *marks { return &marks{byStart: map[uint32][]mark{}} }

// add appends a name's marks to a list.
func (m *marks) add(of list, name string, texts ...string) error {
	for _, text := range texts {
		one := mark{of: of, name: name, rank: m.ranks[of]}
		text, one.start = strings.CutPrefix(text, "^")
		one.text, one.end = strings.CutSuffix(text, "$")
		if len(one.text) < 3 {
			return fmt.Errorf("index the user agents: the mark %q is shorter than 3 bytes", text)
		}
		m.ranks[of]++
		first := trigram(one.text)
		m.byStart[first] = append(m.byStart[first], one)
		m.maybe[hash(first)] = true
	}
	return nil
}

// find returns for each list the first entry whose mark is in the user agent.
func (m *marks) find(agent string) (first [lists]match) {
	for at := 0; at+3 <= len(agent); at++ {
		start := trigram(agent[at:])
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
			*best = match{c.name, agent[at+len(c.text):], c.rank}
		}
	}
	return first
}

func trigram(s string) uint32 { return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 }

func hash(trigram uint32) uint16 { return uint16((trigram * 2654435761) >> 16) }
