package store_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/columnstest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"

	"pgregory.net/rapid"
)

// scans stores the events of visitor-days, and of others around them, and returns how
// what is scanned differs from what is made of them in memory.
func scans(ctx context.Context, db *pgxpool.Pool, visitorDays [][]*event.Event, wanted []columns.Column) (string, error) {
	if _, err := db.Exec(ctx, `DELETE FROM events`); err != nil {
		return "", err
	}
	all, some := columns.NewBuilder(columnstest.Day), columns.NewBuilder(columnstest.Day, wanted...)
	var events []*event.Event
	for i, day := range visitorDays {
		for _, e := range day {
			another := *e
			if i%2 == 0 {
				another.Site = 2
			} else {
				another.Day++
			}
			another.ID[15] = 1
			events = append(events, e, &another)
		}
		all.Add(visit.Fold(slices.Clone(day)))
		some.Add(visit.Fold(slices.Clone(day)))
	}
	if _, err := store.AddEvents(ctx, db, events); err != nil {
		return "", err
	}
	scannedAll, err := store.ScanDay(ctx, db, 1, columnstest.Day)
	if err != nil {
		return "", err
	}
	scannedSome, err := store.ScanDay(ctx, db, 1, columnstest.Day, wanted...)
	if err != nil {
		return "", err
	}
	return cmp.Diff(columnstest.Show(all.Day(), columnstest.Columns()...), columnstest.Show(scannedAll, columnstest.Columns()...)) +
		cmp.Diff(columnstest.Show(some.Day(), wanted...), columnstest.Show(scannedSome, wanted...)), nil
}

func TestScanDay(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	rapid.Check(t, func(rt *rapid.T) {
		diff, err := scans(t.Context(), db, columnstest.GenVisitorDays().Draw(rt, "visitor-days"), columnstest.GenColumns().Draw(rt, "wanted"))
		if err != nil || diff != "" {
			rt.Error(err, diff)
		}
	})
}

// TestScanSomeDays scans fewer days on TimescaleDB, where it takes longer, and each column
// by itself.
func TestScanSomeDays(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t)[1:] {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := localtest.Record(t, database.URL)
			for seed, column := range columnstest.Columns() {
				diff, err := scans(t.Context(), db, columnstest.GenVisitorDays().Example(seed), []columns.Column{column})
				if err != nil || diff != "" {
					t.Error(column, err, diff)
				}
			}
		})
	}
}
