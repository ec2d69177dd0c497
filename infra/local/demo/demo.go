// Package demo fills an installation with a month of made-up traffic of three
// sites, through the queue and the same code that stores real traffic, so that one
// can look around before a single visitor has come.
//
// It must never touch a site that it did not make.
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
	// Days is how far back the traffic goes.
	Days = 30
	// Events is about how many events a demo has.
	Events = 200_000
	// late is how many of the events arrive after all the others.
	late = 0.01
	// batch is how many events are queued before they are stored.
	batch = 40_000
)

// ErrDone means that the demo's sites exist already.
var ErrDone = errors.New("the demo's sites exist already")

// Fill makes the demo's sites and about total events of traffic before now. It calls
// progress with the number of events stored so far. Where one of the sites exists already it does
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
		drainer: &aggregate.Aggregator{Redis: client, Database: db, Batch: batch},
	}
	r := rand.New(rand.NewPCG(uint64(now.Unix()), 1)) //nolint:gosec // made-up traffic need not be unpredictable
	var held []event.Event
	for e := range traffic(r, sites, Days, total, now) {
		if r.Float64() < late {
			held = append(held, e)
			continue
		}
		if err := f.add(ctx, e); err != nil {
			return err
		}
	}
	for _, e := range held {
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
			return nil, fmt.Errorf("look for the demo's sites: %w", err)
		}
	}
	var created []site
	for _, p := range profiles() {
		made, err := sites.Create(ctx, db, sites.Draft{Domain: p.domain, Name: p.name, Timezone: p.timezone})
		if err != nil {
			return nil, fmt.Errorf("make the site %s: %w", p.domain, err)
		}
		location, err := time.LoadLocation(p.timezone)
		if err != nil {
			return nil, fmt.Errorf("make the site %s: %w", p.domain, err)
		}
		created = append(created, site{p, made.ID, location})
	}
	return created, nil
}

// filler queues events and stores them, many at a time.
type filler struct {
	writer   *queue.Writer
	drainer  *aggregate.Aggregator
	progress func(int)
	waiting  []*event.Event
	stored   int
}

func (f *filler) add(ctx context.Context, e event.Event) error {
	f.waiting = append(f.waiting, &e)
	if len(f.waiting) < batch {
		return nil
	}
	return f.flush(ctx)
}

func (f *filler) flush(ctx context.Context) error {
	if err := f.writer.Append(ctx, f.waiting...); err != nil {
		return fmt.Errorf("queue the demo's events: %w", err)
	}
	if _, err := f.drainer.Run(ctx); err != nil {
		return fmt.Errorf("store the demo's events: %w", err)
	}
	f.stored += len(f.waiting)
	f.waiting = f.waiting[:0]
	f.progress(f.stored)
	return nil
}
