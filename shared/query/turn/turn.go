// Package turn limits how many things are done at once, and shares the turns fairly between
// clients: a client may have some of them, and the client with the fewest is next.
//
// It is pure.
package turn

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// maxWaiting is how many may wait for each turn. Another one would wait too long.
const maxWaiting = 32

// ErrCrowded is the error of Take when too many are waiting already.
var ErrCrowded = errors.New("too many are waiting for their turn")

// Turns gives turns to clients. It is safe for concurrent use.
type Turns struct {
	size int // turns at once
	each int // that a client may have

	mu      sync.Mutex
	taken   int
	of      map[string]int // turns of each client that has one
	waiting []*waiter      // in the order in which they came
}

type waiter struct {
	client string
	ready  chan struct{} // closed when the turn has come
}

// New returns Turns: size is the number of turns at once, each the maximum of one client.
func New(size, each int) *Turns { return &Turns{size: size, each: each, of: map[string]int{}} }

// Take waits for a turn of a client. The caller must call done once, at its end. The error
// is ErrCrowded, or that of the context.
func (t *Turns) Take(ctx context.Context, client string) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &waiter{client, make(chan struct{})}
	t.mu.Lock()
	if t.waitingOf(client) >= maxWaiting*t.each || len(t.waiting) >= maxWaiting*t.size {
		t.mu.Unlock()
		return nil, ErrCrowded
	}
	t.waiting = append(t.waiting, w)
	t.next()
	t.mu.Unlock()
	select {
	case <-w.ready:
		return func() { t.give(client) }, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := slices.Index(t.waiting, w)
	if at < 0 { // the turn has come meanwhile
		t.back(client)
	} else {
		t.waiting = slices.Delete(t.waiting, at, at+1)
	}
	return nil, ctx.Err()
}

// Taken returns how many turns are taken, and how many wait for one.
func (t *Turns) Taken() (taken, waiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken, len(t.waiting)
}

func (t *Turns) give(client string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.back(client)
}

// back takes a turn back. The caller holds the lock, as for the following.
func (t *Turns) back(client string) {
	t.taken--
	if t.of[client]--; t.of[client] == 0 {
		delete(t.of, client)
	}
	t.next()
}

// next gives free turns to the clients with the fewest, and among these to the first that came.
func (t *Turns) next() {
	for t.taken < t.size {
		best := -1
		for i, w := range t.waiting {
			if t.of[w.client] < t.each && (best < 0 || t.of[w.client] < t.of[t.waiting[best].client]) {
				best = i
			}
		}
		if best < 0 {
			return
		}
		w := t.waiting[best]
		t.waiting = slices.Delete(t.waiting, best, best+1)
		t.taken++
		t.of[w.client]++
		close(w.ready)
	}
}

func (t *Turns) waitingOf(client string) (n int) {
	for _, w := range t.waiting {
		if w.client == client {
			n++
		}
	}
	return n
}
