package report

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/metric"
	"github.com/analytics-platform/analytics/shared/query/table"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// NumberTable returns the answer to a question as a table: a column for each dimension and
// metric, by their names in the question. A metric of money has a column for its currency.
// The numbers of the other range follow after its period: those of visitors as
// visitors_before and visitors_change.
func NumberTable(q *language.Question, a Answer) table.Table {
	var list []table.Column
	add := func(name string, kind table.Kind) { list = append(list, table.Column{Name: name, Kind: kind}) }
	addMetric := func(m language.Metric, suffix string) {
		switch {
		case m.IsMoney():
			add(string(m)+suffix, table.Decimal)
			add(string(m)+"_currency"+suffix, table.Text)
		case m == language.RevenueByCurrency:
			add(string(m)+suffix, table.JSON)
		case m.IsCount():
			add(string(m)+suffix, table.Whole)
		default:
			add(string(m)+suffix, table.Number)
		}
	}
	for i := range q.Dimensions {
		add(q.Dimensions[i].Name, table.Text)
	}
	for _, m := range q.Metrics {
		addMetric(m, "")
	}
	compared := q.Include.Comparisons != nil
	if compared {
		if d := q.TimeDimension(); d != nil {
			add(d.Name+"_before", table.Text)
		}
		for _, m := range q.Metrics {
			addMetric(m, "_before")
			add(string(m)+"_change", table.Number)
		}
	}
	return table.OfEach(a.Query.DateRange, list, len(a.Results), func(i int) [][]table.Cell {
		row := make([]table.Cell, 0, len(list))
		for _, value := range a.Results[i].Dimensions {
			row = append(row, table.OfText(value))
		}
		for n, m := range q.Metrics {
			row = append(row, metricCells(m, a.Results[i].Metrics[n])...)
		}
		if compared {
			row = append(row, comparisonCells(q, a.Results[i].Comparison)...)
		}
		return [][]table.Cell{row}
	})
}

// comparisonCells returns the cells of a row about the other range. They are empty if there
// is nothing to compare.
func comparisonCells(q *language.Question, c *Comparison) (cells []table.Cell) {
	for i := range q.Dimensions {
		switch {
		case !q.Dimensions[i].IsTime():
		case c == nil:
			cells = append(cells, table.Cell{})
		default:
			cells = append(cells, table.OfText(c.Dimensions[i]))
		}
	}
	for n, m := range q.Metrics {
		before, change := metric.Value{}, (*float64)(nil)
		if c != nil {
			before, change = c.Metrics[n], c.Change[n]
		}
		cells = append(append(cells, metricCells(m, before)...), optionalNumber(change))
	}
	return cells
}

// metricCells returns the cells of a value: two for money, otherwise one.
func metricCells(m language.Metric, v metric.Value) []table.Cell {
	switch {
	case m.IsMoney() && v.Known:
		return []table.Cell{table.OfDecimal(v.Amount), table.OfText(v.Currency)}
	case m.IsMoney():
		return make([]table.Cell, 2)
	case !v.Known:
		return make([]table.Cell, 1)
	case m == language.RevenueByCurrency:
		return []table.Cell{table.OfJSON(jsontext.Value(v.Amounts))}
	case m.IsCount():
		return []table.Cell{table.OfWhole(int64(v.Number))}
	default:
		return []table.Cell{table.OfNumber(v.Number)}
	}
}

func optionalNumber(n *float64) table.Cell {
	if n == nil {
		return table.Cell{}
	}
	return table.OfNumber(*n)
}

// FunnelTable returns the answer to a question about a funnel as a table: a row for each
// step, first in all, with an empty value of the breakdown, then for each of its values.
func FunnelTable(f *language.Funnel, a FunnelAnswer) table.Table {
	list := []table.Column{
		{Name: "step", Kind: table.Whole}, {Name: "name", Kind: table.Text}, {Name: "visitors", Kind: table.Whole}, {Name: "drop_off", Kind: table.Whole},
		{Name: "conversion_rate", Kind: table.Number}, {Name: "total_conversion_rate", Kind: table.Number}, {Name: "median_seconds", Kind: table.Number},
	}
	if f.Breakdown != nil {
		list = append([]table.Column{{Name: f.Breakdown.Name, Kind: table.Text}}, list...)
	}
	var rows [][]table.Cell
	add := func(value table.Cell, steps []StepResult) {
		for i := range steps {
			s := &steps[i]
			row := make([]table.Cell, 0, len(list))
			if f.Breakdown != nil {
				row = append(row, value)
			}
			rows = append(rows, append(row, table.OfWhole(i+1), table.OfText(s.Name), table.OfWhole(s.Visitors), table.OfWhole(s.DropOff),
				table.OfNumber(s.ConversionRate), table.OfNumber(s.TotalConversionRate), optionalNumber(s.MedianSeconds)))
		}
	}
	add(table.Cell{}, a.Steps)
	for i := range a.Breakdown {
		add(table.OfText(a.Breakdown[i].Value), a.Breakdown[i].Steps)
	}
	return table.Of(a.DateRange, list, rows)
}

