package event_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// BenchmarkRead decodes and validates a typical event. The baseline only unmarshals the
// same bytes with encoding/json.
func BenchmarkRead(b *testing.B) {
	body := []byte(`{"id":"` + id + `","site":"example.com","type":"view","url":"https://example.com/pricing?utm_source=newsletter","referrer":"https://www.google.com/","title":"Prices","language":"en-GB","screen":"1920x1080","props":{"plan":"pro"}}`)
	b.Run("baseline", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var in event.Input
			if err := json.Unmarshal(body, &in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("strict", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			in, err := event.Decode(body)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := in.Validate(now); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkEncoded encodes and decodes an event in the queue form and, for comparison, in
// JSON, and reports the encoded length.
func BenchmarkEncoded(b *testing.B) {
	e := event.Event{
		ID: uuid.MustParse(id), Site: 3, Time: now, Day: event.DayOf(now), UTCOffset: 60, Visitor: 1 << 62, Type: event.View,
		Hostname: "www.example.com", Page: "/section/1234", Attributes: event.Attributes{
			Referrer: "ref.example/12", Source: "Google", Channel: "Organic Search", Country: "FR", Region: "FR-IDF", City: "Paris",
			Browser: "Firefox", BrowserVersion: "140", OS: "Windows", OSVersion: "11", Device: "Desktop", Language: "fr", Screen: "1920x1080",
		},
	}
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encoded, err := json.Marshal(&e)
			if err != nil {
				b.Fatal(err)
			}
			var got event.Event
			if err := json.Unmarshal(encoded, &got); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(encoded)), "bytes")
		}
	})
	b.Run("queue", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encoded := e.Encode(nil)
			var got event.Event
			if err := got.Decode(string(encoded)); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(encoded)), "bytes")
		}
	})
}
