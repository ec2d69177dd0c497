package event_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/event"
)

func TestQueueFormKeepsEverything(t *testing.T) {
	t.Parallel()
	want := event.Event{
		ID: uuid.MustParse(id), Site: 3, Time: now, Day: event.DayOf(now), UTCOffset: -210, Visitor: -5,
		Type: event.Conversion, Name: "n", Hostname: "h", Page: "/p", Title: "t", Props: map[string]string{"k": "v"},
		Amount: "1.5", Currency: "EUR", Subject: uuid.MustParse(id), Funnel: "f", Step: 4, Engaged: 5,
		Attributes: event.Attributes{
			Referrer: "r", Source: "s", Channel: "c", UTMSource: "us", UTMMedium: "um", UTMCampaign: "uc", UTMTerm: "ut",
			UTMContent: "un", Country: "FR", Region: "FR-IDF", City: "Paris", Browser: "b", BrowserVersion: "1", OS: "o",
			OSVersion: "2", Device: "d", Language: "l", Screen: "1x1",
		},
	}
	payload, err := want.MarshalMsg(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got event.Event
	if _, err := got.UnmarshalMsg(payload); err != nil {
		t.Fatal(err)
	}
	got.Time = got.Time.UTC()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if site, err := event.SiteOf(string(payload)); err != nil || site != want.Site {
		t.Errorf("site %d, %v", site, err)
	}
}

func TestSiteOfWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	for name, encoded := range map[string]string{"nothing": "", "text": "junk", "another map": "\x81\xa1x\x01", "a map cut off": "\x82\xa2id"} {
		if site, err := event.SiteOf(encoded); err == nil {
			t.Errorf("%s: site %d", name, site)
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

// TestStartOfADay checks each day of many years: it begins with its first instant.
func TestStartOfADay(t *testing.T) {
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
				continue // clocks were moved at a minute past midnight, so a day came back for an hour
			}
			if event.DayOf(start) != day || event.DayOf(start.Add(-1)) != day-1 {
				t.Fatalf("%s begins at %s in %s", day, start, zone)
			}
		}
	}
}
