package event_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// goldenEvents returns the events in testdata/queue by file name, with the fields of a
// version of the queue form. Those of a released version must not change, since its files
// are never rewritten.
func goldenEvents(version int) map[string]event.Event {
	full := event.Event{
		ID: uuid.MustParse(id), Site: 70_000, Time: now.Add(123 * time.Millisecond), Day: event.DayOf(now), UTCOffset: -210, Visitor: -5 << 40,
		Type: event.Conversion, Name: "Signup", Hostname: "www.example.com", Page: "/pricing", Title: "Prices — ä",
		Props: map[string]string{"plan": "pro"}, Amount: "-12.5", Currency: "EUR", Subject: uuid.MustParse("6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
		Funnel: "buy", Step: 4, Engaged: 86_400_000, Scroll: 100, Passive: true,
		Attributes: event.Attributes{
			Referrer: "ref.example/12", Source: "Google", Channel: "Organic Search", UTMSource: "s", UTMMedium: "m", UTMCampaign: "c",
			UTMTerm: "t", UTMContent: "n", Country: "FR", Region: "FR-IDF", City: "Paris", Browser: "Firefox", BrowserVersion: "140",
			OS: "Windows", OSVersion: "11", Device: "Desktop", Language: "fr", Screen: "1920x1080",
		},
	}
	if version >= 3 {
		full.Tag = "b"
	}
	return map[string]event.Event{
		"full":    full,
		"minimal": {ID: uuid.MustParse(id), Site: 1, Time: now, Day: event.DayOf(now), Visitor: 1, Type: event.View},
	}
}

// TestGoldenQueueForms checks every version of the queue form against the bytes written
// when the version was new. The current version must also encode to its bytes, so that a
// change of the encoder needs a new version. UPDATE=1 writes the missing files of a new
// version; existing files are never overwritten.
func TestGoldenQueueForms(t *testing.T) {
	t.Parallel()
	for version := 1; version <= event.QueueVersion; version++ {
		for name, want := range goldenEvents(version) {
			t.Run(fmt.Sprintf("version %d, %s", version, name), func(t *testing.T) {
				t.Parallel()
				file := filepath.Join("testdata", "queue", fmt.Sprintf("v%d-%s.bin", version, name))
				golden, err := os.ReadFile(file)
				if os.IsNotExist(err) && version == event.QueueVersion && os.Getenv("UPDATE") == "1" {
					golden = want.Encode(nil)
					err = os.WriteFile(file, golden, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
				var got event.Event
				if err := got.Decode(string(golden)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if site, err := event.SiteOf(string(golden)); err != nil || site != want.Site {
					t.Errorf("site %d, %v; want %d", site, err, want.Site)
				}
				if version == event.QueueVersion && !bytes.Equal(want.Encode(nil), golden) {
					t.Errorf("the encoder differs from version %d: raise QueueVersion in package catalogue, and write the files of the new version with UPDATE=1", version)
				}
			})
		}
	}
}
