package aggregate_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// TestABacklogIsDrainedWithFlatMemory: the memory of aggregate is bounded by its batches,
// not by what is queued. A backlog ten times as long as one before, which had batches of full
// size, does not need three times as much: how much two workers need at the same moment differs.
func TestABacklogIsDrainedWithFlatMemory(t *testing.T) {
	t.Parallel()
	const short, long = 100_000, 1_000_000
	events := traffic(rand.New(rand.NewPCG(1, 2)), month(), 48*time.Hour, short+long)
	database := localtest.Postgres(t)
	_, client := prepare(t, database)
	w := &worker{program: build(t), database: database, redis: "redis://" + client.Options().Addr + "/0", env: []string{"AGGREGATE_WORKERS=2"}}
	w.start(t)
	defer w.kill(t)

	var peaks []float64
	for _, n := range []int{short, long} {
		enqueue(t, client, events[:n])
		events = events[n:]
		if err := w.drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		peaks = append(peaks, peakMemory(t, w.process.Process.Pid))
	}
	t.Logf("with backlogs of %d and %d events the most memory was %.0f MB", short, long, peaks)
	if peaks[1] > 3*peaks[0] {
		t.Errorf("a backlog of %d events needs %.0f MB, one of %d needs %.0f MB", short, peaks[0], long, peaks[1])
	}
}
