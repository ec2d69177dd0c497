package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// TestRoom scans parts of many sizes by several workers: those at once must have room
// together, unless there is only one, which counts as memory of the question.
func TestRoom(t *testing.T) {
	t.Parallel()
	const limit = 100
	s := session(t, 1000)
	room := &partRoom{limit: limit}
	var used, alone atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		w := &Worker{allowance: s.Allowance, room: room}
		workers.Go(func() {
			for n := range 200 {
				size := int64(20 + n%5*30) // up to 140
				err := w.scanPart(t.Context(), func(w *Worker) (*columns.Day, error) { return nil, w.borrow(size) }, func(_ context.Context, w *Worker, _ *columns.Day) error {
					if now := used.Add(size); now > limit && now != size {
						t.Errorf("parts of %d bytes are scanned at once", now)
					}
					if size > limit {
						alone.Add(1)
						if beyond := s.Used(); beyond != size-limit {
							t.Errorf("the question uses %d bytes", beyond)
						}
					}
					used.Add(-size)
					return w.borrow(1) // what a filter needs
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	if alone.Load() != 2*4*200/5 {
		t.Errorf("%d parts were alone", alone.Load())
	}
	if left := room.used.Load() + s.Used(); left != 0 {
		t.Errorf("%d bytes are in use in the end", left)
	}
	w := &Worker{allowance: session(t, 30).Allowance, room: room}
	err := w.scanPart(t.Context(), func(w *Worker) (*columns.Day, error) { return nil, w.borrow(200) }, nil)
	if tooLarge, ok := errors.AsType[*admission.Error](err); !ok || tooLarge.Code != admission.CodeTooLarge {
		t.Errorf("a part that has no room at all: %v", err)
	}
}
