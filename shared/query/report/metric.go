package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/visit"
)

// Metric is a number that a question can ask for. What each means is said at the
// top of the package.
type Metric string

// The metrics.
const (
	Visitors            Metric = "visitors"
	Visits              Metric = "visits"
	Pageviews           Metric = "pageviews"
	Events              Metric = "events"
	BounceRate          Metric = "bounce_rate"     // percent, 0 to 100
	VisitDuration       Metric = "visit_duration"  // seconds
	ViewsPerVisit       Metric = "views_per_visit" // a quotient
	ScrollDepth         Metric = "scroll_depth"    // percent, 1 to 100; null when none was measured
	TimeOnPage          Metric = "time_on_page"    // seconds; null when none was measured
	Percentage          Metric = "percentage"      // percent, 0 to 100
	ConversionRate      Metric = "conversion_rate" // percent, 0 to 100
	GroupConversionRate Metric = "group_conversion_rate"
	TotalRevenue        Metric = "total_revenue"   // money; null without any, and when it is of several currencies
	AverageRevenue      Metric = "average_revenue" // money
)

// counts are the sums from which the metrics of a row follow.
type counts struct {
	visitors, visits, pageviews, events, bounces, seconds int64

	engaged  int64 // milliseconds
	scroll   int64 // percent, of each visit that measured it the most
	scrolled int64 // visits that measured it
	revenue  map[string]revenue
}

// revenue is what events of one currency were worth.
type revenue struct {
	sum    visit.Decimal
	events int64
}

func (c *counts) add(o counts) {
	c.visitors += o.visitors
	c.visits += o.visits
	c.pageviews += o.pageviews
	c.events += o.events
	c.bounces += o.bounces
	c.seconds += o.seconds
	c.engaged += o.engaged
	c.scroll += o.scroll
	c.scrolled += o.scrolled
	for currency, r := range o.revenue {
		c.earn(currency, r)
	}
}

func (c *counts) earn(currency string, r revenue) {
	if c.revenue == nil {
		c.revenue = map[string]revenue{}
	}
	sum := c.revenue[currency]
	sum.sum.Add(r.sum)
	sum.events += r.events
	c.revenue[currency] = sum
}

// tallied is a row with the numbers that its rates are of.
type tallied struct {
	counts
	all  int64 // visitors of the question without its dimensions
	base int64 // visitors of the question without its dimensions and goals
	same int64 // visitors of the row without the question's goals
}

// Value is the value of a metric: a number, an amount of money, or nothing (null).
type Value struct {
	Number   float64
	Known    bool
	Currency string // of an amount of money
	Amount   string // decimal, exact
}

func number(n float64) Value { return Value{Number: n, Known: true} }

// MarshalJSONTo writes a number, null, or an amount as {"value":12.5,"currency":"EUR"}.
func (v Value) MarshalJSONTo(out *jsontext.Encoder) error {
	switch {
	case !v.Known:
		return out.WriteToken(jsontext.Null)
	case v.Currency == "":
		return out.WriteToken(jsontext.Float(v.Number))
	default:
		return out.WriteValue(v.money())
	}
}

// MarshalJSON is for encoding/json.
func (v Value) MarshalJSON() ([]byte, error) {
	switch {
	case !v.Known:
		return []byte("null"), nil
	case v.Currency == "":
		return jsontext.AppendFormat(nil, strconv.AppendFloat(nil, v.Number, 'f', -1, 64))
	default:
		return v.money(), nil
	}
}

func (v Value) money() jsontext.Value {
	return jsontext.Value(`{"value":` + v.Amount + `,"currency":` + strconv.Quote(v.Currency) +
		`,"short":` + strconv.Quote(v.Amount+" "+v.Currency) + `,"long":` + strconv.Quote(v.Amount+" "+v.Currency) + `}`)
}

// metricDefinition ties a metric to how it follows from a row.
type metricDefinition struct {
	metric Metric
	value  func(*tallied) Value
	exact  func(*tallied) float64 // by which rows are ordered; nil: by the value
	sql    string                 // orders rollup rows as exact does; "" when nothing does
}

