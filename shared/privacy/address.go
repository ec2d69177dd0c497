package privacy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/realclientip/realclientip-go"
	"golang.org/x/net/http/httpguts"
)

// ForwardedFor is the header in which most proxies name the client.
const ForwardedFor = "X-Forwarded-For"

// Proxies are the reverse proxies in front of a function that are trusted to name the
// client of a request. The zero value trusts none.
type Proxies struct {
	header   string
	hops     int                   // of X-Forwarded-For
	strategy realclientip.Strategy // of all other headers
}

// TrustProxies trusts the last hops proxies. Each appends the address it saw to a header:
// X-Forwarded-For, or Forwarded of RFC 7239. Any other header, such as CF-Connecting-IP or
// X-Real-IP, holds one address, with which the last proxy replaces whatever the client
// sent; then any number of hops from 1 means the same.
//
// Clients can send these headers themselves and gateways pass them on. So only the last
// hops entries of a list are trusted, and no header is when hops is 0.
func TrustProxies(hops int, header string) (Proxies, error) {
	if hops < 0 {
		return Proxies{}, errors.New("the number of trusted proxies must be 0 or more")
	}
	if hops == 0 {
		return Proxies{}, nil
	}
	header = http.CanonicalHeaderKey(strings.TrimSpace(header))
	if !httpguts.ValidHeaderFieldName(header) {
		return Proxies{}, fmt.Errorf("%q is not the name of a header", header)
	}
	var strategy realclientip.Strategy
	var err error
	switch header {
	case ForwardedFor:
		return Proxies{header: header, hops: hops}, nil
	case "Forwarded":
		strategy, err = realclientip.NewRightmostTrustedCountStrategy(header, hops)
	default:
		strategy, err = realclientip.NewSingleIPHeaderStrategy(header)
	}
	if err != nil {
		return Proxies{}, fmt.Errorf("trust the header %q of proxies: %w", header, err)
	}
	return Proxies{header: header, strategy: strategy}, nil
}

// ClientAddress returns the address of the client of a request from peer, "address:port".
// It is the peer's own address if the trusted proxies name no valid one, and the zero Addr
// if the peer has none either.
func (p Proxies) ClientAddress(peer string, h http.Header) netip.Addr {
	if a, ok := p.forwarded(peer, h); ok {
		return a
	}
	a, _ := ParseAddress(peer)
	return a
}

// forwarded returns the address that the trusted proxies name.
func (p Proxies) forwarded(peer string, h http.Header) (a netip.Addr, ok bool) {
	values := h[p.header]
	switch {
	case len(values) == 0:
		return a, false
	case p.strategy != nil:
		return ParseAddress(p.strategy.ClientIP(h, peer))
	}
	// Nearly every event comes with this header, and the library would parse the whole list.
	entry, ok := fromRight(values, p.hops)
	if !ok {
		return a, false
	}
	a, ok = ParseAddress(entry)
	return a, ok && !a.IsUnspecified()
}

// Forwarded returns the address that the client of a request forwards: the last entry of
// X-Forwarded-For that is not from the trusted proxies. It is the zero Addr if there is
// none. Any client can write it, so it must be believed only if the client is trusted.
func (p Proxies) Forwarded(client netip.Addr, h http.Header) netip.Addr {
	values := h[ForwardedFor]
	if len(values) == 0 {
		return netip.Addr{}
	}
	n := p.hops + 1
	if p.header != ForwardedFor {
		n = entryOf(values, client) + 1
	}
	entry, _ := fromRight(values, n)
	a, ok := ParseAddress(entry)
	if !ok || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// maxProxies is how many entries of a list proxies may have added that are trusted for what
// another header says.
const maxProxies = 10

// entryOf returns the number of the entry of an address, from 1, from the right, or 0 if no
// proxy has added it.
func entryOf(values []string, address netip.Addr) int {
	for n := 1; n <= maxProxies; n++ {
		entry, ok := fromRight(values, n)
		if !ok {
			break
		}
		if a, ok := ParseAddress(entry); ok && a == address {
			return n
		}
	}
	return 0
}

// fromRight returns the nth entry from the right, from 1, of a comma-separated list that
// spans several values.
func fromRight(values []string, n int) (entry string, ok bool) {
	for _, value := range slices.Backward(values) {
		for more := true; more; n-- {
			comma := strings.LastIndexByte(value, ',')
			if n == 1 {
				return value[comma+1:], true
			}
			value, more = value[:max(comma, 0)], comma >= 0
		}
	}
	return "", false
}

// ParseAddress parses an address with or without a port. An IPv4 address in IPv6 form
// becomes IPv4.
func ParseAddress(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1 { // parsing others as such would only allocate an error
		if ap, err := netip.ParseAddrPort(s); err == nil {
			return ap.Addr().Unmap().WithZone(""), true
		}
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}
