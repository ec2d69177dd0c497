package visit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Other is the value of the rollup row that counts all values that a day does not keep. An
// event with this very value counts there too.
const Other = "(other)"

// hashSize is the number of bytes of a hash in the stored form of Kept.
const hashSize = 8

// Kept are the values of a dimension that the rollups of a closed day keep, if it has too
// many. Nil keeps every value. Kept holds hashes of the values; a value with the hash of a
// kept one is kept too.
type Kept struct {
	hashes []uint64 // in ascending order
}

// ParseKept reads the stored form: the first 8 bytes of the SHA-256 of each value, in ascending
// order.
func ParseKept(stored []byte) (*Kept, error) {
	if len(stored)%hashSize != 0 {
		return nil, fmt.Errorf("kept values have %d bytes, which is not a multiple of %d", len(stored), hashSize)
	}
	k := &Kept{make([]uint64, 0, len(stored)/hashSize)}
	for hash := range slices.Chunk(stored, hashSize) {
		k.hashes = append(k.hashes, binary.BigEndian.Uint64(hash))
	}
	if !slices.IsSorted(k.hashes) {
		return nil, fmt.Errorf("the %d hashes of kept values are not in order", len(k.hashes))
	}
	return k, nil
}

// Has reports whether a value is kept. The unknown value always is.
func (k *Kept) Has(value string) bool {
	if k == nil || value == "" {
		return true
	}
	sum := sha256.Sum256([]byte(value))
	_, found := slices.BinarySearch(k.hashes, binary.BigEndian.Uint64(sum[:hashSize]))
	return found
}

// RowOf returns the value of the rollup row that counts a value: the value, or Other.
func (k *Kept) RowOf(value string) string {
	if k.Has(value) {
		return value
	}
	return Other
}

// Size returns about how many bytes of memory the values take.
func (k *Kept) Size() int64 {
	if k == nil {
		return 0
	}
	return hashSize * int64(len(k.hashes))
}

// Keep says which values of a dimension a day of a site keeps. It must be called before
// anything of the day is added or subtracted.
func (r *Rollups) Keep(site int32, day event.Day, dimension Dimension, kept *Kept) {
	s := r.sums(siteDay{site, day})
	for i := range r.definitions {
		if r.definitions[i].dimension == dimension {
			s.values[i].kept = kept
		}
	}
}
