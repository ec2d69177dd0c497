package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/catalogue"
)

// fields is the catalogue in the form that the templates need.
type fields struct {
	Event  []catalogue.Field // stored, in the order of the SQL columns
	Visit  []catalogue.Field // stored, in the order of the SQL columns
	Inputs []catalogue.Input

	Queue          []catalogue.Field // of an event, in the order of the queue form; the zero Field is the version
	QueueVersion   int
	QueueVersionAt int
	FirstQueue     int // number of elements in version 1

	ArchiveVersion int
}

func load() (fields, error) {
	f := fields{
		Event: catalogue.Event(), Visit: catalogue.Visit(), Inputs: catalogue.Inputs(),
		QueueVersion: catalogue.QueueVersion, QueueVersionAt: catalogue.QueueVersionAt, FirstQueue: catalogue.FirstQueueElements,
		ArchiveVersion: catalogue.ArchiveVersion,
	}
	f.Queue = make([]catalogue.Field, len(f.Event)+1)
	for _, field := range f.Event {
		switch {
		case field.Queue >= len(f.Queue) || field.Queue == catalogue.QueueVersionAt || f.Queue[field.Queue].Go != "":
			return f, fmt.Errorf("the field %s can't have position %d in the queue form: positions must be unique and without gaps", field.Go, field.Queue)
		case field.Column.Since > catalogue.ArchiveVersion:
			return f, fmt.Errorf("the column of %s is new in version %d: raise ArchiveVersion", field.Go, field.Column.Since)
		}
		f.Queue[field.Queue] = field
	}
	rollups := map[int16]string{}
	for _, field := range slices.Concat(f.EventOnly(), f.Visit) {
		if other := rollups[field.Rollup]; other != "" && field.Rollup != 0 {
			return f, fmt.Errorf("%s and %s have the same rollup dimension", other, field.Go)
		}
		rollups[field.Rollup] = field.Go
	}
	return f, nil
}

// EventOnly returns the fields of an event that a visit does not have.
func (f fields) EventOnly() []catalogue.Field {
	return slices.DeleteFunc(slices.Clone(f.Event), func(field catalogue.Field) bool { return field.Attribute })
}

// Attributes returns the fields that a visit takes from its first event.
func (f fields) Attributes() []catalogue.Field {
	return slices.DeleteFunc(slices.Clone(f.Event), func(field catalogue.Field) bool { return !field.Attribute })
}

// StoredVisit returns the fields of a visit that the database stores.
func (f fields) StoredVisit() []catalogue.Field {
	return slices.DeleteFunc(slices.Clone(f.Visit), func(field catalogue.Field) bool { return field.Derived })
}

// column is a column of an archived day.
type column struct {
	catalogue.Column
	Numbers bool
	OfVisit bool
	Value   string // Go expression for the value in a row
	Doc     string
}

// Columns returns all columns of an archived day, first those of events.
func (f fields) Columns() (all []column) {
	add := func(field catalogue.Field, ofVisit bool, member string) {
		if field.Column.Go == "" {
			return
		}
		c := column{Column: field.Column, OfVisit: ofVisit, Numbers: true, Doc: field.Doc}
		if c.Name == "" {
			c.Name = field.Name
		}
		c.Since = max(c.Since, 1)
		switch field.Type {
		case catalogue.Text, catalogue.Amount, catalogue.OptionID:
			c.Numbers, c.Value = false, member
		case catalogue.Bool:
			c.Value = "truth(" + member + ")"
		case catalogue.Time:
			c.Value = "b.since(" + member + ")"
		default:
			c.Value = "int64(" + member + ")"
		}
		if field.Value != "" {
			c.Value = field.Value
		}
		all = append(all, c)
	}
	for _, field := range f.EventOnly() {
		add(field, false, "e."+field.Go)
	}
	for _, field := range f.Visit {
		add(field, true, "v."+field.Go)
	}
	return all
}

// Predicted returns the columns that are predicted, from another column or by a rule alone.
func (f fields) Predicted() []column {
	return slices.DeleteFunc(f.Columns(), func(c column) bool { return c.Predict == "" })
}

// NewColumns returns the columns that are not in version 1 of the archive form.
func (f fields) NewColumns() []column {
	return slices.DeleteFunc(f.Columns(), func(c column) bool { return c.Since == 1 })
}

// ColumnNamed returns the Go name of a column.
func (f fields) ColumnNamed(name string) (string, error) {
	for _, c := range f.Columns() {
		if c.Name == name {
			return c.Go, nil
		}
	}
	return "", fmt.Errorf("unknown column %q", name)
}

// rollup is a dimension of the rollups.
type rollup struct {
	catalogue.Field
	OfVisit bool
	Value   string
}

