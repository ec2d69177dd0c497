package language

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNamedRanges(t *testing.T) {
	t.Parallel()
	paris := must(time.LoadLocation("Europe/Paris"))
	// In Paris it is already the first of March.
	now := time.Date(2026, 2, 28, 23, 30, 15, 500, time.UTC).In(paris)
	for name, want := range map[string][2]string{
		"day":   {"2026-03-01T00:00:00+01:00", "2026-03-01T23:59:59+01:00"},
		"24h":   {"2026-02-28T00:30:16+01:00", "2026-03-01T00:30:15+01:00"},
		"1d":    {"2026-02-28T00:00:00+01:00", "2026-02-28T23:59:59+01:00"},
		"7d":    {"2026-02-22T00:00:00+01:00", "2026-02-28T23:59:59+01:00"},
		"28d":   {"2026-02-01T00:00:00+01:00", "2026-02-28T23:59:59+01:00"},
		"month": {"2026-03-01T00:00:00+01:00", "2026-03-31T23:59:59+02:00"},
		"1mo":   {"2026-02-01T00:00:00+01:00", "2026-02-28T23:59:59+01:00"},
		"6mo":   {"2025-09-01T00:00:00+02:00", "2026-02-28T23:59:59+01:00"},
		"12mo":  {"2025-03-01T00:00:00+01:00", "2026-02-28T23:59:59+01:00"},
		"year":  {"2026-01-01T00:00:00+01:00", "2026-12-31T23:59:59+01:00"},
	} {
		r, err := parseRangeName(name)
		if err != nil {
			t.Fatal(err)
		}
		s := r.at(now)
		if diff := cmp.Diff(want, s.Bounds()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if s.Whole != (name != "24h") {
			t.Errorf("%s: whole is %t", name, s.Whole)
		}
	}
}

func TestRangePairs(t *testing.T) {
	t.Parallel()
	newYork := must(time.LoadLocation("America/New_York"))
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, newYork)
	for name, test := range map[string]struct {
		pair, want [2]string
		whole      bool
	}{
		"days": {
			[2]string{"2026-03-08", "2026-03-08"},
			[2]string{"2026-03-08T00:00:00-05:00", "2026-03-08T23:59:59-04:00"}, true,
		},
		"times that are a day of the site": {
			[2]string{"2026-03-08T05:00:00Z", "2026-03-09T03:59:59.999Z"},
			[2]string{"2026-03-08T00:00:00-05:00", "2026-03-08T23:59:59-04:00"}, true,
		},
		"times within a day": {
			[2]string{"2026-03-08T12:00:00+01:00", "2026-03-08T15:59:59+01:00"},
			[2]string{"2026-03-08T07:00:00-04:00", "2026-03-08T10:59:59-04:00"}, false,
		},
		"one second": {
			[2]string{"2026-03-08T12:00:00Z", "2026-03-08T12:00:00Z"},
			[2]string{"2026-03-08T08:00:00-04:00", "2026-03-08T08:00:00-04:00"}, false,
		},
	} {
		r, err := parseRangePair(test.pair[0], test.pair[1])
		if err != nil {
			t.Fatal(err)
		}
		s := r.at(now)
		if s.Bounds() != test.want || s.Whole != test.whole {
			t.Errorf("%s: %v, whole %t", name, s.Bounds(), s.Whole)
		}
	}
}

// TestRangeRoundTrip checks that the bounds of a range are parsed as the same range.
func TestRangeRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		location := must(time.LoadLocation(rapid.SampledFrom(zones()).Draw(t, "zone")))
		from := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "from"), 0)
		s := TimeRange(from, from.Add(time.Duration(rapid.IntRange(1, 10_000_000).Draw(t, "seconds"))*time.Second), location)
		if rapid.Bool().Draw(t, "whole days") {
			s = DayRange(s.First, s.Last, location)
		}
		text := s.Bounds()
		r, err := parseRangePair(text[0], text[1])
		if err != nil {
			t.Fatal(err)
		}
		again := r.at(from.In(location))
		if !again.From.Equal(s.From) || !again.To.Equal(s.To) || again.Whole != s.Whole || again.First != s.First || again.Last != s.Last {
			t.Fatalf("%v is parsed back as %v", s, again)
		}
	})
}

