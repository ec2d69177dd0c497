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
	"github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/aggregate/recompute"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/kept"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestEverySourceAnswersTheSame asks generated questions about generated events, answers each
// from every source that can, and compares with the oracle.
func TestEverySourceAnswersTheSame(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t, database.URL)
			reports, codec := must(New(testNames{}, patient())), must(columns.NewCodec())
			var id int32
			used := map[engine.Source]int{}
			rapid.Check(t, func(rt *rapid.T) {
				id++
				w := drawWorld(rt, id)
				if err := save(context.Background(), db, w); err != nil {
					rt.Fatal(err)
				}
				days := must(store.DaysWithEvents(context.Background(), db, id, 0, 30_000))
				for _, day := range days {
					if rapid.Bool().Draw(rt, "bounded") {
						must(recompute.Close(context.Background(), db, w.site, day, rapid.IntRange(1, 3).Draw(rt, "values")))
					}
					if rapid.Bool().Draw(rt, "archived") {
						archiveDay(rt, codec, db, id, day)
					}
				}
				w.oracle.kept = must(kept.Values(context.Background(), db, id, days, visit.Dimensions()))
				for range 8 {
					ask(rt, reports, db, w, used)
				}
			})
			for s := engine.DayRollups; s <= engine.Scan; s++ {
				if used[s] == 0 {
					t.Errorf("no generated question was answered from %s", s)
				}
			}
		})
	}
}

