package aggregate_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// TestMemoryOfLongBacklog checks that batches bound the memory of aggregate, whatever is
// queued: a backlog ten times as long as one that fills batches takes less than three times
// the memory. The factor allows for how the peaks of two workers coincide.
func TestMemoryOfLongBacklog(t *testing.T) {
	t.Parallel()
	const short, long = 100_000, 1_000_000
	events := traffic(rand.New(rand.NewPCG(1, 2)), month(), 48*time.Hour, short+long)
	database := localtest.Postgres(t)
	_, client := prepare(t, database)
	w := &worker{program: build(t), database: database, redis: urlOf(client), env: []string{"AGGREGATE_WORKERS=2"}}
	w.start(t)
	defer w.kill(t)

	var peaks []float64
	for _, n := range []int{short, long} {
		enqueue(t, client, events[:n])
		events = events[n:]
		if err := w.runUntilEmpty(t.Context()); err != nil {
			t.Fatal(err)
		}
		peaks = append(peaks, peakMemory(t, w.process.Process.Pid))
	}
	t.Logf("peak memory with backlogs of %d and %d events: %.0f MB", short, long, peaks)
	if peaks[1] > 3*peaks[0] {
		t.Errorf("peak memory with a backlog of %d events is %.0f MB, with %d it is %.0f MB: want at most 3 times as much", short, peaks[0], long, peaks[1])
	}
}
