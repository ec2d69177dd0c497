package language

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// The limits of a question.
const (
	MaxBody   = 64 << 10 // bytes of a question
	MaxLimit  = 10_000   // rows of an answer
	MaxValues = 1_000    // values of a filter

	maxDimensions = 8
)

// Question is one question about one site. Everything in it is checked except what
// depends on the site and the time.
type Question struct {
	SiteID     string // domain or public id
	Metrics    []Metric
	Dimensions []Dimension
	Filters    []Filter // all must hold
	Order      []Order  // never empty
	Include    Include
	Pagination Pagination
	Goals      []Goal // of the site, set by Resolve if event:goal is a dimension

	dateRange dateRange
	budget    budget
}

// Order is one criterion by which rows are ordered.
type Order struct {
	By         string // a metric or dimension of the question
	Descending bool
}

// Include selects what an answer holds besides its rows.
type Include struct {
	TimeLabels bool `json:"time_labels"` // all periods of the time dimension
	TotalRows  bool `json:"total_rows"`  // the number of rows without pagination
	Imports    bool `json:"imports"`     // accepted for Plausible's clients; nothing is imported

	Annotations bool `json:"annotations,omitzero"` // of the days of the range

	Comparisons *Comparisons `json:"comparisons,omitempty"`
}

// Pagination selects which of the rows are returned.
type Pagination struct {
	Limit  int `json:"limit"`  // 1 to MaxLimit
	Offset int `json:"offset"` // rows to skip
}

// questionBody is the JSON of a question.
type questionBody struct {
	SiteID     string         `json:"site_id"`
	Metrics    []string       `json:"metrics"`
	DateRange  jsontext.Value `json:"date_range"`
	Dimensions []string       `json:"dimensions"`
	Filters    jsontext.Value `json:"filters"`
	OrderBy    [][]string     `json:"order_by"`
	Include    Include        `json:"include"`
	Pagination Pagination     `json:"pagination"`
}

// SiteOf returns the domain or the public id of the site that a question of any kind is
// about. It looks at nothing else, so that the rest costs nothing before it is known whether
// the asker may ask about the site.
func SiteOf(data []byte) (string, error) {
	var b struct {
		SiteID string `json:"site_id"`
	}
	if err := strictjson.Peek(data, &b); err != nil {
		return "", err
	}
	if b.SiteID == "" {
		return "", errNoSite()
	}
	return b.SiteID, nil
}

// Parse reads a question. It is strict: anything wrong, missing or unknown is a
// *validation.Error that names the field and says what would be right.
func Parse(data []byte) (*Question, error) {
	b := questionBody{Pagination: Pagination{Limit: MaxLimit}}
	if err := strictjson.Decode(data, &b); err != nil {
		return nil, err
	}
	q := &Question{SiteID: b.SiteID, Include: b.Include, Pagination: b.Pagination, budget: newBudget()}
	if err := q.checkSite(); err != nil {
		return nil, err
	}
	for _, parse := range []func(*questionBody) error{q.parseMetrics, q.parseDateRange, q.parseDimensions, q.parseFilters, q.parseOrder} {
		if err := parse(&b); err != nil {
			return nil, err
		}
	}
	switch p := q.Pagination; {
	case p.Limit < 1 || p.Limit > MaxLimit:
		return nil, validation.New("pagination.limit", fmt.Sprintf("must be from 1 to %d", MaxLimit))
	case p.Offset < 0:
		return nil, validation.New("pagination.offset", "must be 0 or more")
	}
	if q.Include.TimeLabels && q.TimeDimension() == nil {
		return nil, validation.New("include.time_labels", "needs a time dimension")
	}
	if err := q.checkMetrics(); err != nil {
		return nil, err
	}
	if err := q.Include.Comparisons.check(); err != nil {
		return nil, err
	}
	return q, nil
}

// parseSelection parses what all kinds of questions have: the site, the range and the
// filters.
func (q *Question) parseSelection(site string, dateRange, filters jsontext.Value) error {
	q.SiteID, q.budget = site, newBudget()
	if err := q.checkSite(); err != nil {
		return err
	}
	b := questionBody{DateRange: dateRange, Filters: filters}
	if err := q.parseDateRange(&b); err != nil {
		return err
	}
	return q.parseFilters(&b)
}

func (q *Question) checkSite() error {
	if q.SiteID == "" {
		return errNoSite()
	}
	return nil
}

func errNoSite() error {
	return validation.New("site_id", "say which site: its domain or its public id")
}

// TimeDimension returns the time dimension of the question, nil if it has none.
func (q *Question) TimeDimension() *Dimension {
	for i := range q.Dimensions {
		if q.Dimensions[i].IsTime() {
			return &q.Dimensions[i]
		}
	}
	return nil
}

