// Package schemaguard is the function that keeps the database as the code expects
// it: it applies the migrations when it starts and whenever it is called, and
// destroys the salts of days that are over.
//
// It holds the HTTP surface: what is done to the schema is in shared/schema.
package schemaguard

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/shared/access"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/schedule"
	"github.com/analytics-platform/analytics/shared/schema"
	"github.com/analytics-platform/analytics/shared/store"
)

// Config is what the function can be told.
type Config struct {
	AdminToken string        `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token; calls with it learn what was done"`
	Deadline   time.Duration `env:"SCHEMA_GUARD_DEADLINE" envDefault:"50s" envDoc:"how long one run may take; keep it below the platform's timeout"`
	Interval   time.Duration `env:"SCHEMA_GUARD_INTERVAL" envDefault:"30s" envDoc:"how often calls without a key may start a run"`
}

type function struct {
	db  *pgxpool.Pool
	log *slog.Logger
}

// New makes the function and migrates the database, so that a new deployment works
// before its schedule first fires.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
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
	f := &function{db: db, log: env.Logger()}
	if _, err := f.run(ctx); err != nil {
		return nil, err
	}
	job := &schedule.Job{Run: f.run, Deadline: config.Deadline, Interval: config.Interval, Now: time.Now}
	return &host.Function{Handler: job.Handler(guard, host.Invoke), Ready: db.Ping}, nil
}

// result is what one run found and did.
type result struct {
	schema.Report
	SaltsDestroyed int64 `json:"salts_destroyed"`
}

func (f *function) run(ctx context.Context) (any, error) {
	report, err := schema.Migrate(ctx, f.db)
	if err != nil {
		return nil, fmt.Errorf("migrate the database: %w", err)
	}
	for _, a := range report.Applied {
		f.log.Info("applied a migration", "version", a.Version, "file", a.File, "took", a.Took.String())
	}
	destroyed, err := store.DestroySalts(ctx, f.db, time.Now())
	if err != nil {
		return nil, err
	}
	return result{report, destroyed}, nil
}
