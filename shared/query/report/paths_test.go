package report

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// inWorlds runs a check in generated worlds on each kind of database, with some days
// archived in columns.
func inWorlds(t *testing.T, check func(*rapid.T, *Reporter, *pgxpool.Pool, *world)) {
	t.Helper()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t, database.URL)
			reports, codec := must(New(testNames{}, patient())), must(columns.NewCodec())
			var id int32
			rapid.Check(t, func(rt *rapid.T) {
				id++
				w := drawWorld(rt, id)
				if err := save(context.Background(), db, w); err != nil {
					rt.Fatal(err)
				}
				for _, day := range must(store.DaysWithEvents(context.Background(), db, id, 0, 30_000)) {
					if rapid.Bool().Draw(rt, "archived") {
						archiveDay(rt, codec, db, id, day)
					}
				}
				check(rt, reports, db, w)
			})
		})
	}
}

// rangeOf returns the range of a question.
func (w *world) rangeOf(reports *Reporter, db database.DB, q *language.Question, now time.Time) (within language.Range) {
	err := reports.engine.Run(context.Background(), db, w.site, now, func(ctx context.Context, s *engine.Session) (err error) {
		within, err = s.Range(ctx, q)
		return err
	})
	if err != nil {
		panic(err)
	}
	return within
}

// drawNow draws when a question is asked.
func (w *world) drawNow(t *rapid.T) time.Time {
	return w.local(w.base.Add(time.Duration(rapid.IntRange(0, 40*24).Draw(t, "now")) * time.Hour))
}

// days returns the events of each visitor-day that a question selects, in order.
func (w *world) days(q *language.Question, within language.Range) [][]visitEvent {
	days := map[visitorDay][]visitEvent{}
	for i := range w.oracle.events {
		e := &w.oracle.events[i]
		in := e.Day >= within.First && e.Day <= within.Last
		if !within.Whole {
			in = !e.Time.Before(within.From) && e.Time.Before(within.To)
		}
		if in && e.Type.Counts() && w.oracle.matches(q.Filters, e) {
			key := visitorDay{e.Day, e.Visitor}
			days[key] = append(days[key], *e)
		}
	}
	all := slices.Collect(maps.Values(days))
	for _, day := range all {
		slices.SortFunc(day, func(a, b visitEvent) int { return visit.Compare(a.Event, b.Event) })
	}
	return all
}

func drawFilters(t *rapid.T, least, most int) [][]any {
	filters := [][]any{}
	for range rapid.IntRange(least, most).Draw(t, "filters") {
		filters = append(filters, drawFilter(t, rapid.SampledFrom(propertyNames()), 1))
	}
	return filters
}

// TestFunnels compares with an evaluation that tries every event as the start.
func TestFunnels(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		steps := []map[string]any{}
		for range rapid.IntRange(2, 4).Draw(t, "steps") {
			filters := drawFilters(t, 1, 1)
			if rapid.Bool().Draw(t, "plain") {
				filters = [][]any{{"is", "event:page", []string{rapid.SampledFrom(texts()).Draw(t, "page")}}}
			}
			steps = append(steps, map[string]any{"filters": filters})
		}
		body := map[string]any{
			"site_id": "a", "date_range": drawRange(t, w), "filters": drawFilters(t, 0, 1), "steps": steps,
			"order": rapid.SampledFrom([]string{language.Sequential, language.Strict, language.AnyOrder}).Draw(t, "order"), "limit": language.MaxBreakdowns,
			"window": rapid.SampledFrom([]int{1, 60, 600, 3600, 86400}).Draw(t, "window"),
		}
		if rapid.Bool().Draw(t, "broken down") {
			body["breakdown"] = rapid.SampledFrom([]string{"visit:source", "event:page", "event:props:plan", "visit:os_version"}).Draw(t, "breakdown")
		}
		text := string(must(json.Marshal(body)))
		f := must(language.ParseFunnel([]byte(text)))
		now := w.drawNow(t)
		got, err := reports.Funnel(context.Background(), db, w.site, now, f)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		within := w.rangeOf(reports, db, &f.Question, now)
		all, branches := newStepCounts(len(f.Steps)), map[string]*stepCounts{}
		for _, day := range w.days(&f.Question, within) {
			if times, first := w.farthest(f, day); len(times) > 0 {
				all.count(times)
				if f.Breakdown != nil {
					value := valuesOf(f.Breakdown.Name, &day[first])[0]
					if branches[value] == nil {
						branches[value] = newStepCounts(len(f.Steps))
					}
					branches[value].count(times)
				}
			}
		}
		want := FunnelAnswer{Steps: all.results(f.Steps), DateRange: within.Bounds()}
		if f.Breakdown != nil {
			want.Breakdown = []Branch{}
			for _, value := range slices.SortedFunc(maps.Keys(branches), func(a, b string) int {
				x, y := unnamed(f.Breakdown.Name, a), unnamed(f.Breakdown.Name, b)
				return cmp.Or(cmp.Compare(branches[b].visitors[0], branches[a].visitors[0]), cmp.Compare(x, y))
			}) {
				want.Breakdown = append(want.Breakdown, Branch{value, branches[value].results(f.Steps)})
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\n-want +got\n%s", text, diff)
		}
	})
}

