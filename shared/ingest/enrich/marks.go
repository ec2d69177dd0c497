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

// mark is a text in user agents that identifies a program. A leading "^" anchors the text to
// the start of the user agent, a trailing "$" to its end.
type mark struct {
	text       string
	before     string // what must precede the text: "" or compatible
	start, end bool
	of         list
	is         *program
	rank       int // position in its list; the lowest match counts
}

// compatible begins many marks. It is set apart from them, since all would be candidates
// wherever a user agent has "com".
const compatible = "compatible; "

// match is the best match in a list.
type match struct {
	is    *program // nil if there is none
	after string   // text after the mark
	rank  int
}

func newMarks() *marks { return &marks{byStart: map[uint32][]mark{}} }

// add appends a program's marks to a list.
func (m *marks) add(of list, is *program) error {
	for _, text := range is.Marks {
		one := mark{of: of, is: is, rank: m.ranks[of]}
		text, one.start = strings.CutPrefix(text, "^")
		if rest, ok := strings.CutPrefix(text, compatible); ok {
			text, one.before = rest, compatible
		}
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
			if best.is != nil && best.rank <= c.rank || !strings.HasPrefix(agent[at:], c.text) ||
				c.start && at > 0 || !strings.HasSuffix(agent[:at], c.before) || c.end && at+len(c.text) < len(agent) {
				continue
			}
			*best = match{c.is, agent[at+len(c.text):], c.rank}
		}
	}
	return first
}

func trigram(s string) uint32 { return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 }

func hash(trigram uint32) uint16 { return uint16((trigram * 2654435761) >> 16) }
