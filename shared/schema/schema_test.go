package schema_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/schema"
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
				t.Errorf("the first run says %+v", first)
			}
			again, err := schema.Migrate(ctx, db)
			if err != nil || again.Version != first.Version || len(again.Applied) != 0 {
				t.Errorf("the second run says %+v, %v; want that there was nothing to do", again, err)
			}
			if current, err := schema.Current(ctx, db); err != nil || !current {
				t.Errorf("current: %t, %v", current, err)
			}

			hypertables := 0
			if first.TimescaleDB != "" {
				if err := db.QueryRow(ctx, `SELECT count(*) FROM timescaledb_information.hypertables WHERE compression_enabled`).Scan(&hypertables); err != nil {
					t.Fatal(err)
				}
			}
			if want := map[bool]int{true: 0, false: 2}[database.Name == "plain"]; hypertables != want {
				t.Errorf("%d hypertables (TimescaleDB %q), want %d", hypertables, first.TimescaleDB, want)
			}
		})
	}
}

// TestReplicasMigrateAtOnce: several processes may start at the same moment.
func TestReplicasMigrateAtOnce(t *testing.T) {
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
	ran := 0
	for range replicas {
		if <-applied > 0 {
			ran++
		}
	}
	if ran != 1 {
		t.Errorf("%d replicas applied migrations, want 1", ran)
	}
}

func TestADatabaseOfANewerRelease(t *testing.T) {
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