// farthest tries every event as the start.
func (w *world) farthest(f *language.Funnel, day []visitEvent) (times []int64, first int) {
	at := func(i int) int64 { return day[i].Time.Unix() * 1000 }
	is := func(i, step int) bool { return w.oracle.matches(f.Steps[step].Filters, &day[i]) }
	within := func(i, j int) bool { return at(j)-at(i) <= f.Window.Milliseconds() }
	end := -1
	better := func(got []int64, began, ended int) {
		if len(got) > len(times) || len(got) == len(times) && f.StepOrder == language.Sequential && (ended < end || ended == end && began > first) {
			times, first, end = got, began, ended
		}
	}
	for i := range day {
		switch f.StepOrder {
		case language.Sequential:
			if !is(i, 0) {
				continue
			}
			got := []int64{at(i)}
			better(slices.Clone(got), i, i)
			for j := i + 1; j < len(day) && len(got) < len(f.Steps); j++ {
				if is(j, len(got)) && within(i, j) {
					got = append(got, at(j))
					better(slices.Clone(got), i, j)
				}
			}
		case language.Strict:
			var got []int64
			for j := i; j < len(day) && len(got) < len(f.Steps) && is(j, len(got)) && within(i, j); j++ {
				got = append(got, at(j))
			}
			better(got, i, i+len(got)-1)
		default: // the longest window that ends with this event
			from := 0
			for !within(from, i) {
				from++
			}
			var got []int64
			began, done := -1, map[int]bool{}
			for j := from; j <= i; j++ {
				for step := range f.Steps {
					if is(j, step) && !done[step] {
						done[step] = true
						if began < 0 {
							began = j
						}
						got = append(got, at(j))
					}
				}
			}
			better(got, began, i)
		}
	}
	return times, first
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		times map[int64]int64
		want  *float64
	}{
		{nil, nil},
		{map[int64]int64{7: 1}, new(7.0)},
		{map[int64]int64{7: 2}, new(7.0)},
		{map[int64]int64{1: 1, 4: 1}, new(2.5)},
		{map[int64]int64{1: 1, 2: 1, 9: 1}, new(2.0)},
		{map[int64]int64{1: 2, 9: 2}, new(5.0)},
		{map[int64]int64{1: 3, 9: 2}, new(1.0)},
	} {
		if got := median(test.times); !gocmp.Equal(got, test.want) {
			t.Errorf("the median of %v is %v", test.times, got)
		}
	}
}

