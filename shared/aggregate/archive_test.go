package aggregate_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/columnstest"
	"github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// siteDays returns the days of sites that a query selects.
func siteDays(ctx context.Context, db database.DB, sql string) ([]store.SiteDay, error) {
	rows, err := db.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[store.SiteDay])
}

// archiveDays archives all days, except those that are being changed, and returns how many.
func (r *record) archiveDays(ctx context.Context) (n int, err error) {
	days, err := siteDays(ctx, r.db, `SELECT DISTINCT site_id, day - date '1970-01-01' FROM events`)
	if err != nil {
		return 0, err
	}
	for _, d := range days {
		ok, err := archive.Day(ctx, r.db, r.codec, d, 10)
		if err != nil {
			return n, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// wrongDays describes, for each archived day that is wrong, how it differs from its events,
// in one snapshot.
func (r *record) wrongDays(ctx context.Context) (wrong []string, err error) {
	err = pgx.BeginTxFunc(ctx, r.db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		days, err := siteDays(ctx, tx, `SELECT DISTINCT site_id, day - date '1970-01-01' FROM day_columns`)
		if err != nil {
			return err
		}
		for _, d := range days {
			diff, err := r.difference(ctx, tx, d)
			if err != nil {
				return err
			}
			if diff != "" {
				wrong = append(wrong, fmt.Sprintf("archived %s of site %d differs from its events:\n%s", d.Day, d.Site, diff))
			}
		}
		return nil
	})
	return wrong, err
}

func (r *record) difference(ctx context.Context, db database.DB, d store.SiteDay) (diff string, err error) {
	all := append(columns.All(), columns.Prop("plan"))
	scanned, err := columnstest.Scan(ctx, db, store.Scan{Site: d.Site, Day: d.Day, Wanted: all})
	if err != nil {
		return "", err
	}
	sizes, err := store.ArchivedDays(ctx, db, d.Site, []event.Day{d.Day}, all...)
	if err != nil {
		return "", err
	}
	if sizes[d.Day] == 0 {
		return "the day has no frame", nil
	}
	var parts []*columns.Day
	for archived, err := range store.ArchivedParts(ctx, db, d.Site, []event.Day{d.Day}, all...) {
		if err != nil {
			return "", err
		}
		part, err := r.codec.Decode(d.Day, archived.Pieces, all...)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return cmp.Diff(columnstest.FormatVisitorDays(all, scanned), columnstest.FormatVisitorDays(all, parts...)), nil
}

// TestArchiveConcurrently archives all days repeatedly while their events are stored.
func TestArchiveConcurrently(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			const batches, size = 60, 40
			done := make(chan struct{})
			group, ctx := errgroup.WithContext(t.Context())
			group.Go(func() error {
				defer close(done)
				for batch := range batches {
					events := newEvents(size)
					for i, e := range events {
						e.Site, e.Visitor = int32(1+i%2), int64((batch*size+i)%500)
						e.Day += event.Day(batch % 3)
						e.Time = e.Day.Date()
					}
					if err := r.writer.Append(ctx, events...); err != nil {
						return err
					}
					if _, err := r.aggregator().Run(ctx); err != nil {
						return err
					}
				}
				return nil
			})
			archived := 0
			group.Go(func() error {
				for {
					n, err := r.archiveDays(ctx)
					if archived += n; err != nil {
						return err
					}
					wrong, err := r.wrongDays(ctx)
					if err != nil {
						return err
					}
					for _, w := range wrong {
						t.Error(w)
					}
					select {
					case <-done:
						return nil
					default:
					}
				}
			})
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			if n, err := r.count(t.Context(), "events"); err != nil || n != batches*size {
				t.Errorf("%d events are stored, want %d (%v)", n, batches*size, err)
			}
			if archived == 0 {
				t.Error("no day was archived")
			}
			wrong, err := r.wrongDays(t.Context())
			for _, w := range wrong {
				t.Error(w)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
