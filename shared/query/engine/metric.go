package engine

import (
	"maps"
	"slices"
	"strconv"

	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/metric"
)

// counts are the sums from which the metrics of a row follow.
type counts struct {
	Visitors, Pageviews, Events int64

	visits, seconds int64
	entries         int64 // visits that bounce_rate is about, see Plan.countsEntries
	bounces         int64 // of entries

	engaged  int64 // milliseconds
	scroll   int64 // percent, the sum of each visit's deepest
	scrolled int64 // visits that report it
	revenue  map[string]revenue
}

// revenue is the sum of the amounts in one currency.
type revenue struct {
	sum    visit.Decimal
	events int64
}

func (c *counts) add(o *counts) {
	c.Visitors += o.Visitors
	c.visits += o.visits
	c.entries += o.entries
	c.Pageviews += o.Pageviews
	c.Events += o.Events
	c.bounces += o.bounces
	c.seconds += o.seconds
	c.engaged += o.engaged
	c.scroll += o.scroll
	c.scrolled += o.scrolled
	for currency, r := range o.revenue {
		c.addRevenue(currency, r)
	}
}

func (c *counts) addRevenue(currency string, r revenue) {
	if c.revenue == nil {
		c.revenue = map[string]revenue{}
	}
	sum := c.revenue[currency]
	sum.sum.Add(r.sum)
	sum.events += r.events
	c.revenue[currency] = sum
}

// tally is the counts of a row with the visitors that its rates are shares of.
type tally struct {
	counts

	allVisitors   int64 // of the question without its dimensions
	baseVisitors  int64 // of the question without its dimensions and goals
	groupVisitors int64 // of the row without the question's goals
}

// definition is how a metric follows from a tally.
type definition struct {
	name  language.Metric
	value func(*tally) metric.Value
	exact func(*tally) float64 // by which rows are ordered; nil orders by the value
	sql   string               // orders rows of rollups as exact does; "" if nothing does
}

func definitions() []definition {
	count := func(m language.Metric, of func(*tally) int64) definition {
		return definition{m, func(t *tally) metric.Value { return metric.Number(float64(of(t))) }, nil, string(m)}
	}
	rate := func(m language.Metric, of func(*tally) int64, sql string) definition {
		exact := func(t *tally) float64 { return metric.Quotient(t.Visitors, of(t)) }
		return definition{m, func(t *tally) metric.Value { return metric.Number(metric.Round(100*exact(t), 100)) }, exact, sql}
	}
	mean := func(m language.Metric, precision float64, sum func(*tally) int64, sql string) definition {
		exact := func(t *tally) float64 { return metric.Quotient(sum(t), t.visits) }
		return definition{m, func(t *tally) metric.Value { return metric.Number(metric.Round(exact(t), precision)) }, exact, sql}
	}
	return []definition{
		count(language.Visitors, func(t *tally) int64 { return t.Visitors }),
		count(language.Visits, func(t *tally) int64 { return t.visits }),
		count(language.Pageviews, func(t *tally) int64 { return t.Pageviews }),
		count(language.Events, func(t *tally) int64 { return t.Events }),
		{
			language.BounceRate, func(t *tally) metric.Value {
				if t.entries == 0 && t.visits > 0 {
					return metric.Value{}
				}
				return metric.Number(metric.Round(100*metric.Quotient(t.bounces, t.entries), 1))
			},
			func(t *tally) float64 { return metric.Quotient(t.bounces, t.entries) }, `coalesce(bounces::float8 / nullif(entries, 0), 0)`,
		},
		mean(language.VisitDuration, 1, func(t *tally) int64 { return t.seconds }, `coalesce(seconds::float8 / nullif(visits, 0), 0)`),
		mean(language.ViewsPerVisit, 100, func(t *tally) int64 { return t.Pageviews }, `coalesce(pageviews::float8 / nullif(visits, 0), 0)`),
		{
			language.ScrollDepth, func(t *tally) metric.Value {
				return knownIf(t.scrolled, metric.Round(metric.Quotient(t.scroll, t.scrolled), 1))
			},
			func(t *tally) float64 { return metric.Quotient(t.scroll, t.scrolled) }, "",
		},
		{
			language.TimeOnPage, func(t *tally) metric.Value {
				return knownIf(t.engaged, metric.Round(metric.Quotient(t.engaged, t.visits)/1000, 1))
			},
			func(t *tally) float64 { return metric.Quotient(t.engaged, t.visits) }, `coalesce(engaged::float8 / nullif(visits, 0), 0)`,
		},
		// All rows are shares of the same sum, so visitors order them.
		rate(language.Percentage, func(t *tally) int64 { return t.allVisitors }, string(language.Visitors)),
		rate(language.ConversionRate, func(t *tally) int64 { return t.baseVisitors }, ""),
		rate(language.GroupConversionRate, func(t *tally) int64 { return t.groupVisitors }, ""),
		{language.TotalRevenue, func(t *tally) metric.Value { return t.money(func(r revenue) string { return r.sum.String() }) }, nil, ""},
		{language.AverageRevenue, func(t *tally) metric.Value {
			return t.money(func(r revenue) string { return r.sum.Mean(r.events).String() })
		}, nil, ""},
		{language.RevenueByCurrency, (*tally).amounts, nil, ""},
	}
}

func definitionOf(m language.Metric) (definition, bool) {
	for _, d := range definitions() {
		if d.name == m {
			return d, true
		}
	}
	return definition{}, false
}

// order returns the number by which rows are ordered.
func (d *definition) order(t *tally) float64 {
	if d.exact != nil {
		return d.exact(t)
	}
	return d.value(t).Number
}

// money returns an amount in the only currency of the row, unknown if it has none or
// several.
func (t *tally) money(amount func(revenue) string) metric.Value {
	if len(t.revenue) != 1 {
		return metric.Value{}
	}
	for currency, r := range t.revenue {
		text := amount(r)
		n, _ := strconv.ParseFloat(text, 64) // for the order only
		return metric.Value{Number: n, Known: true, Currency: currency, Amount: text}
	}
	return metric.Value{}
}

// amounts returns the sums of the row by currency, unknown if it has none.
func (t *tally) amounts() metric.Value {
	if len(t.revenue) == 0 {
		return metric.Value{}
	}
	text := []byte{'{'}
	for i, currency := range slices.Sorted(maps.Keys(t.revenue)) {
		if i > 0 {
			text = append(text, ',')
		}
		sum := t.revenue[currency].sum
		text = append(append(strconv.AppendQuote(text, currency), ':'), sum.String()...)
	}
	return metric.Value{Known: true, Amounts: string(append(text, '}'))}
}

// knownIf returns a number that is unknown if there is nothing it was measured on.
func knownIf(measured int64, n float64) metric.Value {
	if measured == 0 {
		return metric.Value{}
	}
	return metric.Number(n)
}

// Values returns the values of metrics for each group.
func Values(groups []*Group, metrics []language.Metric) [][]metric.Value {
	chosen := make([]definition, len(metrics))
	for i, m := range metrics {
		chosen[i], _ = definitionOf(m)
	}
	values := make([][]metric.Value, len(groups))
	for i, g := range groups {
		values[i] = make([]metric.Value, len(chosen))
		for n := range chosen {
			values[i][n] = chosen[n].value(&g.tally)
		}
	}
	return values
}
