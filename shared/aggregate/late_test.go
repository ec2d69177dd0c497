package aggregate_test

import (
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestCompressedDays checks that events of a compressed day, as after a long outage of
// aggregate, are stored, that duplicates are recognized, and that compressed visits and
// rollups are updated.
func TestCompressedDays(t *testing.T) {
	t.Parallel()
	for _, database := range append(localtest.Databases(t)[1:], localtest.WebAssembly(t)) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx := t.Context()
			early := newEvents(60)
			for i, e := range early {
				e.Visitor = int64(i % 20)
			}
			if err := r.writer.Append(ctx, early...); err != nil {
				t.Fatal(err)
			}
			if _, err := r.aggregator().Run(ctx); err != nil {
				t.Fatal(err)
			}
			if n, err := store.Compress(ctx, r.db, time.Now()); err != nil || n < 3 {
				t.Fatalf("compressed %d chunks, want at least 3 (%v)", n, err)
			}

			late := newEvents(40)
			for i, e := range late {
				e.Visitor = int64(i)
			}
			other := *early[7] // the same event from another address
			other.Visitor += 100
			if err := r.writer.Append(ctx, append(append([]*event.Event{&other}, early[:10]...), late...)...); err != nil {
				t.Fatal(err)
			}
			result, err := r.aggregator().Run(ctx)
			if err != nil || result.Events != 40 || result.Duplicates != 11 {
				t.Errorf("result = %+v, %v, want 40 events and 11 duplicates", result, err)
			}
			oracle.Agrees(t, r.db)
		})
	}
}
