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

// bot tells by what a program is known that sent a request, of which the marks say so much.
func (e *Enricher) bot(header string, marks *[lists]found, hints Hints, address netip.Addr) BotReason {
	switch {
	case ahead(hints.Purpose):
		return BotPrefetch
	case marks[headless].name != "" || strings.Contains(hints.Brands, "Headless"):
		return BotHeadless
	case marks[programs].name != "" || impossible(header):
		return BotUserAgent
	case e.datacenters != nil && e.datacenters.Contains(address.Unmap()):
		return BotDatacenter
	default:
		return ""
	}
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
