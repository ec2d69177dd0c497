package engine

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/analytics-platform/analytics/shared/query/language"
)

// Rows returns the rows of a question that its pagination selects, in order, and the number
// of all rows. Without dimensions there is always one. The total is 0 if the rows come from
// rollups and the question does not ask for it.
func (s *Session) Rows(ctx context.Context, p *Plan) (rows []*Group, total int64, err error) {
	if from := s.source(p); from != Scan && p.sortsInSQL() {
		rows, total, err = s.sortedRows(ctx, p, from)
		if err == nil {
			err = s.addShares(ctx, p, rows)
		}
		if !errors.Is(err, errBounded) {
			return rows, total, err
		}
	}
	if rows, err = s.unsortedRows(ctx, p); err != nil {
		return nil, 0, err
	}
	if err := s.addShares(ctx, p, rows); err != nil {
		return nil, 0, err
	}
	slices.SortFunc(rows, p.compare())
	total = int64(len(rows))
	rows = rows[min(p.Pagination.Offset, len(rows)):]
	return rows[:min(p.Pagination.Limit, len(rows))], total, nil
}

// source returns the source that answers a question.
func (s *Session) source(p *Plan) Source {
	sources := p.Sources()
	if s.Prefer != nil && slices.Contains(sources, *s.Prefer) {
		return *s.Prefer
	}
	return sources[0]
}

// sortedRows returns a page of rows that the database orders.
func (s *Session) sortedRows(ctx context.Context, p *Plan, from Source) (rows []*Group, total int64, err error) {
	rows, total, err = s.queryRollups(ctx, p, from, &page{p.Pagination, p.Include.TotalRows})
	if err != nil {
		return nil, 0, err
	}
	if len(p.Dimensions) == 0 {
		if total = 1; len(rows) == 0 && p.Pagination.Offset == 0 {
			rows = []*Group{{}}
		}
	}
	return rows, total, nil
}

// unsortedRows returns all rows, in no order.
func (s *Session) unsortedRows(ctx context.Context, p *Plan) (rows []*Group, err error) {
	from := s.source(p)
	head, tail, splits := p.split()
	switch {
	case from != Scan:
		rows, _, err = s.queryRollups(ctx, p, from, nil)
	case splits:
		rows, err = s.addedRows(ctx, p, head, tail)
	default:
		rows, err = s.scan(ctx, p)
	}
	if errors.Is(err, errBounded) {
		rows, err = s.scan(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	if len(p.Properties) > 0 && p.Properties[0].SkipsUnknown() { // a scan leaves them out itself
		rows = slices.DeleteFunc(rows, func(g *Group) bool { return g.Values[0] == "" })
	}
	if len(rows) == 0 && len(p.Dimensions) == 0 {
		rows = []*Group{{}}
	}
	p.dropOtherCurrencies(rows)
	return rows, nil
}

// addedRows returns the rows of a plan that is split. Both parts are of other days, so that
// their rows add up.
func (s *Session) addedRows(ctx context.Context, p, head, tail *Plan) ([]*Group, error) {
	rows, _, err := s.queryRollups(ctx, head, DayRollups, nil)
	if err != nil {
		return nil, err
	}
	more, err := s.scan(ctx, tail)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]*Group, len(rows))
	for _, g := range rows {
		byKey[g.key()] = g
	}
	for _, g := range more {
		if p.Grain != language.NoGrain {
			g.Period = p.Range.Period(p.Grain, p.Range.Last).Date()
		}
		if same, ok := byKey[g.key()]; ok {
			same.add(&g.counts)
		} else {
			rows = append(rows, g)
		}
	}
	return rows, nil
}

// dropOtherCurrencies removes amounts in other currencies from the rows of goals that have
// one.
func (p *Plan) dropOtherCurrencies(rows []*Group) {
	at := p.goalProperty()
	if at < 0 {
		return
	}
	currencies := map[string]string{}
	for i := range p.Goals {
		currencies[p.Goals[i].Name] = p.Goals[i].Currency
	}
	for _, g := range rows {
		if currency := currencies[g.Values[at]]; currency != "" {
			maps.DeleteFunc(g.revenue, func(other string, _ revenue) bool { return other != currency })
		}
	}
}

// goalProperty returns the index of the property event:goal, -1 if it is not there.
func (p *Plan) goalProperty() int {
	return slices.IndexFunc(p.Properties, func(d language.Dimension) bool { return d.IsGoal() })
}

// addShares adds to rows the visitors that their rates are shares of.
func (s *Session) addShares(ctx context.Context, p *Plan, rows []*Group) error {
	wants := func(m language.Metric) bool { return slices.Contains(p.Metrics, m) }
	if wants(language.Percentage) {
		all, err := s.totalVisitors(ctx, p.withoutDimensions())
		if err != nil {
			return err
		}
		for _, g := range rows {
			g.allVisitors = all
		}
	}
	if wants(language.ConversionRate) {
		base, err := s.totalVisitors(ctx, p.withoutGoals().withoutDimensions())
		if err != nil {
			return err
		}
		for _, g := range rows {
			g.baseVisitors = base
		}
	}
	if wants(language.GroupConversionRate) {
		visitors, err := s.visitorsByKey(ctx, p.withoutGoals())
		if err != nil {
			return err
		}
		goal := p.goalProperty()
		for _, g := range rows {
			values := slices.Clone(g.Values)
			if goal >= 0 {
				values = slices.Delete(values, goal, goal+1)
			}
			g.groupVisitors = visitors[(&Group{Period: g.Period, Values: values}).key()]
		}
	}
	return nil
}

// totalVisitors returns the visitors of a question without dimensions.
func (s *Session) totalVisitors(ctx context.Context, p *Plan) (total int64, err error) {
	rows, err := s.visitorsByKey(ctx, p)
	for _, visitors := range rows {
		total = visitors
	}
	return total, err
}

// visitorsByKey returns the visitors of each row.
func (s *Session) visitorsByKey(ctx context.Context, p *Plan) (map[string]int64, error) {
	rows, err := s.unsortedRows(ctx, p)
	if err != nil {
		return nil, err
	}
	visitors := map[string]int64{}
	for _, g := range rows {
		key := g.key()
		if err := s.Use(ctx, int64(len(key)+valueSize)); err != nil {
			return nil, err
		}
		visitors[key] = g.Visitors
	}
	return visitors, nil
}

// visitorsPlan returns the plan of a question for the visitors of some dimensions.
func (p *Plan) visitorsPlan(dimensions []language.Dimension, filters []language.Filter) *Plan {
	q := p.Question
	q.Metrics, q.Order, q.Include = []language.Metric{language.Visitors}, nil, language.Include{}
	q.Dimensions, q.Filters = dimensions, filters
	return NewPlan(&q, p.Range)
}

// withoutDimensions returns the plan for the visitors of all rows together.
func (p *Plan) withoutDimensions() *Plan { return p.visitorsPlan(nil, p.Filters) }

// withoutGoals returns the plan for the visitors of each row, whether they reach its goals
// or not.
func (p *Plan) withoutGoals() *Plan {
	return p.visitorsPlan(
		slices.DeleteFunc(slices.Clone(p.Dimensions), func(d language.Dimension) bool { return d.IsGoal() }),
		slices.DeleteFunc(slices.Clone(p.Filters), func(f language.Filter) bool { return f.Dimension.IsGoal() || f.Dimension.IsProperty() }),
	)
}
