package keep_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/columns"
	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/keep"
	"github.com/analytics-platform/analytics/shared/store"
)

// BenchmarkDay keeps a day of 333,000 events, or of as many as BENCH_EVENTS says, 2.5 a visit.
func BenchmarkDay(b *testing.B) {
	n := 333_000
	if more, err := strconv.Atoi(os.Getenv("BENCH_EVENTS")); err == nil {
		n = more
	}
	databases := localtest.Databases(b)
	db := localtest.Record(b, databases[min(1, len(databases)-1)].URL)
	site, err := store.CreateSite(b.Context(), db, store.SiteDraft{Domain: "one.example", Timezone: "UTC"})
	if err != nil {
		b.Fatal(err)
	}
	day := event.Day(20000)
	r := rand.New(rand.NewPCG(1, 2))
	few := func(n int) string { return strconv.Itoa(r.IntN(1 + r.IntN(n))) }
	for added := 0; added < n; {
		var events []*event.Event
		for ; added < n && len(events) < 50_000; added++ {
			e := event.Event{
				Site: site.ID, Day: day, Time: day.Date().Add(time.Duration(r.IntN(86_400_000)) * time.Millisecond), Visitor: int64(r.IntN(n*2/5)) << 30,
				Type: event.View, Page: "/section/" + few(2000), Hostname: "www.example.com",
				Attributes: event.Attributes{
					Referrer: few(900), Source: few(9), Channel: few(6), Country: few(40), Region: few(120), City: few(400), Browser: few(5),
					BrowserVersion: few(20), OS: few(5), OSVersion: few(8), Device: few(3), Language: few(7), Screen: few(6),
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
	b.ResetTimer()
	for b.Loop() {
		if ok, err := keep.Day(b.Context(), db, codec, store.SiteDay{Site: site.ID, Day: day}); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/day")
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.HeapSys-memory.HeapReleased)/(1<<20), "heap-MB")
}
