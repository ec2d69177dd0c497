package language

import (
	"testing"
	"time"
)

func TestComparisonRange(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 18, 12, 34, 56, 0, must(time.LoadLocation("Europe/Paris"))) // a Wednesday
	for name, test := range map[string]struct{ dateRange, comparisons, want string }{
		"the day before":                   {`"day"`, `{"mode":"previous_period"}`, "2026-03-17T00:00:00+01:00 2026-03-17T23:59:59+01:00"},
		"the days before":                  {`["2026-03-10","2026-03-12"]`, `{"mode":"previous_period"}`, "2026-03-07T00:00:00+01:00 2026-03-09T23:59:59+01:00"},
		"before clocks are moved":          {`["2026-03-29","2026-03-29"]`, `{"mode":"previous_period"}`, "2026-03-28T00:00:00+01:00 2026-03-28T23:59:59+01:00"},
		"the hours before":                 {`["2026-03-10T10:00:00+01:00","2026-03-10T11:59:59+01:00"]`, `{"mode":"previous_period"}`, "2026-03-10T08:00:00+01:00 2026-03-10T09:59:59+01:00"},
		"before, on the same weekdays":     {`["2026-03-16","2026-03-17"]`, `{"mode":"previous_period","match_day_of_week":true}`, "2026-03-09T00:00:00+01:00 2026-03-10T23:59:59+01:00"},
		"a week before":                    {`["2026-03-16","2026-03-22"]`, `{"mode":"previous_period","match_day_of_week":true}`, "2026-03-09T00:00:00+01:00 2026-03-15T23:59:59+01:00"},
		"a year before":                    {`["2026-03-16","2026-03-22"]`, `{"mode":"year_over_year"}`, "2025-03-16T00:00:00+01:00 2025-03-22T23:59:59+01:00"},
		"a year before, the same weekdays": {`["2026-03-16","2026-03-22"]`, `{"mode":"year_over_year","match_day_of_week":true}`, "2025-03-17T00:00:00+01:00 2025-03-23T23:59:59+01:00"},
		"a year before a leap day":         {`["2024-02-29","2024-02-29"]`, `{"mode":"year_over_year"}`, "2023-02-28T00:00:00+01:00 2023-02-28T23:59:59+01:00"},
		"hours a year before":              {`["2026-03-10T10:00:00+01:00","2026-03-10T11:59:59+01:00"]`, `{"mode":"year_over_year"}`, "2025-03-10T10:00:00+01:00 2025-03-10T11:59:59+01:00"},
		"custom days":                      {`"day"`, `{"mode":"custom","date_range":["2026-01-01","2026-01-03"]}`, "2026-01-01T00:00:00+01:00 2026-01-03T23:59:59+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":` + test.dateRange + `,"include":{"comparisons":` + test.comparisons + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			got := q.Include.Comparisons.Range(q.Range(now)).Bounds()
			if text := got[0] + " " + got[1]; text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
}
