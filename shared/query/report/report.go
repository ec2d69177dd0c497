// Package report is the query language: it reads a question in the form of
// Plausible's Stats API v2, finds the cheapest source that can answer it exactly,
// and shapes the answer.
//
// # What a number means
//
// A question selects events: those of the site, in the range, that match every
// filter, where a filter on a visit's dimension looks at the visit that the event
// belongs to. Engagements are no events here. The events of one row share a period
// (of the time dimension) and a value of each other dimension; an event that reaches
// several goals is in the row of each. Of these events
//
//   - visitors are the visitor-days: identity lasts for one local day of the site,
//     so a person who comes on two days counts twice;
//   - pageviews are the views, events are all;
//   - visits are the visits that any of the events belongs to. A visit counts in
//     the period (and range) in which it began, and only there;
//   - bounce_rate is the percentage, rounded, of those visits that had a single
//     event, passive ones left out;
//   - visit_duration is the mean duration of those visits from their first to
//     their last event, in whole seconds;
//   - views_per_visit is pageviews / visits, to two decimals;
//   - total_revenue is the sum of the amounts, average_revenue that divided by the
//     number of events with one, to four decimals. In the row of a goal with a
//     currency only its amounts count. Without amounts, and with those of several
//     currencies, it is null;
//   - percentage is the share of the question's visitors, without its dimensions, to
//     two decimals;
//   - conversion_rate is the share of the visitors whom the question has without its
//     dimensions, and without its filters by goals and by properties of events, of
//     which an event that reaches no goal need have none; group_conversion_rate is
//     that of the visitors of the row whom it has without the goals and those filters
//     alone. Filters in other filters stay.
//
// Two are of engagements: of those in the range that match the filters themselves
// and have the row's values, in visits that count in the row.
//
//   - time_on_page is the sum of the time that they say, divided by those visits, in
//     whole seconds; null without any;
//   - scroll_depth is the mean, over those visits of which any says how far it
//     scrolled, of the farthest, in whole percent; null without any.
//
// A quotient without visits or visitors is 0, where nothing else is said.
//
// # Sources
//
// Every source that can answer a question gives the same answer: rollups of
// months, days and hours, else days, which are scanned in columns. That is checked
// against a plain evaluation of the sentences above.
//
// Funnels, cohorts, journeys and lists of visits have questions of their own, whose
// meaning stands at their types.
//
// The package must never put a value of a question into SQL: values are
// parameters, and names of columns come from a closed list.
package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Limits bound what a question may take.
type Limits struct {
	Time time.Duration // for the answer
	Rows int           // in memory, or what else is counted one by one, before a page of them is answered
}

// DefaultLimits are those for questions of anyone.
func DefaultLimits() Limits { return Limits{Time: 10 * time.Second, Rows: 1_000_000} }

// The settings of a question's transaction: it sees one moment, can't write, can't run for
// long, and is planned for its values, which differ too much for one plan. Compiling a
// statement takes longer than nearly all of them run.
const (
	settings = `
SELECT set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('jit', 'off', true)`
	snapshot = `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY`
	firstDay = `SELECT min(day) FROM rollup_day WHERE site_id = $1 AND dimension = 0`
)

// Answer is the answer to a question, in the form of Plausible's Stats API v2.
type Answer struct {
	Results []Row    `json:"results"`
	Meta    Meta     `json:"meta"`
	Query   Resolved `json:"query"`
}

// Row is one row of an answer.
type Row struct {
	Metrics    []Value   `json:"metrics"`              // in the order of the question's metrics
	Dimensions []string  `json:"dimensions"`           // in the order of the question's dimensions
	Comparison *Compared `json:"comparison,omitempty"` // when the question includes comparisons
}

