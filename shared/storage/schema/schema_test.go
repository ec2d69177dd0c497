package schema_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/migrations"
	"github.com/analytics-platform/analytics/shared/storage/schema"
)

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	for _, database := range append(localtest.Databases(t), localtest.WebAssembly(t)) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := open(t, database.URL)
			ctx := t.Context()
			first, err := schema.Migrate(ctx, db)
			if err != nil {
				t.Fatal(err)
			}
			if first.Version < 1 || len(first.Applied) != int(first.Version) {
				t.Errorf("the first run reports %+v, want all migrations", first)
			}
			again, err := schema.Migrate(ctx, db)
			if err != nil || again.Version != first.Version || len(again.Applied) != 0 {
				t.Errorf("the second run reports %+v, %v; want no migrations", again, err)
			}
			if current, err := schema.Current(ctx, db); err != nil || !current {
				t.Errorf("Current returns %t, %v; want true", current, err)
			}

			hypertables := 0
			if first.TimescaleDB != "" {
				if err := db.QueryRow(ctx, `SELECT count(*) FROM timescaledb_information.hypertables WHERE compression_enabled`).Scan(&hypertables); err != nil {
					t.Fatal(err)
				}
			}
			if want := map[bool]int{true: 0, false: 4}[database.Name == "plain"]; hypertables != want {
				t.Errorf("got %d hypertables (TimescaleDB %q), want %d", hypertables, first.TimescaleDB, want)
			}
		})
	}
}

// TestMigrateConcurrently checks that only one of several processes that start at the same
// time applies the migrations.
func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	url := localtest.Postgres(t)
	const replicas = 4
	applied := make(chan int, replicas)
	for range replicas {
		db := open(t, url)
		go func() {
			report, err := schema.Migrate(t.Context(), db)
			if err != nil {
				t.Error(err)
			}
			applied <- len(report.Applied)
		}()
	}
	migrated := 0
	for range replicas {
		if <-applied > 0 {
			migrated++
		}
	}
	if migrated != 1 {
		t.Errorf("%d replicas applied migrations, want 1", migrated)
	}
}

func TestMigrateNewerDatabase(t *testing.T) {
	t.Parallel()
	db := open(t, localtest.Postgres(t))
	ctx := t.Context()
	if _, err := schema.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, `INSERT INTO schema_migrations (version_id, is_applied) VALUES (9999, true)`); err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(ctx, db); !errors.Is(err, schema.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// TestMigrateRevenue checks that visits stored before the column revenue existed get it
// from their events, compressed or not, and that everything else stays as it is.
func TestMigrateRevenue(t *testing.T) {
	t.Parallel()
	for _, database := range append(localtest.Databases(t), localtest.WebAssembly(t)) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := open(t, database.URL)
			ctx := t.Context()
			if database.Name != "plain" {
				exec(t, db, `CREATE EXTENSION IF NOT EXISTS timescaledb`)
			}
			provider, err := goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(db), migrations.Files,
				goose.WithTableName("schema_migrations"), goose.WithDisableGlobalRegistry(true))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.UpTo(ctx, 1); err != nil {
				t.Fatal(err)
			}
			insertBefore(t, db, "events", `[
				{"site_id": 1, "visitor": 7, "day": "2026-03-01", "time": "2026-03-01T10:00:00Z", "amount": 74.20, "currency": "EUR"},
				{"site_id": 1, "visitor": 7, "day": "2026-03-01", "time": "2026-03-01T10:00:59.999Z", "amount": 0.1, "currency": "EUR"},
				{"site_id": 1, "visitor": 7, "day": "2026-03-01", "time": "2026-03-01T10:00:30Z", "amount": 5, "currency": "USD"},
				{"site_id": 1, "visitor": 7, "day": "2026-03-01", "time": "2026-03-01T12:00:00Z", "amount": 1, "currency": "EUR"},
				{"site_id": 1, "visitor": 8, "day": "2026-03-01", "time": "2026-03-01T10:00:00Z"},
				{"site_id": 1, "visitor": 7, "day": "2026-03-02", "time": "2026-03-01T23:30:00Z", "amount": -3, "currency": "EUR"},
				{"site_id": 2, "visitor": 7, "day": "2026-03-01", "time": "2026-03-01T10:00:00Z", "amount": 9, "currency": "EUR"}]`)
			insertBefore(t, db, "visits", `[
				{"site_id": 1, "visitor": 7, "day": "2026-03-01", "started_at": "2026-03-01T10:00:00Z", "duration": 59},
				{"site_id": 1, "visitor": 7, "day": "2026-03-01", "started_at": "2026-03-01T12:00:00Z"},
				{"site_id": 1, "visitor": 8, "day": "2026-03-01", "started_at": "2026-03-01T10:00:00Z"},
				{"site_id": 1, "visitor": 7, "day": "2026-03-02", "started_at": "2026-03-01T23:30:00Z"},
				{"site_id": 2, "visitor": 7, "day": "2026-03-01", "started_at": "2026-03-01T10:00:00Z"}]`)
			if database.Name != "plain" {
				// The jobs of the policies would compress at the same time.
				exec(t, db, `SELECT remove_compression_policy('events'), remove_compression_policy('visits')`)
				exec(t, db, `SELECT compress_chunk(show_chunks('events')), compress_chunk(show_chunks('visits'))`)
			}
			for range 2 {
				if _, err := provider.UpTo(ctx, 2); err != nil {
					t.Fatal(err)
				}
				rows, err := db.Query(ctx, `
SELECT concat_ws(' ', site_id, visitor, to_char(started_at AT TIME ZONE 'UTC', 'HH24:MI'), duration, engaged, revenue)
FROM visits ORDER BY site_id, started_at, visitor`)
				if err != nil {
					t.Fatal(err)
				}
				got, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					t.Fatal(err)
				}
				want := []string{
					`1 7 10:00 59 0 {"EUR": 74.30, "USD": 5}`, `1 8 10:00 0 0`, `1 7 12:00 0 0 {"EUR": 1}`, `1 7 23:30 0 0 {"EUR": -3}`,
					`2 7 10:00 0 0 {"EUR": 9}`,
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				insertBefore(t, db, "events", `[{"site_id": 1, "visitor": 8, "day": "2026-03-01", "time": "2026-03-01T10:05:00Z", "type": 5, "engaged": 1000}]`)
				if _, err := provider.DownTo(ctx, 1); err != nil {
					t.Fatal(err)
				}
				var events int
				if err := db.QueryRow(ctx, `SELECT count(*) FROM events`).Scan(&events); err != nil || events != 7 {
					t.Errorf("got %d events (%v), want the 7 that are not engagements", events, err)
				}
			}
		})
	}
}

// insertBefore inserts rows before the tested migration is applied. Missing texts are
// empty and missing numbers 0.
func insertBefore(t *testing.T, db *pgxpool.Pool, table, rows string) {
	t.Helper()
	exec(t, db, `
INSERT INTO `+table+`
SELECT (jsonb_populate_record(NULL::`+table+`, blank.row || jsonb_build_object('id', gen_random_uuid()) || given.row)).*
FROM jsonb_array_elements('`+rows+`') AS given (row), (
    SELECT jsonb_object_agg(column_name, CASE data_type WHEN 'text' THEN '""'::jsonb WHEN 'boolean' THEN 'true' ELSE '0' END) AS row
    FROM information_schema.columns
    WHERE table_name = '`+table+`' AND data_type IN ('text', 'boolean', 'integer', 'bigint', 'smallint')
) AS blank`)
}

func exec(t *testing.T, db *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
