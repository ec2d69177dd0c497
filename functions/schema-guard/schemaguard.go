// Package schemaguard is the function that maintains the database. When it starts, and on
// each call, it applies migrations and deletes expired salts and sessions. A call also
// rewrites what earlier versions stored in another form, recomputes closed days, repairs
// differences, compresses old chunks, and archives closed days.
//
// This package has the HTTP surface and the metrics. Package shared/storage/schema migrates,
// shared/aggregate/recompute recomputes days, and shared/aggregate/archive archives them.
package schemaguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/aggregate/recompute"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/bearer"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/schedule"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/salts"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Config is the function's configuration.
type Config struct {
	AdminToken string        `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token; calls with it get the report of the run"`
	Schedule   string        `env:"SCHEDULE_TOKEN,secret" envDoc:"what the scheduler sends as a bearer token, at least 32 characters; without it, anyone may start a run"`
	Deadline   time.Duration `env:"SCHEMA_GUARD_DEADLINE,positive" envDefault:"50s" envDoc:"maximum duration of a run; keep it below the platform's timeout"`
	Values     int           `env:"ROLLUP_VALUES,positive" envDefault:"100000" envDoc:"how many values of a dimension the rollups of a closed day keep; the others become one row, (other)"`
	Interval   time.Duration `env:"SCHEMA_GUARD_INTERVAL" envDefault:"30s" envDoc:"minimum time between the starts of runs, except for calls with a key"`
}

type function struct {
	db       *pgxpool.Pool
	log      *slog.Logger
	codec    *columns.Codec
	deadline time.Duration
	values   int
	checked  prometheus.Counter
	wrong    prometheus.Counter
	archived prometheus.Counter
}

// New returns the function. It migrates the database, so that a new deployment works before
// its schedule first fires.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	scheduler, err := bearer.Optional("SCHEDULE_TOKEN", config.Schedule)
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
	gate, err := access.New(config.AdminToken, db, access.Keys(db, time.Now), sources, env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	codec, err := columns.NewCodec()
	if err != nil {
		return nil, err
	}
	f := newFunction(db, codec, env, &config)
	if _, err := f.tidy(ctx, time.Now()); err != nil {
		return nil, err
	}
	job := &schedule.Job{
		Run: f.run, Deadline: config.Deadline, Interval: config.Interval, Token: scheduler, Log: env.Logger(), Now: time.Now,
	}
	mux := http.NewServeMux()
	mux.Handle("/{$}", job.Handler(gate, host.Invoke))
	mux.Handle("POST /v1/recompute", gate.RequireAllSites(sites.ScopeAdmin, http.HandlerFunc(f.recompute)))
	return &host.Function{Handler: jsonhttp.Routes(mux), Ready: db.Ping, Close: job.Close}, nil
}

func newFunction(db *pgxpool.Pool, codec *columns.Codec, env *host.Env, config *Config) *function {
	f := &function{
		db: db, log: env.Logger(), codec: codec, deadline: config.Deadline, values: config.Values,
		checked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_schema_guard_days_checked_total",
			Help: "Closed days of sites that were recomputed.",
		}),
		wrong: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_schema_guard_days_wrong_total",
			Help: "Recomputed days whose stored numbers differed from their events and were repaired.",
		}),
		archived: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_schema_guard_days_kept_total",
			Help: "Closed days of sites that were archived.",
		}),
	}
	env.Metrics().MustRegister(f.checked, f.wrong, f.archived)
	return f
}

// result is the report of a run.
type result struct {
	schema.Report
	SaltsDestroyed   int64 `json:"salts_destroyed"`
	SessionsDeleted  int64 `json:"sessions_deleted"`
	ChunksCompressed int   `json:"chunks_compressed"`
	recompute.RewriteResult
	recompute.CheckResult
	archive.Result
}

// run does a run of the job.
func (f *function) run(ctx context.Context) (schedule.Result, error) {
	done, err := f.maintain(ctx)
	return schedule.Result{Report: done}, err
}

// maintain does all that is due, as far as the deadline allows.
func (f *function) maintain(ctx context.Context) (result, error) {
	now := time.Now()
	done, err := f.tidy(ctx, now)
	if err != nil {
		return done, err
	}
	more := func() bool { return f.timeLeft(ctx) }
	if done.RewriteResult, err = recompute.RewritePaths(ctx, f.db, more, f.log); err != nil {
		return done, err
	}
	done.CheckResult, err = recompute.CheckClosed(ctx, f.db, now, f.values, more, f.log)
	f.checked.Add(float64(done.CheckResult.Days))
	f.wrong.Add(float64(done.Wrong))
	if err != nil {
		return done, err
	}
	if more() {
		done.ChunksCompressed, err = store.Compress(ctx, f.db, now)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("compressing a chunk takes longer than a run: raise SCHEMA_GUARD_DEADLINE and the platform's timeout: %w", err)
	}
	if err != nil {
		return done, err
	}
	done.Result, err = archive.ClosedDays(ctx, f.db, f.codec, now, more, f.log)
	f.archived.Add(float64(done.Result.Days))
	return done, err
}

// timeLeft reports whether there is time for another day: at least half of the deadline.
func (f *function) timeLeft(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) >= f.deadline/2
}

// tidy migrates the database and deletes expired salts and sessions.
func (f *function) tidy(ctx context.Context, now time.Time) (result, error) {
	report, err := schema.Migrate(ctx, f.db)
	if err != nil {
		return result{}, fmt.Errorf("migrate the database: %w", err)
	}
	for _, a := range report.Applied {
		f.log.Info("applied a migration", "version", a.Version, "file", a.File, "took", a.Took.String())
	}
	destroyed, err := salts.Destroy(ctx, f.db, now)
	if err != nil {
		return result{}, err
	}
	sessions, err := sites.DeleteExpiredSessions(ctx, f.db, now)
	if err != nil {
		return result{}, err
	}
	return result{Report: report, SaltsDestroyed: destroyed, SessionsDeleted: sessions}, nil
}