func TestAcquisitionCohorts(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		did := []map[string]any{}
		for i := range rapid.IntRange(0, 2).Draw(t, "did") {
			did = append(did, map[string]any{"name": fmt.Sprint("did ", i), "filters": drawFilters(t, 1, 2)})
		}
		body := map[string]any{
			"site_id": "a", "date_range": rapid.SampledFrom([]string{"30d", "month", "2mo", "all"}).Draw(t, "range"), "filters": drawFilters(t, 0, 1),
			"did": did, "interval": rapid.SampledFrom([]string{"day", "week", "month"}).Draw(t, "interval"), "limit": language.MaxCohorts,
		}
		by := rapid.SampledFrom([]string{"", "visit:source", "visit:entry_page", "visit:utm_campaign"}).Draw(t, "by")
		body["by"] = by
		text := string(must(json.Marshal(body)))
		c := must(language.ParseCohorts([]byte(text)))
		now := w.drawNow(t)
		got, err := reports.Cohorts(context.Background(), db, w.site, now, c)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		within := w.rangeOf(reports, db, &c.Question, now)
		type key struct{ period, value string }
		counts := map[key]*Cohort{}
		some := func(v *visit.Visit, filters []language.Filter) bool {
			return slices.ContainsFunc(v.Sequence(), func(e *event.Event) bool {
				return e.Type.Counts() && w.oracle.matches(filters, &visitEvent{e, v})
			})
		}
		for _, day := range w.visits {
			if len(day) == 0 || day[0].Day < within.First || day[0].Day > within.Last || !some(&day[0], c.Filters) {
				continue
			}
			first := visitEvent{day[0].Sequence()[0], &day[0]}
			k := key{}
			_, k.period = periodOf(within, "time:"+body["interval"].(string), &first)
			if by != "" {
				if k.value = valuesOf(by, &first)[0]; k.value == "" {
					continue
				}
			}
			if counts[k] == nil {
				counts[k] = &Cohort{Period: k.period, Did: make([]Share, len(c.Did))}
				if by != "" {
					counts[k].Value = &k.value
				}
			}
			counts[k].Visitors++
			for i := range c.Did {
				if slices.ContainsFunc(day, func(v visit.Visit) bool { return some(&v, c.Did[i].Filters) }) {
					counts[k].Did[i].Visitors++
				}
			}
		}
		want := CohortsAnswer{Cohorts: []Cohort{}, DateRange: within.Bounds()}
		for _, k := range slices.SortedFunc(maps.Keys(counts), func(a, b key) int {
			return cmp.Or(cmp.Compare(a.period, b.period), cmp.Compare(counts[b].Visitors, counts[a].Visitors),
				cmp.Compare(unnamed(by, a.value), unnamed(by, b.value)))
		}) {
			for i := range counts[k].Did {
				counts[k].Did[i] = share(c.Did[i].Name, counts[k].Did[i].Visitors, counts[k].Visitors)
			}
			want.Cohorts = append(want.Cohorts, *counts[k])
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\n-want +got\n%s", text, diff)
		}
	})
}

func TestRetentionCohorts(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		kind := rapid.SampledFrom([]language.CohortKind{language.Retention, language.Return}).Draw(t, "kind")
		interval := rapid.SampledFrom([]string{"day", "week", "month"}).Draw(t, "interval")
		body := map[string]any{
			"site_id": "a", "date_range": rapid.SampledFrom([]string{"30d", "month", "2mo"}).Draw(t, "range"), "filters": drawFilters(t, 0, 1),
			"kind": kind, "interval": interval, "first": drawFilters(t, 0, 1), "again": drawFilters(t, 0, 1),
		}
		text := string(must(json.Marshal(body)))
		c := must(language.ParseCohorts([]byte(text)))
		now := w.drawNow(t)
		got, err := reports.Cohorts(context.Background(), db, w.site, now, c)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		within := w.rangeOf(reports, db, &c.Question, now)
		labels := must(within.Labels(c.Interval, ""))
		first, again := map[uuid.UUID]int{}, map[uuid.UUID]map[int]bool{}
		for _, day := range w.days(&c.Question, within) {
			for i := range day {
				e := &day[i]
				if e.Subject == uuid.Nil {
					continue
				}
				_, label := periodOf(within, "time:"+interval, e)
				period := slices.Index(labels, label)
				if w.oracle.matches(c.First, e) {
					if known, ok := first[e.Subject]; !ok || period < known {
						first[e.Subject] = period
					}
				}
				if w.oracle.matches(c.Again, e) {
					if again[e.Subject] == nil {
						again[e.Subject] = map[int]bool{}
					}
					again[e.Subject][period] = true
				}
			}
		}
		want := CohortsAnswer{Cohorts: []Cohort{}, DateRange: within.Bounds()}
		for period, label := range labels {
			cohort := Cohort{Period: label, Returned: []Share{}}
			returned := make([]int64, len(labels)-period)
			for subject, began := range first {
				if began != period {
					continue
				}
				cohort.Visitors++
				for after := range returned {
					came := again[subject][period+after]
					for later := after; kind == language.Return && later < len(returned); later++ {
						came = came || again[subject][period+later]
					}
					if came {
						returned[after]++
					}
				}
			}
			for _, n := range returned {
				cohort.Returned = append(cohort.Returned, share("", n, cohort.Visitors))
			}
			want.Cohorts = append(want.Cohorts, cohort)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\n-want +got\n%s", text, diff)
		}
	})
}

// reached is a place of a journey, as answers name it.
type reached struct {
	kind NodeKind
	name string
}

