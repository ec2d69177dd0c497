package privacy

import (
	"net/netip"
	"strings"
)

// ClientAddress is the address of the client of a request that came through hops
// trusted proxies, each of which appended the address it saw to X-Forwarded-For.
//
// A client may send X-Forwarded-For itself and gateways pass it on, so only the
// last hops entries are believed: with 0 the peer is the client. Entries may carry
// a port. Where the list is shorter than that, its first entry is taken; where an
// entry can't be read, the peer. The zero Addr means that not even the peer has an
// address.
func ClientAddress(peer string, forwardedFor []string, hops int) netip.Addr {
	if hops > 0 {
		var list []string
		for _, header := range forwardedFor {
			list = append(list, strings.Split(header, ",")...)
		}
		if len(list) > 0 {
			if a, ok := parseAddress(list[max(0, len(list)-hops)]); ok {
				return a
			}
		}
	}
	a, _ := parseAddress(peer)
	return a
}

// parseAddress reads an address with or without a port, and IPv4 in whichever form.
func parseAddress(s string) (netip.Addr, bool) {
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
