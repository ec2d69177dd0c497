package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	keeping "github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestEverySourceAnswersTheSame asks generated questions about generated events,
// each of every source that can answer it, and compares with the oracle.
func TestEverySourceAnswersTheSame(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t, database.URL)
			reports := must(NewReporter(testNames{}, patient()))
			var id int32
			used := map[source]int{}
			rapid.Check(t, func(rt *rapid.T) {
				id++
				w := drawWorld(rt, id)
				if err := save(context.Background(), db, w); err != nil {
					rt.Fatal(err)
				}
				for _, day := range must(store.DaysWithEvents(context.Background(), db, id, 0, 30_000)) {
					if rapid.Bool().Draw(rt, "kept") {
						keep(rt, reports, db, id, day)
					}
				}
				for range 8 {
					ask(rt, reports, db, w, used)
				}
			})
			for s := fromDays; s <= fromScan; s++ {
				if used[s] == 0 {
					t.Errorf("no generated question was answered from %s", s)
				}
			}
		})
	}
}

func ask(t *rapid.T, reports *Reporter, db store.DB, w *world, used map[source]int) {
	text := drawQuestion(t, w)
	q, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	at := asked{reports, db, w.site}
	if err := at.define(context.Background(), &q); err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	now := w.local(w.base.Add(time.Duration(rapid.IntRange(0, 40*24).Draw(t, "now")) * time.Hour))
	s, err := q.span(context.Background(), db, w.site, now)
	if err != nil {
		t.Fatal(err)
	}
	r := q.resolve(s)
	want, total := w.oracle.answer(r)
	for _, from := range r.sources() {
		used[from]++
		got, err := at.answer(context.Background(), r, &from)
		if p, ok := errors.AsType[problem.Problem](err); ok && p.Field == comparisonsField && r.grain == minuteGrain {
			return // there are too many minutes to compare
		}
		if err != nil {
			t.Fatalf("%s\nfrom %s: %v", text, from, err)
		}
		if r.Include.Comparisons != nil {
			want = w.compared(r, want)
		}
		if diff := gocmp.Diff(want, got.Results); diff != "" {
			t.Fatalf("%s\nat %s in %s, %v\nfrom %s: -want +got\n%s", text, now, now.Location(), s.String(), from, diff)
		}
		if r.Include.TotalRows && *got.Meta.TotalRows != total {
			t.Fatalf("%s\nfrom %s: %d rows in all, want %d", text, from, *got.Meta.TotalRows, total)
		}
	}
}

// compared are rows with what they are compared with.
func (w *world) compared(r *resolved, rows []Row) []Row {
	other := r.Include.Comparisons.other(r.span)
	q := r.Question
	q.Pagination = Pagination{Limit: 1 << 40}
	second := q.resolve(other)
	if at := slices.IndexFunc(q.Dimensions, func(d Dimension) bool { return d.isTime() }); at >= 0 {
		second.grain, second.Dimensions[at] = r.grain, r.Dimensions[at]
	}
	theirs, _ := w.oracle.answer(second)
	nothing := newRow()
	rows = slices.Clone(rows)
	for i := range rows {
		dimensions := slices.Clone(rows[i].Dimensions)
		for n := range r.Dimensions {
			if r.Dimensions[n].isTime() {
				own, there := must(r.span.labels(r.grain, "")), must(other.labels(r.grain, ""))
				place := slices.Index(own, dimensions[n])
				if place < 0 || place >= len(there) {
					dimensions = nil
					break
				}
				dimensions[n] = there[place]
			}
		}
		if dimensions == nil {
			continue
		}
		c := &Compared{Dimensions: dimensions}
		at := slices.IndexFunc(theirs, func(row Row) bool { return slices.Equal(row.Dimensions, dimensions) })
		for n, m := range r.Metrics {
			before := nothing.value(m)
			if at >= 0 {
				before = theirs[at].Metrics[n]
			}
			c.Metrics = append(c.Metrics, before)
			c.Change = append(c.Change, change(m, rows[i].Metrics[n], before))
		}
		rows[i].Comparison = c
	}
	return rows
}

// keep keeps a day in columns, in one part or several.
func keep(t *rapid.T, reports *Reporter, db store.DB, site int32, day event.Day) {
	events := rapid.SampledFrom([]int{1, 5, keeping.PartEvents}).Draw(t, "events of a part")
	if ok, err := keeping.Day(context.Background(), db, reports.codec, store.SiteDay{Site: site, Day: day}, events); err != nil || !ok {
		t.Fatal(ok, err)
	}
}

