package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/jsonhttp"
	"github.com/analytics-platform/analytics/shared/problem"
)

// What a question may ask for at most.
const (
	MaxBody   = 64 << 10 // bytes of a question
	MaxLimit  = 10_000   // rows of an answer
	MaxValues = 1_000    // values of a filter
)

// Question is one question about one site, checked but for what depends on the
// site and on time.
type Question struct {
	SiteID     string // domain or public id
	Metrics    []Metric
	Dimensions []Dimension
	Filters    []Filter // all of them must hold
	Order      []Order  // never empty
	Include    Include
	Pagination Pagination

	dateRange dateRange
}

// Filter says which values of a property count.
type Filter struct {
	Operator  Operator
	Dimension Dimension
	Values    []string // not empty
}

// Operator is how a filter compares. Case matters.
type Operator string

// The operators. Each compares with all values of the filter.
const (
	Is          Operator = "is"           // equal to any
	IsNot       Operator = "is_not"       // equal to none
	Contains    Operator = "contains"     // with any in it
	ContainsNot Operator = "contains_not" // with none in it
)

func operators() []Operator { return []Operator{Is, IsNot, Contains, ContainsNot} }

// Order is one criterion of the order of rows.
type Order struct {
	By         string // a metric or dimension of the question
	Descending bool
}

// Include is what an answer tells besides its rows.
type Include struct {
	TimeLabels bool `json:"time_labels"` // all periods of the time dimension
	TotalRows  bool `json:"total_rows"`  // how many rows there are without pagination
	Imports    bool `json:"imports"`     // taken for Plausible's sake; nothing is imported
}

// Pagination is which of the rows are answered.
type Pagination struct {
	Limit  int `json:"limit"`  // 1 to MaxLimit
	Offset int `json:"offset"` // rows that are passed over
}

// body is a question as it is sent.
type body struct {
	SiteID     string           `json:"site_id"`
	Metrics    []string         `json:"metrics"`
	DateRange  jsontext.Value   `json:"date_range"`
	Dimensions []string         `json:"dimensions"`
	Filters    []jsontext.Value `json:"filters"`
	OrderBy    [][]string       `json:"order_by"`
	Include    Include          `json:"include"`
	Pagination Pagination       `json:"pagination"`
}

// Parse reads a question. It is strict: what is wrong, missing or unknown is a
// problem that names the field and says what would be right.
func Parse(data []byte) (Question, error) {
	b := body{Pagination: Pagination{Limit: MaxLimit}}
	if err := jsonhttp.Decode(data, &b); err != nil {
		return Question{}, err
	}
	q := Question{SiteID: b.SiteID, Include: b.Include, Pagination: b.Pagination}
	if b.SiteID == "" {
		return q, problem.Invalid("site_id", "say which site: its domain or its public id")
	}
	for _, read := range []func(*body) error{q.readMetrics, q.readDateRange, q.readDimensions, q.readFilters, q.readOrder} {
		if err := read(&b); err != nil {
			return q, err
		}
	}
	switch p := q.Pagination; {
	case p.Limit < 1 || p.Limit > MaxLimit:
		return q, problem.Invalid("pagination.limit", fmt.Sprintf("must be from 1 to %d", MaxLimit))
	case p.Offset < 0:
		return q, problem.Invalid("pagination.offset", "must be 0 or more")
	}
	if q.Include.TimeLabels && q.time() == nil {
		return q, problem.Invalid("include.time_labels", "needs a time dimension")
	}
	return q, nil
}

// time is the question's time dimension, nil when it has none.
func (q *Question) time() *Dimension {
	for i := range q.Dimensions {
		if q.Dimensions[i].isTime() {
			return &q.Dimensions[i]
		}
	}
	return nil
}

func (q *Question) readMetrics(b *body) error {
	allowed := "must be one of " + strings.Join(metricNames(), ", ")
	if len(b.Metrics) == 0 {
		return problem.Invalid("metrics", "name at least one metric; each "+allowed)
	}
	for i, name := range b.Metrics {
		m, ok := metricNamed(name)
		if !ok {
			return problem.Invalid(fmt.Sprintf("metrics.%d", i), allowed)
		}
		if slices.Contains(q.Metrics, m.metric) {
			return problem.Invalid(fmt.Sprintf("metrics.%d", i), "is there twice")
		}
		q.Metrics = append(q.Metrics, m.metric)
	}
	return nil
}

