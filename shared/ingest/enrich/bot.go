package enrich

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"go4.org/netipx"
)

// BotReason is the reason why a request counts as a program's; "" for a person's browser.
type BotReason string

// The reasons why a request counts as a program's.
const (
	BotUserAgent  BotReason = "bot_user_agent" // the user agent is a known program's, or what no browser sends
	BotUnknown    BotReason = "bot_unknown"    // the user agent names no system on which people browse
	BotHeadless   BotReason = "bot_headless"   // a headless browser
	BotPrefetch   BotReason = "bot_prefetch"   // a page loaded ahead, which may never be seen
	BotDatacenter BotReason = "bot_datacenter" // the address is in the operator's list of networks
)

// bots is the content of data/bots.json: marks of programs.
type bots struct {
	Headless []string `json:"headless"`
	Programs []string `json:"programs"`
}

// bot returns the reason why a request counts as a program's, or "".
func (e *Enricher) bot(header string, marks *[lists]match, hints Hints, address netip.Addr) BotReason {
	switch {
	case isPrefetch(hints.Purpose):
		return BotPrefetch
	case marks[headless].is != nil || strings.Contains(hints.Brands, "Headless"):
		return BotHeadless
	case marks[programs].is != nil || impossible(header):
		return BotUserAgent
	case e.datacenters != nil && e.datacenters.Contains(address.Unmap()):
		return BotDatacenter
	case marks[systems].is == nil && marks[browsers].is == nil && hints.Brands == "":
		return BotUnknown
	default:
		return ""
	}
}

// isPrefetch reports whether a page is loaded before the visitor asks for it.
func isPrefetch(purpose string) bool {
	return purpose != "" && (strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender") || strings.Contains(purpose, "preview"))
}

// impossible reports whether no browser or app sends a user agent: it has only the common
// prefix, or characters of an injection attack.
func impossible(header string) bool {
	switch strings.TrimSpace(header) {
	case "-", "Mozilla", "Mozilla/4.0", "Mozilla/5.0", "null", "undefined":
		return true
	}
	return strings.ContainsAny(header, "<>$\x00\n\r")
}

// readNetworks reads a file of networks such as 192.0.2.0/24, one per line; "#" starts a
// comment.
func readNetworks(path string) (*netipx.IPSet, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the datacenter networks: %w", err)
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
			return nil, fmt.Errorf("line %d is not a network such as 192.0.2.0/24 or 2001:db8::/32", number)
		}
		set.AddPrefix(prefix.Masked())
	}
	networks, err := set.IPSet()
	if err != nil {
		return nil, fmt.Errorf("index the networks: %w", err)
	}
	return networks, nil
}
