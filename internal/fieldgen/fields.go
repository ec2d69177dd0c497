package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/catalogue"
)

// fields is the catalogue as the templates use it.
type fields struct {
	Event  []catalogue.Field // stored, in the order of SQL
	Visit  []catalogue.Field // stored, in the order of SQL
	Inputs []catalogue.Input

	Queue          []catalogue.Field // of an event, in the order of the queue form; the version is the zero Field
	QueueVersion   int
	QueueVersionAt int
	FirstQueue     int // how many elements the first version of all had

	ArchiveVersion int
}

func load() (fields, error) {
	f := fields{
		Event: catalogue.Event(), Visit: catalogue.Visit(), Inputs: catalogue.Inputs(),
		QueueVersion: catalogue.QueueVersion, QueueVersionAt: catalogue.QueueVersionAt, FirstQueue: 36,
		ArchiveVersion: catalogue.ArchiveVersion,
	}
	f.Queue = make([]catalogue.Field, len(f.Event)+1)
	for _, field := range f.Event {
		switch {
		case field.Queue >= len(f.Queue) || field.Queue == catalogue.QueueVersionAt || f.Queue[field.Queue].Go != "":
			return f, fmt.Errorf("the field %s can't have position %d of the queue form: positions are dense, and each is of one field", field.Go, field.Queue)
		case field.Column.Since > catalogue.ArchiveVersion:
			return f, fmt.Errorf("the column of %s begins with version %d: raise ArchiveVersion", field.Go, field.Column.Since)
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

// EventOnly are the fields of an event that a visit has not.
func (f fields) EventOnly() []catalogue.Field {
	return slices.DeleteFunc(slices.Clone(f.Event), func(field catalogue.Field) bool { return field.Attribute })
}

// Attributes are the fields that a visit takes from its first event.
func (f fields) Attributes() []catalogue.Field {
	return slices.DeleteFunc(slices.Clone(f.Event), func(field catalogue.Field) bool { return !field.Attribute })
}

// StoredVisit are the fields of a visit that the database has.
func (f fields) StoredVisit() []catalogue.Field {
	return slices.DeleteFunc(slices.Clone(f.Visit), func(field catalogue.Field) bool { return field.Derived })
}

// column is a column of an archived day.
type column struct {
	catalogue.Column
	Numbers bool
	OfVisit bool
	Value   string // the Go expression for a row
	Doc     string
}

// Columns are all columns of an archived day, those of events first.
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

// Predicted are the columns that are predicted from others, and those by a rule alone.
func (f fields) Predicted() []column {
	return slices.DeleteFunc(f.Columns(), func(c column) bool { return c.Predict == "" })
}

// NewColumns are the columns that the first version of the archive form has not.
func (f fields) NewColumns() []column {
	return slices.DeleteFunc(f.Columns(), func(c column) bool { return c.Since == 1 })
}

// columnNamed is the Go name of a column.
func (f fields) ColumnNamed(name string) (string, error) {
	for _, c := range f.Columns() {
		if c.Name == name {
			return c.Go, nil
		}
	}
	return "", fmt.Errorf("there is no column %q", name)
}

// rollup is a dimension of the rollups.
type rollup struct {
	catalogue.Field
	OfVisit bool
	Value   string
}

// Rollups are the dimensions of the rollups, in the order of their numbers.
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

// Dimensions are the dimensions of events, in the order of their rollups, or of visits.
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

// SQL is the names of fields as SQL lists them, in lines of readable length.
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

// InsertColumns are the columns of a table.
func (f fields) InsertColumns(list []catalogue.Field) string {
	return SQL(list, func(field catalogue.Field) string { return field.Name })
}

// Parameters are arrays of all fields, as unnest takes them.
func (f fields) Parameters(list []catalogue.Field) string {
	n := 0
	return SQL(list, func(field catalogue.Field) string {
		n++
		return fmt.Sprintf("$%d::%s[]", n, sqlType(field.Type))
	})
}

// Updates sets all columns but those of the key to what an upsert would have inserted.
func (f fields) Updates(list []catalogue.Field, keys int) string {
	return SQL(list[keys:], func(field catalogue.Field) string { return field.Name + " = excluded." + field.Name })
}

// SelectColumns are fields as they are read: texts where there may be none.
func (f fields) SelectColumns(list []catalogue.Field) string {
	return SQL(list, func(field catalogue.Field) string {
		if field.Type == catalogue.Amount || field.Type == catalogue.Props {
			return "coalesce(" + field.Name + "::text, '')"
		}
		return field.Name
	})
}

// Folded are the fields that package visit needs.
func (f fields) Folded() []catalogue.Field {
	return slices.DeleteFunc(slices.Clone(f.Event), func(field catalogue.Field) bool { return !field.Folded })
}

// scanned is a field of which columns are made when a day is scanned.
type scanned struct {
	catalogue.Field
	SQL     string
	Columns []string // Go names
}

// Scanned are the texts of an event that a scan reads only when a column needs them.
func (f fields) Scanned() (all []scanned) {
	for _, field := range f.Event {
		if field.Column.Go == "" || field.Type != catalogue.Text && field.Type != catalogue.Amount {
			continue
		}
		s := scanned{Field: field, SQL: f.SelectColumns([]catalogue.Field{field}), Columns: []string{field.Column.Go}}
		for _, c := range f.Predicted() {
			if c.From == field.Name && (c.Predict == catalogue.FirstEvent || c.Predict == catalogue.LastEvent) {
				s.Columns = append(s.Columns, c.Go)
			}
		}
		all = append(all, s)
	}
	return all
}

// Exported are the fields of an event that an export lists after its type, but for the
// subject, which stands beside the visitor.
func (f fields) Exported() []catalogue.Field {
	after := slices.IndexFunc(f.Event, func(field catalogue.Field) bool { return field.Type == catalogue.Kind })
	return slices.DeleteFunc(slices.Clone(f.Event[after+1:]), func(field catalogue.Field) bool { return field.Type == catalogue.OptionID })
}

// Limited are the texts of a client whose length is limited.
func (f fields) Limited() []catalogue.Input {
	return slices.DeleteFunc(slices.Clone(f.Inputs), func(in catalogue.Input) bool { return in.Max == 0 })
}

// Copied are the members of a client's object that become fields as they are.
func (f fields) Copied() []catalogue.Input {
	return slices.DeleteFunc(slices.Clone(f.Inputs), func(in catalogue.Input) bool { return !in.Copy })
}

// InputNames are the names of the members of a client's object.
func (f fields) InputNames() string {
	var names []string
	for _, in := range f.Inputs {
		names = append(names, in.Name)
	}
	return strings.Join(names, ", ")
}
