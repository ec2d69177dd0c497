package aggregate_test

import (
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestEventsOfCompressedDays: events that come after their day was compressed, since
// aggregate was away for long, are stored, those that are stored already are known,
// and visits and rollups that are compressed change with them.
func TestEventsOfCompressedDays(t *testing.T) {
	t.Parallel()
	for _, database := range append(localtest.Databases(t)[1:], localtest.WebAssembly(t)) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx := t.Context()
			early := some(60)
			for i, e := range early {
				e.Visitor = int64(i % 20)
			}
			if err := r.writer.Append(ctx, early...); err != nil {
				t.Fatal(err)
			}
			if _, err := r.drainer().Run(ctx); err != nil {
				t.Fatal(err)
			}
			if n, err := store.Compress(ctx, r.db, time.Now()); err != nil || n < 3 {
				t.Fatalf("%d chunks were compressed (%v)", n, err)
			}

			late := some(40)
			for i, e := range late {
				e.Visitor = int64(i)
			}
			other := *early[7] // the same event from another address
			other.Visitor += 100
			if err := r.writer.Append(ctx, append(append([]*event.Event{&other}, early[:10]...), late...)...); err != nil {
				t.Fatal(err)
			}
			result, err := r.drainer().Run(ctx)
			if err != nil || result.Events != 40 || result.Duplicates != 11 {
				t.Errorf("%+v, %v; want 40 events and 11 duplicates", result, err)
			}
			oracle.Agrees(t, r.db)
		})
	}
}
