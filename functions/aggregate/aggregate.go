// Package aggregate is the function that a schedule calls to drain the queue into
// events, visits and rollups. POST / does what there is to do, within a deadline.
//
// It holds the HTTP surface and the metrics: how an event is counted exactly once
// is in shared/aggregate.
package aggregate

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/schedule"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
)

// Config is what the function can be told.
type Config struct {
	AdminToken string        `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token; calls with it learn what was done"`
	Deadline   time.Duration `env:"AGGREGATE_DEADLINE,positive" envDefault:"50s" envDoc:"how long one run may take; keep it below the platform's timeout"`
	Interval   time.Duration `env:"AGGREGATE_INTERVAL" envDefault:"1s" envDoc:"how often calls without a key may start a run"`
	Batch      int           `env:"AGGREGATE_BATCH,positive" envDoc:"how many events one transaction takes at most, by default 60000; each needs a few hundred bytes of memory, of every worker"`
	Workers    int           `env:"AGGREGATE_WORKERS,positive" envDoc:"how many of the queue's shards are drained at once; by default as many as there are processors"`
}

type function struct {
	drainer *aggregate.Aggregator
	db      *pgxpool.Pool
	redis   redis.UniversalClient
	metrics metrics
}

// New makes the function. It needs Redis and the database.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	client, err := env.Redis(ctx)
	if err != nil {
		return nil, err
	}
	db, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	guard, err := access.New(config.AdminToken, access.Keys(db, time.Now), env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	f := &function{
		drainer: &aggregate.Aggregator{Redis: client, Database: db, Batch: config.Batch, Workers: config.Workers},
		db:      db,
		redis:   client,
		metrics: newMetrics(env.Metrics()),
	}
	env.Metrics().MustRegister(newQueueCollector(client, env.Logger()))
	job := &schedule.Job{Run: f.run, Deadline: config.Deadline, Interval: config.Interval, Now: time.Now}
	return &host.Function{
		Handler: job.Handler(guard, host.Invoke),
		Ready: func(ctx context.Context) error {
			return errors.Join(client.Ping(ctx).Err(), db.Ping(ctx))
		},
	}, nil
}

// result is what one run did.
type result struct {
	aggregate.Result
	Took    float64 `json:"seconds"`
	Backlog int64   `json:"backlog"`     // events still queued
	Age     float64 `json:"age_seconds"` // how long the oldest of them has waited
}

func (f *function) run(ctx context.Context) (any, error) {
	start := time.Now()
	// A Redis without memory takes no copy of the sites, and must be drained all the more.
	published := registry.Publish(ctx, f.redis, f.db, start)
	done, err := f.drainer.Run(ctx)
	f.metrics.count(done)
	if err := errors.Join(published, err); err != nil {
		return nil, err
	}
	// It has time even after the run's deadline.
	left, err := backlog(context.WithoutCancel(ctx), f.redis)
	if err != nil {
		return nil, err
	}
	return result{done, time.Since(start).Seconds(), left.Length, left.Age.Seconds()}, nil
}

type metrics struct {
	events *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) metrics {
	m := metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "analytics_aggregate_events_total",
			Help: "Queued events by outcome: stored, duplicate, dropped (the table drops says why) or dead_letter.",
		}, []string{"outcome"}),
	}
	registry.MustRegister(m.events)
	return m
}

func (m *metrics) count(r aggregate.Result) {
	m.events.WithLabelValues("stored").Add(float64(r.Events))
	m.events.WithLabelValues("duplicate").Add(float64(r.Duplicates))
	m.events.WithLabelValues("dropped").Add(float64(r.Dropped))
	m.events.WithLabelValues("dead_letter").Add(float64(r.DeadLetters))
}
