package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/language"
)

// TestSegments checks that the segments contain each day of a range once, and that months are
// whole.
func TestSegments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := event.Day(rapid.IntRange(20000, 20800).Draw(t, "first"))
		last := first + event.Day(rapid.IntRange(0, 800).Draw(t, "days"))
		p := &Plan{
			Range: language.Range{First: first, Last: last, Whole: true},
			Grain: rapid.SampledFrom([]language.Grain{language.NoGrain, language.DayGrain, language.WeekGrain, language.MonthGrain}).Draw(t, "grain"),
		}
		split := p.segments()
		next := first
		for i, segment := range [][2]event.Day{split.head, split.months, split.tail} {
			if segment[1] < segment[0] {
				continue
			}
			if segment[0] != next {
				t.Fatalf("%s to %s is split into %v", first, last, split)
			}
			next = segment[1] + 1
			if i == 1 && (segment[0] != segment[0].Month() || next != next.Month() || p.Grain == language.DayGrain || p.Grain == language.WeekGrain) {
				t.Fatalf("the months of %s to %s are %s to %s", first, last, segment[0], segment[1])
			}
			if i != 1 && (p.Grain == language.NoGrain || p.Grain == language.MonthGrain) && segment[0] == segment[0].Month() && nextMonth(segment[0])-1 <= segment[1] {
				t.Fatalf("a whole month of %s to %s is among the days %s to %s", first, last, segment[0], segment[1])
			}
		}
		if next != last+1 {
			t.Fatalf("%s to %s is split into %v", first, last, split)
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
		q, err := language.Parse([]byte(`{"site_id":"a","metrics":["visitors"],` + question + `}`))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 3, 15, 12, 34, 56, 0, time.UTC)
		if got := fmt.Sprint(NewPlan(q, q.Range(now)).Sources()); got != want {
			t.Errorf("%s is answered from %s, want %s", question, got, want)
		}
	}
}

// TestEveryMetricHasADefinition checks that the engine can compute every metric of the
// language.
func TestEveryMetricHasADefinition(t *testing.T) {
	t.Parallel()
	for _, m := range language.Metrics() {
		if _, ok := definitionOf(m); !ok {
			t.Errorf("%s has no definition", m)
		}
	}
}

// FuzzValuesStayOutOfSQL checks that statements do not depend on the values of a question.
func FuzzValuesStayOutOfSQL(f *testing.F) {
	for _, seed := range []string{"x", "'", `"; DROP TABLE events; --`, "@site", "$1", "' OR true --", `\'`, "100%", "{{.Rows}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" || strings.Contains(value, "\x00") {
			return
		}
		for _, operator := range []language.Operator{language.Is, language.IsNot, language.Contains, language.ContainsNot} {
			got, want := statementsFor(t, operator, value), statementsFor(t, operator, "x")
			if got != want {
				t.Errorf("%s %q changes the statement: %s", operator, value, cmp.Diff(want, got))
			}
		}
	})
}

func statementsFor(t *testing.T, operator language.Operator, value string) string {
	t.Helper()
	d, _ := language.DimensionByName("visit:source")
	q := language.Question{
		SiteID: value, Metrics: []language.Metric{language.Visitors}, Dimensions: []language.Dimension{d},
		Filters: []language.Filter{{Operator: operator, Dimension: d, Values: []string{value}}},
		Order:   []language.Order{{By: "visit:source"}}, Pagination: language.Pagination{Limit: 1},
	}
	p := NewPlan(&q, language.DayRange(20454, 20484, time.UTC))
	var all []string
	for _, from := range p.Sources() {
		if from == Scan {
			continue // its statements have no values
		}
		sql, _ := p.statement(1, from, &page{Pagination: p.Pagination})
		all = append(all, fmt.Sprint(from, sql))
	}
	return strings.Join(all, "\n")
}

// TestSplit checks that a question about whole days and a part of a further one scans only the
// latter.
func TestSplit(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for name, test := range map[string]struct {
		question, from, to string
		head, tail         string // the days of each, "" if it is not split
	}{
		"days and a part":       {``, "2026-10-01 00:00:00", "2026-10-28 19:00:00", "2026-10-01 2026-10-27", "2026-10-28 2026-10-28"},
		"by page":               {`,"dimensions":["event:page"]`, "2026-10-01 00:00:00", "2026-10-28 19:00:00", "2026-10-01 2026-10-27", "2026-10-28 2026-10-28"},
		"a part of a day":       {``, "2026-10-01 00:00:00", "2026-10-01 19:00:00", "", ""},
		"from within a day":     {``, "2026-10-01 12:00:00", "2026-10-28 19:00:00", "", ""},
		"whole days":            {``, "2026-10-01 00:00:00", "2026-10-28 00:00:00", "", ""},
		"by hour":               {`,"dimensions":["time:hour"]`, "2026-10-01 00:00:00", "2026-10-28 19:00:00", "", ""},
		"what rollups have not": {`,"filters":[["matches","event:page",["a"]]]`, "2026-10-01 00:00:00", "2026-10-28 19:00:00", "", ""},
	} {
		q, err := language.Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":"day"` + test.question + `}`))
		if err != nil {
			t.Fatal(err)
		}
		p := NewPlan(q, language.TimeRange(at(test.from), at(test.to), time.UTC))
		head, tail, ok := p.split()
		if !ok {
			if test.head != "" {
				t.Errorf("%s: not split", name)
			}
			continue
		}
		days := func(r language.Range) string { return r.First.String() + " " + r.Last.String() }
		if days(head.Range) != test.head || days(tail.Range) != test.tail || !head.Range.Whole || !tail.Range.To.Equal(p.Range.To) {
			t.Errorf("%s: split into %v and %v", name, head.Range, tail.Range)
		}
		p.Range.Since = p.Range.To
		if _, _, ok := p.split(); ok {
			t.Errorf("%s: split although days of another time zone are among them", name)
		}
	}
}
