// Package table is what an answer looks like as rows of columns: the form in which
// package export writes it into files.
//
// It is pure: it knows nothing of questions, files or requests.
package table

import (
	"iter"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what the values of a column are.
type Kind int

// The kinds. A cell has its value in the field that is named here.
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

// Cell is a value of a row: nothing, or what the kind of its column says. The zero value
// is nothing.
type Cell struct {
	Known  bool
	Text   string
	Whole  int64
	Number float64
}

// OfText is a text.
func OfText(text string) Cell { return Cell{Known: true, Text: text} }

// OfWhole is a whole number.
func OfWhole[N int | int16 | int32 | int64](n N) Cell { return Cell{Known: true, Whole: int64(n)} }

// OfNumber is a number.
func OfNumber(n float64) Cell { return Cell{Known: true, Number: n} }

// OfDecimal is a decimal number; "" is nothing.
func OfDecimal(text string) Cell { return Cell{Known: text != "", Text: text} }

// OfFlag is a truth.
func OfFlag(b bool) Cell {
	if b {
		return Cell{Known: true, Whole: 1}
	}
	return Cell{Known: true}
}

// OfTime is a time, shown in a layout of package time.
func OfTime(t time.Time, layout string) Cell {
	return Cell{Known: true, Text: t.Format(layout), Whole: t.UnixMilli()}
}

// OfJSON is a JSON document; none is nothing.
func OfJSON(document jsontext.Value) Cell {
	return Cell{Known: len(document) > 0, Text: string(document)}
}

// Table is a table of which a page at a time is in memory.
type Table struct {
	DateRange [2]string // the first and the last second that it is about, RFC 3339
	Columns   []Column
	// Pages are its rows, each with a cell for every column. There is one page at least,
	// which may be empty. An error is the last thing that comes, and says that the table is
	// not whole. The pages come once.
	Pages iter.Seq2[[][]Cell, error]
}

// Of is a table that is there at once.
func Of(dateRange [2]string, columns []Column, rows [][]Cell) Table {
	return Table{dateRange, columns, func(yield func([][]Cell, error) bool) { yield(rows, nil) }}
}
