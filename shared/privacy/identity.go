package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/event"
)

// SaltSize is the length of a salt in bytes.
const SaltSize = 32

// Salt is the random key under which the visitors of one local day are hashed. It
// must come from a cryptographic source, never from a secret or the date: a salt
// that can be derived again can be used to find people again.
type Salt [SaltSize]byte

// SaltGrace is how long after its day is over everywhere on earth a salt is kept:
// so long can an event of that day still be counted.
const SaltGrace = 12 * time.Hour

// A local day begins first where clocks are 14 hours ahead of UTC and ends last
// where they are 12 hours behind.
const (
	firstZone = 14 * time.Hour
	lastZone  = 12 * time.Hour
)

// SaltDays are the first and the last local day that need a salt at now: from the
// oldest whose events are still taken to the day after the one that has begun
// somewhere, so that a store that can't be reached at midnight stops nothing.
func SaltDays(now time.Time) (first, last event.Day) {
	now = now.UTC()
	first = event.DayOf(now.Add(-lastZone - SaltGrace))
	last = event.DayOf(now.Add(firstZone)) + 1
	return first, last
}

// Sender names the address of a request by a hash, of the salt's day only, and of a whole
// network of IPv6 (/64), which is what one customer has. It is for limits, and must never
// be stored with an event.
func Sender(salt *Salt, address netip.Addr) uint64 {
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			address = network.Addr()
		}
	}
	return uint64(Visitor(salt, 0, address, "")) // no site has the id 0
}

// Visitor is the pseudonym of whoever sent an event: a keyed hash of site, address
// and user agent under the salt of the local day. Once the salt is destroyed it
// can't be computed again, by anyone.
func Visitor(salt *Salt, site int32, address netip.Addr, userAgent string) int64 {
	mac := hmac.New(sha256.New, salt[:])
	writeSite(mac, site)
	a := address.As16()
	mac.Write(a[:])
	mac.Write([]byte(userAgent))
	var sum [sha256.Size]byte
	return int64(binary.BigEndian.Uint64(mac.Sum(sum[:0])))
}

// Subject is the pseudonym of a person whom the owner of a site names with
// consent: a keyed hash of site and reference. The key is the installation's
// secret, kept outside the database, so that the record alone reveals nobody.
func Subject(key []byte, site int32, reference string) uuid.UUID {
	mac := hmac.New(sha256.New, key)
	writeSite(mac, site)
	mac.Write([]byte(reference))
	var sum [sha256.Size]byte
	return uuid.UUID(mac.Sum(sum[:0])[:16])
}

func writeSite(mac hash.Hash, site int32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(site))
	mac.Write(b[:])
}
