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

// use makes a Redis use ratio of its maxmemory.
func use(t *testing.T, client *redis.Client, ratio float64) {
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

// fill makes a Redis so large that what a test does there is a small part of it.
func fill(t *testing.T, client *redis.Client) {
	t.Helper()
	if err := client.SetRange(t.Context(), "ballast", 20<<20, "x").Err(); err != nil {
		t.Fatal(err)
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	client := connect(t)
	fill(t, client)
	room := queue.NewRoom(client, 0)
	for _, step := range []struct {
		ratio float64
		full  bool
	}{{0.5, false}, {0.83, false}, {0.87, true}, {0.83, true}, {0.78, false}, {0.83, false}, {1.2, true}} {
		use(t, client, step.ratio)
		if err := room.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := room.Ratio(); room.Full() != step.full || got < step.ratio-0.01 || got > step.ratio+0.01 {
			t.Errorf("at %v of the memory: full is %t, the ratio %v", step.ratio, room.Full(), got)
		}
	}
}

func TestRoomWithoutMaxmemory(t *testing.T) {
	t.Parallel()
	client := connect(t)
	fill(t, client)
	for name, test := range map[string]struct {
		limit int64
		full  bool
	}{"of the machine": {0, false}, "of a large limit": {100 << 20, false}, "of a small one": {20 << 20, true}} {
		room := queue.NewRoom(client, test.limit)
		if err := room.Load(t.Context()); err != nil || room.Full() != test.full || room.Ratio() <= 0 {
			t.Errorf("%s: full is %t, the ratio %v, %v", name, room.Full(), room.Ratio(), err)
		}
	}
}

func TestRoomOfACluster(t *testing.T) {
	t.Parallel()
	client, masters := newCluster(t)
	for i, master := range masters {
		fill(t, master)
		use(t, master, []float64{0.3, 0.9}[i])
	}
	room := queue.NewRoom(client, 0)
	if err := room.Load(t.Context()); err != nil || !room.Full() || room.Ratio() < 0.88 {
		t.Errorf("with one of two masters full: full is %t, the ratio %v, %v", room.Full(), room.Ratio(), err)
	}
}

// TestARedisThatMayEvict is told from one that has no reason to, and from one that
// only deletes what expires.
func TestARedisThatMayEvict(t *testing.T) {
	t.Parallel()
	client := connect(t)
	room := queue.NewRoom(client, 0)
	for _, test := range []struct {
		policy, maxmemory string
		evicts            bool
	}{{"allkeys-lru", "0", false}, {"allkeys-lru", "100mb", true}, {"allkeys-random", "100mb", true}, {"volatile-lru", "100mb", false}, {"noeviction", "100mb", false}} {
		configure(t, client, "maxmemory-policy", test.policy)
		configure(t, client, "maxmemory", test.maxmemory)
		err := room.Load(t.Context())
		if errors.Is(err, queue.ErrEvicts) != test.evicts || room.Evicts() != test.evicts || room.Full() {
			t.Errorf("%s with %s: %v", test.policy, test.maxmemory, err)
		}
		if test.evicts && !strings.Contains(err.Error(), test.policy) {
			t.Errorf("the error does not name the policy: %v", err)
		}
	}
}

// TestARedisThatDoesNotTell has room: its own refusal is what counts.
func TestARedisThatDoesNotTell(t *testing.T) {
	t.Parallel()
	memory, err := localredis.InProcess()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = memory.Stop(context.Background()) })
	gone, err := localredis.Start(t.Context(), t.TempDir(), localredis.Fsync(localredis.FsyncNever))
	if err != nil {
		t.Fatal(err)
	}
	client := connectTo(t, gone.URL())
	room := queue.NewRoom(client, 1)
	if err := room.Load(t.Context()); err != nil || !room.Full() {
		t.Errorf("with a limit of a byte: full is %t, %v", room.Full(), err)
	}
	if err := gone.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := room.Load(t.Context()); err == nil || room.Full() || room.Ratio() != 0 {
		t.Errorf("with Redis gone: full is %t, the ratio %v, %v", room.Full(), room.Ratio(), err)
	}
	room = queue.NewRoom(connectTo(t, memory.URL()), 1)
	if err := room.Load(t.Context()); err == nil || errors.Is(err, queue.ErrEvicts) || room.Full() {
		t.Errorf("without INFO memory: full is %t, %v", room.Full(), err)
	}
}

// TestRoomIsLookedAfter: Run sees by itself that the memory is full and that it is not
// any more, and says so once.
func TestRoomIsLookedAfter(t *testing.T) {
	t.Parallel()
	client := connect(t)
	fill(t, client)
	room := queue.NewRoom(client, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	var running sync.WaitGroup
	running.Go(func() { room.Run(ctx, slog.New(slog.NewTextHandler(&log, nil))) })
	for _, ratio := range []float64{0.9, 0.5} {
		use(t, client, ratio)
		localtest.Eventually(t, "it is noticed how full Redis is", func() bool { return room.Full() == (ratio > 0.8) })
	}
	configure(t, client, "maxmemory-policy", "allkeys-lfu")
	localtest.Eventually(t, "it is noticed that Redis may evict", room.Evicts)
	configure(t, client, "maxmemory-policy", "noeviction")
	localtest.Eventually(t, "it is noticed that Redis may not", func() bool { return !room.Evicts() })
	cancel()
	running.Wait()
	for _, line := range []string{"Redis is short of memory", "events are taken again", "allkeys-lfu"} {
		if strings.Count(log.String(), line) != 1 {
			t.Errorf("the log does not say once %q: %s", line, &log)
		}
	}
}

// TestRedisRefuses: what Redis refuses for want of memory is an error of each Append,
// and is not tried again.
func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	configure(t, client, "maxmemory", "1")
	const n = 5
	for range n {
		if err := writer.Append(t.Context(), made(1)); !redis.IsOOMError(err) {
			t.Errorf("appended without memory: %v", err)
		}
	}
	stats, err := client.InfoMap(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	if got := stats["Commandstats"]["cmdstat_xadd"]; !strings.Contains(got, "rejected_calls="+strconv.Itoa(n)) {
		t.Errorf("%d events were tried like this: %s", n, got)
	}
	configure(t, client, "maxmemory", "0")
	if err := writer.Append(t.Context(), made(1)); err != nil {
		t.Errorf("with memory again: %v", err)
	}
}

// TestAFloodWithoutMemory: when Redis can't move entries, they are read in their order.
func TestAFloodWithoutMemory(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	events := append(of(1, 100), of(2, 10)...)
	if err := writer.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	configure(t, client, "maxmemory", "1")
	next := 0
	for next < len(events) {
		batch, err := queue.Read(t.Context(), client, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range batch.Entries {
			if next == len(events) || read(t, e).ID != events[next].ID {
				t.Fatalf("entry %d is not the one that was appended then", next)
			}
			next++
		}
		if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
			t.Fatal(err)
		}
	}
}
