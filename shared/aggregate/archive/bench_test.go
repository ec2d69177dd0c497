package archive_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// BenchmarkDay archives a day of 333,000 events, or of BENCH_EVENTS, with 2.5 events a visit,
// and reports the time and the peak memory.
func BenchmarkDay(b *testing.B) {
	n := 333_000
	if more, err := strconv.Atoi(os.Getenv("BENCH_EVENTS")); err == nil {
		n = more
	}
	databases := localtest.Databases(b)
	db := localtest.Record(b, databases[min(1, len(databases)-1)].URL)
	site, err := sites.Create(b.Context(), db, sites.Draft{Domain: "one.example", Timezone: "UTC"})
	if err != nil {
		b.Fatal(err)
	}
	day := event.Day(20000)
	r := rand.New(rand.NewPCG(1, 2))
	skewed := func(n int) string { return strconv.Itoa(r.IntN(1 + r.IntN(n))) }
	for added := 0; added < n; {
		var events []*event.Event
		for ; added < n && len(events) < 50_000; added++ {
			e := event.Event{
				Site: site.ID, Day: day, Time: day.Date().Add(time.Duration(r.IntN(86_400_000)) * time.Millisecond), Visitor: int64(r.IntN(n*2/5)) << 30,
				Type: event.View, Page: "/section/" + skewed(2000), Hostname: "www.example.com",
				Attributes: event.Attributes{
					Referrer: skewed(900), Source: skewed(9), Channel: skewed(6), Country: skewed(40), Region: skewed(120), City: skewed(400), Browser: skewed(5),
					BrowserVersion: skewed(20), OS: skewed(5), OSVersion: skewed(8), Device: skewed(3), Language: skewed(7), Screen: skewed(6),
				},
			}
			e.ID = uuid.UUID{7}
			binary.BigEndian.PutUint64(e.ID[8:], r.Uint64())
			events = append(events, &e)
		}
		if _, err := store.AddEvents(b.Context(), db, events); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.Exec(b.Context(), `ANALYZE events`); err != nil {
		b.Fatal(err)
	}
	codec, err := columns.NewCodec()
	if err != nil {
		b.Fatal(err)
	}
	debug.FreeOSMemory()
	// Reset the peak memory.
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		if ok, err := archive.Day(b.Context(), db, codec, store.SiteDay{Site: site.ID, Day: day}, archive.PartEvents); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/day")
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes float64
	if _, err := fmt.Sscan(after, &kilobytes); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(kilobytes/1024, "peak-MB")
}
