package event_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
)

func TestQueueForm(t *testing.T) {
	t.Parallel()
	want := event.Event{
		ID: uuid.MustParse(id), Site: 3, Time: now, Day: event.DayOf(now), UTCOffset: -210, Visitor: -5,
		Type: event.Conversion, Name: "n", Hostname: "h", Page: "/p", Title: "t", Props: map[string]string{"k": "v"},
		Amount: "1.5", Currency: "EUR", Subject: uuid.MustParse(id), Funnel: "f", Step: 4, Engaged: 5, Scroll: 6, Passive: true, Tag: "b",
		Attributes: event.Attributes{
			Referrer: "r", Source: "s", Channel: "c", UTMSource: "us", UTMMedium: "um", UTMCampaign: "uc", UTMTerm: "ut",
			UTMContent: "un", Country: "FR", Region: "FR-IDF", City: "Paris", Browser: "b", BrowserVersion: "1", OS: "o",
			OSVersion: "2", Device: "d", Language: "l", Screen: "1x1",
		},
	}
	encoded := string(want.Encode(nil))
	first := want // version 1 lacks the last elements, which take five bytes
	first.Scroll, first.Passive, first.Tag = 0, false, ""
	for name, test := range map[string]struct {
		encoded string
		want    event.Event
	}{
		"current version": {encoded, want},
		"first version":   {"\xdc\x00\x24" + encoded[3:len(encoded)-5], first},
		"future version":  {"\xdc\x00\x2a" + encoded[3:] + "\x82\xa1a\x01\xa1b\x90", want},
	} {
		encoded := test.encoded
		var got event.Event
		if err := got.Decode(encoded); err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Error(name, diff)
		}
		if site, err := event.SiteOf(encoded); err != nil || site != want.Site {
			t.Errorf("%s: site %d, %v", name, site, err)
		}
	}
	for n := range len(encoded) {
		var got event.Event
		if err := got.Decode(encoded[:n]); err == nil {
			t.Errorf("a %d-byte prefix decodes to %+v", n, got)
		}
	}
}

// FuzzEncoded checks that decoding any bytes returns an error, or an event that survives
// another round trip.
func FuzzEncoded(f *testing.F) {
	f.Add(string((&event.Event{ID: uuid.MustParse(id), Site: 3, Time: now, Props: map[string]string{"k": "v"}, Page: "/p"}).Encode(nil)))
	f.Add("")
	f.Add("\x80")
	f.Add("\xdc\x00\x24\xff")
	f.Fuzz(func(t *testing.T, encoded string) {
		var e, again event.Event
		if e.Decode(encoded) != nil {
			return
		}
		if err := again.Decode(string(e.Encode(nil))); err != nil || !cmp.Equal(e, again) {
			t.Errorf("%+v is decoded as %+v (%v)", e, again, err)
		}
	})
}

func TestSiteOfInvalid(t *testing.T) {
	t.Parallel()
	for name, encoded := range map[string]string{"empty": "", "text": "junk", "map": "\x81\xa1x\x01", "short array": "\x92\x01\x02", "truncated array": "\xdc\x00\x24"} {
		if site, err := event.SiteOf(encoded); err == nil {
			t.Errorf("%s: site %d, want an error", name, site)
		}
	}
}

func TestDay(t *testing.T) {
	t.Parallel()
	kiritimati := time.FixedZone("", 14*3600)
	d := event.DayOf(time.Date(2026, 2, 28, 11, 0, 0, 0, time.UTC).In(kiritimati))
	if d.String() != "2026-03-01" || d.Month().String() != "2026-03-01" || (d-1).Month().String() != "2026-02-01" {
		t.Errorf("day %s, month %s, month of the day before %s", d, d.Month(), (d - 1).Month())
	}
	if !d.Date().Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("date %s", d.Date())
	}
}

// TestDayStart checks for the days of many years that Start is the first instant of the day.
func TestDayStart(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{
		"UTC", "Europe/Paris", "America/New_York", "America/Santiago", "America/Havana", "Africa/Cairo", "Asia/Beirut",
		"Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "America/Sao_Paulo", "America/St_Johns",
	} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for day := event.Day(12784); day < 24000; day++ { // 2005 to 2035
			start := day.Start(location)
			if zone == "Pacific/Apia" && (day == 15338 || day == 15339) {
				continue // Samoa had no 30 December 2011
			}
			if zone == "America/St_Johns" && day < 15300 {
				continue // clocks went back at 00:01, so the previous day continued for an hour
			}
			if event.DayOf(start) != day || event.DayOf(start.Add(-1)) != day-1 {
				t.Fatalf("%s starts at %s in %s", day, start, zone)
			}
		}
	}
}