// CohortTable returns the answer to a question about cohorts as a table. Acquisition cohorts
// have a row for each thing that was done, or one row if none is asked for; the others have
// a row for each number of periods after.
func CohortTable(c *language.Cohorts, a CohortsAnswer) table.Table {
	list := []table.Column{{Name: "period", Kind: table.Text}}
	if c.By != nil {
		list = append(list, table.Column{Name: c.By.Name, Kind: table.Text})
	}
	list = append(list, table.Column{Name: "visitors", Kind: table.Whole})
	acquisition := c.Kind == language.Acquisition
	switch {
	case !acquisition:
		list = append(list, table.Column{Name: "after", Kind: table.Whole}, table.Column{Name: "returned", Kind: table.Whole}, table.Column{Name: "percentage", Kind: table.Number})
	case len(c.Did) > 0:
		list = append(list, table.Column{Name: "did", Kind: table.Text}, table.Column{Name: "did_visitors", Kind: table.Whole}, table.Column{Name: "percentage", Kind: table.Number})
	}
	return table.OfEach(a.DateRange, list, len(a.Cohorts), func(i int) (rows [][]table.Cell) {
		cohort := &a.Cohorts[i]
		head := []table.Cell{table.OfText(cohort.Period)}
		if cohort.Value != nil {
			head = append(head, table.OfText(*cohort.Value))
		}
		head = append(head, table.OfWhole(cohort.Visitors))
		if acquisition && len(c.Did) == 0 {
			rows = append(rows, head)
		}
		for n, s := range append(cohort.Did, cohort.Returned...) {
			label := table.OfText(s.Name)
			if !acquisition {
				label = table.OfWhole(n)
			}
			rows = append(rows, append(head[:len(head):len(head)], label, table.OfWhole(s.Visitors), table.OfNumber(s.Percentage)))
		}
		return rows
	})
}

// JourneyTable returns the links of a graph as a table, with the nodes at their ends. The
// step is that of the source.
func JourneyTable(a JourneysAnswer) table.Table {
	list := []table.Column{
		{Name: "step", Kind: table.Whole}, {Name: "source_kind", Kind: table.Text}, {Name: "source", Kind: table.Text},
		{Name: "target_kind", Kind: table.Text}, {Name: "target", Kind: table.Text}, {Name: "visits", Kind: table.Whole},
	}
	rows := make([][]table.Cell, len(a.Links))
	for i, link := range a.Links {
		source, target := &a.Nodes[link.Source], &a.Nodes[link.Target]
		rows[i] = []table.Cell{
			table.OfWhole(source.Step), table.OfText(string(source.Kind)), table.OfText(source.Name),
			table.OfText(string(target.Kind)), table.OfText(target.Name), table.OfWhole(link.Visits),
		}
	}
	return table.Of(a.DateRange, list, rows)
}

// visitColumns lists the columns of a visit, by the names in answers.
func visitColumns() []table.Column {
	list := []table.Column{
		{Name: "id", Kind: table.Text}, {Name: "visitor", Kind: table.Text}, {Name: "started_at", Kind: table.Time},
		{Name: "duration", Kind: table.Whole}, {Name: "engaged", Kind: table.Whole}, {Name: "pageviews", Kind: table.Whole}, {Name: "events", Kind: table.Whole},
		{Name: "bounce", Kind: table.Flag}, {Name: "entry_page", Kind: table.Text}, {Name: "exit_page", Kind: table.Text}, {Name: "hostname", Kind: table.Text},
	}
	return append(append(list, attributeColumns()...), table.Column{Name: "revenue", Kind: table.JSON})
}

// attributeColumns lists the columns of event.Attributes.
func attributeColumns() (list []table.Column) {
	for _, name := range event.AttributeNames() {
		list = append(list, table.Column{Name: name, Kind: table.Text})
	}
	return list
}

// visitCells returns the cells of visitColumns.
func visitCells(s *store.StoredVisit, location *time.Location) []table.Cell {
	v := summary(s, location)
	cells := []table.Cell{
		table.OfText(v.ID), table.OfText(v.Visitor), table.OfTime(s.Visit.Start.In(location), time.RFC3339),
		table.OfWhole(v.Duration), table.OfWhole(v.Engaged), table.OfWhole(v.Pageviews), table.OfWhole(v.Events), table.OfFlag(v.Bounce),
	}
	attributes := v.AttributeValues()
	for _, value := range slices.Concat([]*string{&v.EntryPage, &v.ExitPage, &v.Hostname}, attributes[:]) {
		cells = append(cells, table.OfText(*value))
	}
	return append(cells, table.OfJSON(v.Revenue))
}
