package visit_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// at returns a time on the day of the examples.
func at(clock string) time.Time {
	t, err := time.Parse(time.DateTime, "2026-03-01 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

var day = event.DayOf(at("00:00:00"))

// fold folds copies of the events.
func fold(events []event.Event) []visit.Visit {
	copies := make([]*event.Event, len(events))
	for i, e := range events {
		copies[i] = &e
	}
	return visit.Fold(copies)
}

func view(clock, page string) event.Event {
	return event.Event{
		ID: uuid.NewSHA1(uuid.Nil, []byte(clock+page)), Site: 1, Day: day, Visitor: 7,
		Time: at(clock), Type: event.View, Page: page, Hostname: "example.com",
		Attributes: event.Attributes{Source: "Google", Browser: "Firefox"},
	}
}

func conversion(clock, name, page string) event.Event {
	e := view(clock, page)
	e.Type, e.Name = event.Conversion, name
	return e
}

func passive(e event.Event) event.Event {
	e.Passive = true
	return e
}

func engagement(clock, page string, engaged int32) event.Event {
	e := view(clock, page)
	e.Type, e.Engaged = event.Engagement, engaged
	e.ID = uuid.NewSHA1(e.ID, []byte("engagement"))
	return e
}

func TestFold(t *testing.T) {
	t.Parallel()
	type want struct {
		Start             string
		Duration          int32
		Pageviews, Events int32
		Entry, Exit       string
		Bounce            bool
	}
	for name, test := range map[string]struct {
		events []event.Event
		want   []want
	}{
		"no events": {nil, nil},
		"one view: a bounce": {
			[]event.Event{view("10:00:00", "/")},
			[]want{{"10:00:00", 0, 1, 1, "/", "/", true}},
		},
		"a view and a conversion: no bounce": {
			[]event.Event{view("10:00:00", "/"), conversion("10:00:10", "Signup", "/thanks")},
			[]want{{"10:00:00", 10, 1, 2, "/", "/", false}},
		},
		"a view and passive events: a bounce": {
			[]event.Event{view("10:00:00", "/"), passive(conversion("10:00:10", "Seen", "/")), passive(conversion("10:00:20", "Seen", "/"))},
			[]want{{"10:00:00", 20, 1, 3, "/", "/", true}},
		},
		"passive event first": {
			[]event.Event{passive(conversion("10:00:00", "Seen", "/")), view("10:00:10", "/"), view("10:00:20", "/b")},
			[]want{{"10:00:00", 20, 2, 3, "/", "/b", false}},
		},
		"gap of 29:59": {
			[]event.Event{view("10:00:00", "/a"), view("10:29:59", "/b")},
			[]want{{"10:00:00", 1799, 2, 2, "/a", "/b", false}},
		},
		"gap of 30:00": {
			[]event.Event{view("10:00:00", "/a"), view("10:30:00", "/b")},
			[]want{{"10:00:00", 0, 1, 1, "/a", "/a", true}, {"10:30:00", 0, 1, 1, "/b", "/b", true}},
		},
		"late event joins two visits": {
			[]event.Event{view("10:00:00", "/a"), view("10:40:00", "/c"), view("10:20:00", "/b")},
			[]want{{"10:00:00", 2400, 3, 3, "/a", "/c", false}},
		},
		"no view: entry and exit of any event": {
			[]event.Event{conversion("10:00:00", "A", "/x"), conversion("10:01:00", "B", "/y")},
			[]want{{"10:00:00", 60, 0, 2, "/x", "/y", false}},
		},
		"entry page is the first view": {
			[]event.Event{conversion("10:00:00", "A", "/x"), view("10:01:00", "/y"), conversion("10:02:00", "B", "/z")},
			[]want{{"10:00:00", 120, 1, 3, "/y", "/y", false}},
		},
		"engagement affects neither bounce nor duration": {
			[]event.Event{view("10:00:00", "/a"), engagement("10:05:00", "/b", 7)},
			[]want{{"10:00:00", 0, 1, 1, "/a", "/a", true}},
		},
		"engagements keep a visit alive": {
			[]event.Event{view("10:00:00", "/a"), engagement("10:25:00", "/a", 7), engagement("10:50:00", "/a", 7), view("11:19:59", "/b")},
			[]want{{"10:00:00", 4799, 2, 2, "/a", "/b", false}},
		},
		"engagement extends a visit by the timeout": {
			[]event.Event{view("10:00:00", "/a"), engagement("10:25:00", "/a", 7), view("10:55:00", "/b")},
			[]want{{"10:00:00", 0, 1, 1, "/a", "/a", true}, {"10:55:00", 0, 1, 1, "/b", "/b", true}},
		},
		"engagement starts no visit": {
			[]event.Event{engagement("10:00:00", "/a", 7), engagement("10:01:00", "/a", 7)},
			nil,
		},
		"engagement before a visit does not move its start": {
			[]event.Event{engagement("10:00:00", "/a", 7), conversion("10:01:00", "A", "/x"), engagement("10:02:00", "/y", 7)},
			[]want{{"10:01:00", 0, 0, 1, "/x", "/x", true}},
		},
		"engagement after a visit does not extend it": {
			[]event.Event{view("10:00:00", "/a"), engagement("10:30:00", "/a", 7), view("10:31:00", "/b")},
			[]want{{"10:00:00", 0, 1, 1, "/a", "/a", true}, {"10:31:00", 0, 1, 1, "/b", "/b", true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []want
			for _, v := range fold(test.events) {
				got = append(got, want{v.Start.Format(time.TimeOnly), v.Duration, v.Pageviews, v.Events, v.EntryPage, v.ExitPage, v.Bounce})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEngaged checks that an engagement counts in the visit it falls into, and nowhere
// outside a visit.
func TestEngaged(t *testing.T) {
	t.Parallel()
	visits := fold([]event.Event{
		engagement("09:00:00", "/a", 1), // before any visit
		view("10:00:00", "/a"), engagement("10:00:30", "/a", 20), engagement("10:29:00", "/never", 300),
		engagement("10:59:00", "/a", 4000), // after the visit
		view("12:00:00", "/b"), engagement("12:00:01", "/b", event.MaxEngaged), engagement("12:00:02", "/b", event.MaxEngaged),
	})
	var got []int64
	for _, v := range visits {
		got = append(got, v.Engaged)
	}
	if diff := cmp.Diff([]int64{320, 2 * event.MaxEngaged}, got); diff != "" {
		t.Error(diff)
	}
}

func purchase(clock, amount, currency string) event.Event {
	e := conversion(clock, "Purchase", "/thanks")
	e.Amount, e.Currency = amount, currency
	return e
}

func TestRevenue(t *testing.T) {
	t.Parallel()
	maxPurchases := make([]event.Event, visit.MaxEvents)
	for i := range maxPurchases {
		maxPurchases[i] = purchase("10:00:00", "-999999999999.9999", "IDR")
	}
	for name, test := range map[string]struct {
		events []event.Event
		want   string
	}{
		"none":                     {[]event.Event{view("10:00:00", "/")}, `null`},
		"one":                      {[]event.Event{purchase("10:00:00", "74.20", "EUR")}, `{"EUR":74.2}`},
		"no binary fractions":      {[]event.Event{purchase("10:00:00", "0.1", "EUR"), purchase("10:00:01", "0.2", "EUR")}, `{"EUR":0.3}`},
		"several currencies":       {[]event.Event{purchase("10:00:00", "10", "USD"), purchase("10:00:01", "5", "EUR"), purchase("10:00:02", "90", "USD")}, `{"EUR":5,"USD":100}`},
		"refund":                   {[]event.Event{purchase("10:00:00", "12.5", "EUR"), purchase("10:00:01", "-12.50", "EUR")}, `{"EUR":0}`},
		"negative":                 {[]event.Event{purchase("10:00:00", "0.25", "EUR"), purchase("10:00:01", "-1.5", "EUR")}, `{"EUR":-1.25}`},
		"small negative":           {[]event.Event{purchase("10:00:00", "-0.0001", "EUR")}, `{"EUR":-0.0001}`},
		"maximum of a visitor-day": {maxPurchases, `{"IDR":-9999999999999999}`},
		"engagement": {[]event.Event{view("10:00:00", "/"), func() event.Event {
			e := engagement("10:00:01", "/", 5)
			e.Amount, e.Currency = "1", "EUR"
			return e
		}()}, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			visits := fold(test.events)
			got, err := json.Marshal(visits[0].Revenue)
			if err != nil || len(visits) != 1 || string(got) != test.want {
				t.Errorf("%d visits, the first with revenue %s (%v), want %s", len(visits), got, err, test.want)
			}
		})
	}
}

// TestRevenueExact compares the revenue with a sum of exact fractions.
func TestRevenueExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var events []event.Event
		want := new(big.Rat)
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			amount := rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,4})?`).Draw(t, "amount")
			events = append(events, purchase("10:00:00", amount, "EUR"))
			exact, ok := new(big.Rat).SetString(amount)
			if !ok {
				t.Fatalf("%q is not a number", amount)
			}
			want.Add(want, exact)
		}
		text := fold(events)[0].Revenue["EUR"].String()
		if got, ok := new(big.Rat).SetString(text); !ok || got.Cmp(want) != 0 {
			t.Fatalf("the sum is %s, want %s", text, want.FloatString(4))
		}
	})
}

// TestFoldModel compares Fold with a direct implementation of its documentation.
func TestFoldModel(t *testing.T) {
	t.Parallel()
	type modelVisit struct {
		start, latest, lastCounted time.Time
		counted                    int32
		engaged                    int64
	}
	rapid.Check(t, func(t *rapid.T) {
		events := genDay(1).Draw(t, "day")
		slices.SortFunc(events, func(a, b event.Event) int { return visit.Compare(&a, &b) })
		var want []modelVisit
		for _, e := range events {
			var open *modelVisit
			if n := len(want); n > 0 && e.Time.Before(want[n-1].latest.Add(visit.Timeout)) {
				open = &want[n-1]
			}
			switch {
			case e.Type == event.Engagement && open == nil:
				continue
			case e.Type == event.Engagement:
				open.latest, open.engaged = e.Time, open.engaged+int64(e.Engaged)
			case open == nil:
				want = append(want, modelVisit{e.Time, e.Time, e.Time, 1, 0})
			default:
				open.latest, open.lastCounted, open.counted = e.Time, e.Time, open.counted+1
			}
		}
		describe := func(start time.Time, seconds float64, events int32, engaged int64) string {
			return fmt.Sprint(start.Format(time.TimeOnly), " ", seconds, "s, ", events, " events, engaged ", engaged)
		}
		var got, wanted []string
		for _, v := range fold(events) {
			got = append(got, describe(v.Start, float64(v.Duration), v.Events, v.Engaged))
		}
		for _, s := range want {
			wanted = append(wanted, describe(s.start, s.lastCounted.Sub(s.start).Seconds(), s.counted, s.engaged))
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	first, second := view("10:00:00", "/a"), view("10:05:00", "/b")
	second.Source, second.UTMCampaign = "Bing", "spring"
	got := fold([]event.Event{second, first})
	if len(got) != 1 || got[0].Attributes != first.Attributes {
		t.Errorf("attributes %+v, want those of the first event %+v", got[0].Attributes, first.Attributes)
	}
}

// TestRollupsExample checks the rollups of a small day.
func TestRollupsExample(t *testing.T) {
	t.Parallel()
	r := visit.NewRollups()
	r.Add(fold([]event.Event{
		view("10:50:00", "/a"), view("11:10:00", "/b"), conversion("11:10:30", "Signup", "/b"), // one visit of 1,230 s
		engagement("11:12:00", "/b", 100), engagement("11:12:30", "/c", 20), // no event on /c
		view("14:00:00", "/a"), engagement("14:01:00", "/a", 3), engagement("14:02:00", "/b", 4000), // a bounce
		engagement("17:00:00", "/a", 50_000), // outside any visit
	}))
	row := func(d visit.Dimension, value string) visit.Counts {
		for _, row := range r.Days() {
			if row.Dimension == d && row.Value == value {
				return row.Counts
			}
		}
		return visit.Counts{}
	}
	for _, test := range []struct {
		name      string
		dimension visit.Dimension
		value     string
		want      visit.Counts
	}{
		{"total", visit.Total, "", visit.Counts{Visitors: 1, Visits: 2, Pageviews: 3, Events: 4, Bounces: 1, Seconds: 1230, Engaged: 4123}},
		{"page viewed in both visits", visit.Page, "/a", visit.Counts{Visitors: 1, Visits: 2, Pageviews: 2, Events: 2, Bounces: 1, Seconds: 1230, Engaged: 3}},
		{"page viewed in one visit", visit.Page, "/b", visit.Counts{Visitors: 1, Visits: 1, Pageviews: 1, Events: 2, Seconds: 1230, Engaged: 100}},
		{"page with an engagement but no event", visit.Page, "/c", visit.Counts{}},
		{"name", visit.Name, "Signup", visit.Counts{Visitors: 1, Visits: 1, Events: 1, Seconds: 1230}},
		{"default name of views", visit.Name, "pageview", visit.Counts{Visitors: 1, Visits: 2, Pageviews: 3, Events: 3, Bounces: 1, Seconds: 1230, Engaged: 4123}},
		{"exit page", visit.ExitPage, "/b", visit.Counts{Visitors: 1, Visits: 1, Pageviews: 2, Events: 3, Seconds: 1230, Engaged: 120}},
		{"browser", visit.Browser, "Firefox", visit.Counts{Visitors: 1, Visits: 2, Pageviews: 3, Events: 4, Bounces: 1, Seconds: 1230, Engaged: 4123}},
		{"unknown value", visit.Browser, "Lynx", visit.Counts{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, row(test.dimension, test.value)); diff != "" {
				t.Error(diff)
			}
		})
	}
	hours := []visit.HourRow{
		{HourKey: visit.HourKey{Site: 1, Hour: at("10:00:00").Unix(), Day: day}, Counts: visit.Counts{Visitors: 1, Visits: 1, Pageviews: 1, Events: 1, Seconds: 1230, Engaged: 120}},
		{HourKey: visit.HourKey{Site: 1, Hour: at("11:00:00").Unix(), Day: day}, Counts: visit.Counts{Visitors: 1, Pageviews: 1, Events: 2}},
		{HourKey: visit.HourKey{Site: 1, Hour: at("14:00:00").Unix(), Day: day}, Counts: visit.Counts{Visitors: 1, Visits: 1, Pageviews: 1, Events: 1, Bounces: 1, Engaged: 4003}},
	}
	if diff := cmp.Diff(hours, r.Hours()); diff != "" {
		t.Error(diff)
	}
}

func TestHourOffsets(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		offset int16
		want   string
	}{
		"UTC":                  {0, "10:00:00"},
		"India, +05:30":        {330, "10:30:00"},
		"Nepal, +05:45":        {345, "10:15:00"},
		"Newfoundland, -03:30": {-210, "10:30:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := event.Event{Time: at("10:40:00"), UTCOffset: test.offset}
			if got := e.Hour().Format(time.TimeOnly); got != test.want {
				t.Errorf("the hour starts at %s, want %s", got, test.want)
			}
		})
	}
}

// genDay draws the events of one visitor-day.
func genDay(visitor int64) *rapid.Generator[[]event.Event] {
	pages := rapid.SampledFrom([]string{"", "/", "/a", "/b", "/c"})
	return rapid.Custom(func(t *rapid.T) []event.Event {
		events := make([]event.Event, rapid.IntRange(1, 12).Draw(t, "events"))
		for i := range events {
			e := &events[i]
			*e = view("00:00:00", pages.Draw(t, "page"))
			e.Visitor = visitor
			e.ID = uuid.UUID{byte(visitor), byte(i)}
			e.Time = at("00:00:00").Add(time.Duration(rapid.IntRange(0, 8*60).Draw(t, "minute")) * time.Minute)
			e.Type = event.Type(rapid.IntRange(1, 5).Draw(t, "type"))
			if e.Type == event.Engagement {
				e.Engaged = rapid.Int32Range(1, event.MaxEngaged).Draw(t, "engaged")
			} else if rapid.Bool().Draw(t, "has value") {
				e.Amount = rapid.SampledFrom([]string{"0", "1.25", "-1.25", "10"}).Draw(t, "amount")
				e.Currency = rapid.SampledFrom([]string{"EUR", "USD"}).Draw(t, "currency")
			}
			e.Name = rapid.SampledFrom([]string{"", "Signup", "Play"}).Draw(t, "name")
			e.Source = rapid.SampledFrom([]string{"Google", "Bing", "Direct / None"}).Draw(t, "source")
		}
		return events
	})
}

type result struct {
	Hours  []visit.HourRow
	Days   []visit.DayRow
	Months []visit.DayRow
}

func resultOf(r *visit.Rollups) result { return result{r.Hours(), r.Days(), visit.MonthsOf(r.Days())} }

// TestIncremental checks that applying events in any order and in batches of any size, each
// as the difference of folds, gives the same visits and rollups as folding them at once.
func TestIncremental(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []event.Event
		whole := visit.NewRollups()
		visits := map[int64][]visit.Visit{}
		for visitor := range int64(rapid.IntRange(1, 3).Draw(t, "visitors")) {
			events := genDay(visitor).Draw(t, "day")
			all = append(all, events...)
			visits[visitor] = fold(events)
			whole.Add(visits[visitor])
		}
		arrived := rapid.Permutation(all).Draw(t, "arrival")

		incremental := visit.NewRollups()
		stored := map[int64][]event.Event{}
		folded := map[int64][]visit.Visit{}
		for len(arrived) > 0 {
			n := rapid.IntRange(1, len(arrived)).Draw(t, "batch")
			batch := map[int64][]event.Event{}
			for _, e := range arrived[:n] {
				batch[e.Visitor] = append(batch[e.Visitor], e)
			}
			arrived = arrived[n:]
			for visitor, events := range batch {
				incremental.Subtract(fold(stored[visitor]))
				stored[visitor] = append(stored[visitor], events...)
				folded[visitor] = fold(stored[visitor])
				incremental.Add(folded[visitor])
			}
		}
		if diff := cmp.Diff(resultOf(whole), resultOf(incremental)); diff != "" {
			t.Fatalf("rollups depend on the order of arrival:\n%s", diff)
		}
		if diff := cmp.Diff(visits, folded, cmpopts.IgnoreUnexported(visit.Visit{}), cmp.AllowUnexported(visit.Decimal{})); diff != "" {
			t.Fatalf("visits depend on the order of arrival:\n%s", diff)
		}
	})
}

// TestSums checks that the rows of a dimension and those of hours add up to the total, as
// far as the dimension allows, and that subtracting a day leaves nothing.
func TestSums(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := visit.NewRollups()
		visits := fold(genDay(1).Draw(t, "day"))
		r.Add(visits)
		sums := map[visit.Dimension]visit.Counts{}
		for _, row := range r.Days() {
			s := sums[row.Dimension]
			s.Visits, s.Events, s.Pageviews = s.Visits+row.Visits, s.Events+row.Events, s.Pageviews+row.Pageviews
			s.Engaged += row.Engaged
			sums[row.Dimension] = s
			if row.Visitors != 1 || row.Bounces > row.Visits || row.Pageviews > row.Events {
				t.Fatalf("row %+v is impossible for one visitor", row)
			}
		}
		for _, d := range visit.Dimensions() {
			got, total := sums[d], sums[visit.Total]
			if got.Events != total.Events || got.Pageviews != total.Pageviews || got.Engaged > total.Engaged ||
				!d.OfEvent() && (got.Visits != total.Visits || got.Engaged != total.Engaged) {
				t.Fatalf("dimension %s sums to %+v, the total is %+v", d.Column(), got, total)
			}
		}
		var hours visit.Counts
		for _, row := range r.Hours() {
			hours.Visits, hours.Events, hours.Engaged = hours.Visits+row.Visits, hours.Events+row.Events, hours.Engaged+row.Engaged
		}
		if total := sums[visit.Total]; hours.Visits != total.Visits || hours.Events != total.Events || hours.Engaged != total.Engaged {
			t.Fatalf("hours sum to %+v, the day is %+v", hours, total)
		}
		r.Subtract(visits)
		if got := resultOf(r); len(got.Hours)+len(got.Days)+len(got.Months) != 0 {
			t.Fatalf("rows remain after subtracting the day: %+v", got)
		}
	})
}
