package visit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// BenchmarkFold folds and rolls up typical visitor-days, of 3 events on 2 pages, and reports
// events per second.
func BenchmarkFold(b *testing.B) {
	days := make([][]*event.Event, 1000)
	for i := range days {
		for j, page := range []string{"/", fmt.Sprintf("/%d", i%100), "/"} {
			e := view("10:00:00", page)
			e.ID, e.Visitor, e.Time = uuid.UUID{byte(j)}, int64(i), e.Time.Add(time.Duration(j)*time.Minute)
			days[i] = append(days[i], &e)
		}
	}
	b.ReportAllocs()
	events := 0
	rollups := visit.NewRollups()
	for b.Loop() {
		day := days[events/3%len(days)]
		rollups.Add(visit.Fold(day))
		events += len(day)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
