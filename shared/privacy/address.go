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

// ForwardedFor is the header in which most proxies say for whom they ask.
const ForwardedFor = "X-Forwarded-For"

// Proxies are the proxies before a function that are trusted to tell whose request they
// pass on. The zero value trusts none.
type Proxies struct {
	header   string
	hops     int                   // of X-Forwarded-For
	strategy realclientip.Strategy // of all other headers
}

// TrustProxies trusts so many proxies, hops, each of which appends the address it saw to a
// header: X-Forwarded-For, or Forwarded of RFC 7239. Any other header, such as
// CF-Connecting-IP or X-Real-IP, holds one address, which the last proxy has written over
// whatever the client had put there; then hops must be 1 or more and says no more.
//
// A client may send each of these headers itself and gateways pass them on, so only the
// last hops entries of a list are believed, and with 0 no header is.
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

// ClientAddress is the address of the client of a request from peer, "address:port". Where
// the trusted proxies name none that can be read it is the peer's own. The zero Addr
// means that not even the peer has an address.
func (p Proxies) ClientAddress(peer string, h http.Header) netip.Addr {
	if a, ok := p.named(peer, h); ok {
		return a
	}
	a, _ := ParseAddress(peer)
	return a
}

// named is the address that the trusted proxies name.
func (p Proxies) named(peer string, h http.Header) (a netip.Addr, ok bool) {
	values := h[p.header]
	switch {
	case len(values) == 0:
		return a, false
	case p.strategy != nil:
		return ParseAddress(p.strategy.ClientIP(h, peer))
	}
	// The header of nearly all proxies, and so of every event: the library would read all
	// of the list.
	entry, ok := fromRight(values, p.hops)
	if !ok {
		return a, false
	}
	a, ok = ParseAddress(entry)
	return a, ok && !a.IsUnspecified()
}

// fromRight is the nth entry from the right, from 1, of a list with commas between that
// several values hold.
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

// ParseAddress reads an address with or without a port, and IPv4 in whichever form.
func ParseAddress(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1 { // of others an error would have to be made
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