// ForRange returns the question with the grain of its time dimension fixed, which may
// depend on the length of the range. The grain is NoGrain without a time dimension.
func (q *Question) ForRange(r Range) (Question, Grain) {
	fixed := *q
	fixed.Dimensions, fixed.Order = slices.Clone(q.Dimensions), slices.Clone(q.Order)
	d := fixed.TimeDimension()
	if d == nil {
		return fixed, NoGrain
	}
	name := d.Name
	if d.grain == AutoGrain {
		d.grain = r.defaultGrain()
	}
	d.Name = d.grain.dimension()
	for i := range fixed.Order {
		if fixed.Order[i].By == name {
			fixed.Order[i].By = d.Name
		}
	}
	return fixed, d.grain
}

func (q *Question) parseMetrics(b *questionBody) error {
	allowed := "must be one of " + strings.Join(MetricNames(), ", ")
	if len(b.Metrics) == 0 {
		return validation.New("metrics", "name at least one metric; each "+allowed)
	}
	for i, name := range b.Metrics {
		m := Metric(name)
		if !slices.Contains(Metrics(), m) {
			return validation.New(fmt.Sprintf("metrics.%d", i), allowed)
		}
		if slices.Contains(q.Metrics, m) {
			return validation.New(fmt.Sprintf("metrics.%d", i), "appears twice")
		}
		q.Metrics = append(q.Metrics, m)
	}
	return nil
}

func (q *Question) parseDateRange(b *questionBody) (err error) {
	switch b.DateRange.Kind() {
	case jsontext.KindString:
		var name string
		if err := json.Unmarshal(b.DateRange, &name); err == nil {
			q.dateRange, err = parseRangeName(name)
			return err
		}
	case jsontext.KindBeginArray:
		var pair []string
		if err := json.Unmarshal(b.DateRange, &pair); err == nil && len(pair) == 2 {
			q.dateRange, err = parseRangePair(pair[0], pair[1])
			return err
		}
	}
	return validation.New("date_range", dateRangeHelp)
}

func (q *Question) parseDimensions(b *questionBody) error {
	if len(b.Dimensions) > maxDimensions {
		return validation.New(fmt.Sprintf("dimensions.%d", maxDimensions), fmt.Sprintf("is one too many: at most %d", maxDimensions))
	}
	for i, name := range b.Dimensions {
		field := fmt.Sprintf("dimensions.%d", i)
		d, ok := DimensionByName(name)
		if !ok {
			return validation.New(field, "must be one of "+strings.Join(DimensionNames(), ", "))
		}
		if d.IsTime() && q.TimeDimension() != nil {
			return validation.New(field, "is a second time dimension; ask for one only")
		}
		if slices.Contains(q.Dimensions, d) {
			return validation.New(field, "appears twice")
		}
		q.Dimensions = append(q.Dimensions, d)
	}
	return nil
}

func (q *Question) dimension(name string) *Dimension {
	for i := range q.Dimensions {
		if q.Dimensions[i].Name == name {
			return &q.Dimensions[i]
		}
	}
	return nil
}

func (q *Question) parseFilters(b *questionBody) (err error) {
	if len(b.Filters) > 0 {
		q.Filters, err = q.budget.parseFilters("filters", b.Filters)
	}
	return err
}

func (q *Question) parseOrder(b *questionBody) error {
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
			return validation.New(field, `must be a metric or dimension and a direction, e.g. ["visitors","desc"]`)
		}
		if !slices.Contains(allowed, pair[0]) {
			return validation.New(field+".0", "must be a metric or dimension of this query: "+strings.Join(allowed, ", "))
		}
		if pair[1] != "asc" && pair[1] != "desc" {
			return validation.New(field+".1", "must be asc or desc")
		}
		if slices.ContainsFunc(q.Order, func(o Order) bool { return o.By == pair[0] }) {
			return validation.New(field+".0", "appears twice")
		}
		q.Order = append(q.Order, Order{By: pair[0], Descending: pair[1] == "desc"})
	}
	return nil
}

// defaultOrder is by time, then by the first metric, the greatest first.
func (q *Question) defaultOrder() (order []Order) {
	if d := q.TimeDimension(); d != nil {
		order = append(order, Order{By: d.Name})
	}
	return append(order, Order{By: string(q.Metrics[0]), Descending: true})
}

// Range returns the range of the question at now, which is in the time zone of the site.
// For AllTime it is the current day.
func (q *Question) Range(now time.Time) Range { return q.dateRange.at(now) }

// AllTime reports whether the range begins with the first event of the site.
func (q *Question) AllTime() bool { return q.dateRange.name == allTime }

// RangeKey identifies the ranges of the question at now, its own and that of its comparisons:
// they are the same if their keys are.
func (q *Question) RangeKey(now time.Time) string {
	r := q.Range(now)
	key := fmt.Sprint(q.dateRange.name, " ", r.From.UnixMilli(), " ", r.To.UnixMilli(), " ", now.Location())
	if c := q.Include.Comparisons; c != nil {
		key += " " + c.Range(r, now).To.String()
	}
	return key
}
