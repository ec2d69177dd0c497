package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/event"
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
		r, err := readRangeName(name)
		if err != nil {
			t.Fatal(err)
		}
		s := r.at(now)
		if diff := cmp.Diff(want, s.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if s.whole != (name != "24h") {
			t.Errorf("%s is of whole days: %t", name, s.whole)
		}
	}
}

func TestPairsOfTimes(t *testing.T) {
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
		r, err := readRangePair(test.pair[0], test.pair[1])
		if err != nil {
			t.Fatal(err)
		}
		s := r.at(now)
		if s.String() != test.want || s.whole != test.whole {
			t.Errorf("%s: %v, whole %t", name, s.String(), s.whole)
		}
	}
}

// TestRangesReadBack checks that the range of an answer, asked for again, is the
// same range.
func TestRangesReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		location := must(time.LoadLocation(rapid.SampledFrom(zones()).Draw(t, "zone")))
		from := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "from"), 0)
		s := between(from, from.Add(time.Duration(rapid.IntRange(1, 10_000_000).Draw(t, "seconds"))*time.Second), location)
		if rapid.Bool().Draw(t, "whole days") {
			s = wholeDays(s.first, s.last, location)
		}
		text := s.String()
		r, err := readRangePair(text[0], text[1])
		if err != nil {
			t.Fatal(err)
		}
		again := r.at(from.In(location))
		if !again.from.Equal(s.from) || !again.to.Equal(s.to) || again.whole != s.whole || again.first != s.first || again.last != s.last {
			t.Fatalf("%v is read back as %v", s, again)
		}
	})
}

// TestAnyZone checks that the days of every zone are within those of any zone.
func TestAnyZone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "from"), 0)
		to := from.Add(time.Duration(rapid.IntRange(1, 300_000).Draw(t, "seconds")) * time.Second)
		first, last := between(from, to, time.UTC).anyZone()
		for _, zone := range append(zones(), "Etc/GMT+12", "Etc/GMT-14") {
			s := between(from, to, must(time.LoadLocation(zone)))
			if s.first < first || s.last > last {
				t.Fatalf("%v touches %s to %s, outside of %s to %s", s, s.first, s.last, first, last)
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
	between := func(from, to string) span {
		return must(readRangePair(from, to)).at(time.Date(2026, 6, 1, 0, 0, 0, 0, newYork))
	}
	for name, test := range map[string]struct {
		span  span
		grain grain
		count int
		first string // the first three
	}{
		"the hours of a day of 23":         {between("2026-03-08", "2026-03-08"), hourGrain, 23, "2026-03-08 00:00:00 2026-03-08 01:00:00 2026-03-08 03:00:00"},
		"the hours of a day of 25":         {between("2026-11-01", "2026-11-01"), hourGrain, 25, "2026-11-01 00:00:00 2026-11-01 01:00:00 2026-11-01 01:00:00"},
		"the hours of part of a day":       {between("2026-01-01T10:30:00-05:00", "2026-01-01T12:15:00-05:00"), hourGrain, 3, "2026-01-01 10:00:00 2026-01-01 11:00:00 2026-01-01 12:00:00"},
		"days":                             {between("2026-03-07", "2026-03-10"), dayGrain, 4, "2026-03-07 2026-03-08 2026-03-09"},
		"weeks, the first of them cut":     {between("2026-01-01", "2026-01-31"), weekGrain, 5, "2026-01-01 2026-01-05 2026-01-12"},
		"weeks from a Monday":              {between("2026-01-05", "2026-01-18"), weekGrain, 2, "2026-01-05 2026-01-12"},
		"months, the first of them cut":    {between("2026-01-15", "2026-12-01"), monthGrain, 12, "2026-01-01 2026-02-01 2026-03-01"},
		"days before there were computers": {between("1899-12-31", "1900-01-01"), weekGrain, 2, "1899-12-31 1900-01-01"},
	} {
		labels, err := test.span.labels(test.grain, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(labels[:min(3, len(labels))], " "); len(labels) != test.count || got != test.first {
			t.Errorf("%s: %d, beginning with %s", name, len(labels), got)
		}
	}
	if _, err := between("2000-01-01", "2026-01-01").labels(hourGrain, "include.time_labels"); err == nil || !strings.Contains(err.Error(), "include.time_labels") {
		t.Errorf("26 years of hours: %v", err)
	}
}

func TestGrainOfTime(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]grain{
		{"2026-01-01", "2026-01-01"}: hourGrain,
		{"2026-01-01", "2026-01-02"}: hourGrain,
		{"2026-01-01", "2026-01-03"}: dayGrain,
		{"2026-01-01", "2026-02-09"}: dayGrain,
		{"2026-01-01", "2026-03-31"}: weekGrain,
		{"2026-01-01", "2026-12-31"}: weekGrain,
		{"2025-01-01", "2026-12-31"}: monthGrain,
	} {
		if got := must(readRangePair(pair[0], pair[1])).at(time.Unix(0, 0).UTC()).grain(); got != want {
			t.Errorf("%v is by %s, want %s", pair, got.dimension(), want.dimension())
		}
	}
}

// TestStretches checks that a range is cut into each of its days once, and that
// the months are whole.
func TestStretches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := event.Day(rapid.IntRange(20000, 20800).Draw(t, "first"))
		last := first + event.Day(rapid.IntRange(0, 800).Draw(t, "days"))
		r := &resolved{span: span{first: first, last: last, whole: true}, grain: rapid.SampledFrom([]grain{noGrain, dayGrain, weekGrain, monthGrain}).Draw(t, "grain")}
		cut := r.stretches()
		next := first
		for i, stretch := range [][2]event.Day{cut.head, cut.months, cut.tail} {
			if stretch[1] < stretch[0] {
				continue
			}
			if stretch[0] != next {
				t.Fatalf("%s to %s is cut into %v", first, last, cut)
			}
			next = stretch[1] + 1
			if i == 1 && (stretch[0] != stretch[0].Month() || next != next.Month() || r.grain == dayGrain || r.grain == weekGrain) {
				t.Fatalf("the months of %s to %s are %s to %s", first, last, stretch[0], stretch[1])
			}
			if i != 1 && (r.grain == noGrain || r.grain == monthGrain) && stretch[0] == stretch[0].Month() && nextMonth(stretch[0])-1 <= stretch[1] {
				t.Fatalf("a whole month of %s to %s is among the days %s to %s", first, last, stretch[0], stretch[1])
			}
		}
		if next != last+1 {
			t.Fatalf("%s to %s is cut into %v", first, last, cut)
		}
	})
}