// TestAnyZone checks that the days of every zone are within those of any zone.
func TestAnyZone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "from"), 0)
		to := from.Add(time.Duration(rapid.IntRange(1, 300_000).Draw(t, "seconds")) * time.Second)
		first, last := TimeRange(from, to, time.UTC).AnyZone()
		for _, zone := range append(zones(), "Etc/GMT+12", "Etc/GMT-14") {
			s := TimeRange(from, to, must(time.LoadLocation(zone)))
			if s.First < first || s.Last > last {
				t.Fatalf("%v touches %s to %s, outside of %s to %s", s, s.First, s.Last, first, last)
			}
		}
	})
}

func zones() []string {
	return []string{
		"UTC", "Europe/Paris", "America/New_York", "America/Santiago", "America/Havana", "Africa/Cairo", "Asia/Beirut",
		"Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "America/Sao_Paulo", "America/St_Johns",
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	newYork := must(time.LoadLocation("America/New_York"))
	between := func(from, to string) Range {
		return must(parseRangePair(from, to)).at(time.Date(2026, 6, 1, 0, 0, 0, 0, newYork))
	}
	for name, test := range map[string]struct {
		value Range
		grain Grain
		count int
		first string // the first three labels
	}{
		"the hours of a day of 23":         {between("2026-03-08", "2026-03-08"), HourGrain, 23, "2026-03-08 00:00:00 2026-03-08 01:00:00 2026-03-08 03:00:00"},
		"the hours of a day of 25":         {between("2026-11-01", "2026-11-01"), HourGrain, 25, "2026-11-01 00:00:00 2026-11-01 01:00:00-04:00 2026-11-01 01:00:00-05:00"},
		"the hours of part of a day":       {between("2026-01-01T10:30:00-05:00", "2026-01-01T12:15:00-05:00"), HourGrain, 3, "2026-01-01 10:00:00 2026-01-01 11:00:00 2026-01-01 12:00:00"},
		"days":                             {between("2026-03-07", "2026-03-10"), DayGrain, 4, "2026-03-07 2026-03-08 2026-03-09"},
		"weeks, the first of them cut":     {between("2026-01-01", "2026-01-31"), WeekGrain, 5, "2026-01-01 2026-01-05 2026-01-12"},
		"weeks from a Monday":              {between("2026-01-05", "2026-01-18"), WeekGrain, 2, "2026-01-05 2026-01-12"},
		"months, the first of them cut":    {between("2026-01-15", "2026-12-01"), MonthGrain, 12, "2026-01-01 2026-02-01 2026-03-01"},
		"days before there were computers": {between("1899-12-31", "1900-01-01"), WeekGrain, 2, "1899-12-31 1900-01-01"},
	} {
		labels, err := test.value.Labels(test.grain, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(labels[:min(3, len(labels))], " "); len(labels) != test.count || got != test.first {
			t.Errorf("%s: %d, beginning with %s", name, len(labels), got)
		}
	}
	if _, err := between("2000-01-01", "2026-01-01").Labels(HourGrain, "include.time_labels"); err == nil || !strings.Contains(err.Error(), "include.time_labels") {
		t.Errorf("26 years of hours: %v", err)
	}
}

func TestDefaultGrain(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]Grain{
		{"2026-01-01", "2026-01-01"}: HourGrain,
		{"2026-01-01", "2026-01-02"}: HourGrain,
		{"2026-01-01", "2026-01-03"}: DayGrain,
		{"2026-01-01", "2026-02-09"}: DayGrain,
		{"2026-01-01", "2026-03-31"}: WeekGrain,
		{"2026-01-01", "2026-12-31"}: WeekGrain,
		{"2025-01-01", "2026-12-31"}: MonthGrain,
	} {
		if got := must(parseRangePair(pair[0], pair[1])).at(time.Unix(0, 0).UTC()).defaultGrain(); got != want {
			t.Errorf("the grain of %v is %s, want %s", pair, got.dimension(), want.dimension())
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
