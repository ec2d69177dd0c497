package websocketbridge

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/sethvargo/go-retry"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/live"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const (
	// backlog is how many waiting entries of each lane of a shard are looked at for
	// visitors.
	backlog = 10_000
	// warmEvery is how often the record is asked again who was there lately: a
	// follower that falls behind the workers misses events.
	warmEvery = 30 * time.Second

	backOffFrom = 100 * time.Millisecond
	backOffTo   = 5 * time.Second
)

// follower brings to the feed what comes into the queue, and who was there before.
type follower struct {
	client redis.UniversalClient
	db     *pgxpool.Pool
	feed   *live.Feed
	log    *slog.Logger
	now    func() time.Time

	once sync.Once
	warm chan struct{} // closed when the feed knows who was there before
}

// ready is nil once the feed's numbers can be relied on.
func (f *follower) ready(context.Context) error {
	select {
	case <-f.warm:
		return nil
	default:
		return problem.New(503, "not_warm", "the visitors of the last five minutes are not known yet")
	}
}

// run follows the queue until ctx ends. When Redis is lost it comes back and learns
// again who was there; until then nobody else can have been: without Redis no event
// is taken.
func (f *follower) run(ctx context.Context) {
	back := backOff()
	for {
		began := f.now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		f.log.WarnContext(ctx, "lost the queue, coming back", "error", err)
		if f.now().Sub(began) > backOffTo { // it was there for a while
			back = backOff()
		}
		wait, _ := back.Next()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func backOff() retry.Backoff {
	return retry.WithCappedDuration(backOffTo, retry.WithJitterPercent(20, retry.NewExponential(backOffFrom)))
}

// follow follows the queue until Redis fails or ctx ends.
func (f *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// What was appended before this position is in the queue or in the record when
	// learn looks there; what comes after it is followed.
	position, err := queue.End(ctx, f.client)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		failed <- queue.Follow(ctx, f.client, position, func(e event.Event) { f.feed.Take(&e, f.now()) })
	}()
	err = f.learn(ctx)
	ticker := time.NewTicker(warmEvery)
	defer ticker.Stop()
	for {
		if err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "could not learn who was there lately, trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil // a read that waits in Redis ends by itself in a moment
		case err := <-failed:
			return err
		case <-ticker.C:
			err = f.learn(ctx)
		}
	}
}

// learn finds out who was there in the last minutes: whoever waits in the queue,
// then who is in the record. An entry is in one of them whenever it moves.
func (f *follower) learn(ctx context.Context) error {
	err := f.learnFromQueue(ctx)
	now := f.now()
	err = errors.Join(err, store.RecentVisitors(ctx, f.db, now.Add(-live.Span), func(site int32, visitor int64, last time.Time) {
		f.feed.Seen(site, visitor, last, now)
	}))
	if err == nil {
		f.once.Do(func() { close(f.warm) })
	}
	return err
}

func (f *follower) learnFromQueue(ctx context.Context) error {
	now := f.now()
	for shard := range queue.Shards {
		entries, err := queue.Peek(ctx, f.client, shard, backlog)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if e, err := entry.Event(); err == nil {
				f.feed.Seen(e.Site, e.Visitor, e.Time, now)
			}
		}
	}
	return nil
}
