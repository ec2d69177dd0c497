package visit_test

import (
	"net/netip"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/privacy"
)

// directory has one site, and a salt for every day.
type directory struct{ site pipeline.Site }

func (d directory) Site(string) (pipeline.Site, bool) { return d.site, true }

func (d directory) Salt(day event.Day) (*privacy.Salt, bool) {
	return &privacy.Salt{byte(day), byte(day >> 8)}, true
}

// quarters returns the events of a visitor who views a page every quarter of an hour.
func quarters(t *testing.T, site pipeline.Site, from, to time.Time) []event.Event {
	t.Helper()
	enricher, err := enrich.Load(enrich.Files{})
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline.Pipeline{Enricher: enricher, NewID: uuid.New}
	var events []event.Event
	for at := from; at.Before(to); at = at.Add(15 * time.Minute) {
		request := pipeline.Request{
			Address: netip.MustParseAddr("192.0.2.1"), Arrived: at,
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
		}
		result, err := p.Run(directory{site}, request, event.Input{Site: "example.com", Type: "view", URL: "https://example.com/"})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, result.Event)
	}
	return events
}

// TestDayLengths folds and rolls up a view every quarter of an hour around a day of unusual
// length or start, and checks that the day has exactly its number of views.
func TestDayLengths(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		zone, previous, since string // since is when zone replaces previous
		day                   string
		length                time.Duration
		hours                 int // distinct hours on its clocks
	}{
		"clocks go forward":                                    {zone: "Europe/Paris", day: "2026-03-29", length: 23 * time.Hour, hours: 23},
		"clocks go back":                                       {zone: "Europe/Paris", day: "2026-10-25", length: 25 * time.Hour, hours: 25},
		"no midnight":                                          {zone: "Africa/Cairo", day: "2026-04-24", length: 23 * time.Hour, hours: 23},
		"last hour repeated":                                   {zone: "Africa/Cairo", day: "2026-10-29", length: 25 * time.Hour, hours: 25},
		"midnight repeated":                                    {zone: "America/Havana", day: "2026-11-01", length: 25 * time.Hour, hours: 25},
		"clocks go forward by half an hour":                    {zone: "Australia/Lord_Howe", day: "2026-10-04", length: 23*time.Hour + 30*time.Minute, hours: 24},
		"clocks go back by half an hour":                       {zone: "Australia/Lord_Howe", day: "2026-04-05", length: 24*time.Hour + 30*time.Minute, hours: 25},
		"offset of half an hour":                               {zone: "Asia/Kolkata", day: "2026-02-28", length: 24 * time.Hour, hours: 24},
		"offset of 45 minutes, end of a year":                  {zone: "Asia/Kathmandu", day: "2026-12-31", length: 24 * time.Hour, hours: 24},
		"offset of 45 minutes, clocks go back":                 {zone: "Pacific/Chatham", day: "2026-04-05", length: 25 * time.Hour, hours: 25},
		"offset of half an hour, clocks go forward":            {zone: "America/St_Johns", day: "2026-03-08", length: 23 * time.Hour, hours: 23},
		"first zone to start a year":                           {zone: "Pacific/Kiritimati", day: "2027-01-01", length: 24 * time.Hour, hours: 24},
		"site moves west, to a later midnight":                 {"America/New_York", "Asia/Kathmandu", "2026-03-02T18:15:00Z", "2026-03-02", 34*time.Hour + 45*time.Minute, 35},
		"site moves east, into a day":                          {"Pacific/Kiritimati", "UTC", "2026-03-02T00:00:00Z", "2026-03-02", 10 * time.Hour, 10},
		"site moves east, skipping a day":                      {"Pacific/Kiritimati", "Etc/GMT+12", "2026-03-02T12:00:00Z", "2026-03-02", 0, 0},
		"site moves west, repeating a day":                     {"Etc/GMT+12", "Pacific/Kiritimati", "2026-03-01T10:00:00Z", "2026-03-01", 48 * time.Hour, 48},
		"site moves west, repeating the end of the day before": {"Etc/GMT+12", "Pacific/Kiritimati", "2026-03-01T10:00:00Z", "2026-02-28", 26 * time.Hour, 26},
		"site moves as clocks go back":                         {"UTC", "Africa/Cairo", "2026-10-29T22:00:00Z", "2026-10-29", 27 * time.Hour, 27},
		"site moves at a missing midnight":                     {"UTC", "Africa/Cairo", "2026-04-23T22:00:00Z", "2026-04-23", 26 * time.Hour, 26},
		"site moves by a quarter of an hour":                   {"Asia/Kathmandu", "Asia/Kolkata", "2026-03-01T18:30:00Z", "2026-03-02", 23*time.Hour + 45*time.Minute, 24},
		"site moves back by a quarter of an hour":              {"Asia/Kolkata", "Asia/Kathmandu", "2026-03-01T18:15:00Z", "2026-03-01", 24*time.Hour + 15*time.Minute, 25},
		"site moves to a zone with the same offset":            {"Europe/Berlin", "Europe/Paris", "2026-03-28T23:00:00Z", "2026-03-29", 23 * time.Hour, 23},
		"site moves in a day of 23.5 hours":                    {"Australia/Sydney", "Australia/Lord_Howe", "2026-10-03T13:30:00Z", "2026-10-03", 24*time.Hour + 30*time.Minute, 25},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := pipeline.Site{ID: 1, Domain: "example.com", Location: location(t, test.zone)}
			if test.previous != "" {
				site.Previous, site.Since = location(t, test.previous), instant(t, test.since)
			}
			day := event.DayOf(instant(t, test.day+"T00:00:00Z"))
			events := quarters(t, site, (day - 3).Date(), (day + 4).Date())

			days := map[event.Day][]event.Event{}
			daysOfHour := map[time.Time]event.Day{}
			hoursOfDay := map[event.Day]map[time.Time]bool{}
			for _, e := range events {
				days[e.Day] = append(days[e.Day], e)
				if other, known := daysOfHour[e.Hour()]; known && other != e.Day {
					t.Fatalf("the hour from %s is in %s and in %s", e.Hour(), other, e.Day)
				}
				daysOfHour[e.Hour()] = e.Day
				if hoursOfDay[e.Day] == nil {
					hoursOfDay[e.Day] = map[time.Time]bool{}
				}
				hoursOfDay[e.Day][e.Hour()] = true
			}
			rollups := visit.NewRollups()
			visitors := map[int64]event.Day{}
			for day, events := range days {
				for _, e := range events {
					if other, known := visitors[e.Visitor]; known && other != day {
						t.Fatalf("%s and %s have the same visitor", day, other)
					}
					visitors[e.Visitor] = day
				}
				rollups.Add(fold(events))
			}
			if len(visitors) != len(days) {
				t.Errorf("%d visitors on %d days, want one per day", len(visitors), len(days))
			}

			quarters := int64(test.length / (15 * time.Minute))
			var sums [2]visit.Counts // of days, of months
			for _, row := range rollups.Days() {
				if row.Dimension != visit.Total {
					continue
				}
				sums[0] = plus(sums[0], row.Counts)
				if row.Day == day && (row.Events != quarters || row.Visitors != 1) {
					t.Errorf("the day has %+v, want %d events of one visitor", row.Counts, quarters)
				}
			}
			if len(days[day]) != int(quarters) || len(hoursOfDay[day]) != test.hours {
				t.Errorf("the day has %d events in %d hours, want %d in %d", len(days[day]), len(hoursOfDay[day]), quarters, test.hours)
			}
			for _, row := range visit.MonthsOf(rollups.Days()) {
				if row.Dimension == visit.Total {
					sums[1] = plus(sums[1], row.Counts)
				}
			}
			if sums[0] != sums[1] || sums[0].Visitors != int64(len(days)) {
				t.Errorf("%d days add up to %+v, their months to %+v", len(days), sums[0], sums[1])
			}
			var ofHours int64
			for _, row := range rollups.Hours() {
				if hoursOfDay[day][row.StartOf()] {
					ofHours += row.Events
				}
			}
			if ofHours != quarters {
				t.Errorf("the hours of the day have %d events, want %d", ofHours, quarters)
			}
		})
	}
}

func plus(a, b visit.Counts) visit.Counts {
	return visit.Counts{
		Visitors: a.Visitors + b.Visitors, Visits: a.Visits + b.Visits, Pageviews: a.Pageviews + b.Pageviews, Events: a.Events + b.Events,
		Bounces: a.Bounces + b.Bounces, Seconds: a.Seconds + b.Seconds, Engaged: a.Engaged + b.Engaged,
	}
}

func location(t *testing.T, zone string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
