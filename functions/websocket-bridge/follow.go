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
	// backlog is how many queued entries of each stream of a shard are read for visitors.
	backlog = 10_000
	// warmEvery is how often recent visitors are loaded again, because a follower that falls
	// behind the workers misses events.
	warmEvery = 30 * time.Second

	backOffFrom = 100 * time.Millisecond
	backOffTo   = 5 * time.Second
)

// follower adds incoming events to the feed, and the visitors before them.
type follower struct {
	client redis.UniversalClient
	db     *pgxpool.Pool
	feed   *live.Feed
	log    *slog.Logger
	now    func() time.Time

	once sync.Once
	warm chan struct{} // closed when the feed has the recent visitors
}

// ready returns nil once the feed's visitor counts are complete.
func (f *follower) ready(context.Context) error {
	select {
	case <-f.warm:
		return nil
	default:
		return problem.New(503, "not_warm", "the visitors of the last five minutes are not loaded yet")
	}
}

// run follows the queue until ctx ends. If Redis fails, it reconnects and loads the recent
// visitors again. It misses none, because track accepts no events without Redis.
func (f *follower) run(ctx context.Context) {
	backOff := newBackOff()
	for {
		began := f.now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		f.log.WarnContext(ctx, "following the queue failed, retrying", "error", err)
		if f.now().Sub(began) > backOffTo { // it worked for a while
			backOff = newBackOff()
		}
		wait, _ := backOff.Next()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func newBackOff() retry.Backoff {
	return retry.WithCappedDuration(backOffTo, retry.WithJitterPercent(20, retry.NewExponential(backOffFrom)))
}

// follow follows the queue until Redis fails or ctx ends.
func (f *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Follow delivers the events after this position; load finds earlier ones in the queue or
	// in the database.
	position, err := queue.End(ctx, f.client)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		failed <- queue.Follow(ctx, f.client, position, func(e event.Event) { f.feed.AddEvent(&e, f.now()) })
	}()
	err = f.load(ctx)
	ticker := time.NewTicker(warmEvery)
	defer ticker.Stop()
	for {
		if err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "loading recent visitors failed, retrying", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil // a blocked XREAD ends soon by itself
		case err := <-failed:
			return err
		case <-ticker.C:
			err = f.load(ctx)
		}
	}
}

// load adds the visitors of the last minutes to the feed, first from the queue, then from the
// database. In this order it misses no event that is stored meanwhile.
func (f *follower) load(ctx context.Context) error {
	err := f.loadQueued(ctx)
	now := f.now()
	err = errors.Join(err, store.RecentVisitors(ctx, f.db, now.Add(-live.Span), func(site int32, visitor int64, last time.Time) {
		f.feed.AddVisitor(site, visitor, last, now)
	}))
	if err == nil {
		f.once.Do(func() { close(f.warm) })
	}
	return err
}

func (f *follower) loadQueued(ctx context.Context) error {
	now := f.now()
	for shard := range queue.Shards {
		err := queue.Peek(ctx, f.client, shard, backlog, func(entry queue.Entry) {
			if e, err := entry.Event(); err == nil {
				f.feed.AddVisitor(e.Site, e.Visitor, e.Time, now)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
