// Package schema applies the embedded migrations to the database, one process at a time,
// and reports what it applied.
//
// It must change the schema only through migrations, and must never change data that a
// user owns.
package schema

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/analytics-platform/analytics/migrations"
)

// lockID is the advisory lock that is held while migrations run. It is arbitrary, and must
// be the same in every release.
const lockID int64 = 0x616e616c_79746963

// Report is the result of Migrate.
type Report struct {
	// Version is the number of the last applied migration.
	Version int64 `json:"version"`
	// Applied are the migrations that this run applied, in order.
	Applied []Applied `json:"applied"`
	// TimescaleDB is the version of the extension; "" on plain PostgreSQL.
	TimescaleDB string `json:"timescaledb"`
}

// Applied is a migration that was applied.
type Applied struct {
	Version int64         `json:"version"`
	File    string        `json:"file"`
	Took    time.Duration `json:"took_ns"`
}

const (
	// A role that may not read shared_preload_libraries can still see the settings that a
	// loaded library defines.
	extensionLoadable = `
SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
            THEN current_setting('shared_preload_libraries') ~ '\mtimescaledb\M'
            ELSE EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.max_background_workers') END
   AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
   AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')`
	extensionVersion = `SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), '')`
	createExtension  = `CREATE EXTENSION IF NOT EXISTS timescaledb`
)

// Migrate applies the migrations that the database does not have yet. Before that it
// creates the TimescaleDB extension if the server has loaded the library. An advisory lock
// makes it safe for several replicas to call it at once. It returns ErrNewer if the
// database is newer than this program.
func Migrate(ctx context.Context, db *pgxpool.Pool) (Report, error) {
	report := Report{Applied: []Applied{}}
	if err := ensureExtension(ctx, db); err != nil {
		return report, err
	}
	provider, err := newProvider(db)
	if err != nil {
		return report, err
	}
	defer func() { _ = provider.Close() }() // the pool stays open

	results, err := provider.Up(ctx)
	for _, r := range results {
		report.Applied = append(report.Applied, Applied{r.Source.Version, r.Source.Path, r.Duration})
	}
	if err != nil {
		return report, fmt.Errorf("apply migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return report, fmt.Errorf("read the schema's version: %w", err)
	}
	if current > target {
		return report, fmt.Errorf("%w: its schema is at version %d, this program knows %d", ErrNewer, current, target)
	}
	report.Version = current
	if err := db.QueryRow(ctx, extensionVersion).Scan(&report.TimescaleDB); err != nil {
		return report, fmt.Errorf("read TimescaleDB's version: %w", err)
	}
	return report, nil
}

// ErrNewer is returned if a newer release has migrated the database.
var ErrNewer = errors.New("the database belongs to a newer release: upgrade this program")

// Current reports whether every migration that this program knows is applied.
func Current(ctx context.Context, db *pgxpool.Pool) (bool, error) {
	provider, err := newProvider(db)
	if err != nil {
		return false, err
	}
	defer func() { _ = provider.Close() }() // the pool stays open
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return false, fmt.Errorf("read the schema's version: %w", err)
	}
	return current >= target, nil
}

func ensureExtension(ctx context.Context, db *pgxpool.Pool) error {
	var missing bool
	if err := db.QueryRow(ctx, extensionLoadable).Scan(&missing); err != nil {
		return fmt.Errorf("look for TimescaleDB: %w", err)
	}
	if !missing {
		return nil
	}
	if _, err := db.Exec(ctx, createExtension); err != nil {
		return fmt.Errorf("create the extension timescaledb (the role needs CREATE on the database): %w", err)
	}
	return nil
}

func newProvider(db *pgxpool.Pool) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(1, 60))
	if err != nil {
		return nil, fmt.Errorf("create the migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(db), migrations.Files,
		goose.WithTableName("schema_migrations"), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return provider, nil
}
