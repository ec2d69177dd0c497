package engine

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/kept"
)

//go:embed sql/*.sql
var files embed.FS

// templates are the statements of the folder sql. Only SQL from this file fills them in.
//
//nolint:gochecknoglobals // a constant in all but name: parsing it anew would cost as much as a small question
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(files, "sql/*.sql"))
})

// statement fills in a template for one question, and collects its parameters. Templates
// call its exported methods.
type statement struct {
	plan    *Plan
	rollup  visit.Dimension
	filters []language.Filter
	args    pgx.NamedArgs
}

// errBounded means that a question needs every value of a dimension, and some day keeps only the
// most frequent ones. Its row of visit.Other also counts values that don't pass the filter.
var errBounded = errors.New("the rollups don't have every value")

// page selects some of the rows, in order.
type page struct {
	language.Pagination
	total bool // whether to count all rows
}

// queryRollups returns rows from rollups: those of a page in order, or all in no order if
// the page is nil. If the page asks for it, total is the number of all rows.
func (s *Session) queryRollups(ctx context.Context, p *Plan, from Source, of *page) (rows []*Group, total int64, err error) {
	rows, total, err = s.queryPage(ctx, p, from, of)
	if err == nil && of != nil && len(rows) == 0 && of.total && of.Offset > 0 {
		// Rows carry the total, and there are none past the last.
		_, total, err = s.queryPage(ctx, p, from, &page{language.Pagination{Limit: 1}, true})
	}
	return rows, total, err
}

func (s *Session) queryPage(ctx context.Context, p *Plan, from Source, of *page) (rows []*Group, total int64, err error) {
	err = s.Read(ctx, func(tx database.DB) error {
		rows, total, err = s.readPage(ctx, tx, p, from, of)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("query rollups of %s: %w", from, err)
	}
	return rows, total, nil
}

func (s *Session) readPage(ctx context.Context, tx database.DB, p *Plan, from Source, of *page) (rows []*Group, total int64, err error) {
	var complete []visit.Dimension // that must have every value
	if dimension, filters, _ := p.rollup(); p.countsEntries() {
		complete = []visit.Dimension{dimension, visit.EntryPage} // days keep other pages of each
	} else if len(filters) > 0 {
		complete = []visit.Dimension{dimension}
	}
	bounded, err := kept.Sizes(ctx, tx, s.Site.ID, p.Range.First, p.Range.Last, complete)
	if err != nil {
		return nil, 0, err
	}
	if len(bounded) > 0 {
		return nil, 0, errBounded
	}
	sql, args := p.statement(s.Site.ID, from, of)
	result, err := tx.Query(ctx, sql, args)
	if err != nil {
		return nil, 0, err
	}
	var (
		c      counts
		period *time.Time
		value  string
	)
	into := []any{&period, &value, &c.Visitors, &c.visits, &c.Pageviews, &c.Events, &c.entries, &c.bounces, &c.seconds, &c.engaged}
	if of != nil {
		into = append(into, &total)
	}
	_, err = pgx.ForEachRow(result, into, func() error {
		g := &Group{tally: tally{counts: c}}
		if period != nil {
			g.Period = *period
		}
		if len(p.Properties) > 0 {
			g.Values = []string{value}
		}
		rows = append(rows, g)
		return s.Add(int64(rowSize + valueSize + len(value)))
	})
	return rows, total, err
}

// sortsInSQL reports whether a statement on rollups can order the rows.
func (p *Plan) sortsInSQL() bool {
	for _, o := range p.Order {
		if d, ok := definitionOf(language.Metric(o.By)); ok && d.sql == "" {
			return false
		}
	}
	return len(p.Properties) == 0 || !p.Properties[0].IsGoal() && !p.Properties[0].ShowsNames()
}

// statement returns the SQL for one source, with its parameters.
func (p *Plan) statement(site int32, from Source, of *page) (string, pgx.NamedArgs) {
	s := &statement{plan: p, args: pgx.NamedArgs{"site": site}}
	if from == DayRollups {
		s.bindDays()
	} else {
		s.args["from"], s.args["to"] = p.Range.From, p.Range.To
	}
	rows := execute(from.String()+".sql", s)
	if of == nil {
		return rows, s.args
	}
	s.args["limit"], s.args["offset"] = of.Limit, of.Offset
	return execute("page.sql", pageData{strings.TrimSpace(rows), s.condition(), s.order(), of.total}), s.args
}

// pageData fills in page.sql.
type pageData struct {
	Rows, Condition, Order string
	TotalRows              bool
}

func execute(name string, data any) string {
	var b strings.Builder
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // the templates and their data are both part of this package
	}
	return b.String()
}