func ask(t *rapid.T, reports *Reporter, db database.DB, w *world, used map[engine.Source]int) {
	text := drawQuestion(t, w)
	q, err := language.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	now := w.local(w.base.Add(time.Duration(rapid.IntRange(0, 40*24).Draw(t, "now")) * time.Hour))
	err = reports.engine.Run(context.Background(), db, w.site, now, func(ctx context.Context, s *engine.Session) error {
		within, err := begin(ctx, s, q, q)
		if err != nil {
			return err
		}
		p := engine.NewPlan(q, within)
		want, total := w.oracle.answer(p)
		for _, from := range p.Sources() {
			used[from]++
			s.Prefer = &from
			got, err := answerPlan(ctx, s, p)
			if invalid, ok := errors.AsType[*validation.Error](err); ok && invalid.Field == comparisonsField && p.Grain == language.MinuteGrain {
				return nil // there are too many minutes to compare
			}
			if err != nil {
				return fmt.Errorf("from %s: %w", from, err)
			}
			if p.Include.Comparisons != nil {
				want = w.withComparisons(p, now, want)
			}
			if diff := gocmp.Diff(want, got.Results); diff != "" {
				return fmt.Errorf("%v in %s\nfrom %s: -want +got\n%s", within.Bounds(), now.Location(), from, diff)
			}
			if p.Include.TotalRows && *got.Meta.TotalRows != total {
				return fmt.Errorf("from %s: total_rows is %d, want %d", from, *got.Meta.TotalRows, total)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s\nat %s: %v", text, now, err)
	}
}

// withComparisons returns rows with their comparisons.
func (w *world) withComparisons(p *engine.Plan, now time.Time, rows []Row) []Row {
	other := p.Include.Comparisons.Range(p.Range, now)
	q := p.Question
	q.Pagination = language.Pagination{Limit: 1 << 40}
	theirs, _ := w.oracle.answer(engine.NewPlan(&q, other))
	nothing := newRow()
	rows = slices.Clone(rows)
	for i := range rows {
		dimensions := slices.Clone(rows[i].Dimensions)
		for n := range p.Dimensions {
			if p.Dimensions[n].IsTime() {
				own, there := must(p.Range.Labels(p.Grain, "")), must(other.Labels(p.Grain, ""))
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
		c := &Comparison{Dimensions: dimensions}
		at := slices.IndexFunc(theirs, func(row Row) bool { return slices.Equal(row.Dimensions, dimensions) })
		for n, m := range p.Metrics {
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

// archiveDay archives a day in columns, in one part or several.
func archiveDay(t *rapid.T, codec *columns.Codec, db database.DB, site int32, day event.Day) {
	events := rapid.SampledFrom([]int{1, 5, archive.PartEvents}).Draw(t, "events of a part")
	if ok, err := archive.Day(context.Background(), db, codec, store.SiteDay{Site: site, Day: day}, events); err != nil || !ok {
		t.Fatal(ok, err)
	}
}

// testNames defines the goals and segments of every site of the tests.
type testNames struct{}

func (testNames) Goals(context.Context, database.DB, int32) ([]language.Goal, error) {
	return testGoals(), nil
}

func (testNames) Funnel(_ context.Context, _ database.DB, _ int32, name string) ([]byte, bool, error) {
	return []byte(`{"steps":[{"name":"In","filters":[["is","event:page",["/"]]]},{"filters":[["is","event:goal",["Named"]]]}],"window":3600}`), name == "Stored", nil
}

func (testNames) Annotations(context.Context, database.DB, int32, event.Day, event.Day) ([]engine.Annotation, error) {
	return []engine.Annotation{{Day: "2026-03-02", Text: "Version 2"}}, nil
}

func (testNames) Segment(_ context.Context, _ database.DB, _ int32, name string) ([]byte, bool, error) {
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

// TestEveryMetricDimensionAndOperator asks for all meaningful metrics by each dimension, with
// a filter of each operator on each of some dimensions, from each source that can answer, and
// compares with the oracle.
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
			reports := must(New(testNames{}, patient()))
			now := w.local(w.base.AddDate(0, 0, 3))
			metrics := map[string]bool{}
			for _, dimension := range append(propertyNames(), "time:minute", "time:hour", "time:day", "time:week", "time:month") {
				for _, filters := range everyOperator(dimension) {
					meaningful := meaningfulMetrics([]string{dimension}, filters)
					for _, name := range meaningful {
						metrics[name] = true
					}
					q := must(language.Parse([]byte(fmt.Sprintf(`{"site_id":"a","date_range":"all","metrics":%s,"dimensions":["%s"],"filters":%s}`,
						must(json.Marshal(meaningful)), dimension, filters))))
					err := reports.engine.Run(t.Context(), db, w.site, now, func(ctx context.Context, s *engine.Session) error {
						p := engine.NewPlan(q, must(begin(ctx, s, q, q)))
						want, _ := w.oracle.answer(p)
						for _, from := range p.Sources() {
							s.Prefer = &from
							got, err := answerPlan(ctx, s, p)
							if err != nil {
								return fmt.Errorf("from %s: %w", from, err)
							}
							if diff := gocmp.Diff(want, got.Results); diff != "" {
								t.Errorf("%s, %s from %s: -want +got\n%s", dimension, filters, from, diff)
							}
						}
						return nil
					})
					if err != nil {
						t.Fatalf("%s, %s: %v", dimension, filters, err)
					}
				}
			}
			for _, name := range language.MetricNames() {
				if !metrics[name] {
					t.Errorf("no question was for %s", name)
				}
			}
		})
	}
}

// meaningfulMetrics returns the metrics that a question with some dimensions and filters can
// ask for.
func meaningfulMetrics(dimensions []string, filters string) []string {
	return slices.DeleteFunc(language.MetricNames(), func(name string) bool {
		_, err := language.Parse([]byte(fmt.Sprintf(`{"site_id":"a","date_range":"all","metrics":["%s"],"dimensions":%s,"filters":%s}`,
			name, must(json.Marshal(dimensions)), filters)))
		return err != nil
	})
}

// everyOperator returns lists of filters: with each operator on the dimension itself, if
// filters accept it, and on a page and a goal.
func everyOperator(dimension string) []string {
	lists := []string{`[]`, `[["is","segment",["Slashes"]]]`, `[["is_not","segment",[7]]]`}
	on := map[string]string{"event:page": "/a", goalName: "Named"}
	if !strings.HasPrefix(dimension, "time") {
		on[dimension] = map[bool]string{true: "Named", false: "/a"}[dimension == goalName]
	}
	for name, value := range on {
		for _, operator := range comparisonOperators() {
			lists = append(lists, fmt.Sprintf(`[["%s","%s",["%s"]]]`, operator, name, value))
			if name == dimension {
				lists = append(lists, fmt.Sprintf(`[["%s","%s",["%s"],{"case_sensitive":false}]]`, operator, name, strings.ToUpper(value)))
			}
		}
		if name != dimension {
			continue
		}
		for _, operator := range combinationOperators() {
			filter := fmt.Sprintf(`["contains","%s",["a"]]`, name)
			if operator == language.And || operator == language.Or {
				filter = `[` + filter + `,["is","visit:device",["/a"]]]`
			}
			lists = append(lists, fmt.Sprintf(`[["%s",%s]]`, operator, filter))
		}
	}
	return lists
}

// world is a site with events.
type world struct {
	site   sites.Site
	base   time.Time
	events []event.Event
	visits [][]visit.Visit
	oracle *oracle
}

// local returns a time in the time zone in force.
func (w *world) local(at time.Time) time.Time { return at.In(must(w.site.LocationAt(at))) }

// drawWorld draws events around changes of the clocks and ends of months. Some sites change
// their time zone meanwhile.
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
	w := &world{site: sites.Site{ID: id, Timezone: place.zone}, base: must(time.Parse(time.RFC3339, place.base))}
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

// texts returns the values of all properties: one is unknown, some have wildcards of LIKE.
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

// save stores a world as aggregate does.
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

// drawQuestion draws the JSON of a question.
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

	allowed := meaningfulMetrics(grouped, string(must(json.Marshal(filters))))
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
			{"mode": "previous_period"}, {"mode": "previous_period", "whole": true}, {"mode": "previous_period", "match_day_of_week": true}, {"mode": "year_over_year"},
			{"mode": "custom", "date_range": []string{w.base.Format(time.DateOnly), w.base.AddDate(0, 0, 3).Format(time.DateOnly)}},
		}).Draw(t, "comparison")
	}
	question["include"] = include
	return string(must(json.Marshal(question)))
}

// comparisonOperators returns the operators that compare.
func comparisonOperators() []language.Operator {
	var operators []language.Operator
	for _, name := range language.OperatorNames() {
		if !slices.Contains(combinationOperators(), language.Operator(name)) {
			operators = append(operators, language.Operator(name))
		}
	}
	return operators
}

// combinationOperators returns the operators that combine filters.
func combinationOperators() []language.Operator {
	return []language.Operator{language.And, language.Or, language.Not, language.HasDone, language.HasNotDone}
}

// goalName is the dimension of goals.
const goalName = "event:goal"

// propertyNames returns all dimensions except time.
func propertyNames() []string {
	names := slices.DeleteFunc(language.DimensionNames(), func(name string) bool {
		return strings.HasPrefix(name, "time") || name == "event:props:KEY" || name == goalName
	})
	return append(names, "event:props:plan", "event:props:nobody has it", goalName)
}

// drawFilter draws a filter or a combination.
func drawFilter(t *rapid.T, on *rapid.Generator[string], depth int) []any {
	if depth < 3 && rapid.IntRange(0, 4).Draw(t, "combined") == 0 {
		operator := rapid.SampledFrom(combinationOperators()).Draw(t, "combination")
		if operator != language.And && operator != language.Or {
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
		return []any{rapid.SampledFrom([]language.Operator{language.Is, language.IsNot}).Draw(t, "operator"), "segment", rapid.SliceOfN(segments, 1, 2).Draw(t, "segments")}
	}
	operator := rapid.SampledFrom(comparisonOperators()).Draw(t, "operator")
	filtered := on.Draw(t, "filtered")
	values := append(texts(), visit.Other, "(OTHER)", "Direct / None", "Direct", "(none)", "(not set)", "not", "b", "/A", "EUR", "FR", "France")
	if filtered == goalName {
		values = []string{"Named", "Named, with a plan", "Below a", "Root"}
		if operator != language.Is && operator != language.IsNot {
			values = append(values, "a", "named", "x")
		}
	}
	value := rapid.SampledFrom(values)
	switch operator {
	case language.Contains, language.ContainsNot:
		value = value.Filter(func(s string) bool { return s != "" })
	case language.Matches, language.MatchesNot:
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
		return []string{hourStart(from).Format(time.RFC3339), hourStart(to).Add(time.Hour - time.Second).Format(time.RFC3339)}
	case 2:
		return []string{from.Format(time.RFC3339), to.Format(time.RFC3339)}
	default:
		return []string{from.Format(time.DateOnly), to.Format(time.DateOnly)}
	}
}

// hourStart returns when the local hour of t began.
func hourStart(t time.Time) time.Time {
	_, offset := t.Zone()
	e := event.Event{Time: t, UTCOffset: int16(offset / 60)}
	return e.Hour().In(t.Location())
}

func migrated(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	config := must(pgxpool.ParseConfig(url))
	config.MaxConns = 1 // a question must not need a second connection
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

func must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Sprint("a test is wrong: ", err))
	}
	return value
}

// patient lets all questions of tests in: a slow machine must not reach the limit on time.
func patient() *admission.Gate {
	limits := admission.LimitsFor(1<<30, 100)
	limits.Time = time.Hour
	return admission.New(limits)
}
