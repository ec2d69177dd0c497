package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// heapOf returns by how many bytes the heap grows with what fn makes.
func heapOf(fn func() any) int64 {
	inUse := func() int64 {
		runtime.GC()
		runtime.GC() // what the first one has finalized
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := inUse()
	made := fn()
	after := inUse()
	runtime.KeepAlive(made)
	return after - before
}

// TestSizes compares the estimates of memory with the heap: what is counted must be there,
// and what is there must be counted.
func TestSizes(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	const many = 100_000
	compare := func(name string, counted, heap int64) {
		t.Helper()
		if ratio := float64(counted) / float64(heap); ratio < 0.8 || ratio > 1.8 {
			t.Errorf("%s: %d bytes are counted, the heap grows by %d", name, counted, heap)
		}
	}
	texts := func(length int) []string {
		all := make([]string, many)
		for i := range all {
			all[i] = fmt.Sprintf("%0*d", length, i)
		}
		return all
	}
	for _, test := range []struct {
		name       string
		dimensions int
		length     int
		amounts    bool
	}{{"short values", 1, 8, false}, {"long values", 1, 500, false}, {"two dimensions", 2, 8, false}, {"four dimensions", 4, 100, false}, {"amounts", 1, 8, true}} {
		values := texts(test.length)
		var g groups
		heap := heapOf(func() any {
			g = newGroups(test.dimensions)
			place := make([]uint32, test.dimensions)
			for i, value := range values {
				for level := range place {
					place[level] = g.number(level, strings.Clone(value))
				}
				leaf := g.at(0, place)
				leaf.Visitors = int64(i)
				if test.amounts {
					g.added += leaf.addAmount("12.50", "EUR")
				}
			}
			return &g
		})
		compare(test.name, int64(g.added), heap)
		runtime.KeepAlive(values)
	}
	plan := &Plan{}
	values := texts(8)
	var used int64
	heap := heapOf(func() any {
		a := &scanner{plan: plan, groups: newGroups(2)}
		b := &scanner{plan: plan, groups: newGroups(2)}
		for i, value := range values {
			for _, s := range []*scanner{a, b} {
				place := []uint32{s.groups.number(0, value), s.groups.number(1, "x")}
				s.groups.at(0, place).Visitors = int64(i + 1)
			}
		}
		s := session(1 << 40)
		rows, err := s.mergeGroups(t.Context(), []*scanner{a, b})
		if err != nil || len(rows) != many {
			t.Fatal(len(rows), err)
		}
		used = s.allowance.usedNow()
		return []any{a, rows}
	})
	compare("rows", used, heap)
}

// session returns a session that may use some bytes.
func session(limit int64) *Session {
	e := &Engine{limits: Limits{Time: time.Hour}}
	return &Session{engine: e, allowance: &allowance{engine: e, limit: limit, giveUp: func() {}}}
}

// TestAcceptedEnds checks that a question that has ended does not match further texts.
func TestAcceptedEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	matched := 0
	c := compiler{worker: session(1 << 20).Worker()}
	_, err := c.accepted(ctx, make([]string, 1000), func(string) bool {
		if matched++; matched == 10 {
			cancel()
		}
		return true
	})
	if !errors.Is(err, context.Canceled) || matched != 10 {
		t.Errorf("%d texts are matched, %v", matched, err)
	}
}

// TestGoalsEnd checks the same for the pages of goals.
func TestGoalsEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	matched := 0
	goals := []language.Goal{{Page: func(string) bool {
		matched++
		cancel()
		return true
	}}}
	c := compiler{session(1 << 20).Worker(), dayOfPages(100)}
	if _, err := c.goals(ctx, goals); !errors.Is(err, context.Canceled) || matched != 1 {
		t.Errorf("%d pages are matched, %v", matched, err)
	}
}

// TestWorkerEnds checks that a scan notices that its question has ended, and what it keeps.
func TestWorkerEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := session(1 << 20).Worker()
	cancel()
	checks := 0
	for ; checks < 1000 && w.Check(ctx) == nil; checks++ {
	}
	if checks == 1000 {
		t.Error("a scan goes on after its question has ended")
	}
	w = session(1 << 20).Worker()
	kept := 0
	for ; kept < 10<<20; kept += 1000 {
		w.Keep(1000)
		if limit, ok := errors.AsType[*LimitError](w.Check(t.Context())); ok {
			if limit.Code != CodeTooLarge {
				t.Errorf("got %v", limit)
			}
			break
		}
	}
	if kept < 1<<20-1000 || kept > 2<<20 {
		t.Errorf("a question that may use a megabyte keeps %d bytes", kept)
	}
}

// TestGrowBusy checks the error of a question that waits for a large turn until its time limit,
// and until its client disconnects.
func TestGrowBusy(t *testing.T) {
	t.Parallel()
	e := &Engine{limits: Limits{Time: time.Hour}, turns: newTurns(Limits{})}
	grow := func(ctx context.Context) error {
		return (&allowance{engine: e, grows: true, giveUp: func() {}}).grow(ctx)
	}
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if busy, ok := errors.AsType[*LimitError](grow(ended)); !ok || busy.Code != CodeBusy {
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

// dayOfPages returns a day with some pages.
func dayOfPages(n int) *columns.Day {
	builder := columns.NewBuilder(0, columns.Type, columns.Name, columns.Page)
	for i := range n {
		builder.Add(visit.Fold([]*event.Event{{Time: event.Day(0).Date(), Visitor: int64(i), Type: event.View, Page: fmt.Sprint("/", i)}}))
	}
	return builder.Day()
}
