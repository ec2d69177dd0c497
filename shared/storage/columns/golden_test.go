package columns_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/internal/columnstest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// goldenDay returns the day in testdata/archive, with the fields that a version of the
// archive form has. It must not change, since the files are never written again.
func goldenDay(version int) *columns.Day {
	var visitorDays [][]*event.Event
	for visitor := range 12 {
		var events []*event.Event
		for n := range 1 + visitor*5%7 {
			at := day.Date().Add(time.Duration(visitor*53+n*(7+visitor%3*9)) * time.Minute)
			e := &event.Event{
				ID: uuid.UUID{byte(visitor), byte(n)}, Site: 1, Day: day, Time: at, UTCOffset: int16(60 * (visitor % 2)), Visitor: int64(visitor),
				Type: event.Type(1 + n%3), Name: []string{"", "Signup", "Download"}[n%3], Hostname: []string{"www.example.com", "shop.example.com"}[visitor%5/4],
				Page: fmt.Sprintf("/section/%d", (visitor+n)%4), Passive: n%4 == 3,
			}
			if n%3 == 2 {
				e.Amount, e.Currency, e.Props = fmt.Sprintf("%d.5", n*visitor), "EUR", map[string]string{"plan": "pro"}
			}
			if version >= 3 {
				e.Tag = []string{"", "a", "b"}[visitor%3]
			}
			if visitor == 5 {
				e.Subject = uuid.UUID{1, 2, 3}
			}
			for i, value := range firstAttributes(e) {
				*value = fmt.Sprintf("%d-%d", i, visitor%(i%4+1))
			}
			events = append(events, e)
			if n%2 == 0 {
				read := *e
				read.ID, read.Time, read.Type, read.Name = uuid.UUID{byte(visitor), byte(n), 1}, at.Add(20*time.Second), event.Engagement, ""
				read.Amount, read.Currency, read.Engaged, read.Scroll = "", "", 19_000, int16(10*n+5)
				events = append(events, &read)
			}
		}
		visitorDays = append(visitorDays, events)
	}
	return build(fold(visitorDays))
}

// firstAttributes returns the attributes that an event has in version 1.
func firstAttributes(e *event.Event) []*string {
	return []*string{
		&e.Referrer, &e.Source, &e.Channel, &e.UTMSource, &e.UTMMedium, &e.UTMCampaign, &e.UTMTerm, &e.UTMContent, &e.Country,
		&e.Region, &e.City, &e.Browser, &e.BrowserVersion, &e.OS, &e.OSVersion, &e.Device, &e.Language, &e.Screen,
	}
}

// TestGoldenArchiveForms checks that every version of the archive form can still be
// decoded, from the bytes that were written when the version was new. The current version
// must also encode to its own bytes, so that a change of the encoder needs a new version.
// Bytes are compared uncompressed, since compression may change with the library.
// UPDATE=1 writes the file of a new version; existing files are never overwritten.
func TestGoldenArchiveForms(t *testing.T) {
	t.Parallel()
	codec := newCodec(t)
	for version := 1; version <= columns.ArchiveVersion; version++ {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			t.Parallel()
			want := goldenDay(version)
			file := filepath.Join("testdata", "archive", fmt.Sprintf("v%d.json", version))
			text, err := os.ReadFile(file)
			if os.IsNotExist(err) && version == columns.ArchiveVersion && os.Getenv("UPDATE") == "1" {
				if text, err = json.MarshalIndent(encode(t, codec, want), "", "  "); err == nil {
					err = os.WriteFile(file, append(text, '\n'), 0o644)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			var golden map[columns.Column][]byte
			if err := json.Unmarshal(text, &golden); err != nil {
				t.Fatal(err)
			}
			all := append(columns.All(), columns.Prop("plan"))
			got, err := codec.Decode(day, golden, all...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(columnstest.Show(want, all...), columnstest.Show(got, all...)); diff != "" {
				t.Error(diff)
			}
			if version == columns.ArchiveVersion {
				if diff := cmp.Diff(decompressed(t, golden), decompressed(t, encode(t, codec, want))); diff != "" {
					t.Errorf("the encoder no longer writes version %d: raise ArchiveVersion in package catalogue and write the new version's file with UPDATE=1:\n%s", version, diff)
				}
			}
		})
	}
}

// decompressed returns the pieces without their compression.
func decompressed(t *testing.T, pieces map[columns.Column][]byte) map[columns.Column][]byte {
	t.Helper()
	decoder, err := zstd.NewReader(bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	out := map[columns.Column][]byte{}
	for column, piece := range pieces {
		if column == columns.Version {
			out[column] = piece
			continue
		}
		if out[column], err = decoder.DecodeAll(piece, nil); err != nil {
			t.Fatal(column, err)
		}
	}
	return out
}
