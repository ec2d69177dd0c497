package report

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

//go:embed sql/*.sql
var files embed.FS

// statements are the statements of the folder sql. What they leave open is filled
// in with SQL from this file only.
//
//nolint:gochecknoglobals // a constant in all but name: reading it anew would cost as much as a small question
var statements = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(files, "sql/*.sql"))
})

// statement fills in a statement for one question, and collects its parameters.
type statement struct {
	question *resolved
	rollup   visit.Dimension
	filters  []Filter
	args     pgx.NamedArgs
}

// window is which rows are wanted; all when it is nil.
type window struct {
	Pagination
	total bool // and how many there are
}

// rolledUp answers from rollups. Rows are in order when a window is asked for; total is
// the number of all rows, when the window includes it.
func (a asked) rolledUp(ctx context.Context, r *resolved, from source, w *window) (rows []*group, total int64, err error) {
	rows, total, err = a.page(ctx, r, from, w)
	if err == nil && w != nil && len(rows) == 0 && w.total && w.Offset > 0 {
		// The total stands in the rows, and there is none past the last.
		_, total, err = a.page(ctx, r, from, &window{Pagination{Limit: 1}, true})
	}
	return rows, total, err
}

func (a asked) page(ctx context.Context, r *resolved, from source, w *window) (rows []*group, total int64, err error) {
	sql, args := r.statement(a.site.ID, from, w)
	result, err := a.tx.Query(ctx, sql, args)
	if err != nil {
		return nil, 0, fmt.Errorf("ask for %s: %w", from, err)
	}
	var (
		c      counts
		period *time.Time
		value  string
	)
	into := []any{&period, &value, &c.visitors, &c.visits, &c.pageviews, &c.events, &c.bounces, &c.seconds, &c.engaged}
	if w != nil {
		into = append(into, &total)
	}
	_, err = pgx.ForEachRow(result, into, func() error {
		g := &group{tallied: tallied{counts: c}}
		if period != nil {
			g.period = *period
		}
		if len(r.properties) > 0 {
			g.values = []string{value}
		}
		rows = append(rows, g)
		return a.limits.bounded(len(rows))
	})
	if err != nil {
		return nil, 0, fmt.Errorf("ask for %s: %w", from, err)
	}
	return rows, total, nil
}

// sorted tells whether a rollup's statement can put the rows in order.
func (r *resolved) sorted() bool {
	for _, o := range r.Order {
		if m, ok := metricNamed(o.By); ok && m.sql == "" {
			return false
		}
	}
	return len(r.properties) == 0 || !r.properties[0].isGoal() && !r.properties[0].names
}

// statement is the SQL for one source, with its parameters.
func (r *resolved) statement(site int32, from source, w *window) (string, pgx.NamedArgs) {
	s := &statement{question: r, args: pgx.NamedArgs{"site": site}}
	if from == fromDays {
		s.days()
	} else {
		s.args["from"], s.args["to"] = r.span.from, r.span.to
	}
	rows := execute(from.String()+".sql", s)
	if w == nil {
		return rows, s.args
	}
	s.args["limit"], s.args["offset"] = w.Limit, w.Offset
	return execute("page.sql", page{strings.TrimSpace(rows), s.kept(), s.order(), w.total}), s.args
}

// page is what page.sql leaves open.
type page struct {
	Rows, Kept, Order string
	TotalRows         bool
}

func execute(name string, with any) string {
	var b strings.Builder
	if err := statements().ExecuteTemplate(&b, name, with); err != nil {
		panic(err) // a template and what it is given are both of this package
	}
	return b.String()
}

// days are the parameters of the rollups of days and months.
func (s *statement) days() {
	s.rollup, s.filters, _ = s.question.rollup()
	s.args["dimension"], s.args["first_day"] = s.rollup, s.question.span.first.Date()
	cut := s.question.stretches()
	for name, days := range map[string][2]event.Day{"head": cut.head, "months": cut.months, "tail": cut.tail} {
		s.args[name+"_first"], s.args[name+"_last"] = days[0].Date(), days[1].Date()
	}
	for i, f := range s.filters {
		s.args[filterName(i)] = f.operand()
	}
	s.args["none"] = s.none()
}

// none is what answers call a value of the rollup that is not known.
func (s *statement) none() string {
	for _, d := range dimensions() {
		if d.rollup == s.rollup && d.rollup != visit.Total {
			return d.none
		}
	}
	return ""
}

// Period is the period of a row.
func (s *statement) Period() string {
	switch s.question.grain {
	case dayGrain:
		return `day`
	case weekGrain:
		return `greatest(date_trunc('week', day::timestamp)::date, @first_day)`
	case monthGrain:
		return `date_trunc('month', day::timestamp)::date`
	default:
		return `NULL::date`
	}
}

// Value is the value of a row, of which there is one when the question has no property.
func (s *statement) Value() string {
	if len(s.question.properties) == 0 {
		return `''`
	}
	return `value`
}

// Group are the columns that tell rows apart.
func (s *statement) Group() string {
	if len(s.question.properties) == 0 {
		return "period"
	}
	return "period, value"
}

// Conditions are the filters.
func (s *statement) Conditions() []string {
	var conditions []string
	for i := range s.filters {
		conditions = append(conditions, `value `+s.filters[i].comparison()+` (@`+filterName(i)+`)`)
	}
	return conditions
}

// kept is the condition for a row to be answered.
func (s *statement) kept() string {
	if len(s.question.properties) > 0 && s.question.properties[0].skip {
		return `value <> ''`
	}
	return ""
}

// order is the order of rows: as asked, then by time and by values, so that no two
// rows ever change places.
func (s *statement) order() string {
	var criteria []string
	for _, o := range s.question.Order {
		criterion := `period`
		if m, ok := metricNamed(o.By); ok {
			criterion = m.sql
		} else if len(s.question.properties) > 0 && s.question.properties[0].Name == o.By {
			criterion = s.shownOrder()
		}
		if o.Descending {
			criterion += ` DESC`
		}
		criteria = append(criteria, criterion)
	}
	return strings.Join(append(criteria, `period`, s.shownOrder()), ", ")
}

// shownOrder is the order of values as answers show them: by their bytes.
func (s *statement) shownOrder() string {
	if s.none() == "" {
		return `value`
	}
	return `(CASE value WHEN '' THEN @none ELSE value END) COLLATE "C"`
}

func filterName(i int) string { return fmt.Sprintf("filter%d", i) }

func (f *Filter) comparison() string {
	switch f.Operator {
	case IsNot:
		return `<> ALL`
	case Contains:
		return `LIKE ANY`
	case NotContain:
		return `NOT LIKE ALL`
	default:
		return `= ANY`
	}
}

// operand is the parameter that the comparison is with.
func (f *Filter) operand() []string {
	if f.equates() {
		if none := f.Dimension.none; none != "" && slices.Contains(f.Values, none) {
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