func TestSources(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]string{
		`"date_range":"30d"`:                                                                         "[days scan]",
		`"date_range":"24h"`:                                                                         "[scan]",
		`"date_range":"day","dimensions":["time:hour"]`:                                              "[hours scan]",
		`"date_range":"day","dimensions":["time"]`:                                                   "[hours scan]",
		`"date_range":"24h","dimensions":["time:hour"]`:                                              "[scan]",
		`"date_range":"30d","dimensions":["time:day"]`:                                               "[days scan]",
		`"date_range":"30d","dimensions":["event:page"]`:                                             "[days scan]",
		`"date_range":"30d","dimensions":["visit:os"]`:                                               "[days scan]",
		`"date_range":"30d","dimensions":["time","visit:os"]`:                                        "[days scan]",
		`"date_range":"day","dimensions":["time","visit:os"]`:                                        "[scan]",
		`"date_range":"30d","dimensions":["visit:browser","visit:os"]`:                               "[scan]",
		`"date_range":"30d","dimensions":["event:page","visit:os"]`:                                  "[scan]",
		`"date_range":"30d","filters":[["is","visit:os",["Linux"]]]`:                                 "[days scan]",
		`"date_range":"30d","filters":[["is","event:page",["/"]]]`:                                   "[days scan]",
		`"date_range":"30d","filters":[["is","visit:os",["a","b"]]]`:                                 "[scan]",
		`"date_range":"30d","filters":[["is_not","visit:os",["a"]]]`:                                 "[scan]",
		`"date_range":"30d","dimensions":["visit:os"],"filters":[["contains","visit:os",["a","b"]]]`: "[days scan]",
		`"date_range":"30d","dimensions":["visit:os"],"filters":[["is","visit:country",["FR"]]]`:     "[scan]",
		`"date_range":"30d","dimensions":["visit:os"],"filters":[["is","event:page",["/"]]]`:         "[scan]",
		`"date_range":["2026-01-01T00:00:00Z","2026-01-31T23:59:59Z"],"dimensions":["event:page"]`:   "[days scan]",
		`"date_range":["2026-01-01T00:00:00Z","2026-01-31T23:59:58Z"],"dimensions":["event:page"]`:   "[scan]",
		`"date_range":["2026-01-01T05:00:00Z","2026-01-01T23:59:59Z"],"dimensions":["time:hour"]`:    "[hours scan]",
		`"date_range":["2026-01-01T05:30:00Z","2026-01-01T23:59:59Z"],"dimensions":["time:hour"]`:    "[scan]",
	} {
		q, err := Parse([]byte(`{"site_id":"a","metrics":["visitors"],` + question + `}`))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 3, 15, 12, 34, 56, 0, time.UTC)
		if got := fmt.Sprint(q.resolve(q.dateRange.at(now)).sources()); got != want {
			t.Errorf("%s is answered from %s, want %s", question, got, want)
		}
	}
}
