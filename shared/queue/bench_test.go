package queue_test

import (
	"testing"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

// BenchmarkRead compares the common path with the share of it that Redis and its client
// take.
func BenchmarkRead(b *testing.B) {
	const n = 20_000
	client := connect(b)
	writer := queue.NewWriter(client)
	b.Cleanup(writer.Close)
	events := siteEvents(1, n)
	for i, e := range events {
		e.Site = int32(i%3) + 1
		e.Page, e.Title = "/a/path/of/usual/length", "A title of usual length, as pages have"
		e.Attributes = event.Attributes{Source: "Google", Browser: "Firefox", Country: "FR", OS: "Linux", Device: "Desktop", Channel: "Organic Search"}
	}
	if err := writer.Append(b.Context(), events...); err != nil {
		b.Fatal(err)
	}
	perEntry := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
	}
	b.Run("XRANGE alone", func(b *testing.B) {
		for b.Loop() {
			if got, err := client.XRangeN(b.Context(), "analytics:{0}:events", "-", "+", n).Result(); err != nil || len(got) == 0 {
				b.Fatal(len(got), err)
			}
		}
		perEntry(b)
	})
	b.Run("Read", func(b *testing.B) {
		for b.Loop() {
			if got, err := queue.Read(b.Context(), client, 0, upTo(n)); err != nil || len(got.Entries) != n {
				b.Fatal(len(got.Entries), err)
			}
		}
		perEntry(b)
	})
}

// BenchmarkReadFlood measures the Read that meets a flood, per scanned entry.
func BenchmarkReadFlood(b *testing.B) {
	const n, windows = 20_000, 20
	for b.Loop() {
		b.StopTimer()
		client := connect(b)
		writer := queue.NewWriter(client)
		for range windows {
			if err := writer.Append(b.Context(), siteEvents(1, n)...); err != nil {
				b.Fatal(err)
			}
		}
		if err := writer.Append(b.Context(), siteEvents(2, 1)...); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if got, err := queue.Read(b.Context(), client, 0, upTo(n)); err != nil || len(got.Entries) != n {
			b.Fatal(len(got.Entries), err)
		}
		writer.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n*windows), "ns/entry")
}
