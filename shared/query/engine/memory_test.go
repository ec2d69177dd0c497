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
	"github.com/analytics-platform/analytics/shared/query/admission"
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
		s := session(t, 1<<40)
		rows, err := s.mergeGroups(t.Context(), []*scanner{a, b})
		if err != nil || len(rows) != many {
			t.Fatal(len(rows), err)
		}
		used = s.Used()
		return []any{a, rows}
	})
	compare("rows", used, heap)
}

// session returns a session that may use some bytes.
func session(t *testing.T, limit int64) *Session {
	t.Helper()
	gate := admission.New(admission.Limits{Time: time.Hour, File: admission.Share{Memory: limit, Turns: 1, Each: 1}})
	ctx, _, err := gate.AdmitFile(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	allowance, _ := admission.Of(ctx)
	return &Session{engine: &Engine{gate: gate}, Allowance: allowance}
}

// worker returns a worker of a session that may use a megabyte.
func worker(t *testing.T) *Worker {
	t.Helper()
	return &Worker{allowance: session(t, 1<<20).Allowance}
}

// TestAcceptedEnds checks that a question that has ended does not match further texts.
func TestAcceptedEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	matched := 0
	c := compiler{worker: worker(t)}
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
	c := compiler{worker(t), dayOfPages(100)}
	if _, err := c.goals(ctx, goals); !errors.Is(err, context.Canceled) || matched != 1 {
		t.Errorf("%d pages are matched, %v", matched, err)
	}
}

// TestWorkerEnds checks that a scan notices that its question has ended, and what it keeps.
func TestWorkerEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := worker(t)
	cancel()
	checks := 0
	for ; checks < 1000 && w.Check(ctx) == nil; checks++ {
	}
	if checks == 1000 {
		t.Error("a scan goes on after its question has ended")
	}
	w = worker(t)
	kept := 0
	for ; kept < 10<<20; kept += 1000 {
		w.Keep(1000)
		if limit, ok := errors.AsType[*admission.Error](w.Check(t.Context())); ok {
			if limit.Code != admission.CodeTooLarge {
				t.Errorf("got %v", limit)
			}
			break
		}
	}
	if kept < 1<<20-1000 || kept > 2<<20 {
		t.Errorf("a question that may use a megabyte keeps %d bytes", kept)
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
