package live

import (
	"errors"
	"sync"
)

const (
	// MostOfClient is the maximum number of streams of one client that is a guest.
	MostOfClient = 50
	// seatMemory is what a stream may take, in bytes: its connection, and what its client has
	// not read.
	seatMemory = 64 << 10
)

// The errors of Seats.Take.
var (
	// ErrClientFull means that the client has MostOfClient streams.
	ErrClientFull = errors.New("this client has too many streams")
	// ErrFull means that there are no seats left.
	ErrFull = errors.New("too many streams are open")
)

// Seats limit how many streams are open at once: those of one guest, those about one site and
// all. A guest has neither the owner's token nor a key. Guests can take three quarters
// of all seats, and half of these for one site, so that seats remain for the owner, for keys and
// for guests of other sites. Seats are safe for concurrent use.
type Seats struct {
	most, mostGuests, mostOfSite int

	mu       sync.Mutex
	all      int
	guests   int
	byClient map[uint64]int // streams of guests
	bySite   map[int32]int  // likewise
}

// NewSeats returns Seats for a function that may use some bytes of memory for them.
func NewSeats(memory int64) *Seats {
	most := max(4, int(memory/seatMemory))
	return &Seats{most: most, mostGuests: most * 3 / 4, mostOfSite: most * 3 / 8, byClient: map[uint64]int{}, bySite: map[int32]int{}}
}

// Take takes a seat for a stream of the owner or of a key. The caller must call leave once.
func (s *Seats) Take() (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.most {
		return nil, ErrFull
	}
	s.all++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
	}, nil
}

// TakeAsGuest takes a seat for a stream of a guest about a site. The caller must call leave
// once.
func (s *Seats) TakeAsGuest(client uint64, site int32) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.byClient[client] >= MostOfClient:
		return nil, ErrClientFull
	case s.all >= s.most, s.guests >= s.mostGuests, s.bySite[site] >= s.mostOfSite:
		return nil, ErrFull
	}
	s.all++
	s.guests++
	s.byClient[client]++
	s.bySite[site]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		s.guests--
		decrease(s.byClient, client)
		decrease(s.bySite, site)
	}, nil
}

// decrease removes a count that becomes 0, so that the map does not grow.
func decrease[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}
