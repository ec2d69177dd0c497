// Package limit limits the number of events per minute, of a site or from an address,
// across all replicas. A large event counts as several, so the limit bounds bytes as well.
//
// Each replica counts locally and decides immediately. Several times a second it adds its
// counts to sums in Redis and reads those of the other replicas. So a request never waits
// for Redis, and the limit can be exceeded by the events between two syncs. Counts far
// below their limits, which are nearly all, are not synced.
//
// Counts are identified by hashes that the caller computes. The package must never see an
// address.
package limit

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// window is the time after which counts restart at zero.
	window = time.Minute
	// syncInterval is the time between two syncs with Redis.
	syncInterval = 250 * time.Millisecond
	// syncThreshold is the share of a limit from which a count is synced. With it, a
	// client whose requests are spread over 16 replicas can send at most twice its limit.
	syncThreshold = 1.0 / 16
	// unit is how many bytes an event may have to count as one.
	unit = 2 << 10
	// maxCounts is the maximum number of counts of a replica. During an attack from more
	// sources the others are not limited.
	maxCounts = 1_000_000
)

// Key identifies a count.
type Key uint64

// Limiter limits the rates of events. It is safe for concurrent use.
type Limiter struct {
	client redis.UniversalClient
	now    func() time.Time

	mu     sync.Mutex
	window int64 // number of the current window since 1970
	counts map[Key]*count
}

type count struct {
	own    int64 // events of this replica
	synced int64 // the part of own that Redis has
	others int64 // events of other replicas
	due    bool  // has reached syncThreshold
}

// New returns a Limiter that limits locally until Run is called.
func New(client redis.UniversalClient, now func() time.Time) *Limiter {
	return &Limiter{client: client, now: now, counts: map[Key]*count{}}
}

// Allow reports whether an event of a size in bytes is within the limit, in events per minute,
// and counts it if so: once for each 2,048 bytes, begun ones included. A limit of 0 allows
// everything.
func (l *Limiter) Allow(key Key, size, limit int) bool {
	if limit <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance()
	c := l.counts[key]
	if c == nil {
		if len(l.counts) >= maxCounts {
			return true
		}
		c = new(count)
		l.counts[key] = c
	}
	if c.own+c.others >= int64(limit) {
		return false
	}
	c.own += int64(max(1, (size+unit-1)/unit))
	c.due = c.due || float64(c.own) >= syncThreshold*float64(limit)
	return true
}

// Left returns the time until the next window.
func (l *Limiter) Left() time.Duration {
	now := l.now()
	return now.Truncate(window).Add(window).Sub(now)
}

// advance resets the counts if a new window has begun. The caller holds the lock.
func (l *Limiter) advance() {
	if current := l.now().UnixNano() / int64(window); current != l.window {
		l.window = current
		l.counts = make(map[Key]*count)
	}
}

// Run syncs with Redis until ctx ends. It reports the first of consecutive failures; while
// syncs fail, each replica limits locally.
func (l *Limiter) Run(ctx context.Context, report func(error)) {
	ticker := time.NewTicker(syncInterval)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := l.Sync(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			report(err)
		}
		failed = err != nil
	}
}

// Sync adds the counts since the last sync to the sums in Redis and reads the sums.
func (l *Limiter) Sync(ctx context.Context) error {
	type update struct {
		key   Key
		own   int64
		delta int64
	}
	l.mu.Lock()
	l.advance()
	current := l.window
	var due []update
	for key, c := range l.counts {
		if c.due && (c.own > c.synced || c.others > 0 || c.synced > 0) {
			due = append(due, update{key, c.own, c.own - c.synced})
		}
	}
	l.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	name := "analytics:rate:" + strconv.FormatInt(current, 10)
	pipe := l.client.Pipeline()
	sums := make([]*redis.IntCmd, len(due))
	for i, t := range due {
		sums[i] = pipe.HIncrBy(ctx, name, strconv.FormatUint(uint64(t.key), 36), t.delta)
	}
	pipe.Expire(ctx, name, 2*window)
	_, err := pipe.Exec(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.window == current {
		for i, t := range due {
			if c := l.counts[t.key]; c != nil && sums[i].Err() == nil {
				c.synced = t.own
				c.others = sums[i].Val() - t.own
			}
		}
	}
	if err != nil {
		return fmt.Errorf("sync rates with Redis: %w", err)
	}
	return nil
}
