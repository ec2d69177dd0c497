package aggregate_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// TestABacklogIsDrainedWithFlatMemory: the memory of aggregate is bounded by its batches,
// not by what is queued. It needs no more at the end of a million events than after the
// first batches of full size, which each of the two workers has had when 400,000 are
// drained.
func TestABacklogIsDrainedWithFlatMemory(t *testing.T) {
	t.Parallel()
	const most = 256 // megabytes
	peaks := drainMemory(t, build(t), traffic(rand.New(rand.NewPCG(1, 2)), month(), 48*time.Hour, 1_000_000))
	last := peaks[len(peaks)-1]
	t.Logf("most memory, in MB, after each 100,000 of a million events: %.0f", peaks)
	if early := peaks[3]; last > 1.25*early {
		t.Errorf("after 400,000 events it had needed %.0f MB, at the end %.0f MB", early, last)
	}
	if last > most {
		t.Errorf("it needed %.0f MB, want at most %d MB", last, most)
	}
}

// drainMemory drains events with the function's program, and returns the most memory
// that it ever had, in megabytes: after each 100,000 of them, and at the end.
func drainMemory(t *testing.T, program string, events []*event.Event) (peaks []float64) {
	t.Helper()
	const step = 100_000
	database := localtest.Postgres(t)
	_, client := prepare(t, database)
	enqueue(t, client, events)
	w := &worker{program: program, database: database, redis: "redis://" + client.Options().Addr + "/0",
		env: []string{"AGGREGATE_WORKERS=2"}}
	w.start(t)
	defer w.kill(t)

	drained := make(chan error, 1)
	go func() { drained <- w.drain(t.Context()) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-drained:
			if err != nil {
				t.Fatal(err)
			}
			return append(peaks, peakMemory(t, w.process.Process.Pid))
		case <-tick.C:
		}
		left, err := strconv.ParseFloat(w.scrape(t)["analytics_queue_events"], 64)
		if err != nil {
			t.Fatal(err)
		}
		for len(events)-int(left) >= (len(peaks)+1)*step {
			peaks = append(peaks, peakMemory(t, w.process.Process.Pid))
		}
	}
}
