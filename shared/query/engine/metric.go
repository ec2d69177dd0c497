package engine

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/language"
)

// counts are the sums from which the metrics of a row follow.
type counts struct {
	Visitors, Pageviews, Events int64

	visits, bounces, seconds int64

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

// Value is the value of a metric: a number, an amount of money, amounts by currency, or
// unknown (null).
type Value struct {
	Number   float64
	Known    bool
	Currency string // of an amount of money
	Amount   string // decimal, exact
	Amounts  string // decimals by currency, as a JSON object; "" for other values
}

// NumberValue returns a known number.
func NumberValue(n float64) Value { return Value{Number: n, Known: true} }

// MarshalJSONTo writes a number, null, an amount as {"value":12.5,"currency":"EUR"}, or
// amounts by currency as {"EUR":12.5,"USD":3}.
func (v Value) MarshalJSONTo(out *jsontext.Encoder) error {
	switch {
	case !v.Known:
		return out.WriteToken(jsontext.Null)
	case v.Amounts != "":
		return out.WriteValue(jsontext.Value(v.Amounts))
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
	case v.Amounts != "":
		return []byte(v.Amounts), nil
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

// definition is how a metric follows from a tally.
type definition struct {
	metric language.Metric
	value  func(*tally) Value
	exact  func(*tally) float64 // by which rows are ordered; nil orders by the value
	sql    string               // orders rows of rollups as exact does; "" if nothing does
}

func definitions() []definition {
	count := func(m language.Metric, of func(*tally) int64) definition {
		return definition{m, func(t *tally) Value { return NumberValue(float64(of(t))) }, nil, string(m)}
	}
	rate := func(m language.Metric, of func(*tally) int64, sql string) definition {
		exact := func(t *tally) float64 { return Quotient(t.Visitors, of(t)) }
		return definition{m, func(t *tally) Value { return NumberValue(Round(100*exact(t), 100)) }, exact, sql}
	}
	mean := func(m language.Metric, scale, precision float64, sum func(*tally) int64, sql string) definition {
		exact := func(t *tally) float64 { return scale * Quotient(sum(t), t.visits) }
		return definition{m, func(t *tally) Value { return NumberValue(Round(exact(t), precision)) }, exact, sql}
	}
	return []definition{
		count(language.Visitors, func(t *tally) int64 { return t.Visitors }),
		count(language.Visits, func(t *tally) int64 { return t.visits }),
		count(language.Pageviews, func(t *tally) int64 { return t.Pageviews }),
		count(language.Events, func(t *tally) int64 { return t.Events }),
		mean(language.BounceRate, 100, 1, func(t *tally) int64 { return t.bounces }, `coalesce(bounces::float8 / nullif(visits, 0), 0)`),
		mean(language.VisitDuration, 1, 1, func(t *tally) int64 { return t.seconds }, `coalesce(seconds::float8 / nullif(visits, 0), 0)`),
		mean(language.ViewsPerVisit, 1, 100, func(t *tally) int64 { return t.Pageviews }, `coalesce(pageviews::float8 / nullif(visits, 0), 0)`),
		{
			language.ScrollDepth, func(t *tally) Value { return knownIf(t.scrolled, Round(Quotient(t.scroll, t.scrolled), 1)) },
			func(t *tally) float64 { return Quotient(t.scroll, t.scrolled) }, "",
		},
		{
			language.TimeOnPage, func(t *tally) Value { return knownIf(t.engaged, Round(Quotient(t.engaged, t.visits)/1000, 1)) },
			func(t *tally) float64 { return Quotient(t.engaged, t.visits) }, `coalesce(engaged::float8 / nullif(visits, 0), 0)`,
		},
		// All rows are shares of the same sum, so visitors order them.
		rate(language.Percentage, func(t *tally) int64 { return t.allVisitors }, string(language.Visitors)),
		rate(language.ConversionRate, func(t *tally) int64 { return t.baseVisitors }, ""),
		rate(language.GroupConversionRate, func(t *tally) int64 { return t.groupVisitors }, ""),
		{language.TotalRevenue, func(t *tally) Value { return t.money(func(r revenue) string { return r.sum.String() }) }, nil, ""},
		{language.AverageRevenue, func(t *tally) Value {
			return t.money(func(r revenue) string { return r.sum.Mean(r.events).String() })
		}, nil, ""},
		{language.RevenueByCurrency, (*tally).amounts, nil, ""},
	}
}

func definitionOf(m language.Metric) (definition, bool) {
	for _, d := range definitions() {
		if d.metric == m {
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
func (t *tally) money(amount func(revenue) string) Value {
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

// amounts returns the sums of the row by currency, unknown if it has none.
func (t *tally) amounts() Value {
	if len(t.revenue) == 0 {
		return Value{}
	}
	text := []byte{'{'}
	for i, currency := range slices.Sorted(maps.Keys(t.revenue)) {
		if i > 0 {
			text = append(text, ',')
		}
		sum := t.revenue[currency].sum
		text = append(append(strconv.AppendQuote(text, currency), ':'), sum.String()...)
	}
	return Value{Known: true, Amounts: string(append(text, '}'))}
}

// knownIf returns a number that is unknown if there is nothing it was measured on.
func knownIf(measured int64, n float64) Value {
	if measured == 0 {
		return Value{}
	}
	return NumberValue(n)
}

// Round rounds to a multiple of 1/precision.
func Round(n, precision float64) float64 { return math.Round(n*precision) / precision }

// Quotient returns a / b, 0 if b is 0.
func Quotient(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Values returns the values of metrics for each group.
func Values(groups []*Group, metrics []language.Metric) [][]Value {
	chosen := make([]definition, len(metrics))
	for i, m := range metrics {
		chosen[i], _ = definitionOf(m)
	}
	values := make([][]Value, len(groups))
	for i, g := range groups {
		values[i] = make([]Value, len(chosen))
		for n := range chosen {
			values[i][n] = chosen[n].value(&g.tally)
		}
	}
	return values
}
