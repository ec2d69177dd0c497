package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// shedAbove is the share of Redis's memory above which events are refused. The rest
	// must absorb what arrives between two readings, which is little: 100,000 events of
	// 500 bytes a second fill 50 MB, 15 % of 340 MB. If it does not suffice, Redis itself
	// refuses events, and still none is lost. The rest also leaves aggregate the little
	// memory that it needs to drain the queue.
	shedAbove = 0.85
	// resumeBelow is the share below which events are accepted again. The gap to shedAbove
	// prevents flapping while the queue drains slowly.
	resumeBelow = 0.80
	// systemShare is the share of the machine's memory that Redis may use if no limit is
	// set.
	systemShare = 0.80

	// readEvery is how often a running MemoryGuard reads Redis's memory, and the timeout
	// of a reading.
	readEvery = time.Second
	// warnEvery is how often the warning that Redis may evict is repeated.
	warnEvery = time.Minute
)

// ErrEvicts is returned if Redis is configured to evict keys, including streams, when its
// memory is full. (The volatile-* policies evict only keys that expire; streams do not.)
var ErrEvicts = errors.New("this Redis deletes events that are not stored yet when its memory is full")

// MemoryGuard reports whether Redis has memory for more events. It is safe for concurrent
// use.
//
// It reads Redis's memory in the background, so that a check costs a request nothing. If
// the memory can't be read, the guard accepts events until Redis itself refuses them.
type MemoryGuard struct {
	client  redis.UniversalClient
	limit   int64
	current atomic.Pointer[memoryReading]
}

// memoryReading is the result of the last reading. It is immutable.
type memoryReading struct {
	ratio  float64
	full   bool
	evicts bool
}

// NewMemoryGuard returns a MemoryGuard that is not full until Load or Run finds otherwise.
// limit is the memory, in bytes, that Redis may use, if its maxmemory is larger or not set.
// If limit is 0, Redis may use its maxmemory, or else 80 % of its machine's memory.
func NewMemoryGuard(client redis.UniversalClient, limit int64) *MemoryGuard {
	g := &MemoryGuard{client: client, limit: limit}
	g.current.Store(&memoryReading{})
	return g
}

// Full reports whether events must be refused.
func (g *MemoryGuard) Full() bool { return g.current.Load().full }

// Ratio returns the memory that Redis uses as a share of what it may use, from 0; in a
// cluster, that of the fullest master. It is 0 if unknown.
func (g *MemoryGuard) Ratio() float64 { return g.current.Load().ratio }

// Evicts reports whether Redis may delete events, see ErrEvicts.
func (g *MemoryGuard) Evicts() bool { return g.current.Load().evicts }

// Load reads Redis's memory. It returns ErrEvicts if Redis may evict events, and another
// error if the memory can't be read.
func (g *MemoryGuard) Load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readEvery)
	defer cancel()
	m, err := g.read(ctx)
	if err != nil {
		g.current.Store(&memoryReading{})
		return fmt.Errorf("read the memory of Redis: %w", err)
	}
	full := m.ratio > shedAbove || g.Full() && m.ratio >= resumeBelow
	g.current.Store(&memoryReading{m.ratio, full, m.evictPolicy != ""})
	if m.evictPolicy != "" {
		return fmt.Errorf("%w: its maxmemory-policy is %s, set it to noeviction", ErrEvicts, m.evictPolicy)
	}
	return nil
}

// Run calls Load every second until ctx ends, and logs changes.
//
// With a Redis that may evict it goes on, and repeats the warning every minute: below
// shedAbove Redis evicts nothing, so refusing all events would lose more than it saves.
func (g *MemoryGuard) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(readEvery)
	defer ticker.Stop()
	var last string
	var warned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		was := g.Full()
		err := g.Load(ctx)
		if ctx.Err() != nil {
			return
		}
		switch full := g.Full(); {
		case full && !was:
			log.Error("Redis is short of memory: refusing events until the queue is drained", "ratio", g.Ratio())
		case was && !full:
			log.Info("accepting events again", "ratio", g.Ratio())
		}
		switch {
		case err == nil:
			last = ""
		case errors.Is(err, ErrEvicts) && time.Since(warned) >= warnEvery:
			warned, last = time.Now(), err.Error()
			log.Error("events can be lost", "error", err)
		case !errors.Is(err, ErrEvicts) && err.Error() != last:
			last = err.Error()
			log.Warn("read Redis's memory failed: accepting events until Redis refuses them", "error", err)
		}
	}
}

// serverMemory is the memory of one server, or of the fullest of several.
type serverMemory struct {
	ratio       float64
	evictPolicy string // maxmemory-policy, if it may evict a stream
}

func (g *MemoryGuard) read(ctx context.Context) (serverMemory, error) {
	cluster, ok := g.client.(*redis.ClusterClient)
	if !ok {
		return g.readServer(ctx, g.client)
	}
	var mu sync.Mutex
	var all serverMemory
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		one, err := g.readServer(ctx, master)
		mu.Lock()
		defer mu.Unlock()
		all.ratio = max(all.ratio, one.ratio)
		all.evictPolicy = max(all.evictPolicy, one.evictPolicy)
		return err
	})
	return all, err
}

func (g *MemoryGuard) readServer(ctx context.Context, server redis.UniversalClient) (serverMemory, error) {
	text, err := server.Info(ctx, "memory").Result()
	if err != nil {
		return serverMemory{}, err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name] = value
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(info[name], 10, 64)
		if err != nil {
			return 0 // treat as missing
		}
		return n
	}
	var m serverMemory
	bound := number("maxmemory")
	if bound > 0 && strings.HasPrefix(info["maxmemory_policy"], "allkeys-") {
		m.evictPolicy = info["maxmemory_policy"]
	}
	if g.limit > 0 && (bound == 0 || g.limit < bound) {
		bound = g.limit
	}
	if bound == 0 {
		bound = int64(systemShare * float64(number("total_system_memory")))
	}
	used := number("used_memory")
	if used == 0 || bound == 0 {
		return serverMemory{}, errors.New("INFO memory has no used_memory, or no limit and no total_system_memory")
	}
	m.ratio = float64(used) / float64(bound)
	return m, nil
}
