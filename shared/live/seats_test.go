package live_test

import (
	"errors"
	"testing"

	"github.com/analytics-platform/analytics/shared/live"
)

// TestSeats opens streams until none is left: 16 in all, 12 of guests, 6 of them about one
// site.
func TestSeats(t *testing.T) {
	t.Parallel()
	seats := live.NewSeats(16 * 64 << 10)
	var leave []func()
	take := func(name string, n int, open func(i int) (func(), error), full error) {
		t.Helper()
		for i := range n {
			done, err := open(i)
			if err != nil {
				t.Fatalf("%s: stream %d: %v", name, i, err)
			}
			leave = append(leave, done)
		}
		if _, err := open(n); !errors.Is(err, full) {
			t.Errorf("%s: stream %d: %v, want %v", name, n, err, full)
		}
	}
	guest := func(site int32) func(int) (func(), error) {
		return func(i int) (func(), error) { return seats.TakeAsGuest(uint64(i), site) }
	}
	for range 2 { // once more after all have left
		take("a site", 6, guest(1), live.ErrFull)
		take("another site", 6, guest(2), live.ErrFull)
		take("a third site", 0, guest(3), live.ErrFull)
		take("the owner", 4, func(int) (func(), error) { return seats.Take() }, live.ErrFull)
		for _, done := range leave {
			done()
		}
		leave = nil
	}

	seats = live.NewSeats(1 << 30)
	one := func(int) (func(), error) { return seats.TakeAsGuest(7, 1) }
	take("a client", live.MostOfClient, one, live.ErrClientFull)
	leave[0]()
	take("a client that has closed one", 1, one, live.ErrClientFull)
	if _, err := seats.TakeAsGuest(8, 1); err != nil {
		t.Errorf("another client: %v", err)
	}
	if _, err := seats.Take(); err != nil {
		t.Errorf("the owner: %v", err)
	}
}
