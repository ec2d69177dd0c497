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

// compareScans stores the events of visitor-days among events of other days and sites. It
// returns how the scanned days differ from days that are built in memory.
func compareScans(ctx context.Context, db *pgxpool.Pool, visitorDays [][]*event.Event, wanted []columns.Column) (string, error) {
	if _, err := db.Exec(ctx, `DELETE FROM events`); err != nil {
		return "", err
	}
	all, part := columns.NewBuilder(columnstest.Day), columns.NewBuilder(columnstest.Day, wanted...)
	var events []*event.Event
	for i, day := range visitorDays {
		for _, e := range day {
			other := *e
			if i%2 == 0 {
				other.Site = 2
			} else {
				other.Day++
			}
			other.ID[15] = 1
			events = append(events, e, &other)
		}
		all.Add(visit.Fold(slices.Clone(day)))
		part.Add(visit.Fold(slices.Clone(day)))
	}
	if _, err := store.AddEvents(ctx, db, events); err != nil {
		return "", err
	}
	scannedAll, err := columnstest.Scan(ctx, db, store.Scan{Site: 1, Day: columnstest.Day})
	if err != nil {
		return "", err
	}
	scannedPart, err := columnstest.Scan(ctx, db, store.Scan{Site: 1, Day: columnstest.Day, Wanted: wanted})
	if err != nil {
		return "", err
	}
	return cmp.Diff(columnstest.Show(all.Day(), columnstest.Columns()...), columnstest.Show(scannedAll, columnstest.Columns()...)) +
		cmp.Diff(columnstest.Show(part.Day(), wanted...), columnstest.Show(scannedPart, wanted...)), nil
}

func TestScanDay(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	rapid.Check(t, func(rt *rapid.T) {
		diff, err := compareScans(t.Context(), db, columnstest.GenVisitorDays().Draw(rt, "visitor-days"), columnstest.GenColumns().Draw(rt, "wanted"))
		if err != nil || diff != "" {
			rt.Error(err, diff)
		}
	})
}

// TestScanDayTimescaleDB scans fewer days on TimescaleDB, since that takes longer, and each
// column by itself.
func TestScanDayTimescaleDB(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t)[1:] {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := localtest.Record(t, database.URL)
			for seed, column := range columnstest.Columns() {
				diff, err := compareScans(t.Context(), db, columnstest.GenVisitorDays().Example(seed), []columns.Column{column})
				if err != nil || diff != "" {
					t.Error(column, err, diff)
				}
			}
		})
	}
}