// patient are limits that a slow machine does not reach.
func patient() Limits { return Limits{Time: time.Hour, Rows: DefaultLimits().Rows} }

// testNames are the goals and segments of every site of the tests.
type testNames struct{}

func (testNames) Goals(context.Context, store.DB, int32) ([]Goal, error) { return testGoals(), nil }

func (testNames) Funnel(_ context.Context, _ store.DB, _ int32, name string) ([]byte, bool, error) {
	return []byte(`{"steps":[{"name":"In","filters":[["is","event:page",["/"]]]},{"filters":[["is","event:goal",["Named"]]]}],"window":3600}`), name == "Kept", nil
}

func (testNames) Annotations(context.Context, store.DB, int32, event.Day, event.Day) ([]Annotation, error) {
	return []Annotation{{"2026-03-02", "Version 2"}}, nil
}

func (testNames) Segment(_ context.Context, _ store.DB, _ int32, name string) ([]byte, bool, error) {
	switch name {
	case "Slashes", "7":
		return []byte(`[["contains","event:page",["/"]],["is_not","visit:country",["/a"]]]`), true, nil
	case "Nothing":
		return []byte(`[]`), true, nil
	case "Itself":
		return []byte(`[["is","segment",["Itself"]]]`), true, nil
	}
	return nil, false, nil
}

// TestEveryMetricDimensionAndOperator asks for all metrics that have a meaning, by each
// dimension and with a filter of each operator on each of some dimensions, of each source
// that can answer it, and compares with the oracle.
func TestEveryMetricDimensionAndOperator(t *testing.T) {
	t.Parallel()
	w := rapid.Custom(func(t *rapid.T) *world { return drawWorld(t, 1) }).Filter(func(w *world) bool { return len(w.events) > 25 }).Example(1)
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t, database.URL)
			if err := save(t.Context(), db, w); err != nil {
				t.Fatal(err)
			}
			at := asked{must(NewReporter(testNames{}, patient())), db, w.site}
			now := w.local(w.base.AddDate(0, 0, 3))
			metrics := map[string]bool{}
			for _, dimension := range append(propertyNames(), "time:minute", "time:hour", "time:day", "time:week", "time:month") {
				for _, filter := range everyOperator(dimension) {
					q := Question{SiteID: "a", dateRange: dateRange{name: allTime}, Pagination: Pagination{Limit: MaxLimit}}
					q.Dimensions = []Dimension{must2(dimensionNamed(dimension))}
					q.Filters = must(ParseFilters([]byte(filter)))
					for _, name := range MetricNames() {
						one := q
						one.Metrics = []Metric{Metric(name)}
						if _, lacks := one.checkMetrics(); lacks == "" {
							q.Metrics = append(q.Metrics, Metric(name))
							metrics[name] = true
						}
					}
					q.Order = q.defaultOrder()
					if err := at.define(t.Context(), &q); err != nil {
						t.Fatal(err)
					}
					s := must(q.span(t.Context(), db, w.site, now))
					r := q.resolve(s)
					want, _ := w.oracle.answer(r)
					for _, from := range r.sources() {
						got, err := at.answer(t.Context(), r, &from)
						if err != nil {
							t.Fatalf("%s, %s from %s: %v", dimension, filter, from, err)
						}
						if diff := gocmp.Diff(want, got.Results); diff != "" {
							t.Errorf("%s, %s from %s: -want +got\n%s", dimension, filter, from, diff)
						}
					}
				}
			}
			for _, name := range MetricNames() {
				if !metrics[name] {
					t.Errorf("no question was for %s", name)
				}
			}
		})
	}
}

// everyOperator are lists of filters: of each operator on the dimension itself, where it can
// be filtered by, and on a page and a goal.
func everyOperator(dimension string) []string {
	lists := []string{`[]`, `[["is","segment",["Slashes"]]]`, `[["is_not","segment",[7]]]`}
	on := map[string]string{"event:page": "/a", goalName: "Named"}
	if !strings.HasPrefix(dimension, "time") {
		on[dimension] = map[bool]string{true: "Named", false: "/a"}[dimension == goalName]
	}
	for name, value := range on {
		for _, operator := range comparisons() {
			lists = append(lists, fmt.Sprintf(`[["%s","%s",["%s"]]]`, operator, name, value))
			if name == dimension {
				lists = append(lists, fmt.Sprintf(`[["%s","%s",["%s"],{"case_sensitive":false}]]`, operator, name, strings.ToUpper(value)))
			}
		}
		if name != dimension {
			continue
		}
		for _, operator := range combinations() {
			filter := fmt.Sprintf(`["contains","%s",["a"]]`, name)
			if operator == And || operator == Or {
				filter = `[` + filter + `,["is","visit:device",["/a"]]]`
			}
			lists = append(lists, fmt.Sprintf(`[["%s",%s]]`, operator, filter))
		}
	}
	return lists
}

