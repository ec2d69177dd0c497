package enrich

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"go4.org/netipx"
)

// BotReason says by what a program is known. Empty is for a person's browser.
type BotReason string

// The reasons for which a request is taken for a program's.
const (
	BotUserAgent  BotReason = "bot_user_agent" // it says so, or says what no browser says
	BotHeadless   BotReason = "bot_headless"   // a browser that nobody looks at
	BotPrefetch   BotReason = "bot_prefetch"   // a page loaded ahead that may never be seen
	BotDatacenter BotReason = "bot_datacenter" // it comes from a network of the operator's list
)

// bots are the marks of programs in data/bots.json.
type bots struct {
	Headless []string `json:"headless"`
	Programs []string `json:"programs"`
}

// crawlers finds the marks of known programs in a user agent, all of them in one pass.
// Marks are found by their first three bytes, of which hardly any stand in a browser's.
// An Aho-Corasick automaton (coregx/ahocorasick) was slower to build and to search.
type crawlers struct {
	byStart      map[uint32][]string
	maybe        [1 << 16]bool // by a hash of the three bytes, to spare the look into the map
	starts, ends []string
	headless     []string
	datacenters  *netipx.IPSet
}

// newCrawlers takes marks of headless browsers and of other programs: "^" before one of
// these stands for the start of the user agent, "$" behind one for its end.
func newCrawlers(headless, marks []string) (*crawlers, error) {
	c := &crawlers{byStart: map[uint32][]string{}, headless: headless}
	for _, mark := range marks {
		if text, ok := strings.CutPrefix(mark, "^"); ok {
			c.starts = append(c.starts, text)
			continue
		}
		if text, ok := strings.CutSuffix(mark, "$"); ok {
			c.ends = append(c.ends, text)
			continue
		}
		if len(mark) < 3 {
			return nil, fmt.Errorf("index the crawlers: the mark %q is shorter than 3 bytes", mark)
		}
		start := three(mark)
		c.byStart[start] = append(c.byStart[start], mark)
		c.maybe[hash(start)] = true
	}
	return c, nil
}

func three(s string) uint32 { return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 }

func hash(three uint32) uint16 { return uint16((three * 2654435761) >> 16) }

// Bot tells whether a program sent a request, and by what it is known.
func (e *Enricher) Bot(header string, hints Hints, address netip.Addr) (reason BotReason, bot bool) {
	switch c := e.crawlers; {
	case ahead(hints.Purpose):
		return BotPrefetch, true
	case strings.Contains(hints.Brands, "Headless") || containsAny(header, c.headless):
		return BotHeadless, true
	case impossible(header) || c.known(header[:min(len(header), maxAgent)]):
		return BotUserAgent, true
	case c.datacenters != nil && c.datacenters.Contains(address.Unmap()):
		return BotDatacenter, true
	default:
		return "", false
	}
}

func (c *crawlers) known(header string) bool {
	for _, start := range c.starts {
		if strings.HasPrefix(header, start) {
			return true
		}
	}
	for _, end := range c.ends {
		if strings.HasSuffix(header, end) {
			return true
		}
	}
	for at := 0; at+3 <= len(header); at++ {
		start := three(header[at:])
		if !c.maybe[hash(start)] {
			continue
		}
		for _, mark := range c.byStart[start] {
			if strings.HasPrefix(header[at:], mark) {
				return true
			}
		}
	}
	return false
}

// ahead tells whether a page is loaded before anybody asked for it.
func ahead(purpose string) bool {
	return purpose != "" && (strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender") || strings.Contains(purpose, "preview"))
}

// impossible tells whether no browser and no app sends such a user agent: one of no more
// than the common beginning, or one with what breaks out of a text. None at all is what
// servers send that tell of their visitors.
func impossible(header string) bool {
	switch strings.TrimSpace(header) {
	case "-", "Mozilla", "Mozilla/4.0", "Mozilla/5.0", "null", "undefined":
		return true
	}
	return strings.ContainsAny(header, "<>{}$\x00\n\r")
}

func containsAny(text string, marks []string) bool {
	for _, mark := range marks {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// readNetworks reads a file of networks such as 192.0.2.0/24, one a line; "#" begins a
// comment.
func readNetworks(path string) (*netipx.IPSet, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the networks of datacenters: %w", err)
	}
	networks, err := parseNetworks(string(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return networks, nil
}

func parseNetworks(list string) (*netipx.IPSet, error) {
	var set netipx.IPSetBuilder
	number := 0
	for line := range strings.Lines(list) {
		number++
		text, _, _ := strings.Cut(line, "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("line %d is no network such as 192.0.2.0/24 or 2001:db8::/32", number)
		}
		set.AddPrefix(prefix.Masked())
	}
	networks, err := set.IPSet()
	if err != nil {
		return nil, fmt.Errorf("index the networks: %w", err)
	}
	return networks, nil
}
