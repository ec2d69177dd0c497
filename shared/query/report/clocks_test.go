package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// changesOf returns the instants in 2026 at which the clocks of a time zone are moved.
func changesOf(location *time.Location) (changes []time.Time) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, location)
	for {
		if _, at = at.ZoneBounds(); at.IsZero() || at.UTC().Year() > 2026 {
			return changes
		}
		changes = append(changes, at)
	}
}

// TestClockChanges asks for the hours and minutes around each of the 24 changes of the clocks
// of twelve time zones in a year: by an hour, half an hour and two, at the full hour, at 45 minutes
// past and at midnight. Each period has a name of its own, and together they
// have what the day has.
func TestClockChanges(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	reports := must(New(testNames{}, patient()))
	total := 0
	for id, zone := range []string{
		"Europe/Paris", "Europe/London", "America/New_York", "America/St_Johns", "America/Havana", "America/Santiago",
		"Africa/Cairo", "Asia/Beirut", "Asia/Jerusalem", "Australia/Lord_Howe", "Pacific/Chatham", "Antarctica/Troll",
	} {
		location := must(time.LoadLocation(zone))
		w := &world{site: sites.Site{ID: int32(id + 1), Timezone: zone}}
		changes := changesOf(location)
		total += len(changes)
		for _, change := range changes {
			for at := change.Add(-50 * time.Hour); at.Before(change.Add(50 * time.Hour)); at = at.Add(5 * time.Minute) {
				local := at.In(location)
				_, offset := local.Zone()
				w.events = append(w.events, event.Event{
					ID: uuid.New(), Site: w.site.ID, Time: at, Day: event.DayOf(local), UTCOffset: int16(offset / 60), Visitor: 1, Type: event.View, Page: "/",
				})
			}
		}
		w.oracle, w.visits = newOracle(w.events)
		if err := save(t.Context(), db, w); err != nil {
			t.Fatal(err)
		}
		for _, change := range changes {
			day := event.DayOf(change.Add(-1).In(location))
			for name, question := range map[string]string{
				"rollups":  `"dimensions":["time:hour"]`,
				"scan":     `"dimensions":["time:hour"],"filters":[["is","event:page",["/"]]]`,
				"minutes":  `"dimensions":["time:minute"]`,
				"two days": `"dimensions":["time:hour"]`,
			} {
				last := day
				if name == "two days" {
					last++
				}
				within := fmt.Sprintf(`{"site_id":"a","metrics":["pageviews"],"date_range":["%s","%s"],`, day, last)
				ask := func(rest string) Answer {
					q := must(language.Parse([]byte(within + rest + `"pagination":{"limit":10000}}`)))
					return must(reports.Answer(t.Context(), db, w.site, change, q))
				}
				rows := ask(question + `,"include":{"time_labels":true},`)
				card := ask("").Results[0].Metrics[0].Number
				length := (last + 1).Start(location).Sub(day.Start(location))
				if want := length.Minutes() / 5; card != want {
					t.Errorf("%s, %s: %v views, want %v", zone, day, card, want)
				}
				sum, previous := 0.0, -1
				chart := map[string]float64{}
				for _, row := range rows.Results {
					at := slices.Index(rows.Meta.TimeLabels, row.Dimensions[0])
					if at <= previous {
						t.Errorf("%s, %s, %s: %s is not among the labels, or out of order", zone, day, name, row.Dimensions[0])
					}
					previous = at
					sum += row.Metrics[0].Number
					chart[row.Dimensions[0]] = row.Metrics[0].Number
				}
				charted := 0.0
				for _, label := range rows.Meta.TimeLabels {
					charted += chart[label]
				}
				if sum != card || charted != card || len(slices.Compact(slices.Sorted(slices.Values(rows.Meta.TimeLabels)))) != len(rows.Meta.TimeLabels) {
					t.Errorf("%s, %s, %s: rows have %v views, a chart by labels %v, the day %v; labels %q", zone, day, name, sum, charted, card, rows.Meta.TimeLabels)
				}
			}
		}
	}
	if total != 24 {
		t.Errorf("%d changes of clocks, want 24", total)
	}
}

// TestHourLabels checks how the hours of days are named on which clocks are moved.
func TestHourLabels(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		zone, day string
		want      string // the hours around the change
	}{
		"back":                               {"Europe/Paris", "2026-10-25", "01:00:00, 02:00:00+02:00, 02:00:00+01:00, 03:00:00"},
		"forward":                            {"Europe/Paris", "2026-03-29", "00:00:00, 01:00:00, 03:00:00, 04:00:00"},
		"back to Greenwich":                  {"Europe/London", "2026-10-25", "00:00:00, 01:00:00+01:00, 01:00:00+00:00, 02:00:00"},
		"back by half an hour":               {"Australia/Lord_Howe", "2026-04-05", "00:00:00, 01:00:00+11:00, 01:00:00+10:30, 02:00:00"},
		"forward by half an hour":            {"Australia/Lord_Howe", "2026-10-04", "00:00:00, 01:00:00, 02:00:00, 03:00:00"},
		"back at 45 minutes past":            {"Pacific/Chatham", "2026-04-05", "02:00:00, 03:00:00+13:45, 03:00:00+12:45, 04:00:00"},
		"forward at 45 minutes past":         {"Pacific/Chatham", "2026-09-27", "01:00:00, 02:00:00, 04:00:00, 05:00:00"},
		"midnight twice":                     {"America/Havana", "2026-11-01", "00:00:00-04:00, 00:00:00-05:00, 01:00:00"},
		"no midnight":                        {"Africa/Cairo", "2026-04-24", "01:00:00, 02:00:00"},
		"the hour before midnight twice":     {"Africa/Cairo", "2026-10-29", "22:00:00, 23:00:00+03:00, 23:00:00+02:00"},
		"back by two hours":                  {"Antarctica/Troll", "2026-10-25", "00:00:00, 01:00:00+02:00, 02:00:00+02:00, 01:00:00+00:00, 02:00:00+00:00, 03:00:00"},
		"an ordinary day, half an hour off":  {"Asia/Kolkata", "2026-10-25", "00:00:00, 01:00:00, 02:00:00"},
		"an ordinary day, 45 minutes off":    {"Asia/Kathmandu", "2026-10-25", "22:00:00, 23:00:00"},
		"an ordinary day, after the changes": {"Europe/Paris", "2026-10-26", "02:00:00, 03:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			day := event.DayOf(must(time.Parse(time.DateOnly, test.day)))
			labels := must(language.DayRange(day, day, must(time.LoadLocation(test.zone))).Labels(language.HourGrain, ""))
			all := strings.ReplaceAll(strings.Join(labels, ", "), test.day+" ", "")
			if !strings.Contains(", "+all+",", ", "+test.want+",") {
				t.Error(cmp.Diff(test.want, all))
			}
		})
	}
}