// world is a site with events.
type world struct {
	site   store.Site
	base   time.Time
	events []event.Event
	visits [][]visit.Visit
	oracle *oracle
}

// local is a time in the zone in force.
func (w *world) local(at time.Time) time.Time { return at.In(must(w.site.LocationAt(at))) }

// drawWorld draws events around times at which clocks are moved and months end. Some
// sites change their time zone meanwhile.
func drawWorld(t *rapid.T, id int32) *world {
	place := rapid.SampledFrom([]struct{ zone, base string }{
		{"UTC", "2026-01-29T00:00:00Z"},
		{"Europe/Paris", "2026-03-27T00:00:00Z"},
		{"Europe/Paris", "2026-10-23T00:00:00Z"},
		{"America/New_York", "2026-10-30T00:00:00Z"},
		{"America/Santiago", "2026-09-04T00:00:00Z"}, // has a day without midnight
		{"America/Havana", "2026-10-30T00:00:00Z"},   // has a day with two
		{"Asia/Kolkata", "2026-02-26T00:00:00Z"},
		{"Pacific/Kiritimati", "2026-12-30T00:00:00Z"},
	}).Draw(t, "place")
	w := &world{site: store.Site{ID: id, Timezone: place.zone}, base: must(time.Parse(time.RFC3339, place.base))}
	if rapid.IntRange(0, 3).Draw(t, "changes") == 0 {
		w.site.PreviousTimezone = rapid.SampledFrom([]string{"UTC", "Asia/Kathmandu", "Etc/GMT+12", "Pacific/Kiritimati"}).Draw(t, "previous zone")
		day := event.DayOf(w.base) + event.Day(rapid.IntRange(1, 4).Draw(t, "changed on"))
		w.site.TimezoneSince = new(day.Start(must(time.LoadLocation(w.site.PreviousTimezone))))
	}

	minutes := rapid.OneOf(rapid.IntRange(0, 4*24*60), rapid.IntRange(0, 40*24*60))
	gaps := rapid.SampledFrom([]int{0, 1, 700, 60_000, 10 * 60_000, 30*60_000 - 1, 30 * 60_000, 90 * 60_000})
	for range rapid.IntRange(0, 12).Draw(t, "sittings") {
		at := w.base.Add(time.Duration(minutes.Draw(t, "start")) * time.Minute)
		visitor := rapid.Int64Range(1, 3).Draw(t, "visitor")
		for range rapid.IntRange(1, 5).Draw(t, "events") {
			at = at.Add(time.Duration(gaps.Draw(t, "gap")) * time.Millisecond)
			w.events = append(w.events, drawEvent(t, w, at, visitor))
		}
	}
	w.oracle, w.visits = newOracle(w.events)
	return w
}

// texts are the values of all properties: some not known, some with what LIKE
// takes for wildcards.
func texts() []string { return []string{"", "/", "/a", "/a/b", "100%", "a_b", `a\b`} }

func drawEvent(t *rapid.T, w *world, at time.Time, visitor int64) event.Event {
	local := w.local(at)
	_, offset := local.Zone()
	text := rapid.SampledFrom(texts())
	e := event.Event{
		ID: uuid.New(), Site: w.site.ID, Time: at.UTC(), Day: event.DayOf(local), UTCOffset: int16(offset / 60), Visitor: visitor,
		Type: rapid.SampledFrom([]event.Type{event.View, event.View, event.Click, event.Conversion, event.Engagement}).Draw(t, "type"),
		Page: text.Draw(t, "page"),
	}
	if e.Type == event.Engagement {
		e.Engaged = rapid.Int32Range(1, event.MaxEngaged).Draw(t, "engaged")
		e.Scroll = rapid.Int16Range(0, 100).Draw(t, "scroll")
	}
	if rapid.Bool().Draw(t, "consented") {
		e.Subject = uuid.UUID{byte(rapid.IntRange(1, 3).Draw(t, "subject"))}
	}
	e.Passive = rapid.IntRange(0, 3).Draw(t, "passive") == 0
	if rapid.IntRange(0, 2).Draw(t, "worth") == 0 {
		e.Amount = rapid.SampledFrom([]string{"0", "12.5", "-0.0001", "999999999999.9999"}).Draw(t, "amount")
		e.Currency = rapid.SampledFrom([]string{"EUR", "EUR", "EUR", "USD"}).Draw(t, "currency")
	}
	for _, key := range []string{"plan", "who"} {
		if rapid.Bool().Draw(t, "has prop") {
			if e.Props == nil {
				e.Props = map[string]string{}
			}
			e.Props[key] = rapid.SampledFrom(texts()[1:]).Draw(t, key)
		}
	}
	a := &e.Attributes
	for _, value := range []*string{
		&e.Name, &e.Hostname, &e.Tag, &a.Referrer, &a.Source, &a.Channel, &a.UTMSource, &a.UTMMedium, &a.UTMCampaign, &a.UTMTerm,
		&a.UTMContent, &a.Country, &a.Region, &a.City, &a.Browser, &a.BrowserVersion, &a.OS, &a.OSVersion, &a.Device, &a.Language, &a.Screen,
	} {
		if rapid.Bool().Draw(t, "known") {
			*value = text.Draw(t, "value")
		}
	}
	if rapid.Bool().Draw(t, "in a country") {
		a.Country = rapid.SampledFrom([]string{"FR", "BO", "", "XX"}).Draw(t, "country")
	}
	return e
}

