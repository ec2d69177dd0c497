package turn_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/query/turn"
)

// take takes a turn that must be free.
func take(t *testing.T, turns *turn.Turns, client string) (done func()) {
	t.Helper()
	done, err := turns.Take(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// wait waits for a turn in the background, and says when it has come.
func wait(ctx context.Context, t *testing.T, turns *turn.Turns, client string) (came chan func()) {
	t.Helper()
	_, before := turns.Taken()
	came = make(chan func(), 1)
	go func() {
		if done, err := turns.Take(ctx, client); err == nil {
			came <- done
		} else {
			close(came)
		}
	}()
	localtest.Eventually(t, client+" waits", func() bool { _, waiting := turns.Taken(); return waiting == before+1 })
	return came
}

func TestFewestAreNext(t *testing.T) {
	t.Parallel()
	turns := turn.New(3, 2)
	first, second := take(t, turns, "a"), take(t, turns, "a")
	third := wait(t.Context(), t, turns, "a") // though one is free: it is for others
	other := take(t, turns, "b")
	fourth := wait(t.Context(), t, turns, "c")
	other()
	(<-fourth)()
	select {
	case <-third:
		t.Fatal("a client has all turns")
	default:
	}
	first()
	(<-third)()
	second()
	if taken, waiting := turns.Taken(); taken != 0 || waiting != 0 {
		t.Errorf("%d turns are taken in the end, %d wait", taken, waiting)
	}
}

// TestFirstAreLast checks that the client with the fewest turns is next, even if another one
// has waited longer.
func TestFirstAreLast(t *testing.T) {
	t.Parallel()
	turns := turn.New(2, 2)
	first, second := take(t, turns, "a"), take(t, turns, "a")
	third := wait(t.Context(), t, turns, "a")
	other := wait(t.Context(), t, turns, "b")
	first()
	done := <-other
	select {
	case <-third:
		t.Error("who has a turn gets another before who has none")
	default:
	}
	done()
	(<-third)()
	second()
}

func TestOnlyTurn(t *testing.T) {
	t.Parallel()
	turns := turn.New(1, 1)
	done := take(t, turns, "a")
	came := wait(t.Context(), t, turns, "a")
	done()
	(<-came)()
}

// TestLeaving checks that who leaves does not block those behind.
func TestLeaving(t *testing.T) {
	t.Parallel()
	turns := turn.New(1, 1)
	done := take(t, turns, "a")
	ctx, cancel := context.WithCancel(t.Context())
	leaves := wait(ctx, t, turns, "b")
	stays := wait(t.Context(), t, turns, "c")
	cancel()
	if _, ok := <-leaves; ok {
		t.Fatal("who has left gets a turn")
	}
	done()
	(<-stays)()
	if _, err := turns.Take(ctx, "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCrowded(t *testing.T) {
	t.Parallel()
	turns := turn.New(2, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := take(t, turns, "a")
	refused := false
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for range 100 {
		if _, waits := turns.Taken(); waits == 32 {
			_, err := turns.Take(ctx, "a")
			refused = errors.Is(err, turn.ErrCrowded)
			break
		}
		before := 0
		_, before = turns.Taken()
		waiting.Go(func() { _, _ = turns.Take(ctx, "a") })
		localtest.Eventually(t, "one more waits", func() bool { _, n := turns.Taken(); return n == before+1 })
	}
	if !refused {
		t.Error("any number may wait")
	}
	take(t, turns, "b")() // others don't notice
	cancel()
	done()
}

// TestNeverMore takes turns at once.
func TestNeverMore(t *testing.T) {
	t.Parallel()
	turns := turn.New(3, 2)
	var all sync.WaitGroup
	var now, most atomic.Int64
	for _, client := range []string{"a", "b", "c", "d"} {
		for range 10 {
			all.Go(func() {
				done, err := turns.Take(t.Context(), client)
				if err != nil {
					t.Error(err)
					return
				}
				n := now.Add(1)
				for {
					seen := most.Load()
					if n <= seen || most.CompareAndSwap(seen, n) {
						break
					}
				}
				now.Add(-1)
				done()
			})
		}
	}
	all.Wait()
	if most.Load() > 3 {
		t.Errorf("%d have a turn at once", most.Load())
	}
}