// Meta is what the question asked to know about the answer.
type Meta struct {
	TimeLabels           []string           `json:"time_labels,omitempty"`            // of all periods in the range, in order
	ComparisonTimeLabels []string           `json:"comparison_time_labels,omitempty"` // of the other stretch of time
	TotalRows            *int64             `json:"total_rows,omitempty"`             // without limit and offset
	ImportsIncluded      *bool              `json:"imports_included,omitempty"`       // never true: nothing is imported
	Annotations          []Annotation       `json:"annotations,omitzero"`             // of the days of the range, in order
	MetricWarnings       map[Metric]Warning `json:"metric_warnings,omitempty"`        // why a metric has no values
}

// Warning says why a metric has no value where it could have one.
type Warning struct {
	Code    string `json:"code"` // stable
	Warning string `json:"warning"`
}

// Resolved is the question as it was understood.
type Resolved struct {
	SiteID              string      `json:"site_id"`
	Metrics             []Metric    `json:"metrics"`
	DateRange           [2]string   `json:"date_range"` // first and last second, RFC 3339, local to the site
	ComparisonDateRange *[2]string  `json:"comparison_date_range,omitempty"`
	Dimensions          []string    `json:"dimensions"`
	Filters             [][]any     `json:"filters"`
	OrderBy             [][2]string `json:"order_by"`
	Include             Include     `json:"include"`
	Pagination          Pagination  `json:"pagination"`
}

// Reporter answers questions. It is safe for concurrent use.
type Reporter struct {
	codec  *columns.Codec
	names  Names
	limits Limits
}

// NewReporter makes one, that asks names for what names stand for.
func NewReporter(names Names, limits Limits) (*Reporter, error) {
	codec, err := columns.NewCodec()
	if err != nil {
		return nil, err
	}
	return &Reporter{codec, names, limits}, nil
}

// asked is where a question is asked: of a site, in a transaction.
type asked struct {
	*Reporter
	tx   store.DB
	site store.Site
}

// Answer answers the question about a site at now. What is wrong with the question
// is a problem.
func (p *Reporter) Answer(ctx context.Context, db store.DB, site store.Site, now time.Time, q *Question) (answer Answer, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		if err := at.define(ctx, q); err != nil {
			return err
		}
		s, err := q.span(ctx, at.tx, site, now)
		if err != nil {
			return err
		}
		answer, err = at.answer(ctx, q.resolve(s), nil)
		return err
	})
	return answer, err
}

// ask begins what a question is answered in: a snapshot, and for a limited time.
func (p *Reporter) ask(ctx context.Context, db store.DB, site store.Site, now time.Time, fn func(context.Context, asked, time.Time) error) error {
	location, err := site.LocationAt(now)
	if err != nil {
		return fmt.Errorf("answer a question: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, p.limits.Time)
	defer cancel()
	err = pgx.BeginFunc(limited, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(limited, snapshot); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if _, err := tx.Exec(limited, settings, strconv.FormatInt(p.limits.Time.Milliseconds(), 10)); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return fn(limited, asked{p, tx, site}, now.In(location))
	})
	canceled, ok := errors.AsType[*pgconn.PgError](err)
	if ok && canceled.Code == pgerrcode.QueryCanceled || err != nil && ctx.Err() == nil && limited.Err() != nil {
		return problem.New(http.StatusUnprocessableEntity, "query_too_slow",
			fmt.Sprintf("the answer takes longer than %s: ask for a shorter date_range, fewer dimensions or fewer filters", p.limits.Time))
	}
	if err != nil {
		return fmt.Errorf("answer a question: %w", err)
	}
	return nil
}

// span is the stretch of time that the question is about.
func (q *Question) span(ctx context.Context, db store.DB, site store.Site, now time.Time) (s span, err error) {
	if q.dateRange.name == allTime {
		s, err = everything(ctx, db, site, now)
	} else {
		s = q.dateRange.at(now)
	}
	if since := site.TimezoneSince; since != nil && !now.Before(*since) {
		s.since = *since
	}
	return s, err
}

// everything is the span from the first day with an event to today.
func everything(ctx context.Context, db store.DB, site store.Site, now time.Time) (span, error) {
	var first *time.Time
	if err := db.QueryRow(ctx, firstDay, site.ID).Scan(&first); err != nil {
		return span{}, fmt.Errorf("find the first day: %w", err)
	}
	today := event.DayOf(now)
	if first == nil {
		return wholeDays(today, today, now.Location()), nil
	}
	return wholeDays(min(event.DayOf(*first), today), today, now.Location()), nil
}

// answer answers from the best source, or from a given one.
func (a asked) answer(ctx context.Context, r *resolved, from *source) (Answer, error) {
	rows, total, err := a.rows(ctx, r, from)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Results: r.shape(rows), Query: r.echo(a.site)}
	answer.Meta.MetricWarnings = r.warnings(rows)
	if r.Include.TotalRows {
		answer.Meta.TotalRows = &total
	}
	if r.Include.TimeLabels {
		if answer.Meta.TimeLabels, err = r.span.labels(r.grain, "include.time_labels"); err != nil {
			return Answer{}, err
		}
	}
	if r.Include.Annotations {
		if answer.Meta.Annotations, err = a.names.Annotations(ctx, a.tx, a.site.ID, r.span.first, r.span.last); err != nil {
			return Answer{}, err
		}
	}
	if r.Include.Imports {
		answer.Meta.ImportsIncluded = new(false)
	}
	if r.Include.Comparisons != nil {
		err = a.compare(ctx, r, &answer, from)
	}
	return answer, err
}

