package schema_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/migrations"
)

// insertHours inserts hours without their day, as the schema had them before, and events
// of a site in India. The first two events are in one local hour of 3 March.
const insertHours = `
INSERT INTO events
SELECT r.*
FROM (SELECT jsonb_object_agg(column_name, '') AS columns FROM information_schema.columns WHERE table_name = 'events' AND data_type = 'text') AS empty,
     (VALUES ('2026-03-02T18:40:00Z', '2026-03-03'), ('2026-03-02T19:29:00Z', '2026-03-03'), ('2026-03-02T18:29:00Z', '2026-03-02')) AS e (time, day),
     jsonb_populate_record(NULL::events, empty.columns || jsonb_build_object(
         'site_id', 1, 'time', e.time, 'id', gen_random_uuid(), 'day', e.day, 'utc_offset', 330, 'visitor', 1, 'type', 1, 'engaged', 0, 'funnel_step', 0)) AS r;
INSERT INTO rollup_hour (site_id, hour, visitors, visits, pageviews, events, bounces, seconds)
VALUES (1, '2026-03-02T18:30:00Z', 1, 1, 2, 2, 0, 60), (1, '2026-03-02T17:30:00Z', 1, 1, 1, 1, 1, 0), (1, '2026-03-02T18:00:00Z', 1, 1, 1, 1, 1, 0)`

func TestMigrateHours(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := open(t, database.URL)
			ctx := t.Context()
			if database.Name != "plain" {
				if _, err := db.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS timescaledb`); err != nil {
					t.Fatal(err)
				}
			}
			provider, err := goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(db), migrations.Files)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.UpTo(ctx, 3); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(ctx, insertHours); err != nil {
				t.Fatal(err)
			}
			if _, err := provider.Up(ctx); err != nil {
				t.Fatal(err)
			}
			rows, err := db.Query(ctx, `SELECT to_char(hour AT TIME ZONE 'UTC', 'HH24:MI') || ' of ' || day FROM rollup_hour ORDER BY hour`)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			// India's hours begin at half past, so that no event is in the hour from 18:00.
			if want := []string{"17:30 of 2026-03-02", "18:30 of 2026-03-03"}; !slices.Equal(got, want) {
				t.Errorf("got hours %v, want %v", got, want)
			}
			if _, err := provider.DownTo(ctx, 3); err != nil {
				t.Errorf("migrate down: %v", err)
			}
		})
	}
}
