package language

import (
	"testing"
	"time"
)

func TestComparisonRange(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 18, 12, 34, 56, 0, must(time.LoadLocation("Europe/Paris"))) // a Wednesday
	for name, test := range map[string]struct{ dateRange, comparisons, want string }{
		"the day before":                   {`"day"`, `{"mode":"previous_period"}`, "2026-03-17T00:00:00+01:00 2026-03-17T12:34:59+01:00"},
		"the whole day before":             {`"day"`, `{"mode":"previous_period","whole":true}`, "2026-03-17T00:00:00+01:00 2026-03-17T23:59:59+01:00"},
		"a day that is over":               {`["2026-03-17","2026-03-17"]`, `{"mode":"previous_period"}`, "2026-03-16T00:00:00+01:00 2026-03-16T23:59:59+01:00"},
		"a day to come":                    {`["2026-03-19","2026-03-19"]`, `{"mode":"previous_period"}`, "2026-03-18T00:00:00+01:00 2026-03-18T23:59:59+01:00"},
		"the month before":                 {`"month"`, `{"mode":"previous_period"}`, "2026-02-01T00:00:00+01:00 2026-02-18T12:34:59+01:00"},
		"the whole month before":           {`"month"`, `{"mode":"previous_period","whole":true}`, "2026-02-01T00:00:00+01:00 2026-02-28T23:59:59+01:00"},
		"the months before":                {`"2mo"`, `{"mode":"previous_period"}`, "2025-11-01T00:00:00+01:00 2025-12-31T23:59:59+01:00"},
		"the year before":                  {`"year"`, `{"mode":"previous_period"}`, "2025-01-01T00:00:00+01:00 2025-03-18T12:34:59+01:00"},
		"the month a year before":          {`"month"`, `{"mode":"year_over_year"}`, "2025-03-01T00:00:00+01:00 2025-03-18T12:34:59+01:00"},
		"hours that are not over":          {`["2026-03-18T10:00:00+01:00","2026-03-18T13:59:59+01:00"]`, `{"mode":"previous_period"}`, "2026-03-18T06:00:00+01:00 2026-03-18T08:34:59+01:00"},
		"the days before":                  {`["2026-03-10","2026-03-12"]`, `{"mode":"previous_period"}`, "2026-03-07T00:00:00+01:00 2026-03-09T23:59:59+01:00"},
		"before clocks are moved":          {`["2026-03-29","2026-03-29"]`, `{"mode":"previous_period"}`, "2026-03-28T00:00:00+01:00 2026-03-28T23:59:59+01:00"},
		"the hours before":                 {`["2026-03-10T10:00:00+01:00","2026-03-10T11:59:59+01:00"]`, `{"mode":"previous_period"}`, "2026-03-10T08:00:00+01:00 2026-03-10T09:59:59+01:00"},
		"before, on the same weekdays":     {`["2026-03-16","2026-03-17"]`, `{"mode":"previous_period","match_day_of_week":true}`, "2026-03-09T00:00:00+01:00 2026-03-10T23:59:59+01:00"},
		"a week before":                    {`["2026-03-16","2026-03-22"]`, `{"mode":"previous_period","match_day_of_week":true}`, "2026-03-09T00:00:00+01:00 2026-03-11T12:34:59+01:00"},
		"a year before":                    {`["2026-03-16","2026-03-22"]`, `{"mode":"year_over_year"}`, "2025-03-16T00:00:00+01:00 2025-03-18T12:34:59+01:00"},
		"a year before, the same weekdays": {`["2026-03-16","2026-03-22"]`, `{"mode":"year_over_year","match_day_of_week":true}`, "2025-03-17T00:00:00+01:00 2025-03-19T12:34:59+01:00"},
		"a year before a leap day":         {`["2024-02-29","2024-02-29"]`, `{"mode":"year_over_year"}`, "2023-02-28T00:00:00+01:00 2023-02-28T23:59:59+01:00"},
		"hours a year before":              {`["2026-03-10T10:00:00+01:00","2026-03-10T11:59:59+01:00"]`, `{"mode":"year_over_year"}`, "2025-03-10T10:00:00+01:00 2025-03-10T11:59:59+01:00"},
		"custom days":                      {`"day"`, `{"mode":"custom","date_range":["2026-01-01","2026-01-03"]}`, "2026-01-01T00:00:00+01:00 2026-01-01T12:34:59+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":` + test.dateRange + `,"include":{"comparisons":` + test.comparisons + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			got := q.Include.Comparisons.Range(q.Range(now), now).Bounds()
			if text := got[0] + " " + got[1]; text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
}

// TestElapsedPart compares running days and months at times at which the other day or month has
// no such part.
func TestElapsedPart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ zone, now, dateRange, want string }{
		"the first minute":                {"Europe/Paris", "2026-03-18 00:00:10", "day", "2026-03-17T00:00:00+01:00 2026-03-17T00:00:59+01:00"},
		"the last minute":                 {"Europe/Paris", "2026-03-18 23:59:10", "day", "2026-03-17T00:00:00+01:00 2026-03-17T23:59:59+01:00"},
		"after clocks went forward":       {"Europe/Paris", "2026-03-29 12:00:00", "day", "2026-03-28T00:00:00+01:00 2026-03-28T12:00:59+01:00"},
		"the day after":                   {"Europe/Paris", "2026-03-30 12:00:00", "day", "2026-03-29T00:00:00+01:00 2026-03-29T12:00:59+02:00"},
		"a minute that was skipped":       {"Europe/Paris", "2026-03-30 02:30:00", "day", "2026-03-29T00:00:00+01:00 2026-03-29T03:30:59+02:00"},
		"a midnight that was skipped":     {"Africa/Cairo", "2026-04-25 00:10:00", "day", "2026-04-24T01:00:00+03:00 2026-04-24T01:10:59+03:00"},
		"a day that the month before has": {"UTC", "2026-11-28 19:00:00", "month", "2026-10-01T00:00:00Z 2026-10-28T19:00:59Z"},
		"a day that it has not":           {"UTC", "2026-03-30 19:00:00", "month", "2026-02-01T00:00:00Z 2026-02-28T23:59:59Z"},
		"the first day of a month":        {"UTC", "2026-11-01 19:00:00", "month", "2026-10-01T00:00:00Z 2026-10-01T19:00:59Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location := must(time.LoadLocation(test.zone))
			now := must(time.ParseInLocation(time.DateTime, test.now, location))
			q := must(Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":"` + test.dateRange + `","include":{"comparisons":{"mode":"previous_period"}}}`)))
			got := q.Include.Comparisons.Range(q.Range(now), now).Bounds()
			if text := got[0] + " " + got[1]; text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
			before := now.Add(-time.Minute)
			sameRange := got == q.Include.Comparisons.Range(q.Range(before), before).Bounds()
			if sameKey := q.RangeKey(now) == q.RangeKey(before); sameKey != sameRange {
				t.Errorf("the minute before has the same range: %t, the same key: %t", sameRange, sameKey)
			}
		})
	}
}