// rows are the rows of the answer in order, and how many there are without pagination.
func (a asked) rows(ctx context.Context, r *resolved, from *source) (rows []*group, total int64, err error) {
	best := r.sources()[0]
	if from != nil {
		best = *from
	}
	if best != fromScan && r.sorted() {
		rows, total, err = a.rolledUp(ctx, r, best, &window{r.Pagination, r.Include.TotalRows})
		if err == nil && len(r.Dimensions) == 0 {
			if total = 1; len(rows) == 0 && r.Pagination.Offset == 0 {
				rows = []*group{{}}
			}
		}
		if err == nil {
			err = a.relate(ctx, r, rows, from)
		}
		return rows, total, err
	}
	if rows, err = a.all(ctx, r, best); err != nil {
		return nil, 0, err
	}
	if err := a.relate(ctx, r, rows, from); err != nil {
		return nil, 0, err
	}
	definitions := map[string]metricDefinition{}
	for _, m := range metrics() {
		definitions[string(m.metric)] = m
	}
	slices.SortFunc(rows, r.compare(definitions))
	total = int64(len(rows))
	rows = rows[min(r.Pagination.Offset, len(rows)):]
	return rows[:min(r.Pagination.Limit, len(rows))], total, nil
}

// all are all rows, in no order. Without dimensions there is always one.
func (a asked) all(ctx context.Context, r *resolved, from source) (rows []*group, err error) {
	if from == fromScan {
		rows, err = a.scanned(ctx, r)
	} else {
		rows, _, err = a.rolledUp(ctx, r, from, nil)
	}
	if err != nil {
		return nil, err
	}
	if len(r.properties) > 0 && r.properties[0].skip && from != fromScan {
		rows = slices.DeleteFunc(rows, func(g *group) bool { return g.values[0] == "" })
	}
	if len(rows) == 0 && len(r.Dimensions) == 0 {
		rows = []*group{{}}
	}
	r.keepCurrencies(rows)
	return rows, nil
}

// keepCurrencies leaves of the revenue of goals that in their currency.
func (r *resolved) keepCurrencies(rows []*group) {
	at := slices.IndexFunc(r.properties, func(d Dimension) bool { return d.isGoal() })
	if at < 0 {
		return
	}
	currencies := map[string]string{}
	for i := range r.goals {
		currencies[r.goals[i].Name] = r.goals[i].Currency
	}
	for _, g := range rows {
		if currency := currencies[g.values[at]]; currency != "" {
			maps.DeleteFunc(g.revenue, func(other string, _ revenue) bool { return other != currency })
		}
	}
}

