package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
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
	a := address.As16()
	message := append(append(make([]byte, 0, SaltSize+len(a)), salt[:]...), a[:]...)
	sum := sha256.Sum256(message) // all messages are of one length, so that a key before them is enough
	return binary.BigEndian.Uint64(sum[:])
}

// Visitor is the pseudonym of whoever sent an event: a keyed hash of site, address
// and user agent under the salt of the local day. Once the salt is destroyed it
// can't be computed again, by anyone.
func Visitor(salt *Salt, site int32, address netip.Addr, userAgent string) int64 {
	message := make([]byte, 0, messageSize)
	message = binary.BigEndian.AppendUint32(message, uint32(site))
	a := address.As16()
	message = append(append(message, a[:]...), userAgent...)
	sum := mac((*[SaltSize]byte)(salt), message)
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// Subject is the pseudonym of a person whom the owner of a site names with
// consent: a keyed hash of site and reference. The key is the installation's
// secret, kept outside the database, so that the record alone reveals nobody.
func Subject(key []byte, site int32, reference string) uuid.UUID {
	hash := hmac.New(sha256.New, key)
	hash.Write(binary.BigEndian.AppendUint32(nil, uint32(site)))
	hash.Write([]byte(reference))
	return uuid.UUID(hash.Sum(nil)[:16])
}

// messageSize is the length in bytes up to which a message needs no memory of the heap:
// more than that of browsers.
const messageSize = 512

// mac is HMAC-SHA-256 (RFC 2104). The standard library's needs eight pieces of memory each
// time, which is too much for what every event needs twice.
func mac(key *[SaltSize]byte, message []byte) [sha256.Size]byte {
	inner := make([]byte, sha256.BlockSize, sha256.BlockSize+messageSize)
	outer := make([]byte, sha256.BlockSize, sha256.BlockSize+sha256.Size)
	for i := range inner {
		var k byte
		if i < len(key) {
			k = key[i]
		}
		inner[i], outer[i] = k^0x36, k^0x5c
	}
	sum := sha256.Sum256(append(inner, message...))
	return sha256.Sum256(append(outer, sum[:]...))
}
