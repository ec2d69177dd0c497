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

// directory is of one site, and has a salt for every day.
type directory struct{ site pipeline.Site }

func (d directory) Site(string) (pipeline.Site, bool) { return d.site, true }

func (d directory) Salt(day event.Day) (*privacy.Salt, bool) {
	return &privacy.Salt{byte(day), byte(day >> 8)}, true
}

// quarters are the views of somebody who looks at a page of the site every quarter
// of an hour, as they are collected.
func quarters(t *testing.T, site pipeline.Site, from, to time.Time) []event.Event {
	t.Helper()
	enricher, err := enrich.Load(enrich.Files{})
	if err != nil {
		t.Fatal(err)
	}
	c := &pipeline.Pipeline{Enricher: enricher, NewID: uuid.New}
	var events []event.Event
	for at := from; at.Before(to); at = at.Add(15 * time.Minute) {
		request := pipeline.Request{
			Address: netip.MustParseAddr("192.0.2.1"), Arrived: at,
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
		}
		collected, err := c.Run(directory{site}, request, event.Input{Site: "example.com", Type: "view", URL: "https://example.com/"})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, collected.Event)
	}
	return events
}

// TestDaysOfAllLengths collects, folds and rolls up a view every quarter of an hour
// around a day that is known to be shorter or longer than others, or to begin at
// another minute: what a site counts for it must be just as much.
func TestDaysOfAllLengths(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		zone, previous, since string // since: when the zone replaced the previous one
		day                   string
		length                time.Duration
		hours                 int // that its clocks show
	}{
		"clocks go forward":                         {zone: "Europe/Paris", day: "2026-03-29", length: 23 * time.Hour, hours: 23},
		"clocks go back":                            {zone: "Europe/Paris", day: "2026-10-25", length: 25 * time.Hour, hours: 25},
		"a day without midnight":                    {zone: "Africa/Cairo", day: "2026-04-24", length: 23 * time.Hour, hours: 23},
		"a day whose last hour comes twice":         {zone: "Africa/Cairo", day: "2026-10-29", length: 25 * time.Hour, hours: 25},
		"a day whose midnight comes twice":          {zone: "America/Havana", day: "2026-11-01", length: 25 * time.Hour, hours: 25},
		"clocks go forward by half an hour":         {zone: "Australia/Lord_Howe", day: "2026-10-04", length: 23*time.Hour + 30*time.Minute, hours: 24},
		"clocks go back by half an hour":            {zone: "Australia/Lord_Howe", day: "2026-04-05", length: 24*time.Hour + 30*time.Minute, hours: 25},
		"half an hour off":                          {zone: "Asia/Kolkata", day: "2026-02-28", length: 24 * time.Hour, hours: 24},
		"three quarters off, at the end of a year":  {zone: "Asia/Kathmandu", day: "2026-12-31", length: 24 * time.Hour, hours: 24},
		"three quarters off, and clocks go back":    {zone: "Pacific/Chatham", day: "2026-04-05", length: 25 * time.Hour, hours: 25},
		"half an hour off, and clocks go forward":   {zone: "America/St_Johns", day: "2026-03-08", length: 23 * time.Hour, hours: 23},
		"the first to begin a year":                 {zone: "Pacific/Kiritimati", day: "2027-01-01", length: 24 * time.Hour, hours: 24},
		"the site moves west, to a later midnight":  {"America/New_York", "Asia/Kathmandu", "2026-03-02T18:15:00Z", "2026-03-02", 34*time.Hour + 45*time.Minute, 35},
		"the site moves east, into a day":           {"Pacific/Kiritimati", "UTC", "2026-03-02T00:00:00Z", "2026-03-02", 10 * time.Hour, 10},
		"the site moves east, over a day":           {"Pacific/Kiritimati", "Etc/GMT+12", "2026-03-02T12:00:00Z", "2026-03-02", 0, 0},
		"the site moves west, back over a day":      {"Etc/GMT+12", "Pacific/Kiritimati", "2026-03-01T10:00:00Z", "2026-03-01", 48 * time.Hour, 48},
		"and gets the end of the day before again":  {"Etc/GMT+12", "Pacific/Kiritimati", "2026-03-01T10:00:00Z", "2026-02-28", 26 * time.Hour, 26},
		"the site moves as clocks go back":          {"UTC", "Africa/Cairo", "2026-10-29T22:00:00Z", "2026-10-29", 27 * time.Hour, 27},
		"the site moves as there is no midnight":    {"UTC", "Africa/Cairo", "2026-04-23T22:00:00Z", "2026-04-23", 26 * time.Hour, 26},
		"the site moves by a quarter of an hour":    {"Asia/Kathmandu", "Asia/Kolkata", "2026-03-01T18:30:00Z", "2026-03-02", 23*time.Hour + 45*time.Minute, 24},
		"the site moves back by a quarter":          {"Asia/Kolkata", "Asia/Kathmandu", "2026-03-01T18:15:00Z", "2026-03-01", 24*time.Hour + 15*time.Minute, 25},
		"the site moves to the zone that it is in":  {"Europe/Berlin", "Europe/Paris", "2026-03-28T23:00:00Z", "2026-03-29", 23 * time.Hour, 23},
		"the site moves within a day of 23.5 hours": {"Australia/Sydney", "Australia/Lord_Howe", "2026-10-03T13:30:00Z", "2026-10-03", 24*time.Hour + 30*time.Minute, 25},
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
				if of, known := daysOfHour[e.Hour()]; known && of != e.Day {
					t.Fatalf("the hour from %s is of %s and of %s", e.Hour(), of, e.Day)
				}
				daysOfHour[e.Hour()] = e.Day
				if hoursOfDay[e.Day] == nil {
					hoursOfDay[e.Day] = map[time.Time]bool{}
				}
				hoursOfDay[e.Day][e.Hour()] = true
			}
			rollups := visit.NewRollups()
			visitors := map[int64]event.Day{}
			for of, events := range days {
				for _, e := range events {
					if other, known := visitors[e.Visitor]; known && other != of {
						t.Fatalf("a visitor of %s is one of %s too", of, other)
					}
					visitors[e.Visitor] = of
				}
				rollups.Add(fold(events))
			}
			if len(visitors) != len(days) {
				t.Errorf("somebody is %d visitors on %d days", len(visitors), len(days))
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
