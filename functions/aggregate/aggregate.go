// Package aggregate is the function that moves the queue into events, visits and rollups. A
// schedule calls POST /, which works until the queue is empty or a deadline.
//
// This package has the HTTP surface and the metrics. Package shared/aggregate makes sure
// that an event is counted exactly once.
package aggregate

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/bearer"
	"github.com/analytics-platform/analytics/shared/edge/schedule"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/salts"
)

// Config is the function's configuration.
type Config struct {
	AdminToken string           `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token; calls with it get the report of the run"`
	SaltKeys   privacy.SaltKeys `env:"SALT_KEY,secret,required" envDoc:"key that encrypts the salts of visitors, at least 32 characters; to rotate it, set the new key, a comma and the old key"`
	Schedule   string           `env:"SCHEDULE_TOKEN,secret" envDoc:"what the scheduler sends as a bearer token, at least 32 characters; without it, anyone may start a run"`
	Deadline   time.Duration    `env:"AGGREGATE_DEADLINE,positive" envDefault:"50s" envDoc:"maximum duration of a run; keep it below the platform's timeout"`
	Interval   time.Duration    `env:"AGGREGATE_INTERVAL" envDefault:"1s" envDoc:"minimum time between the starts of runs, except for calls with a key"`
	Batch      int              `env:"AGGREGATE_BATCH,positive" envDoc:"maximum number of events per transaction, by default 60000; each takes a few hundred bytes of memory in every worker"`
	Workers    int              `env:"AGGREGATE_WORKERS,positive" envDoc:"number of the queue's shards to aggregate at a time; by default the number of processors"`
}

type function struct {
	salts      *privacy.SaltKeys
	keepsSalts atomic.Bool // the last attempt to make Redis forget salts failed
	log        *slog.Logger
	aggregator *aggregate.Aggregator
	stall      stall
	db         *pgxpool.Pool
	redis      redis.UniversalClient
	metrics    metrics
}

// New returns the function. It connects to Redis and the database.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	scheduler, err := bearer.Optional("SCHEDULE_TOKEN", config.Schedule)
	if err != nil {
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
	sources, err := env.Sources()
	if err != nil {
		return nil, err
	}
	guard, err := access.New(config.AdminToken, db, access.Keys(db, time.Now), sources, env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	if err := env.AwaitTables(ctx, db); err != nil {
		return nil, err
	}
	f := &function{
		salts: &config.SaltKeys,
		log:   env.Logger(),
		aggregator: &aggregate.Aggregator{
			Redis: client, Database: db, Batch: config.Batch, Workers: config.Workers,
			Memory: int(env.Memory() / 2), // the rest is for garbage, connections and requests
		},
		stall:   stall{patience: patience * config.Deadline},
		db:      db,
		redis:   client,
		metrics: newMetrics(env.Metrics()),
	}
	env.Metrics().MustRegister(newQueueCollector(client, env.Logger()))
	job := &schedule.Job{
		Run: f.run, Deadline: config.Deadline, Interval: config.Interval, Token: scheduler, Log: env.Logger(), Now: time.Now,
	}
	return &host.Function{
		Handler: job.Handler(guard, host.Invoke),
		Ready: func(ctx context.Context) error {
			return errors.Join(client.Ping(ctx).Err(), db.Ping(ctx))
		},
		Close: job.Close,
	}, nil
}

// result is the report of a run.
type result struct {
	aggregate.Result
	Took    float64 `json:"seconds"`
	Backlog int64   `json:"backlog"`     // events still queued
	Age     float64 `json:"age_seconds"` // of the oldest queued event
}

// run does a run of the job.
func (f *function) run(ctx context.Context) (schedule.Result, error) {
	start := time.Now()
	// Ignore the error for now: a Redis without memory accepts no copy of the sites, but its
	// queue must be drained all the more.
	published := f.publish(ctx, start)
	done, err := f.aggregator.Run(ctx)
	f.metrics.count(done)
	if err := errors.Join(published, err); err != nil {
		return schedule.Result{}, err
	}
	// Measure the backlog even after the run's deadline.
	now := time.Now()
	left, err := backlog(context.WithoutCancel(ctx), f.redis, now)
	if err != nil {
		return schedule.Result{}, err
	}
	if err := f.stall.check(left, now); err != nil {
		return schedule.Result{}, err
	}
	return schedule.Result{
		Report: result{done, now.Sub(start).Seconds(), left.Length, left.Age.Seconds()},
		Busy:   done.Busy > 0 && done.Batches == 0,
	}, nil
}

// publish publishes the sites and salts, and makes Redis forget previous salts.
func (f *function) publish(ctx context.Context, now time.Time) error {
	if err := salts.Create(ctx, f.db, f.salts, now); err != nil {
		return err
	}
	if err := registry.Publish(ctx, f.redis, f.db, now); err != nil {
		return err
	}
	// Some providers of Redis do not allow it, and an installation must work there too.
	err := registry.Forget(ctx, f.redis)
	if failed := err != nil; failed != f.keepsSalts.Swap(failed) && failed {
		f.log.WarnContext(ctx, "Redis does not rewrite its append-only file, so the encrypted salts of closed days stay there until it does", "error", err)
	}
	return nil
}

type metrics struct {
	events *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) metrics {
	m := metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "analytics_aggregate_events_total",
			Help: "Queued events by outcome: stored, duplicate, dropped (for reasons see table drops) or dead_letter.",
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
