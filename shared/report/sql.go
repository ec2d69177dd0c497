package report

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/store"
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
	args     pgx.NamedArgs
}

// column is a value that the statement selects.
type column struct{ SQL, Name string }

// rows answers from one source; total is the number of rows without pagination,
// when the question includes it. Without dimensions there is always one row.
func (r *resolved) rows(ctx context.Context, db store.DB, site int32, from source) (rows []Row, total int64, err error) {
	rows, total, err = r.page(ctx, db, site, from, r.Pagination)
	if err == nil && len(rows) == 0 && len(r.Dimensions) == 0 {
		if r.Pagination.Offset == 0 {
			rows = append(rows, r.row(counts{}))
		}
		return rows, 1, nil
	}
	if err == nil && len(rows) == 0 && r.Include.TotalRows && r.Pagination.Offset > 0 {
		// The total stands in the rows, and there is none past the last.
		_, total, err = r.page(ctx, db, site, from, Pagination{Limit: 1})
	}
	return rows, total, err
}

func (r *resolved) page(ctx context.Context, db store.DB, site int32, from source, p Pagination) ([]Row, int64, error) {
	sql, args := r.statement(site, from, p)
	result, err := db.Query(ctx, sql, args)
	if err != nil {
		return nil, 0, fmt.Errorf("ask for %s: %w", from, err)
	}
	var (
		c      counts
		period *time.Time
		total  int64
		values = make([]string, len(r.properties))
		rows   = []Row{}
	)
	into := []any{&period}
	for i := range values {
		into = append(into, &values[i])
	}
	into = append(into, &c.visitors, &c.visits, &c.pageviews, &c.events, &c.bounces, &c.seconds, &total)
	_, err = pgx.ForEachRow(result, into, func() error {
		row := r.row(c)
		for i, next := 0, 0; i < len(r.Dimensions); i++ {
			if r.Dimensions[i].isTime() {
				row.Dimensions = append(row.Dimensions, r.grain.label(*period, r.span.from.Location()))
				continue
			}
			row.Dimensions = append(row.Dimensions, values[next])
			next++
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("ask for %s: %w", from, err)
	}
	return rows, total, nil
}

// row is a row of the answer, still without dimensions.
func (r *resolved) row(c counts) Row {
	row := Row{Dimensions: []string{}}
	for _, name := range r.Metrics {
		if m, ok := metricNamed(string(name)); ok {
			row.Metrics = append(row.Metrics, m.value(c))
		}
	}
	return row
}

// statement is the SQL for one source, with its parameters.
func (r *resolved) statement(site int32, from source, p Pagination) (string, pgx.NamedArgs) {
	s := &statement{r, pgx.NamedArgs{"site": site, "limit": p.Limit, "offset": p.Offset}}
	s.bounds(from)
	for i, f := range r.Filters {
		s.args[filterName(i)] = f.operand()
	}
	for _, d := range dimensions() {
		if d.none != "" {
			s.args[d.noneName()] = d.none
		}
	}
	rows := execute(from.String()+".sql", s)
	return execute("page.sql", page{strings.TrimSpace(rows), s.kept(), s.order(), r.Include.TotalRows}), s.args
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

// bounds are the parameters that say which stretch of time is asked for. The days
// of events and visits are told by their own column, not by when they happened:
// the site may have had another time zone then. Their times only have to be near.
func (s *statement) bounds(from source) {
	r := s.question
	const widest = 14 * time.Hour // that a local day is off UTC
	if r.wholeDays() {
		s.args["from"], s.args["to"] = r.span.first.Date().Add(-widest), (r.span.last + 1).Date().Add(widest)
	} else {
		s.args["from"], s.args["to"] = r.span.from, r.span.to
	}
	s.args["first_day"], s.args["last_day"] = r.span.first.Date(), r.span.last.Date()
	if from != fromDays {
		return
	}
	s.args["dimension"], _ = r.rollup()
	cut := r.stretches()
	for name, days := range map[string][2]event.Day{"head": cut.head, "months": cut.months, "tail": cut.tail} {
		s.args[name+"_first"], s.args[name+"_last"] = days[0].Date(), days[1].Date()
	}
}

// WholeDays tells whether the events are picked by their day.
func (s *statement) WholeDays() bool { return s.question.wholeDays() }

// Period is the period of a row, given the SQL of its day.
func (s *statement) Period(day string) string {
	switch s.question.grain {
	case hourGrain:
		return startOfHour
	case dayGrain:
		return day
	case weekGrain:
		return `greatest(date_trunc('week', ` + day + `::timestamp)::date, @first_day)`
	case monthGrain:
		return `date_trunc('month', ` + day + `::timestamp)::date`
	default:
		return `NULL::date`
	}
}

// startOfHour is when the local hour of an event began.
const startOfHour = `date_trunc('hour', e.time + e.utc_offset * interval '1 minute', 'UTC') - e.utc_offset * interval '1 minute'`

// Start is where the period of an event begins, or the range when that is later:
// a visit counts there when it began no earlier.
func (s *statement) Start() string {
	if s.question.grain == hourGrain {
		return `greatest(@from, ` + startOfHour + `)`
	}
	return `@from`
}

// Values are the values of the question's properties, given what the tables are
// called that hold those of events and those of visits. The rollups, called
// "value", hold one property, in a column of that name.
func (s *statement) Values(events, visits string) []column {
	var columns []column
	for i := range s.question.properties {
		columns = append(columns, column{s.question.properties[i].sql(events, visits), valueName(i)})
	}
	return columns
}

// Conditions are the filters.
func (s *statement) Conditions(events, visits string) []string {
	var conditions []string
	for i := range s.question.Filters {
		f := &s.question.Filters[i]
		conditions = append(conditions, f.Dimension.sql(events, visits)+` `+f.comparison()+` (@`+filterName(i)+`)`)
	}
	return conditions
}

// Group are the columns that tell rows apart.
func (s *statement) Group() string {
	names := []string{"period"}
	for i := range s.question.properties {
		names = append(names, valueName(i))
	}
	return strings.Join(names, ", ")
}

// kept is the condition for a row to be answered.
func (s *statement) kept() string {
	var conditions []string
	for i, d := range s.question.properties {
		if d.skip {
			conditions = append(conditions, valueName(i)+` <> ''`)
		}
	}
	return strings.Join(conditions, ` AND `)
}

// order is the order of rows: as asked, then by time and by values, so that no two
// rows ever change places.
func (s *statement) order() string {
	var criteria []string
	for _, o := range s.question.Order {
		criterion := s.criterion(o.By)
		if o.Descending {
			criterion += ` DESC`
		}
		criteria = append(criteria, criterion)
	}
	criteria = append(criteria, `period`)
	for i := range s.question.properties {
		criteria = append(criteria, valueOrder(i))
	}
	return strings.Join(criteria, ", ")
}

// criterion is the SQL of a metric or dimension of the question.
func (s *statement) criterion(name string) string {
	if m, ok := metricNamed(name); ok {
		return m.sql
	}
	for i, d := range s.question.properties {
		if d.Name == name {
			return valueOrder(i)
		}
	}
	return `period`
}

func valueName(i int) string { return fmt.Sprintf("value%d", i) }

// valueOrder is the order of values: the same on every server.
func valueOrder(i int) string { return valueName(i) + ` COLLATE "C"` }

func filterName(i int) string { return fmt.Sprintf("filter%d", i) }

// sql is the value of the property as answers show it.
func (d *Dimension) sql(events, visits string) string {
	name := visits
	switch {
	case visits == "value": // of a rollup
	case d.value.OfEvent():
		name = events + `.` + d.value.Column()
	default:
		name = visits + `.` + d.value.Column()
	}
	if d.none == "" {
		return name
	}
	return `CASE ` + name + ` WHEN '' THEN @` + d.noneName() + ` ELSE ` + name + ` END`
}

// noneName is the parameter that holds what a value that is not known is called.
func (d *Dimension) noneName() string { return fmt.Sprintf("none%d", d.value) }

func (f *Filter) comparison() string {
	switch f.Operator {
	case IsNot:
		return `<> ALL`
	case Contains:
		return `LIKE ANY`
	case ContainsNot:
		return `NOT LIKE ALL`
	default:
		return `= ANY`
	}
}

// operand is the parameter that the comparison is with.
func (f *Filter) operand() []string {
	if f.Operator == Is || f.Operator == IsNot {
		return f.Values
	}
	escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
	patterns := make([]string, len(f.Values))
	for i, value := range f.Values {
		patterns[i] = `%` + escape.Replace(value) + `%`
	}
	return patterns
}
