// Package limit bounds how many events are taken in a minute, of a site or from an
// address, over all replicas together.
//
// Each replica counts by itself and decides at once; what it has counted it adds to the
// sums in Redis a few times a second, and learns what the others have. So a request never
// waits for Redis, and what passes over the limit is what comes in between two looks. A
// count that is far from its limit is not even told, which is nearly all of them.
//
// What is counted is named by a hash that the caller makes: the package must never see
// an address.
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
	// window is the time in which events are counted; the next begins from zero.
	window = time.Minute
	// syncEvery is how often counts are told and learnt.
	syncEvery = 250 * time.Millisecond
	// tellFrom is the share of a limit from which on a count is told: a client whose
	// requests are spread over 16 replicas is let by twice its limit at most.
	tellFrom = 1.0 / 16
	// most bounds the counts that a replica keeps: past it, in a flood from everywhere,
	// new ones are let pass.
	most = 1_000_000
)

// Key names what is counted.
type Key uint64

// Limiter counts. It is safe for concurrent use.
type Limiter struct {
	client redis.UniversalClient
	now    func() time.Time

	mu     sync.Mutex
	began  int64 // window that the counts are of, in windows since 1970
	counts map[Key]*count
}

type count struct {
	own    int64 // counted here
	told   int64 // of own, that is in the sum
	others int64 // of the sum, what is not own
	due    bool  // is to be told
}

// New returns a limiter that knows of no other replica until Run.
func New(client redis.UniversalClient, now func() time.Time) *Limiter {
	return &Limiter{client: client, now: now, counts: map[Key]*count{}}
}

// Allow counts an event and tells whether it is within the limit, in events a minute; 0
// is no limit. What is not allowed does not count.
func (l *Limiter) Allow(key Key, limit int) bool {
	if limit <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin()
	c := l.counts[key]
	if c == nil {
		if len(l.counts) >= most {
			return true
		}
		c = new(count)
		l.counts[key] = c
	}
	if c.own+c.others >= int64(limit) {
		return false
	}
	c.own++
	c.due = c.due || float64(c.own) >= tellFrom*float64(limit)
	return true
}

// Left is how long it is until the next window.
func (l *Limiter) Left() time.Duration {
	now := l.now()
	return now.Truncate(window).Add(window).Sub(now)
}

// begin begins a window when the last is over. It is called with the lock.
func (l *Limiter) begin() {
	if at := l.now().UnixNano() / int64(window); at != l.began {
		l.began = at
		l.counts = make(map[Key]*count)
	}
}

// Run tells and learns until ctx ends. A failure is reported when it begins: until it ends
// each replica counts by itself.
func (l *Limiter) Run(ctx context.Context, report func(error)) {
	ticker := time.NewTicker(syncEvery)
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

// Sync tells Redis what was counted here since the last time and learns the sums.
func (l *Limiter) Sync(ctx context.Context) error {
	type told struct {
		key  Key
		own  int64
		more int64
	}
	l.mu.Lock()
	l.begin()
	began := l.began
	var due []told
	for key, c := range l.counts {
		if c.due && (c.own > c.told || c.others > 0 || c.told > 0) {
			due = append(due, told{key, c.own, c.own - c.told})
		}
	}
	l.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	name := "analytics:rate:" + strconv.FormatInt(began, 10)
	pipe := l.client.Pipeline()
	sums := make([]*redis.IntCmd, len(due))
	for i, t := range due {
		sums[i] = pipe.HIncrBy(ctx, name, strconv.FormatUint(uint64(t.key), 36), t.more)
	}
	pipe.Expire(ctx, name, 2*window)
	_, err := pipe.Exec(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began == began {
		for i, t := range due {
			if c := l.counts[t.key]; c != nil && sums[i].Err() == nil {
				c.told = t.own
				c.others = sums[i].Val() - t.own
			}
		}
	}
	if err != nil {
		return fmt.Errorf("tell the rates to Redis: %w", err)
	}
	return nil
}