// bindDays sets the parameters of the rollups of days and months.
func (s *statement) bindDays() {
	s.rollup, s.filters, _ = s.plan.rollup()
	s.args["dimension"], s.args["first_day"] = s.rollup, s.plan.Range.First.Date()
	if s.plan.countsEntries() {
		s.args["entry_dimension"] = visit.EntryPage
	}
	split := s.plan.segments()
	for name, days := range map[string][2]event.Day{"head": split.head, "months": split.months, "tail": split.tail} {
		s.args[name+"_first"], s.args[name+"_last"] = days[0].Date(), days[1].Date()
	}
	for i := range s.filters {
		s.args[filterParameter(i)] = operand(&s.filters[i])
	}
	s.args["unknown"] = s.unknown()
}

// unknown returns what answers call the unknown value of the rows.
func (s *statement) unknown() string {
	if len(s.plan.Properties) == 0 {
		return ""
	}
	return s.plan.Properties[0].Unknown()
}

// Dimensions returns the condition for rows to be counted.
func (s *statement) Dimensions() string {
	if s.plan.countsEntries() {
		return `dimension IN (@dimension, @entry_dimension)`
	}
	return `dimension = @dimension`
}

// Sum returns the sum of a column.
func (s *statement) Sum(column string) string { return s.sumOf(column, `@dimension`) }

// EntrySum returns the sum of a column over the visits that bounce_rate is about.
func (s *statement) EntrySum(column string) string { return s.sumOf(column, `@entry_dimension`) }

func (s *statement) sumOf(column, dimension string) string {
	if !s.plan.countsEntries() {
		return `sum(` + column + `)::bigint`
	}
	return `coalesce(sum(` + column + `) FILTER (WHERE dimension = ` + dimension + `), 0)::bigint`
}

// Period returns the expression for the period of a row.
func (s *statement) Period() string {
	switch s.plan.Grain {
	case language.DayGrain:
		return `day`
	case language.WeekGrain:
		return `greatest(date_trunc('week', day::timestamp)::date, @first_day)`
	case language.MonthGrain:
		return `date_trunc('month', day::timestamp)::date`
	default:
		return `NULL::date`
	}
}

// Value returns the expression for the value of a row.
func (s *statement) Value() string {
	if len(s.plan.Properties) == 0 {
		return `''`
	}
	return `value`
}

// Group returns the columns that identify a row.
func (s *statement) Group() string {
	if len(s.plan.Properties) == 0 {
		return "period"
	}
	return "period, value"
}

// Conditions returns the filters.
func (s *statement) Conditions() []string {
	var conditions []string
	for i := range s.filters {
		conditions = append(conditions, `value `+comparison(s.filters[i].Operator)+` (@`+filterParameter(i)+`)`)
	}
	return conditions
}

// condition returns the condition for a row to be part of the answer.
func (s *statement) condition() string {
	if len(s.plan.Properties) > 0 && s.plan.Properties[0].SkipsUnknown() {
		return `value <> ''`
	}
	return ""
}

// order returns the order of rows: the question's, then by time and by values, so that it is
// the same for every page.
func (s *statement) order() string {
	var criteria []string
	for _, o := range s.plan.Order {
		criterion := `period`
		if d, ok := definitionOf(language.Metric(o.By)); ok {
			criterion = d.sql
		} else if len(s.plan.Properties) > 0 && s.plan.Properties[0].Name == o.By {
			criterion = s.labelOrder()
		}
		if o.Descending {
			criterion += ` DESC`
		}
		criteria = append(criteria, criterion)
	}
	return strings.Join(append(criteria, `period`, s.labelOrder()), ", ")
}

// labelOrder returns the order of values as answers show them, by their bytes.
func (s *statement) labelOrder() string {
	if s.unknown() == "" {
		return `value`
	}
	return `(CASE value WHEN '' THEN @unknown ELSE value END) COLLATE "C"`
}

func filterParameter(i int) string { return fmt.Sprintf("filter%d", i) }

// comparison returns the SQL of an operator.
func comparison(o language.Operator) string {
	switch o {
	case language.IsNot:
		return `<> ALL`
	case language.Contains:
		return `LIKE ANY`
	case language.ContainsNot:
		return `NOT LIKE ALL`
	default:
		return `= ANY`
	}
}

// operand returns the parameter with which a filter compares.
func operand(f *language.Filter) []string {
	if f.Equates() {
		if unknown := f.Dimension.Unknown(); unknown != "" && slices.Contains(f.Values, unknown) {
			return append(slices.Clone(f.Values), "")
		}
		return f.Values
	}
	escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
	patterns := make([]string, len(f.Values))
	for i, value := range f.Values {
		patterns[i] = `%` + escape.Replace(value) + `%`
	}
	return patterns
}
