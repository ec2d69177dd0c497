package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// What a question may ask for at most.
const (
	MaxBody   = 64 << 10 // bytes of a question
	MaxLimit  = 10_000   // rows of an answer
	MaxValues = 1_000    // values of a filter

	maxDimensions = 8
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
	goals     []Goal // of the site, once they are defined and if they are asked for
}

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

	Annotations bool `json:"annotations,omitzero"` // of the days of the range

	Comparisons *Comparisons `json:"comparisons,omitempty"`
}

// Pagination is which of the rows are answered.
type Pagination struct {
	Limit  int `json:"limit"`  // 1 to MaxLimit
	Offset int `json:"offset"` // rows that are passed over
}

// body is a question as it is sent.
type body struct {
	SiteID     string         `json:"site_id"`
	Metrics    []string       `json:"metrics"`
	DateRange  jsontext.Value `json:"date_range"`
	Dimensions []string       `json:"dimensions"`
	Filters    jsontext.Value `json:"filters"`
	OrderBy    [][]string     `json:"order_by"`
	Include    Include        `json:"include"`
	Pagination Pagination     `json:"pagination"`
}

// Parse reads a question. It is strict: what is wrong, missing or unknown is a
// problem that names the field and says what would be right.
func Parse(data []byte) (Question, error) {
	b := body{Pagination: Pagination{Limit: MaxLimit}}
	if err := strictjson.Decode(data, &b); err != nil {
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
	if i, lacks := q.checkMetrics(); lacks != "" {
		return q, problem.Invalid(fmt.Sprintf("metrics.%d", i), lacks)
	}
	if err := q.Include.Comparisons.check(); err != nil {
		return q, err
	}
	return q, nil
}

// Span is the stretch of time that the question is about at now, which is in the time zone
// of the site, in words of its own: two that differ are two stretches. Of all that there is
// it is the current day.
func (q *Question) Span(now time.Time) string {
	s := q.dateRange.at(now)
	return fmt.Sprint(q.dateRange.name, " ", s.from.UnixMilli(), " ", s.to.UnixMilli(), " ", now.Location())
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
	allowed := "must be one of " + strings.Join(MetricNames(), ", ")
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
	if len(b.Dimensions) > maxDimensions {
		return problem.Invalid(fmt.Sprintf("dimensions.%d", maxDimensions), fmt.Sprintf("is one too many: at most %d", maxDimensions))
	}
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

// dimension is the dimension of the question with a name, nil when it has none.
func (q *Question) dimension(name string) *Dimension {
	for i := range q.Dimensions {
		if q.Dimensions[i].Name == name {
			return &q.Dimensions[i]
		}
	}
	return nil
}

func (q *Question) readFilters(b *body) (err error) {
	if len(b.Filters) > 0 {
		q.Filters, err = ParseFilters(b.Filters)
	}
	return err
}

// ParseFilters reads the filters of a question or a segment, a JSON array. What is wrong is
// a problem that names it.
func ParseFilters(data []byte) ([]Filter, error) { return parseFilters("filters", data) }

func parseFilters(field string, data []byte) ([]Filter, error) {
	var all []jsontext.Value
	if err := json.Unmarshal(data, &all); err != nil || jsontext.Value(data).Kind() != jsontext.KindBeginArray {
		return nil, problem.Invalid(field, "must be an array of filters, each of which "+filterShape)
	}
	var r reader
	var filters []Filter
	for i, raw := range all {
		f, err := r.read(fmt.Sprintf("%s.%d", field, i), raw, 1)
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	return filters, nil
}

func (q *Question) readOrder(b *body) error {
	if len(b.OrderBy) == 0 {
		q.Order = q.defaultOrder()
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

// defaultOrder is by time, then by the first metric, the greatest first.
func (q *Question) defaultOrder() (order []Order) {
	if d := q.time(); d != nil {
		order = append(order, Order{By: d.Name})
	}
	return append(order, Order{By: string(q.Metrics[0]), Descending: true})
}
