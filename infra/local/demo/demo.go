// Package demo fills an installation with a month of generated traffic of three sites,
// through the queue and the code that stores real traffic, so that users can explore the
// dashboard before they have visitors.
//
// It must never touch a site that it did not create.
package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// Days is the number of days of traffic.
	Days = 30
	// Events is the approximate number of events.
	Events = 200_000
	// late is the share of events that arrive after all others.
	late = 0.01
	// batch is the number of events that are queued before they are stored.
	batch = 40_000
)

// ErrDone means that the demo's sites exist already.
var ErrDone = errors.New("the demo's sites exist already")

// Fill creates the demo's sites and about total events of traffic before now. It calls
// progress with the number of events stored so far. If one of the sites exists, it does
// nothing and returns ErrDone.
func Fill(ctx context.Context, db database.DB, client redis.UniversalClient, now time.Time, total int, progress func(stored int)) error {
	sites, err := createSites(ctx, db)
	if err != nil {
		return err
	}
	writer := queue.NewWriter(client)
	defer writer.Close()
	f := &filler{
		writer: writer, progress: progress,
		aggregator: &aggregate.Aggregator{Redis: client, Database: db, Batch: batch},
	}
	r := rand.New(rand.NewPCG(uint64(now.Unix()), 1)) //nolint:gosec // generated traffic need not be unpredictable
	var lateEvents []event.Event
	for e := range traffic(r, sites, Days, total, now) {
		if r.Float64() < late {
			lateEvents = append(lateEvents, e)
			continue
		}
		if err := f.add(ctx, e); err != nil {
			return err
		}
	}
	for _, e := range lateEvents {
		if err := f.add(ctx, e); err != nil {
			return err
		}
	}
	return f.flush(ctx)
}

func createSites(ctx context.Context, db database.DB) ([]site, error) {
	for _, p := range profiles() {
		if _, err := sites.Find(ctx, db, p.domain); err == nil {
			return nil, ErrDone
		} else if !errors.Is(err, sites.ErrNoSite) {
			return nil, fmt.Errorf("find the demo's sites: %w", err)
		}
	}
	var created []site
	for _, p := range profiles() {
		record, err := sites.Create(ctx, db, sites.Draft{Domain: p.domain, Name: p.name, Timezone: p.timezone})
		if err != nil {
			return nil, fmt.Errorf("create the site %s: %w", p.domain, err)
		}
		location, err := time.LoadLocation(p.timezone)
		if err != nil {
			return nil, fmt.Errorf("create the site %s: %w", p.domain, err)
		}
		created = append(created, site{p, record.ID, location})
	}
	return created, nil
}

// filler queues and stores events in batches.
type filler struct {
	writer     *queue.Writer
	aggregator *aggregate.Aggregator
	progress   func(int)
	pending    []*event.Event
	stored     int
}

func (f *filler) add(ctx context.Context, e event.Event) error {
	f.pending = append(f.pending, &e)
	if len(f.pending) < batch {
		return nil
	}
	return f.flush(ctx)
}

func (f *filler) flush(ctx context.Context) error {
	if err := f.writer.Append(ctx, f.pending...); err != nil {
		return fmt.Errorf("queue the demo's events: %w", err)
	}
	if _, err := f.aggregator.Run(ctx); err != nil {
		return fmt.Errorf("store the demo's events: %w", err)
	}
	f.stored += len(f.pending)
	f.pending = f.pending[:0]
	f.progress(f.stored)
	return nil
}
