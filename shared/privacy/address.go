package privacy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/realclientip/realclientip-go"
)

// ForwardedFor is the header in which most proxies say for whom they ask.
const ForwardedFor = "X-Forwarded-For"

// Proxies are the proxies before a function that are trusted to tell whose request they
// pass on. The zero value trusts none.
type Proxies struct {
	header   string
	strategy realclientip.Strategy
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
	var strategy realclientip.Strategy
	var err error
	switch header {
	case ForwardedFor, "Forwarded":
		strategy, err = realclientip.NewRightmostTrustedCountStrategy(header, hops)
	default:
		strategy, err = realclientip.NewSingleIPHeaderStrategy(header)
	}
	if err != nil {
		return Proxies{}, fmt.Errorf("trust the header %q of proxies: %w", header, err)
	}
	return Proxies{header, strategy}, nil
}

// ClientAddress is the address of the client of a request from peer, "address:port". Where
// the trusted proxies name none that can be read it is the peer's own. The zero Addr
// means that not even the peer has an address.
func (p Proxies) ClientAddress(peer string, h http.Header) netip.Addr {
	if p.strategy != nil && len(h[p.header]) > 0 {
		if a, ok := ParseAddress(p.strategy.ClientIP(h, peer)); ok {
			return a
		}
	}
	a, _ := ParseAddress(peer)
	return a
}

// ParseAddress reads an address with or without a port, and IPv4 in whichever form.
func ParseAddress(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}
