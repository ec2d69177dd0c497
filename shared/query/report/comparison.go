package report

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/metric"
)

// Comparison is the numbers of the other range for a row.
type Comparison struct {
	Metrics    []metric.Value `json:"metrics"`
	Change     []*float64     `json:"change"` // percent, rounded; points for percentages; null if there is nothing to compare
	Dimensions []string       `json:"dimensions"`
}

// comparisonsField is the field that asks for comparisons.
const comparisonsField = "include.comparisons"

// addComparisons adds the numbers of the other range to the rows of an answer.
func addComparisons(ctx context.Context, s *engine.Session, p *engine.Plan, answer *Answer) error {
	other := p.Include.Comparisons.Range(p.Range, s.Now)
	q := p.Question
	q.Include, q.Pagination = language.Include{}, language.Pagination{Limit: math.MaxInt32} // all
	otherPlan := engine.NewPlan(&q, other)
	groups, _, err := s.Rows(ctx, otherPlan)
	if err != nil {
		return err
	}
	answer.Query.ComparisonDateRange = new(other.Bounds())
	labels, counterpart, err := counterparts(p, other)
	if err != nil {
		return err
	}
	if p.Include.TimeLabels {
		answer.Meta.ComparisonTimeLabels = labels
	}
	if err := s.Use(ctx, int64(len(answer.Results)*rowBytes(p))); err != nil {
		return err
	}
	key := func(dimensions []string) string { return strings.Join(dimensions, "\x00") }
	zeros := engine.Values([]*engine.Group{{}}, p.Metrics)[0]
	before := map[string][]metric.Value{} // the values of the other rows that are wanted
	for i := range answer.Results {
		row := &answer.Results[i]
		if dimensions, ok := counterpart(row.Dimensions); ok {
			row.Comparison = &Comparison{Dimensions: dimensions, Change: make([]*float64, len(p.Metrics))}
			before[key(dimensions)] = zeros
		}
	}
	for _, g := range groups {
		of := key(dimensionLabels(otherPlan, g))
		if _, ok := before[of]; ok {
			before[of] = engine.Values([]*engine.Group{g}, p.Metrics)[0]
		}
	}
	for i := range answer.Results {
		row := &answer.Results[i]
		if row.Comparison == nil {
			continue
		}
		metrics := before[key(row.Comparison.Dimensions)]
		row.Comparison.Metrics = metrics
		for n, m := range p.Metrics {
			row.Comparison.Change[n] = change(m, row.Metrics[n], metrics[n])
		}
	}
	return nil
}

// counterparts returns a function that finds the dimensions of the row of another range
// with which a row is compared: those with the same values and, in the order of periods, at
// the same place. Its ok is false if the other range has no period there. The labels are
// those of the other range's periods.
func counterparts(p *engine.Plan, other language.Range) (labels []string, counterpart func(dimensions []string) (others []string, ok bool), err error) {
	at := slices.IndexFunc(p.Dimensions, func(d language.Dimension) bool { return d.IsTime() })
	if at < 0 {
		return nil, func(dimensions []string) ([]string, bool) { return dimensions, true }, nil
	}
	own, err := p.Range.Labels(p.Grain, comparisonsField)
	if err != nil {
		return nil, nil, err
	}
	if labels, err = other.Labels(p.Grain, comparisonsField); err != nil {
		return nil, nil, err
	}
	places := map[string]int{}
	for i, label := range own {
		places[label] = i
	}
	return labels, func(dimensions []string) ([]string, bool) {
		place, ok := places[dimensions[at]]
		if !ok || place >= len(labels) {
			return nil, false
		}
		others := slices.Clone(dimensions)
		others[at] = labels[place]
		return others, true
	}, nil
}

// change returns by how much a metric has changed: percentages in points, anything else in
// percent, rounded. It is nil if a value is unknown, the currencies differ or there
// may be several, and 100 if the value was 0 before.
func change(m language.Metric, now, before metric.Value) *float64 {
	if !now.Known || !before.Known || now.Currency != before.Currency || m == language.RevenueByCurrency {
		return nil
	}
	switch {
	case m.IsPercentage():
		return new(metric.Round(now.Number-before.Number, 10))
	case before.Number == 0 && now.Number == 0:
		return new(0.0)
	case before.Number == 0:
		return new(100.0)
	}
	return new(metric.Round(100*(now.Number-before.Number)/before.Number, 1))
}
