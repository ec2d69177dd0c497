package admission

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestGrowBusy checks the error of a question that waits for a large turn until its time limit,
// and until its client disconnects.
func TestGrowBusy(t *testing.T) {
	t.Parallel()
	gate := New(Limits{Time: time.Hour})
	grow := func(ctx context.Context) error {
		return (&Allowance{gate: gate, grows: true, giveUp: func() {}}).Grow(ctx)
	}
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if busy, ok := errors.AsType[*Error](grow(ended)); !ok || busy.Code != CodeBusy {
		t.Errorf("got %v", busy)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := grow(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestLimits checks that all questions at once leave memory and a connection.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, memory := range []int64{128 << 20, 256 << 20, 512 << 20, 4 << 30, 64 << 30} {
		for _, connections := range []int{1, 2, 4, 100} {
			l := LimitsFor(memory, connections)
			all := int64(fixedMemory)
			for _, s := range []Share{l.Small, l.Large, l.File} {
				if s.Turns < 1 || s.Each < 1 || s.Each > s.Turns || s.Each == s.Turns && s.Turns > 1 {
					t.Errorf("%d MB and %d connections: %d turns, %d of a client", memory>>20, connections, s.Turns, s.Each)
				}
				all += int64(s.Turns) * s.Memory
			}
			if all > memory*7/8 {
				t.Errorf("all questions take %d of %d MB", all>>20, memory>>20)
			}
			if l.Large.Turns >= connections && connections > 1 {
				t.Errorf("%d large questions have %d connections", l.Large.Turns, connections)
			}
			if l.Large.Memory < l.Small.Memory || l.Large.Memory > mostLarge {
				t.Errorf("%d MB: a large question has %d MB", memory>>20, l.Large.Memory>>20)
			}
		}
	}
}
