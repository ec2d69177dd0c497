// Package report answers questions about a site: numbers, funnels, cohorts, journeys, lists
// of visits, single visits, the last half hour, and all that is stored of events. Package
// language defines the questions, package engine finds the numbers.
package report

import (
	"context"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/metric"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// Reporter answers questions. It is safe for concurrent use.
type Reporter struct {
	engine        *engine.Engine
	eventsPerPage int // of an event table
}

// New returns a Reporter that looks up names in names, and lets requests in through a gate.
func New(names engine.Names, gate *admission.Gate) (*Reporter, error) {
	e, err := engine.New(names, gate)
	if err != nil {
		return nil, err
	}
	return &Reporter{engine: e, eventsPerPage: eventsPerPage}, nil
}

// Answer is the answer to a question, in the form of Plausible's Stats API v2.
type Answer struct {
	Results []Row         `json:"results"`
	Meta    Meta          `json:"meta"`
	Query   ResolvedQuery `json:"query"`
}

// Row is one row of an answer.
type Row struct {
	Metrics    []metric.Value `json:"metrics"`              // in the order of the question's metrics
	Dimensions []string       `json:"dimensions"`           // in the order of the question's dimensions
	Comparison *Comparison    `json:"comparison,omitempty"` // if the question includes comparisons
}

// Meta is what the question includes besides rows.
type Meta struct {
	TimeLabels           []string                    `json:"time_labels,omitempty"`            // of all periods in the range, in order
	ComparisonTimeLabels []string                    `json:"comparison_time_labels,omitempty"` // of the other range
	TotalRows            *int64                      `json:"total_rows,omitempty"`             // without pagination
	ImportsIncluded      *bool                       `json:"imports_included,omitempty"`       // never true: nothing is imported
	Annotations          []engine.Annotation         `json:"annotations,omitzero"`             // of the days of the range, in order
	MetricWarnings       map[language.Metric]Warning `json:"metric_warnings,omitempty"`        // why a metric has no values
}

// Warning says why a metric has no value where it could have one.
type Warning struct {
	Code    string `json:"code"` // stable
	Warning string `json:"warning"`
}

// ResolvedQuery is the question as the server understood it.
type ResolvedQuery struct {
	SiteID              string              `json:"site_id"`
	Metrics             []language.Metric   `json:"metrics"`
	DateRange           [2]string           `json:"date_range"` // first and last second, RFC 3339, local to the site
	ComparisonDateRange *[2]string          `json:"comparison_date_range,omitempty"`
	Dimensions          []string            `json:"dimensions"`
	Filters             [][]any             `json:"filters"`
	OrderBy             [][2]string         `json:"order_by"`
	Include             language.Include    `json:"include"`
	Pagination          language.Pagination `json:"pagination"`
}

// resolver is any kind of question.
type resolver interface {
	Resolve(d language.Definitions) error
}

// begin resolves the names in a question and returns its range. The question is passed as
// its kind and as the selection that every kind has.
func begin(ctx context.Context, s *engine.Session, kind resolver, selection *language.Question) (language.Range, error) {
	if err := kind.Resolve(s.Definitions(ctx)); err != nil {
		return language.Range{}, err
	}
	return s.Range(ctx, selection)
}

// Answer answers a question about a site at now. If the question is wrong, the error is a
// *validation.Error.
func (r *Reporter) Answer(ctx context.Context, db database.DB, site sites.Site, now time.Time, q *language.Question) (answer Answer, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
		within, err := begin(ctx, s, q, q)
		if err != nil {
			return err
		}
		answer, err = answerPlan(ctx, s, engine.NewPlan(q, within))
		return err
	})
	return answer, err
}

func answerPlan(ctx context.Context, s *engine.Session, p *engine.Plan) (Answer, error) {
	groups, total, err := s.Rows(ctx, p)
	if err != nil {
		return Answer{}, err
	}
	if err := s.Use(ctx, int64(len(groups)*rowBytes(p))); err != nil {
		return Answer{}, err
	}
	answer := Answer{Results: rowsOf(p, groups), Query: resolvedQuery(p, s.Site)}
	answer.Meta.MetricWarnings = warnings(p, groups)
	if p.Include.TotalRows {
		answer.Meta.TotalRows = &total
	}
	if p.Include.TimeLabels {
		if answer.Meta.TimeLabels, err = p.Range.Labels(p.Grain, "include.time_labels"); err != nil {
			return Answer{}, err
		}
	}
	if p.Include.Annotations {
		if answer.Meta.Annotations, err = s.Annotations(ctx, p.Range); err != nil {
			return Answer{}, err
		}
	}
	if p.Include.Imports {
		answer.Meta.ImportsIncluded = new(false)
	}
	if p.Include.Comparisons != nil {
		err = addComparisons(ctx, s, p, &answer)
	}
	return answer, err
}

// rowBytes returns about how many bytes a row takes, besides its texts.
func rowBytes(p *engine.Plan) int { return 100 + 48*len(p.Metrics) + 16*len(p.Dimensions) }

// rowsOf returns groups as answers show them.
func rowsOf(p *engine.Plan, groups []*engine.Group) []Row {
	values := engine.Values(groups, p.Metrics)
	rows := make([]Row, len(groups))
	for i, g := range groups {
		rows[i] = Row{Metrics: values[i], Dimensions: dimensionLabels(p, g)}
	}
	return rows
}

// dimensionLabels returns the values of a row's dimensions as answers show them.
func dimensionLabels(p *engine.Plan, g *engine.Group) []string {
	labels := make([]string, 0, len(p.Dimensions))
	next := 0
	for i := range p.Dimensions {
		if d := &p.Dimensions[i]; d.IsTime() {
			labels = append(labels, p.Grain.Label(g.Period, p.Range.From.Location()))
		} else {
			labels = append(labels, d.Label(g.Values[next]))
			next++
		}
	}
	return labels
}

// warnings says why metrics of money have no value.
func warnings(p *engine.Plan, groups []*engine.Group) map[language.Metric]Warning {
	var out map[language.Metric]Warning
	for _, m := range p.Metrics {
		if m.IsMoney() && slices.ContainsFunc(groups, (*engine.Group).MixesCurrencies) {
			if out == nil {
				out = map[language.Metric]Warning{}
			}
			out[m] = Warning{"no_single_revenue_currency", "amounts of several currencies have no sum: ask for the metric revenue_by_currency or the dimension event:currency, or filter by it"}
		}
	}
	return out
}

func resolvedQuery(p *engine.Plan, site sites.Site) ResolvedQuery {
	out := ResolvedQuery{
		SiteID: site.Domain, Metrics: p.Metrics, DateRange: p.Range.Bounds(),
		Dimensions: []string{}, Filters: [][]any{}, OrderBy: [][2]string{},
		Include: p.Include, Pagination: p.Pagination,
	}
	for _, d := range p.Dimensions {
		out.Dimensions = append(out.Dimensions, d.Name)
	}
	for i := range p.Filters {
		out.Filters = append(out.Filters, p.Filters[i].Echo())
	}
	for _, o := range p.Order {
		direction := "asc"
		if o.Descending {
			direction = "desc"
		}
		out.OrderBy = append(out.OrderBy, [2]string{o.By, direction})
	}
	return out
}