func TestJourneys(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		to := rapid.Bool().Draw(t, "to")
		anchor := drawFilters(t, 0, 1)
		body := map[string]any{
			"site_id": "a", "date_range": drawRange(t, w), "filters": drawFilters(t, 0, 1),
			"depth": rapid.IntRange(1, 4).Draw(t, "depth"), "breadth": rapid.SampledFrom([]int{1, 2, 50}).Draw(t, "breadth"),
		}
		body[map[bool]string{true: "to", false: "from"}[to]] = anchor
		text := string(must(json.Marshal(body)))
		j := must(language.ParseJourneys([]byte(text)))
		now := w.drawNow(t)
		got, err := reports.Journeys(context.Background(), db, w.site, now, j)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		within := w.rangeOf(reports, db, &j.Question, now)

		// Paths are lists of places, the anchor first.
		var paths [][]reached
		for _, day := range w.days(&j.Question, within) {
			byVisit := map[*visit.Visit][]visitEvent{}
			for _, e := range day {
				byVisit[e.visit] = append(byVisit[e.visit], e)
			}
			for _, events := range byVisit {
				if to {
					slices.Reverse(events)
				}
				var path []reached
				begun := false
				for i := range events {
					e := &events[i]
					if begun = begun || w.oracle.matches(j.Anchor, e); !begun {
						continue
					}
					at := reached{EventNode, e.Name}
					if e.Type == event.View {
						at = reached{PageNode, e.Page}
					} else if e.Name == "" {
						if len(path) == 0 {
							begun = false // a path begins with a place
						}
						continue
					}
					if len(path) == 0 || path[len(path)-1] != at {
						path = append(path, at)
					}
				}
				if len(path) > 0 {
					paths = append(paths, path[:min(len(path), j.Depth+1)])
				}
			}
		}
		visits := func(fn func([]reached) bool) (n int64) {
			for _, path := range paths {
				if fn(path) {
					n++
				}
			}
			return n
		}
		if got.Visits != int64(len(paths)) {
			t.Fatalf("%s\n%d visits, want %d", text, got.Visits, len(paths))
		}
		sign := map[bool]int{true: -1, false: 1}[to]
		named := func(step int) (all []reached) {
			for _, n := range got.Nodes {
				if n.Step == sign*step && n.Kind != Others {
					all = append(all, reached{n.Kind, n.Name})
				}
			}
			return all
		}
		is := func(n Node, path []reached) bool {
			step := sign * n.Step
			if len(path) <= step {
				return false
			}
			if n.Kind == Others {
				return !slices.Contains(named(step), path[step])
			}
			return path[step] == reached{n.Kind, n.Name}
		}
		for step := range j.Depth + 1 {
			all := visits(func(path []reached) bool { return len(path) > step })
			var shown int64
			least := int64(1 << 40)
			for _, n := range got.Nodes {
				if n.Step != sign*step {
					continue
				}
				if want := visits(func(path []reached) bool { return is(n, path) }); n.Visits != want || want == 0 {
					t.Fatalf("%s\n%+v, want %d visits", text, n, want)
				}
				shown += n.Visits
				if n.Kind != Others {
					least = min(least, n.Visits)
				}
			}
			if shown != all || len(named(step)) > j.Breadth {
				t.Fatalf("%s\nstep %d shows %d visits of %d", text, step, shown, all)
			}
			for _, path := range paths { // the others are not more frequent
				if len(path) > step && !slices.Contains(named(step), path[step]) {
					if n := visits(func(p []reached) bool { return len(p) > step && p[step] == path[step] }); n > least {
						t.Fatalf("%s\n%v of step %d has %d visits and is not shown", text, path[step], step, n)
					}
				}
			}
		}
		var links int64
		for _, link := range got.Links {
			source, target := got.Nodes[link.Source], got.Nodes[link.Target]
			if target.Step != source.Step+1 {
				t.Fatalf("%s\n%+v goes from %+v to %+v", text, link, source, target)
			}
			if want := visits(func(path []reached) bool { return is(source, path) && is(target, path) }); link.Visits != want {
				t.Fatalf("%s\n%+v, want %d visits", text, link, want)
			}
			links += link.Visits
		}
		var hops int64
		for _, path := range paths {
			hops += int64(len(path) - 1)
		}
		if links != hops {
			t.Fatalf("%s\n%d hops, want %d", text, links, hops)
		}
	})
}