// relate finds the numbers that rates of the rows are of.
func (a asked) relate(ctx context.Context, r *resolved, rows []*group, from *source) error {
	wants := func(m Metric) bool { return slices.Contains(r.Metrics, m) }
	if wants(Percentage) {
		all, err := a.total(ctx, r.without(true, false), from)
		if err != nil {
			return err
		}
		for _, g := range rows {
			g.all = all
		}
	}
	if wants(ConversionRate) {
		base, err := a.total(ctx, r.without(true, true), from)
		if err != nil {
			return err
		}
		for _, g := range rows {
			g.base = base
		}
	}
	if wants(GroupConversionRate) {
		same, err := a.visitors(ctx, r.without(false, true), from)
		if err != nil {
			return err
		}
		goal := slices.IndexFunc(r.properties, func(d Dimension) bool { return d.isGoal() })
		for _, g := range rows {
			values := slices.Clone(g.values)
			if goal >= 0 {
				values = slices.Delete(values, goal, goal+1)
			}
			g.same = same[(&group{period: g.period, values: values}).key()]
		}
	}
	return nil
}

// total is the visitors of a question without dimensions.
func (a asked) total(ctx context.Context, r *resolved, from *source) (total int64, err error) {
	rows, err := a.visitors(ctx, r, from)
	for _, visitors := range rows {
		total = visitors
	}
	return total, err
}

// visitors are those of each row.
func (a asked) visitors(ctx context.Context, r *resolved, from *source) (map[string]int64, error) {
	best := r.sources()[0]
	if from != nil && slices.Contains(r.sources(), *from) {
		best = *from
	}
	rows, err := a.all(ctx, r, best)
	if err != nil {
		return nil, err
	}
	visitors := map[string]int64{}
	for _, g := range rows {
		visitors[g.key()] = g.visitors
	}
	return visitors, nil
}

// without is the question for visitors without its dimensions, or without its goals and
// what it asks of the events that reach them.
func (r *resolved) without(dimensions, goals bool) *resolved {
	q := r.Question
	q.Metrics, q.Order, q.Include = []Metric{Visitors}, nil, Include{}
	q.Dimensions = slices.DeleteFunc(slices.Clone(r.Dimensions), func(d Dimension) bool {
		return dimensions || goals && d.isGoal()
	})
	if goals {
		q.Filters = slices.DeleteFunc(slices.Clone(r.Filters), func(f Filter) bool { return f.Dimension.isGoal() || f.Dimension.isProp() })
	}
	return q.resolve(r.span)
}

// shape is rows as answers show them.
func (r *resolved) shape(rows []*group) []Row {
	var definitions []metricDefinition
	for _, name := range r.Metrics {
		m, _ := metricNamed(string(name))
		definitions = append(definitions, m)
	}
	shaped := make([]Row, len(rows))
	for i, g := range rows {
		row := Row{Metrics: make([]Value, len(definitions)), Dimensions: r.labels(g)}
		for n := range definitions {
			row.Metrics[n] = definitions[n].value(&g.tallied)
		}
		shaped[i] = row
	}
	return shaped
}

// labels are the values of a row's dimensions as answers show them.
func (r *resolved) labels(g *group) []string {
	labels := make([]string, 0, len(r.Dimensions))
	next := 0
	for i := range r.Dimensions {
		if d := &r.Dimensions[i]; d.isTime() {
			labels = append(labels, r.grain.label(g.period, r.span.from.Location()))
		} else {
			labels = append(labels, d.named(g.values[next]))
			next++
		}
	}
	return labels
}

// warnings say why metrics of money have no value.
func (r *resolved) warnings(rows []*group) map[Metric]Warning {
	var out map[Metric]Warning
	for _, m := range r.Metrics {
		if m.moneyed() && slices.ContainsFunc(rows, func(g *group) bool { return len(g.revenue) > 1 }) {
			if out == nil {
				out = map[Metric]Warning{}
			}
			out[m] = Warning{"no_single_revenue_currency", "amounts of several currencies have no sum: ask for the dimension event:currency, or filter by it"}
		}
	}
	return out
}

