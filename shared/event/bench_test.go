package event_test

import (
	"encoding/json"
	"testing"

	"github.com/analytics-platform/analytics/shared/event"
)

// BenchmarkRead reads and checks a common event; the baseline only unmarshals the
// same bytes with encoding/json, without strictness or checks.
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