// save stores a world the way aggregate does.
func save(ctx context.Context, db *pgxpool.Pool, w *world) error {
	var events []*event.Event
	for i := range w.events {
		events = append(events, &w.events[i])
	}
	rollups := visit.NewRollups()
	var visits []*visit.Visit
	for _, day := range w.visits {
		rollups.Add(day)
		for i := range day {
			visits = append(visits, &day[i])
		}
	}
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO sites (id, public_id, domain, timezone) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $2, $3) ON CONFLICT DO NOTHING`,
			w.site.ID, fmt.Sprint("site-", w.site.ID), w.site.Timezone)
		if err != nil {
			return err
		}
		if _, err := store.AddEvents(ctx, tx, events); err != nil {
			return err
		}
		if err := store.ApplyVisits(ctx, tx, store.VisitChanges{Added: visits}); err != nil {
			return err
		}
		return store.ApplyRollups(ctx, tx, rollups)
	})
}

// drawQuestion draws a question as a client sends it.
func drawQuestion(t *rapid.T, w *world) string {
	var columns []string
	question := map[string]any{"site_id": "example.com", "date_range": drawRange(t, w)}

	properties := rapid.SampledFrom(propertyNames())
	grouped := rapid.SliceOfNDistinct(properties, 0, rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3}).Draw(t, "properties"), rapid.ID).Draw(t, "dimensions")
	if rapid.Bool().Draw(t, "has time") {
		at := rapid.IntRange(0, len(grouped)).Draw(t, "place of time")
		named := rapid.SampledFrom([]string{"time", "time:minute", "time:hour", "time:day", "time:week", "time:month"}).Draw(t, "time")
		grouped = append(grouped[:at:at], append([]string{named}, grouped[at:]...)...)
	}
	question["dimensions"], columns = grouped, append(columns, grouped...)

	filters := [][]any{}
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(t, "filters") {
		on := properties
		if len(grouped) > 0 && !strings.HasPrefix(grouped[0], "time") && rapid.Bool().Draw(t, "same") {
			on = rapid.Just(grouped[0])
		}
		filters = append(filters, drawFilter(t, on, 0))
	}
	question["filters"] = filters

	allowed := slices.DeleteFunc(MetricNames(), func(m string) bool {
		q := Question{Metrics: []Metric{Metric(m)}}
		for _, name := range grouped {
			q.Dimensions = append(q.Dimensions, must2(dimensionNamed(name)))
		}
		q.Filters = must(ParseFilters(must(json.Marshal(filters))))
		_, lacks := q.checkMetrics()
		return lacks != ""
	})
	chosen := rapid.SliceOfNDistinct(rapid.SampledFrom(allowed), 1, len(allowed), rapid.ID).Draw(t, "metrics")
	question["metrics"], columns = chosen, append(columns, chosen...)

	if rapid.Bool().Draw(t, "ordered") {
		order := [][2]string{}
		for _, by := range rapid.SliceOfNDistinct(rapid.SampledFrom(columns), 1, 2, rapid.ID).Draw(t, "order") {
			order = append(order, [2]string{by, rapid.SampledFrom([]string{"asc", "desc"}).Draw(t, "direction")})
		}
		question["order_by"] = order
	}
	if rapid.Bool().Draw(t, "paged") {
		question["pagination"] = map[string]int{"limit": rapid.IntRange(1, 4).Draw(t, "limit"), "offset": rapid.IntRange(0, 4).Draw(t, "offset")}
	}
	include := map[string]any{"total_rows": rapid.Bool().Draw(t, "total")}
	if rapid.IntRange(0, 3).Draw(t, "compared") == 0 {
		include["comparisons"] = rapid.SampledFrom([]map[string]any{
			{"mode": previousPeriod}, {"mode": previousPeriod, "match_day_of_week": true}, {"mode": yearOverYear},
			{"mode": custom, "date_range": []string{w.base.Format(time.DateOnly), w.base.AddDate(0, 0, 3).Format(time.DateOnly)}},
		}).Draw(t, "comparison")
	}
	question["include"] = include
	return string(must(json.Marshal(question)))
}

// propertyNames are all dimensions but time.
func propertyNames() []string {
	names := slices.DeleteFunc(dimensionNames(true), func(name string) bool { return name == "event:props:KEY" })
	return append(names, "event:props:plan", "event:props:nobody has it", goalName)
}

// drawFilter draws a filter, or a combination of some.
func drawFilter(t *rapid.T, on *rapid.Generator[string], depth int) []any {
	if depth < 3 && rapid.IntRange(0, 4).Draw(t, "combined") == 0 {
		operator := rapid.SampledFrom(combinations()).Draw(t, "combination")
		if operator != And && operator != Or {
			return []any{operator, drawFilter(t, on, depth+1)}
		}
		var inner [][]any
		for range rapid.IntRange(1, 3).Draw(t, "inner") {
			inner = append(inner, drawFilter(t, rapid.SampledFrom(propertyNames()), depth+1))
		}
		return []any{operator, inner}
	}
	if rapid.IntRange(0, 9).Draw(t, "segmented") == 0 {
		segments := rapid.SampledFrom([]any{"Slashes", 7, "Nothing"})
		return []any{rapid.SampledFrom([]Operator{Is, IsNot}).Draw(t, "operator"), "segment", rapid.SliceOfN(segments, 1, 2).Draw(t, "segments")}
	}
	operator := rapid.SampledFrom(comparisons()).Draw(t, "operator")
	filtered := on.Draw(t, "filtered")
	values := append(texts(), "Direct / None", "Direct", "(none)", "(not set)", "not", "b", "/A", "EUR", "FR", "France")
	if filtered == goalName {
		values = []string{"Named", "Named, with a plan", "Below a", "Root"}
		if operator != Is && operator != IsNot {
			values = append(values, "a", "named", "x")
		}
	}
	value := rapid.SampledFrom(values)
	switch operator {
	case Contains, NotContain:
		value = value.Filter(func(s string) bool { return s != "" })
	case Matches, MatchesNot:
		value = rapid.SampledFrom([]string{"", "^/a", "a$", "^$", "[/%]", "_", "^Named", "(?i)A"})
	}
	filter := []any{operator, filtered, rapid.SliceOfN(value, 1, 3).Draw(t, "values")}
	if rapid.IntRange(0, 3).Draw(t, "modified") == 0 {
		filter = append(filter, map[string]bool{"case_sensitive": rapid.Bool().Draw(t, "case sensitive")})
	}
	return filter
}

func drawRange(t *rapid.T, w *world) any {
	instant := func(label string) time.Time {
		return w.local(w.base.Add(time.Duration(rapid.OneOf(rapid.IntRange(0, 5*24*60), rapid.IntRange(0, 45*24*60)).Draw(t, label)) * time.Minute))
	}
	from, to := instant("from"), instant("to")
	if to.Before(from) {
		from, to = to, from
	}
	switch rapid.IntRange(0, 4).Draw(t, "range") {
	case 0:
		return rapid.SampledFrom([]string{"day", "24h", "7d", "30d", "month", "1mo", "2mo", "year", "all"}).Draw(t, "named")
	case 1:
		return []string{hourOf(from).Format(time.RFC3339), hourOf(to).Add(time.Hour - time.Second).Format(time.RFC3339)}
	case 2:
		return []string{from.Format(time.RFC3339), to.Format(time.RFC3339)}
	default:
		return []string{from.Format(time.DateOnly), to.Format(time.DateOnly)}
	}
}

func migrated(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	config := must(pgxpool.ParseConfig(url))
	config.MaxConns = 1 // nothing may need a second while it holds one
	db, err := pgxpool.NewWithConfig(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	if _, err := schema.Migrate(tb.Context(), db); err != nil {
		tb.Fatal(err)
	}
	return db
}

func must2[T any](value T, ok bool) T {
	if !ok {
		panic("a test is wrong")
	}
	return value
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Sprint("a test is wrong: ", err))
	}
	return value
}
