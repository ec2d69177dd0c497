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
	// shedAbove is the share of Redis's memory from which on no event is taken. What
	// is above it must last for what comes in between two looks, which is little: a
	// Redis that takes 100,000 events of 500 bytes each second fills 50 MB, 15 % of
	// 340 MB. Where it does not last Redis itself refuses, and nothing is lost either.
	// For the rest it is there so that aggregate, which needs a little memory to work,
	// can drain the queue.
	shedAbove = 0.85
	// takeBelow is the share under which events are taken again: far enough below, so
	// that a queue that is drained slowly doesn't go back and forth.
	takeBelow = 0.80
	// systemShare is how much of the machine's memory a Redis without limits may have.
	systemShare = 0.80

	// lookEvery is how often a running Room asks Redis, and how long it waits for the
	// answer.
	lookEvery = time.Second
	// complainEvery is how often it is repeated that Redis may evict.
	complainEvery = time.Minute
)

// ErrEvicts says that Redis is set up to make room by deleting keys, streams among
// them. (The policies named volatile-* delete keys that expire, which no stream does.)
var ErrEvicts = errors.New("this Redis deletes events that are not stored yet when its memory is full")

// Room tells whether Redis has memory for more events. It is safe for concurrent use.
//
// Redis is asked in the background, so that the answer costs a request nothing. A
// Redis that doesn't tell how full it is counts as having room: then only its own
// refusal stops an event.
type Room struct {
	client  redis.UniversalClient
	limit   int64
	current atomic.Pointer[look]
}

// look is what was seen last. It is never changed.
type look struct {
	ratio  float64
	full   bool
	evicts bool
}

// NewRoom returns a Room that has room until Load or Run finds otherwise. limit is how
// many bytes Redis may use when its own maxmemory is larger or not set; 0 stands for
// its maxmemory, or 80 % of its machine.
func NewRoom(client redis.UniversalClient, limit int64) *Room {
	r := &Room{client: client, limit: limit}
	r.current.Store(&look{})
	return r
}

// Full tells whether events must be refused.
func (r *Room) Full() bool { return r.current.Load().full }

// Ratio is the memory that Redis uses as a share of what it may use, from 0; of a
// cluster's masters that of the fullest. 0 when it is not known.
func (r *Room) Ratio() float64 { return r.current.Load().ratio }

// Evicts tells whether Redis may delete events, as ErrEvicts says.
func (r *Room) Evicts() bool { return r.current.Load().evicts }

// Load asks Redis. An error is ErrEvicts, or says why Redis doesn't tell.
func (r *Room) Load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	m, err := r.ask(ctx)
	if err != nil {
		r.current.Store(&look{})
		return fmt.Errorf("ask Redis for its memory: %w", err)
	}
	full := m.ratio > shedAbove || r.Full() && m.ratio >= takeBelow
	r.current.Store(&look{m.ratio, full, m.evicts != ""})
	if m.evicts != "" {
		return fmt.Errorf("%w: its maxmemory-policy is %s, set it to noeviction", ErrEvicts, m.evicts)
	}
	return nil
}

// Run loads every second until ctx ends, and logs what changes.
//
// It goes on with a Redis that may evict, and complains each minute: below shedAbove
// nothing is evicted, so refusing all events would lose more than it saves.
func (r *Room) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var last string
	var complained time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		was := r.Full()
		err := r.Load(ctx)
		if ctx.Err() != nil {
			return
		}
		switch full := r.Full(); {
		case full && !was:
			log.Error("Redis is short of memory: no event is taken until the queue has been drained", "ratio", r.Ratio())
		case was && !full:
			log.Info("events are taken again", "ratio", r.Ratio())
		}
		switch {
		case err == nil:
			last = ""
		case errors.Is(err, ErrEvicts) && time.Since(complained) >= complainEvery:
			complained, last = time.Now(), err.Error()
			log.Error("events can be lost", "error", err)
		case !errors.Is(err, ErrEvicts) && err.Error() != last:
			last = err.Error()
			log.Warn("it is not known how much memory Redis has: events are taken until it refuses them", "error", err)
		}
	}
}

// memory is what INFO says of one server, or of the fullest of several.
type memory struct {
	ratio  float64
	evicts string // the policy, when it may delete a stream
}

func (r *Room) ask(ctx context.Context) (memory, error) {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return r.askOne(ctx, r.client)
	}
	var mu sync.Mutex
	var all memory
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		one, err := r.askOne(ctx, master)
		mu.Lock()
		defer mu.Unlock()
		all.ratio = max(all.ratio, one.ratio)
		all.evicts = max(all.evicts, one.evicts)
		return err
	})
	return all, err
}

func (r *Room) askOne(ctx context.Context, server redis.UniversalClient) (memory, error) {
	text, err := server.Info(ctx, "memory").Result()
	if err != nil {
		return memory{}, err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name] = value
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(info[name], 10, 64)
		if err != nil {
			return 0 // as good as not there
		}
		return n
	}
	var m memory
	bound := number("maxmemory")
	if bound > 0 && strings.HasPrefix(info["maxmemory_policy"], "allkeys-") {
		m.evicts = info["maxmemory_policy"]
	}
	if r.limit > 0 && (bound == 0 || r.limit < bound) {
		bound = r.limit
	}
	if bound == 0 {
		bound = int64(systemShare * float64(number("total_system_memory")))
	}
	used := number("used_memory")
	if used == 0 || bound == 0 {
		return memory{}, errors.New("INFO memory tells neither used_memory nor of how much")
	}
	m.ratio = float64(used) / float64(bound)
	return m, nil
}