// Rollups returns the dimensions of the rollups, in the order of their numbers.
func (f fields) Rollups() (all []rollup) {
	add := func(field catalogue.Field, ofVisit bool, member string) {
		if field.Rollup == 0 {
			return
		}
		if field.Value != "" {
			member = field.Value
		}
		all = append(all, rollup{field, ofVisit, member})
	}
	for _, field := range f.EventOnly() {
		add(field, false, "e."+field.Go)
	}
	for _, field := range f.Visit {
		add(field, true, "v."+field.Go)
	}
	slices.SortFunc(all, func(a, b rollup) int { return int(a.Rollup) - int(b.Rollup) })
	return all
}

// dimension is a dimension of the query language.
type dimension struct {
	catalogue.Dimension
	Column, Rollup string // Go names
}

// Dimensions returns the dimensions of visits, or those of events in the order of their
// rollups.
func (f fields) Dimensions(ofVisit bool) (all []dimension) {
	list := f.Visit
	if !ofVisit {
		list = f.EventOnly()
		slices.SortStableFunc(list, func(a, b catalogue.Field) int {
			if (a.Rollup == 0) != (b.Rollup == 0) {
				return cmp.Compare(b.Rollup, a.Rollup)
			}
			return cmp.Compare(a.Rollup, b.Rollup)
		})
	}
	for _, field := range list {
		for _, d := range field.Dimensions {
			named := dimension{Dimension: d, Column: field.Column.Go}
			if field.Rollup != 0 {
				named.Rollup = field.Go
			}
			all = append(all, named)
		}
	}
	return all
}

// SQL returns a list of SQL expressions for fields, in lines of readable length.
func SQL(list []catalogue.Field, expression func(catalogue.Field) string) string {
	var out strings.Builder
	length := 0
	for i, field := range list {
		text := expression(field)
		switch {
		case i == 0:
		case length+len(text) > 100:
			out.WriteString(",\n    ")
			length = 0
		default:
			out.WriteString(", ")
		}
		out.WriteString(text)
		length += len(text) + 2
	}
	return out.String()
}

// InsertColumns returns the columns of a table.
func (f fields) InsertColumns(list []catalogue.Field) string {
	return SQL(list, func(field catalogue.Field) string { return field.Name })
}

// Parameters returns the array parameters of all fields for unnest.
func (f fields) Parameters(list []catalogue.Field) string {
	n := 0
	return SQL(list, func(field catalogue.Field) string {
		n++
		return fmt.Sprintf("$%d::%s[]", n, sqlType(field.Type))
	})
}

// Updates returns the assignments of an upsert for all columns after those of the key.
func (f fields) Updates(list []catalogue.Field, keys int) string {
	return SQL(list[keys:], func(field catalogue.Field) string { return field.Name + " = excluded." + field.Name })
}

// SelectColumns returns the expressions to read fields: optional ones as text, "" if NULL.
func (f fields) SelectColumns(list []catalogue.Field) string {
	return SQL(list, func(field catalogue.Field) string {
		if field.Type == catalogue.Amount || field.Type == catalogue.Props {
			return "coalesce(" + field.Name + "::text, '')"
		}
		return field.Name
	})
}

// Folded returns the fields that package visit needs.
func (f fields) Folded() []catalogue.Field {
	return slices.DeleteFunc(slices.Clone(f.Event), func(field catalogue.Field) bool { return !field.Folded })
}

// scannedField is a field that a scan reads, and the columns made from it.
type scannedField struct {
	catalogue.Field
	SQL     string
	Columns []string // Go names
}

// Scanned returns the texts of an event that a scan reads only if a column needs them.
func (f fields) Scanned() (all []scannedField) {
	for _, field := range f.Event {
		if field.Column.Go == "" || field.Type != catalogue.Text && field.Type != catalogue.Amount {
			continue
		}
		s := scannedField{Field: field, SQL: f.SelectColumns([]catalogue.Field{field}), Columns: []string{field.Column.Go}}
		for _, c := range f.Predicted() {
			if c.From == field.Name && (c.Predict == catalogue.FirstEvent || c.Predict == catalogue.LastEvent) {
				s.Columns = append(s.Columns, c.Go)
			}
		}
		all = append(all, s)
	}
	return all
}

// Exported returns the fields that an export lists after the type of an event, except the
// subject, which is next to the visitor.
func (f fields) Exported() []catalogue.Field {
	after := slices.IndexFunc(f.Event, func(field catalogue.Field) bool { return field.Type == catalogue.Kind })
	return slices.DeleteFunc(slices.Clone(f.Event[after+1:]), func(field catalogue.Field) bool { return field.Type == catalogue.OptionID })
}

// Limited returns the inputs with a maximum length.
func (f fields) Limited() []catalogue.Input {
	return slices.DeleteFunc(slices.Clone(f.Inputs), func(in catalogue.Input) bool { return in.Max == 0 })
}

// Copied returns the inputs that are copied to fields unchanged.
func (f fields) Copied() []catalogue.Input {
	return slices.DeleteFunc(slices.Clone(f.Inputs), func(in catalogue.Input) bool { return !in.Copy })
}

// InputNames returns the names of the inputs.
func (f fields) InputNames() string {
	var names []string
	for _, in := range f.Inputs {
		names = append(names, in.Name)
	}
	return strings.Join(names, ", ")
}