func (q *Question) readDateRange(b *body) (err error) {
	switch b.DateRange.Kind() {
	case jsontext.KindString:
		var name string
		if err := json.Unmarshal(b.DateRange, &name); err == nil {
			q.dateRange, err = readRangeName(name)
			return err
		}
	case jsontext.KindBeginArray:
		var pair []string
		if err := json.Unmarshal(b.DateRange, &pair); err == nil && len(pair) == 2 {
			q.dateRange, err = readRangePair(pair[0], pair[1])
			return err
		}
	}
	return problem.Invalid("date_range", dateRangeHelp)
}

func (q *Question) readDimensions(b *body) error {
	for i, name := range b.Dimensions {
		field := fmt.Sprintf("dimensions.%d", i)
		d, ok := dimensionNamed(name)
		if !ok {
			return problem.Invalid(field, "must be one of "+strings.Join(dimensionNames(false), ", "))
		}
		if d.isTime() && q.time() != nil {
			return problem.Invalid(field, "is a second time dimension; ask for one only")
		}
		if slices.Contains(q.Dimensions, d) {
			return problem.Invalid(field, "is there twice")
		}
		q.Dimensions = append(q.Dimensions, d)
	}
	return nil
}

func (q *Question) readFilters(b *body) error {
	for i, raw := range b.Filters {
		f, err := readFilter(fmt.Sprintf("filters.%d", i), raw)
		if err != nil {
			return err
		}
		q.Filters = append(q.Filters, f)
	}
	return nil
}

func readFilter(field string, raw jsontext.Value) (Filter, error) {
	shape := problem.Invalid(field, `must be [operator, dimension, values], e.g. ["is","visit:country",["FR","DE"]]`)
	var parts []jsontext.Value
	if raw.Kind() != jsontext.KindBeginArray || json.Unmarshal(raw, &parts) != nil || len(parts) == 0 {
		return Filter{}, shape
	}
	var f Filter
	if json.Unmarshal(parts[0], &f.Operator) != nil || !slices.Contains(operators(), f.Operator) {
		return f, problem.Invalid(field+".0", fmt.Sprintf("must be one of %s, %s, %s, %s", Is, IsNot, Contains, ContainsNot))
	}
	if len(parts) == 4 {
		return f, problem.Invalid(field+".3", "must be left out: filters have no modifiers, case always matters")
	}
	if len(parts) != 3 {
		return f, shape
	}
	var name string
	_ = json.Unmarshal(parts[1], &name) // what is no string is no dimension either
	var ok bool
	if f.Dimension, ok = dimensionNamed(name); !ok || f.Dimension.isTime() {
		return f, problem.Invalid(field+".1", "must be one of "+strings.Join(dimensionNames(true), ", "))
	}
	if parts[2].Kind() != jsontext.KindBeginArray || json.Unmarshal(parts[2], &f.Values) != nil {
		return f, problem.Invalid(field+".2", "must be an array of strings")
	}
	if len(f.Values) == 0 || len(f.Values) > MaxValues {
		return f, problem.Invalid(field+".2", fmt.Sprintf("must hold 1 to %d values", MaxValues))
	}
	for i, value := range f.Values {
		at := fmt.Sprintf("%s.2.%d", field, i)
		if strings.IndexByte(value, 0) >= 0 {
			return f, problem.Invalid(at, "must not hold a NUL character")
		}
		if value == "" && (f.Operator == Contains || f.Operator == ContainsNot) {
			return f, problem.Invalid(at, "must not be empty: every value contains it")
		}
	}
	return f, nil
}

func (q *Question) readOrder(b *body) error {
	if len(b.OrderBy) == 0 {
		q.Order = []Order{q.defaultOrder()}
		return nil
	}
	var allowed []string
	for _, m := range q.Metrics {
		allowed = append(allowed, string(m))
	}
	for _, d := range q.Dimensions {
		allowed = append(allowed, d.Name)
	}
	for i, pair := range b.OrderBy {
		field := fmt.Sprintf("order_by.%d", i)
		if len(pair) != 2 {
			return problem.Invalid(field, `must be a metric or dimension and a direction, e.g. ["visitors","desc"]`)
		}
		if !slices.Contains(allowed, pair[0]) {
			return problem.Invalid(field+".0", "must be a metric or dimension of this query: "+strings.Join(allowed, ", "))
		}
		if pair[1] != "asc" && pair[1] != "desc" {
			return problem.Invalid(field+".1", "must be asc or desc")
		}
		q.Order = append(q.Order, Order{By: pair[0], Descending: pair[1] == "desc"})
	}
	return nil
}

// defaultOrder is by time, else by the first metric, the greatest first.
func (q *Question) defaultOrder() Order {
	if d := q.time(); d != nil {
		return Order{By: d.Name}
	}
	return Order{By: string(q.Metrics[0]), Descending: true}
}
