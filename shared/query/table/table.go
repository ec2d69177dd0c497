// Package table is answers as rows and columns: the form in which package export writes
// them to files. It is pure.
package table

import (
	"iter"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is the type of the values of a column.
type Kind int

// The kinds, each with the field of a cell that holds its value.
const (
	Text    Kind = iota // Text
	Whole               // Whole
	Number              // Number
	Decimal             // Text: exact, with at most four digits after the point
	Flag                // Whole: 0 or 1
	Time                // Whole: Unix milliseconds; Text: RFC 3339
	JSON                // Text: a JSON document
)

// Column is a column of a table.
type Column struct {
	Name string
	Kind Kind
}

// Cell is a value of a row. The zero value is empty.
type Cell struct {
	Known  bool
	Text   string
	Whole  int64
	Number float64
}

// OfText returns a text.
func OfText(text string) Cell { return Cell{Known: true, Text: text} }

// OfWhole returns a whole number.
func OfWhole[N int | int16 | int32 | int64](n N) Cell { return Cell{Known: true, Whole: int64(n)} }

// OfNumber returns a number.
func OfNumber(n float64) Cell { return Cell{Known: true, Number: n} }

// OfDecimal returns a decimal number, empty for "".
func OfDecimal(text string) Cell { return Cell{Known: text != "", Text: text} }

// OfFlag returns a boolean.
func OfFlag(b bool) Cell {
	if b {
		return Cell{Known: true, Whole: 1}
	}
	return Cell{Known: true}
}

// OfTime returns a time, written in a layout of package time.
func OfTime(t time.Time, layout string) Cell {
	return Cell{Known: true, Text: t.Format(layout), Whole: t.UnixMilli()}
}

// OfJSON returns a JSON document, empty for none.
func OfJSON(document jsontext.Value) Cell {
	return Cell{Known: len(document) > 0, Text: string(document)}
}

// Table is a table that is read page by page.
type Table struct {
	DateRange [2]string // its first and last second, RFC 3339
	Columns   []Column
	// Pages yields its rows, each with a cell for every column, in one or more pages, which
	// may be empty. An error ends an incomplete table. Pages can be read only once.
	Pages iter.Seq2[[][]Cell, error]
}

// OfEach returns a table whose rows are made when they are needed: those of the ith of n
// things are a page.
func OfEach(dateRange [2]string, columns []Column, n int, rows func(i int) [][]Cell) Table {
	return Table{dateRange, columns, func(yield func([][]Cell, error) bool) {
		for i := range n {
			if !yield(rows(i), nil) {
				return
			}
		}
	}}
}

// Of returns a table of one page.
func Of(dateRange [2]string, columns []Column, rows [][]Cell) Table {
	return Table{dateRange, columns, func(yield func([][]Cell, error) bool) { yield(rows, nil) }}
}