// compare puts the numbers of the other stretch of time beside the rows.
func (a asked) compare(ctx context.Context, r *resolved, answer *Answer, from *source) error {
	other := r.Include.Comparisons.other(r.span)
	q := r.Question
	q.Include, q.Pagination = Include{}, Pagination{Limit: a.limits.Rows + 1} // which is one too many
	for i := range q.Dimensions {
		if q.Dimensions[i].isTime() {
			q.Dimensions[i].grain = r.grain
		}
	}
	second := q.resolve(other)
	if from != nil && !slices.Contains(second.sources(), *from) {
		from = nil
	}
	rows, _, err := a.rows(ctx, second, from)
	if err != nil {
		return err
	}
	answer.Query.ComparisonDateRange = new(other.String())
	labels, counterpart, err := r.counterparts(other)
	if err != nil {
		return err
	}
	if r.Include.TimeLabels {
		answer.Meta.ComparisonTimeLabels = labels
	}
	shaped := map[string]Row{}
	for _, row := range second.shape(rows) {
		shaped[strings.Join(row.Dimensions, "\x00")] = row
	}
	nothing := second.shape([]*group{{values: make([]string, len(r.properties))}})[0].Metrics
	for i := range answer.Results {
		row := &answer.Results[i]
		dimensions, ok := counterpart(row.Dimensions)
		if !ok {
			continue
		}
		before, ok := shaped[strings.Join(dimensions, "\x00")]
		if !ok {
			before = Row{Metrics: nothing}
		}
		row.Comparison = &Compared{Metrics: before.Metrics, Dimensions: dimensions, Change: make([]*float64, len(r.Metrics))}
		for n, m := range r.Metrics {
			row.Comparison.Change[n] = change(m, row.Metrics[n], before.Metrics[n])
		}
	}
	return nil
}

// comparisonsField is where a question asks for comparisons.
const comparisonsField = "include.comparisons"

// counterparts finds which row of another span a row is compared with: the one with the
// same values and, in the order of periods, the same place. ok is false when the other
// span has no period in that place. labels are those of the other's periods.
func (r *resolved) counterparts(other span) (labels []string, counterpart func([]string) ([]string, bool), err error) {
	at := slices.IndexFunc(r.Dimensions, func(d Dimension) bool { return d.isTime() })
	if at < 0 {
		return nil, func(dimensions []string) ([]string, bool) { return dimensions, true }, nil
	}
	own, err := r.span.labels(r.grain, comparisonsField)
	if err != nil {
		return nil, nil, err
	}
	if labels, err = other.labels(r.grain, comparisonsField); err != nil {
		return nil, nil, err
	}
	places := map[string]int{}
	for i := range slices.Backward(own) { // an hour that comes twice: the first
		places[own[i]] = i
	}
	return labels, func(dimensions []string) ([]string, bool) {
		place, ok := places[dimensions[at]]
		if !ok || place >= len(labels) {
			return nil, false
		}
		theirs := slices.Clone(dimensions)
		theirs[at] = labels[place]
		return theirs, true
	}, nil
}

func (r *resolved) echo(site store.Site) Resolved {
	out := Resolved{
		SiteID: site.Domain, Metrics: r.Metrics, DateRange: r.span.String(),
		Dimensions: []string{}, Filters: [][]any{}, OrderBy: [][2]string{},
		Include: r.Include, Pagination: r.Pagination,
	}
	for _, d := range r.Dimensions {
		out.Dimensions = append(out.Dimensions, d.Name)
	}
	for i := range r.Filters {
		out.Filters = append(out.Filters, r.Filters[i].echo())
	}
	for _, o := range r.Order {
		direction := "asc"
		if o.Descending {
			direction = "desc"
		}
		out.OrderBy = append(out.OrderBy, [2]string{o.By, direction})
	}
	return out
}