func metrics() []metricDefinition {
	count := func(m Metric, of func(*tallied) int64) metricDefinition {
		return metricDefinition{m, func(t *tallied) Value { return number(float64(of(t))) }, nil, string(m)}
	}
	rate := func(m Metric, of func(*tallied) int64, sql string) metricDefinition {
		exact := func(t *tallied) float64 { return quotient(t.visitors, of(t)) }
		return metricDefinition{m, func(t *tallied) Value { return number(round(100*exact(t), 100)) }, exact, sql}
	}
	mean := func(m Metric, scale, precision float64, sum func(*tallied) int64, sql string) metricDefinition {
		exact := func(t *tallied) float64 { return scale * quotient(sum(t), t.visits) }
		return metricDefinition{m, func(t *tallied) Value { return number(round(exact(t), precision)) }, exact, sql}
	}
	return []metricDefinition{
		count(Visitors, func(t *tallied) int64 { return t.visitors }),
		count(Visits, func(t *tallied) int64 { return t.visits }),
		count(Pageviews, func(t *tallied) int64 { return t.pageviews }),
		count(Events, func(t *tallied) int64 { return t.events }),
		mean(BounceRate, 100, 1, func(t *tallied) int64 { return t.bounces }, `coalesce(bounces::float8 / nullif(visits, 0), 0)`),
		mean(VisitDuration, 1, 1, func(t *tallied) int64 { return t.seconds }, `coalesce(seconds::float8 / nullif(visits, 0), 0)`),
		mean(ViewsPerVisit, 1, 100, func(t *tallied) int64 { return t.pageviews }, `coalesce(pageviews::float8 / nullif(visits, 0), 0)`),
		{
			ScrollDepth, func(t *tallied) Value { return known(t.scrolled, round(quotient(t.scroll, t.scrolled), 1)) },
			func(t *tallied) float64 { return quotient(t.scroll, t.scrolled) }, "",
		},
		{
			TimeOnPage, func(t *tallied) Value { return known(t.engaged, round(quotient(t.engaged, t.visits)/1000, 1)) },
			func(t *tallied) float64 { return quotient(t.engaged, t.visits) }, `coalesce(engaged::float8 / nullif(visits, 0), 0)`,
		},
		rate(Percentage, func(t *tallied) int64 { return t.all }, string(Visitors)), // all rows are shares of one sum
		rate(ConversionRate, func(t *tallied) int64 { return t.base }, ""),
		rate(GroupConversionRate, func(t *tallied) int64 { return t.same }, ""),
		{TotalRevenue, func(t *tallied) Value { return t.money(func(r revenue) string { return r.sum.String() }) }, nil, ""},
		{AverageRevenue, func(t *tallied) Value {
			return t.money(func(r revenue) string { return r.sum.Mean(r.events).String() })
		}, nil, ""},
	}
}

func round(n, precision float64) float64 { return math.Round(n*precision) / precision }

func known(of int64, n float64) Value {
	if of == 0 {
		return Value{}
	}
	return number(n)
}

// money is an amount of the one currency that the row has.
func (t *tallied) money(amount func(revenue) string) Value {
	if len(t.revenue) != 1 {
		return Value{}
	}
	for currency, r := range t.revenue {
		text := amount(r)
		n, _ := strconv.ParseFloat(text, 64) // for the order only
		return Value{Number: n, Known: true, Currency: currency, Amount: text}
	}
	return Value{}
}

func quotient(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// order is what rows are ordered by.
func (m *metricDefinition) order(t *tallied) float64 {
	if m.exact != nil {
		return m.exact(t)
	}
	return m.value(t).Number
}

func metricNamed(name string) (metricDefinition, bool) {
	for _, m := range metrics() {
		if string(m.metric) == name {
			return m, true
		}
	}
	return metricDefinition{}, false
}

// MetricNames are those of all metrics.
func MetricNames() []string {
	var names []string
	for _, m := range metrics() {
		names = append(names, string(m.metric))
	}
	return names
}

// checkMetrics says whether the question's dimensions and filters give its metrics a
// meaning.
func (q *Question) checkMetrics() (metric int, lacks string) {
	has := func(name string) bool {
		for i := range q.Filters {
			if q.Filters[i].any(func(f *Filter) bool { return f.Dimension.Name == name }) {
				return true
			}
		}
		return q.dimension(name) != nil
	}
	for i, m := range q.Metrics {
		switch m {
		case ScrollDepth, TimeOnPage:
			if !has("event:page") {
				return i, "is of pages: ask for the dimension event:page, or filter by it"
			}
		case Percentage:
			if len(q.Dimensions) == 0 {
				return i, "is a share of all visitors: ask for a dimension"
			}
		case ConversionRate, GroupConversionRate:
			goal := q.dimension(goalName) != nil
			for i := range q.Filters {
				goal = goal || q.Filters[i].Dimension.isGoal()
			}
			if !goal {
				return i, "is of goals: ask for the dimension event:goal, or filter by it (not inside of another filter)"
			}
		}
	}
	return -1, ""
}

// engagements tells whether the question needs to look at them.
func (q *Question) engagements() bool {
	for _, m := range q.Metrics {
		if m == ScrollDepth || m == TimeOnPage {
			return true
		}
	}
	return false
}

// moneyed tells whether a metric is one of money.
func (m Metric) moneyed() bool { return strings.HasSuffix(string(m), "_revenue") }
