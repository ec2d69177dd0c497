package queue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	localredis "github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/shared/queue"
)

func configure(t *testing.T, client *redis.Client, parameter, value string) {
	t.Helper()
	if err := client.ConfigSet(t.Context(), parameter, value).Err(); err != nil {
		t.Fatal(err)
	}
}

// setUsage sets maxmemory so that Redis uses ratio of it.
func setUsage(t *testing.T, client *redis.Client, ratio float64) {
	t.Helper()
	info, err := client.InfoMap(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	used, err := strconv.ParseFloat(info["Memory"]["used_memory"], 64)
	if err != nil {
		t.Fatal(err)
	}
	configure(t, client, "maxmemory", strconv.FormatInt(int64(used/ratio), 10))
}

// fill makes a Redis so large that the test's own commands hardly change its memory.
func fill(t *testing.T, client *redis.Client) {
	t.Helper()
	if err := client.SetRange(t.Context(), "ballast", 20<<20, "x").Err(); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryGuard(t *testing.T) {
	t.Parallel()
	client := connect(t)
	fill(t, client)
	guard := queue.NewMemoryGuard(client, 0)
	for _, step := range []struct {
		ratio float64
		full  bool
	}{{0.5, false}, {0.83, false}, {0.87, true}, {0.83, true}, {0.78, false}, {0.83, false}, {1.2, true}} {
		setUsage(t, client, step.ratio)
		if err := guard.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := guard.Ratio(); guard.Full() != step.full || got < step.ratio-0.01 || got > step.ratio+0.01 {
			t.Errorf("at %v of the memory: full = %t, ratio = %v", step.ratio, guard.Full(), got)
		}
	}
}

func TestMemoryGuardWithoutMaxmemory(t *testing.T) {
	t.Parallel()
	client := connect(t)
	fill(t, client)
	for name, test := range map[string]struct {
		limit int64
		full  bool
	}{"machine's memory": {0, false}, "large limit": {100 << 20, false}, "small limit": {20 << 20, true}} {
		guard := queue.NewMemoryGuard(client, test.limit)
		if err := guard.Load(t.Context()); err != nil || guard.Full() != test.full || guard.Ratio() <= 0 {
			t.Errorf("%s: full = %t, ratio = %v, %v", name, guard.Full(), guard.Ratio(), err)
		}
	}
}

func TestMemoryGuardCluster(t *testing.T) {
	t.Parallel()
	client, masters := newCluster(t)
	for i, master := range masters {
		fill(t, master)
		setUsage(t, master, []float64{0.3, 0.9}[i])
	}
	guard := queue.NewMemoryGuard(client, 0)
	if err := guard.Load(t.Context()); err != nil || !guard.Full() || guard.Ratio() < 0.88 {
		t.Errorf("one of two masters full: full = %t, ratio = %v, %v", guard.Full(), guard.Ratio(), err)
	}
}

// TestMemoryGuardEvicts checks that a Redis may evict events only if its policy includes
// keys that don't expire and its memory is limited.
func TestMemoryGuardEvicts(t *testing.T) {
	t.Parallel()
	client := connect(t)
	guard := queue.NewMemoryGuard(client, 0)
	for _, test := range []struct {
		policy, maxmemory string
		evicts            bool
	}{{"allkeys-lru", "0", false}, {"allkeys-lru", "100mb", true}, {"allkeys-random", "100mb", true}, {"volatile-lru", "100mb", false}, {"noeviction", "100mb", false}} {
		configure(t, client, "maxmemory-policy", test.policy)
		configure(t, client, "maxmemory", test.maxmemory)
		err := guard.Load(t.Context())
		if errors.Is(err, queue.ErrEvicts) != test.evicts || guard.Evicts() != test.evicts || guard.Full() {
			t.Errorf("policy %s, maxmemory %s: %v", test.policy, test.maxmemory, err)
		}
		if test.evicts && !strings.Contains(err.Error(), test.policy) {
			t.Errorf("the error does not name the policy: %v", err)
		}
	}
}

// TestMemoryGuardUnknown checks that the guard is not full if the memory can't be read.
func TestMemoryGuardUnknown(t *testing.T) {
	t.Parallel()
	memory, err := localredis.InProcess()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = memory.Stop(context.Background()) })
	server, err := localredis.Start(t.Context(), t.TempDir(), localredis.Fsync(localredis.FsyncNever))
	if err != nil {
		t.Fatal(err)
	}
	client := connectTo(t, server.URL())
	guard := queue.NewMemoryGuard(client, 1)
	if err := guard.Load(t.Context()); err != nil || !guard.Full() {
		t.Errorf("limit of one byte: full = %t, %v", guard.Full(), err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := guard.Load(t.Context()); err == nil || guard.Full() || guard.Ratio() != 0 {
		t.Errorf("Redis killed: full = %t, ratio = %v, %v", guard.Full(), guard.Ratio(), err)
	}
	guard = queue.NewMemoryGuard(connectTo(t, memory.URL()), 1)
	if err := guard.Load(t.Context()); err == nil || errors.Is(err, queue.ErrEvicts) || guard.Full() {
		t.Errorf("no INFO memory: full = %t, %v", guard.Full(), err)
	}
}

// TestMemoryGuardRun checks that Run notices changes of the memory and logs each once.
func TestMemoryGuardRun(t *testing.T) {
	t.Parallel()
	client := connect(t)
	fill(t, client)
	guard := queue.NewMemoryGuard(client, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	var running sync.WaitGroup
	running.Go(func() { guard.Run(ctx, slog.New(slog.NewTextHandler(&log, nil))) })
	for _, ratio := range []float64{0.9, 0.5} {
		setUsage(t, client, ratio)
		localtest.Eventually(t, "the guard notices the usage", func() bool { return guard.Full() == (ratio > 0.8) })
	}
	configure(t, client, "maxmemory-policy", "allkeys-lfu")
	localtest.Eventually(t, "the guard notices that Redis may evict", guard.Evicts)
	configure(t, client, "maxmemory-policy", "noeviction")
	localtest.Eventually(t, "the guard notices that Redis may not evict", func() bool { return !guard.Evicts() })
	cancel()
	running.Wait()
	for _, line := range []string{"Redis is short of memory", "accepting events again", "allkeys-lfu"} {
		if strings.Count(log.String(), line) != 1 {
			t.Errorf("the log does not have %q exactly once: %s", line, &log)
		}
	}
}

// TestAppendWithoutMemory checks that each Append that Redis refuses for lack of memory
// fails, and is not retried.
func TestAppendWithoutMemory(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	configure(t, client, "maxmemory", "1")
	const n = 5
	for range n {
		if err := writer.Append(t.Context(), newEvent(1)); !redis.IsOOMError(err) {
			t.Errorf("Append without memory = %v, want an OOM error", err)
		}
	}
	stats, err := client.InfoMap(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	if got := stats["Commandstats"]["cmdstat_xadd"]; !strings.Contains(got, "rejected_calls="+strconv.Itoa(n)) {
		t.Errorf("cmdstat_xadd = %[2]s, want %[1]d rejected calls", n, got)
	}
	configure(t, client, "maxmemory", "0")
	if err := writer.Append(t.Context(), newEvent(1)); err != nil {
		t.Errorf("Append with memory again: %v", err)
	}
}

// TestReadFloodWithoutMemory checks that entries are read in order if Redis can't promote
// any.
func TestReadFloodWithoutMemory(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	events := append(siteEvents(1, 100), siteEvents(2, 10)...)
	if err := writer.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	configure(t, client, "maxmemory", "1")
	next := 0
	for next < len(events) {
		batch, err := queue.Read(t.Context(), client, 0, upTo(10))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range batch.Entries {
			if next == len(events) || decode(t, e).ID != events[next].ID {
				t.Fatalf("entry %d is out of order", next)
			}
			next++
		}
		if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
			t.Fatal(err)
		}
	}
}
