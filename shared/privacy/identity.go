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

// Salt is the random key under which the visitors of one local day are hashed. It must come
// from a cryptographic source, never from a secret or the date. Otherwise, a salt could be
// computed again after its deletion, and visitors could be identified.
type Salt [SaltSize]byte

// SaltGrace is how long a salt is kept after its day has ended everywhere on earth. Until
// then, events of that day are accepted.
const SaltGrace = 12 * time.Hour

// A local day begins first where clocks are 14 hours ahead of UTC, and ends last where
// they are 12 hours behind.
const (
	firstZone = 14 * time.Hour
	lastZone  = 12 * time.Hour
)

// SaltDays returns the first and the last local day that need a salt at now: from the
// oldest day that is open to the day after the one that has begun somewhere, so that a
// database outage at midnight stops nothing.
func SaltDays(now time.Time) (first, last event.Day) {
	now = now.UTC()
	first = event.DayOf(now.Add(-lastZone - SaltGrace))
	last = event.DayOf(now.Add(firstZone)) + 1
	return first, last
}

// Sender returns a hash of a client's address, under the salt of a day. The addresses of an
// IPv6 network (/64), which is what one customer has, share a hash. It is for rate limits
// and must never be stored with an event.
func Sender(salt *Salt, address netip.Addr) uint64 {
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			address = network.Addr()
		}
	}
	a := address.As16()
	message := append(append(make([]byte, 0, SaltSize+len(a)), salt[:]...), a[:]...)
	sum := sha256.Sum256(message) // messages have one length, so prefixing the key is safe
	return binary.BigEndian.Uint64(sum[:])
}

// Visitor returns the pseudonym of the sender of an event: a keyed hash of site, address
// and user agent under the salt of the local day. Once the salt is deleted, nobody can
// compute it again.
func Visitor(salt *Salt, site int32, address netip.Addr, userAgent string) int64 {
	message := make([]byte, 0, messageSize)
	message = binary.BigEndian.AppendUint32(message, uint32(site))
	a := address.As16()
	message = append(append(message, a[:]...), userAgent...)
	sum := mac((*[SaltSize]byte)(salt), message)
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// Subject returns the pseudonym of a person whom the owner of a site names with consent: a
// keyed hash of site and reference. The key is the installation's secret, kept outside the
// database, so that the record alone reveals nobody.
func Subject(key []byte, site int32, reference string) uuid.UUID {
	hash := hmac.New(sha256.New, key)
	hash.Write(binary.BigEndian.AppendUint32(nil, uint32(site)))
	hash.Write([]byte(reference))
	return uuid.UUID(hash.Sum(nil)[:16])
}

// messageSize is the length in bytes up to which a message stays on the stack. Those of
// browsers are shorter.
const messageSize = 512

// mac computes HMAC-SHA-256 (RFC 2104). The standard library allocates eight times for
// each, which is too much for what every event needs twice.
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
