package export

import (
	"bufio"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/query/table"
)

// Writer writes a file row by row.
type Writer interface {
	// Write adds a row, with a cell for each column.
	Write(row []table.Cell) error
	// Flush passes on the rows so far, if the format allows it.
	Flush() error
	// Close ends the file, which is incomplete without it.
	Close() error
}

// NewWriter begins a file of a format other than JSON.
func (f Format) NewWriter(w io.Writer, columns []table.Column) (Writer, error) {
	switch f {
	case CSV:
		return newCSV(w, columns)
	case Parquet:
		return newParquet(w, columns), nil
	default:
		return newLines(w, columns), nil
	}
}

// Write writes a whole table as a file of a format other than JSON.
func (f Format) Write(w io.Writer, t table.Table) error {
	out, err := f.NewWriter(w, t.Columns)
	if err != nil {
		return err
	}
	for page, err := range t.Pages {
		if err != nil {
			return err
		}
		for _, row := range page {
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	return out.Close()
}

// csvFile is a file of comma-separated values (RFC 4180) with a header, in UTF-8. An empty
// cell is an empty field.
type csvFile struct {
	out     *csv.Writer
	columns []table.Column
	fields  []string
}

func newCSV(w io.Writer, columns []table.Column) (*csvFile, error) {
	f := &csvFile{csv.NewWriter(w), columns, make([]string, len(columns))}
	for i, column := range columns {
		f.fields[i] = harmless(column.Name)
	}
	return f, f.out.Write(f.fields)
}

func (f *csvFile) Write(row []table.Cell) error {
	for i, cell := range row {
		f.fields[i] = text(f.columns[i].Kind, cell)
		if kind := f.columns[i].Kind; kind == table.Text || kind == table.JSON {
			f.fields[i] = harmless(f.fields[i])
		}
	}
	return f.out.Write(f.fields)
}

func (f *csvFile) Flush() error {
	f.out.Flush()
	return f.out.Error()
}

func (f *csvFile) Close() error { return f.Flush() }

const (
	// formulas begin what a spreadsheet runs as a formula; some take the wide forms too.
	formulas = "=+-@＝＋－＠"
	// separators begin another cell where a spreadsheet does not go by the comma, but by the
	// semicolon, as in much of Europe, or by the tab; there, quotes don't protect them.
	separators = ";\t\r\n"
)

// harmless puts an apostrophe before each part of a text that a spreadsheet could run as a
// formula: at the beginning, and after what it may take for the end of the cell. Anyone can
// send one, as the title of a page or the name of an event.
func harmless(text string) string {
	var out strings.Builder
	written, begins := 0, true
	protect := func(at int) {
		out.WriteString(text[written:at])
		out.WriteByte('\'')
		written = at
	}
	for at, r := range text {
		switch {
		case strings.ContainsRune(separators, r):
			if begins = true; at == 0 {
				protect(at)
			}
		case begins && strings.ContainsRune(formulas, r):
			protect(at)
			begins = false
		case r != '"' && !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r): // these may be left out
			begins = false
		}
	}
	if out.Len() == 0 {
		return text
	}
	return out.String() + text[written:]
}

// text returns a cell as CSV writes it.
func text(kind table.Kind, cell table.Cell) string {
	switch {
	case !cell.Known:
		return ""
	case kind == table.Whole:
		return strconv.FormatInt(cell.Whole, 10)
	case kind == table.Number:
		return strconv.FormatFloat(cell.Number, 'f', -1, 64)
	case kind == table.Flag:
		return strconv.FormatBool(cell.Whole != 0)
	default:
		return cell.Text
	}
}

// linesFile is a file of JSON objects, one per line, with a member for each column.
type linesFile struct {
	buffer  *bufio.Writer
	out     *jsontext.Encoder
	columns []table.Column
}

func newLines(w io.Writer, columns []table.Column) *linesFile {
	buffer := bufio.NewWriter(w)
	return &linesFile{buffer, jsontext.NewEncoder(buffer, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)), columns}
}

func (f *linesFile) Write(row []table.Cell) error {
	if err := f.out.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for i, cell := range row {
		if err := f.out.WriteToken(jsontext.String(f.columns[i].Name)); err != nil {
			return err
		}
		if err := f.value(f.columns[i].Kind, cell); err != nil {
			return err
		}
	}
	return f.out.WriteToken(jsontext.EndObject) // the encoder ends the line
}

func (f *linesFile) value(kind table.Kind, cell table.Cell) error {
	switch {
	case !cell.Known:
		return f.out.WriteToken(jsontext.Null)
	case kind == table.Whole:
		return f.out.WriteToken(jsontext.Int(cell.Whole))
	case kind == table.Number:
		return f.out.WriteToken(jsontext.Float(cell.Number))
	case kind == table.Flag:
		return f.out.WriteToken(jsontext.Bool(cell.Whole != 0))
	case kind == table.Decimal, kind == table.JSON:
		return f.out.WriteValue(jsontext.Value(cell.Text))
	default:
		return f.out.WriteToken(jsontext.String(cell.Text))
	}
}

func (f *linesFile) Flush() error { return f.buffer.Flush() }

func (f *linesFile) Close() error { return f.Flush() }
