// Package source tells the clients of a function apart, so that each can be limited, without
// keeping their addresses.
package source

import (
	"hash/maphash"
	"net/http"
	"net/netip"

	"github.com/analytics-platform/analytics/shared/privacy"
)

// network is the part of an IPv6 address that belongs to one client, in bits. Clients choose
// the rest.
const network = 64

// ID identifies the client of requests in this process. It is a hash of an address under a
// random key that nobody knows. A few clients may share an ID.
type ID uint64

// Sources identifies clients. It is safe for concurrent use.
type Sources struct {
	proxies privacy.Proxies
	key     maphash.Seed
}

// New returns Sources for a function behind proxies.
func New(proxies privacy.Proxies) *Sources { return &Sources{proxies, maphash.MakeSeed()} }

// Of returns the client of a request: an IPv4 address, or the /64 network of an IPv6 address.
func (s *Sources) Of(r *http.Request) ID {
	address := s.proxies.ClientAddress(r.RemoteAddr, r.Header)
	bits := address.BitLen()
	if address.Is6() {
		bits = network
	}
	prefix, err := address.Prefix(bits)
	if err != nil { // the connection has no address, as that of a Unix socket
		prefix = netip.Prefix{}
	}
	return ID(maphash.Comparable(s.key, prefix))
}
