package visit_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/visit"
)

// at is a moment of the day on which the examples happen.
func at(clock string) time.Time {
	t, err := time.Parse(time.DateTime, "2026-03-01 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

var day = event.DayOf(at("00:00:00"))

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
		"nothing": {nil, nil},
		"one view is a bounce": {
			[]event.Event{view("10:00:00", "/")},
			[]want{{"10:00:00", 0, 1, 1, "/", "/", true}},
		},
		"a view and a conversion are none": {
			[]event.Event{view("10:00:00", "/"), conversion("10:00:10", "Signup", "/thanks")},
			[]want{{"10:00:00", 10, 1, 2, "/", "/", false}},
		},
		"a gap of 29:59 stays in the visit": {
			[]event.Event{view("10:00:00", "/a"), view("10:29:59", "/b")},
			[]want{{"10:00:00", 1799, 2, 2, "/a", "/b", false}},
		},
		"a gap of 30:00 ends it": {
			[]event.Event{view("10:00:00", "/a"), view("10:30:00", "/b")},
			[]want{{"10:00:00", 0, 1, 1, "/a", "/a", true}, {"10:30:00", 0, 1, 1, "/b", "/b", true}},
		},
		"a late event joins two visits": {
			[]event.Event{view("10:00:00", "/a"), view("10:40:00", "/c"), view("10:20:00", "/b")},
			[]want{{"10:00:00", 2400, 3, 3, "/a", "/c", false}},
		},
		"without a view the pages of the events count": {
			[]event.Event{conversion("10:00:00", "A", "/x"), conversion("10:01:00", "B", "/y")},
			[]want{{"10:00:00", 60, 0, 2, "/x", "/y", false}},
		},
		"the entry page is the first that was viewed": {
			[]event.Event{conversion("10:00:00", "A", "/x"), view("10:01:00", "/y"), conversion("10:02:00", "B", "/z")},
			[]want{{"10:00:00", 120, 1, 3, "/y", "/y", false}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []want
			for _, v := range visit.Fold(test.events) {
				got = append(got, want{v.Start.Format(time.TimeOnly), v.Duration, v.Pageviews, v.Events, v.EntryPage, v.ExitPage, v.Bounce()})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAttributesAreThoseOfTheFirstEvent(t *testing.T) {
	t.Parallel()
	first, second := view("10:00:00", "/a"), view("10:05:00", "/b")
	second.Source, second.UTMCampaign = "Bing", "spring"
	got := visit.Fold([]event.Event{second, first})
	if len(got) != 1 || got[0].Attributes != first.Attributes {
		t.Errorf("attributes %+v, want those of the first event %+v", got[0].Attributes, first.Attributes)
	}
}

// TestRollupsByHand checks each number of a day that one can count by hand.
func TestRollupsByHand(t *testing.T) {
	t.Parallel()
	r := visit.NewRollups()
	r.Add(visit.Fold([]event.Event{
		view("10:50:00", "/a"), view("11:10:00", "/b"), conversion("11:10:30", "Signup", "/b"), // one visit of 1,230 s
		view("14:00:00", "/a"), // a bounce
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
		{"total", visit.Total, "", visit.Counts{Visitors: 1, Visits: 2, Pageviews: 3, Events: 4, Bounces: 1, Seconds: 1230}},
		{"page seen in both visits", visit.Page, "/a", visit.Counts{Visitors: 1, Visits: 2, Pageviews: 2, Events: 2, Bounces: 1, Seconds: 1230}},
		{"page seen in one", visit.Page, "/b", visit.Counts{Visitors: 1, Visits: 1, Pageviews: 1, Events: 2, Seconds: 1230}},
		{"name", visit.Name, "Signup", visit.Counts{Visitors: 1, Visits: 1, Events: 1, Seconds: 1230}},
		{"events without a name", visit.Name, "", visit.Counts{Visitors: 1, Visits: 2, Pageviews: 3, Events: 3, Bounces: 1, Seconds: 1230}},
		{"exit page", visit.ExitPage, "/b", visit.Counts{Visitors: 1, Visits: 1, Pageviews: 2, Events: 3, Seconds: 1230}},
		{"browser", visit.Browser, "Firefox", visit.Counts{Visitors: 1, Visits: 2, Pageviews: 3, Events: 4, Bounces: 1, Seconds: 1230}},
		{"value that never was", visit.Browser, "Lynx", visit.Counts{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, row(test.dimension, test.value)); diff != "" {
				t.Error(diff)
			}
		})
	}
	hours := []visit.HourRow{
		{HourKey: visit.HourKey{Site: 1, Hour: at("10:00:00").Unix(), Day: day}, Counts: visit.Counts{Visitors: 1, Visits: 1, Pageviews: 1, Events: 1, Seconds: 1230}},
		{HourKey: visit.HourKey{Site: 1, Hour: at("11:00:00").Unix(), Day: day}, Counts: visit.Counts{Visitors: 1, Pageviews: 1, Events: 2}},
		{HourKey: visit.HourKey{Site: 1, Hour: at("14:00:00").Unix(), Day: day}, Counts: visit.Counts{Visitors: 1, Visits: 1, Pageviews: 1, Events: 1, Bounces: 1}},
	}
	if diff := cmp.Diff(hours, r.Hours()); diff != "" {
		t.Error(diff)
	}
}

func TestHoursOfZonesOffByHalfAnHour(t *testing.T) {
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
				t.Errorf("the hour begins at %s, want %s", got, test.want)
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
			e.Type = event.Type(rapid.IntRange(1, 4).Draw(t, "type"))
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

func resultOf(r *visit.Rollups) result { return result{r.Hours(), r.Days(), r.Months()} }

// TestAnyOrderAnyBatching: events that come in any order and in batches of any
// size, each batch applied as the difference of folds, give the rollups and visits
// of all events folded at once.
func TestAnyOrderAnyBatching(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []event.Event
		whole := visit.NewRollups()
		visits := map[int64][]visit.Visit{}
		for visitor := range int64(rapid.IntRange(1, 3).Draw(t, "visitors")) {
			events := genDay(visitor).Draw(t, "day")
			all = append(all, events...)
			visits[visitor] = visit.Fold(slices.Clone(events))
			whole.Add(visits[visitor])
		}
		arrived := rapid.Permutation(all).Draw(t, "arrival")

		step := visit.NewRollups()
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
				step.Subtract(visit.Fold(slices.Clone(stored[visitor])))
				stored[visitor] = append(stored[visitor], events...)
				folded[visitor] = visit.Fold(slices.Clone(stored[visitor]))
				step.Add(folded[visitor])
			}
		}
		if diff := cmp.Diff(resultOf(whole), resultOf(step)); diff != "" {
			t.Fatalf("rollups depend on the order of arrival:\n%s", diff)
		}
		if diff := cmp.Diff(visits, folded, cmpopts.IgnoreUnexported(visit.Visit{})); diff != "" {
			t.Fatalf("visits depend on the order of arrival:\n%s", diff)
		}
	})
}

// TestSums: whatever the events, for each dimension the visits and events of a
// visit dimension's values add up to the total, and taking a day out again leaves
// nothing.
func TestSums(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := visit.NewRollups()
		visits := visit.Fold(genDay(1).Draw(t, "day"))
		r.Add(visits)
		sums := map[visit.Dimension]visit.Counts{}
		for _, row := range r.Days() {
			s := sums[row.Dimension]
			s.Visits, s.Events, s.Pageviews = s.Visits+row.Visits, s.Events+row.Events, s.Pageviews+row.Pageviews
			sums[row.Dimension] = s
			if row.Visitors != 1 || row.Bounces > row.Visits || row.Pageviews > row.Events {
				t.Fatalf("row %+v is impossible for one visitor", row)
			}
		}
		for _, d := range visit.Dimensions() {
			got, total := sums[d], sums[visit.Total]
			if got.Events != total.Events || got.Pageviews != total.Pageviews || !d.OfEvent() && got.Visits != total.Visits {
				t.Fatalf("dimension %s sums to %+v, the total is %+v", d.Column(), got, total)
			}
		}
		r.Subtract(visits)
		if got := resultOf(r); len(got.Hours)+len(got.Days)+len(got.Months) != 0 {
			t.Fatalf("something is left of a day that was taken out: %+v", got)
		}
	})
}
