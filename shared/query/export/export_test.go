package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/table"
)

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query, accept string
		want          export.Format
		wantErr       error // compared by type only
	}{
		"no preference":             {"", "", export.JSON, nil},
		"any format":                {"", "*/*", export.JSON, nil},
		"browser":                   {"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", export.JSON, nil},
		"one format":                {"", "application/vnd.apache.parquet", export.Parquet, nil},
		"upper case and parameters": {"", "Text/CSV; charset=utf-8", export.CSV, nil},
		"main type":                 {"", "text/*", export.CSV, nil},
		"one format before any":     {"", "text/csv, */*", export.CSV, nil},
		"quality":                   {"", "text/csv;q=0.5, application/x-ndjson;q=0.9", export.NDJSON, nil},
		"any format except one":     {"", "application/json;q=0, */*", export.CSV, nil},
		"malformed quality":         {"", "text/csv;q=2, application/json;q=0.1", export.JSON, nil},
		"parameter":                 {"?format=parquet", "text/csv", export.Parquet, nil},
		"unknown parameter":         {"?format=xlsx", "", "", &validation.Error{}},
		"empty parameter":           {"?format=", "", "", &validation.Error{}},
		"no format that is offered": {"", "text/html, text/csv;q=0", "", &export.NotAcceptableError{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/"+test.query, nil)
			if test.accept != "" {
				r.Header.Set("Accept", test.accept)
			}
			got, err := export.Negotiate(r, export.JSON, export.CSV, export.NDJSON, export.Parquet)
			if got != test.want || reflect.TypeOf(err) != reflect.TypeOf(test.wantErr) {
				t.Errorf("got %q, %v, want %q, %T", got, err, test.want, test.wantErr)
			}
		})
	}
}

// columns returns a column of each kind, not in the order of their names. One is not a Go
// name.
func columns() []table.Column {
	return []table.Column{
		{Name: "whole", Kind: table.Whole}, {Name: "event:props:a, b", Kind: table.Text}, {Name: "number", Kind: table.Number},
		{Name: "decimal", Kind: table.Decimal}, {Name: "flag", Kind: table.Flag}, {Name: "time", Kind: table.Time}, {Name: "json", Kind: table.JSON},
	}
}

func drawRow(t *rapid.T) []table.Cell {
	row := []table.Cell{
		table.OfWhole(rapid.Int64Range(-1<<53, 1<<53).Draw(t, "whole")),
		table.OfText(strings.ReplaceAll(rapid.String().Draw(t, "text"), "\r", "")), // readers of CSV take it for a line break
		table.OfNumber(float64(rapid.Int32().Draw(t, "number")) / 100),
		table.OfDecimal(rapid.SampledFrom([]string{"", "0", "12.5", "-0.0001", "999999999999.9999", "-9223372036854775808.9999"}).Draw(t, "decimal")),
		table.OfFlag(rapid.Bool().Draw(t, "flag")),
		table.OfTime(time.UnixMilli(rapid.Int64Range(0, 1<<41).Draw(t, "time")).UTC(), time.RFC3339Nano),
		table.OfJSON([]byte(rapid.SampledFrom([]string{"", `{"plan":"100%"}`, `{"a":"\"","b":"ü"}`}).Draw(t, "json"))),
	}
	row[rapid.IntRange(0, len(row)-1).Draw(t, "nothing")] = table.Cell{}
	return row
}

func write(t rapid.TB, format export.Format, rows [][]table.Cell) []byte {
	var out bytes.Buffer
	if err := format.Write(&out, table.Of([2]string{}, columns(), rows)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestFormats reads files with other libraries.
func TestFormats(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(drawRow), 0, 20).Draw(t, "rows")
		lines, err := csv.NewReader(bytes.NewReader(write(t, export.CSV, rows))).ReadAll()
		if err != nil || len(lines) != len(rows)+1 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		objects := json.NewDecoder(bytes.NewReader(write(t, export.NDJSON, rows)))
		objects.UseNumber()
		file := write(t, export.Parquet, rows)
		reader := parquet.NewReader(bytes.NewReader(file))
		for i, row := range rows {
			var object map[string]any
			if err := objects.Decode(&object); err != nil {
				t.Fatal(err)
			}
			values := make([]parquet.Row, 1)
			if n, err := reader.ReadRows(values); n != 1 {
				t.Fatal(err)
			}
			for n, column := range columns() {
				want := textOf(column.Kind, row[n])
				field := lines[i+1][n]
				if column.Kind == table.Text || column.Kind == table.JSON { // see TestFormulas
					field = strings.ReplaceAll(field, "'", "")
					want := strings.ReplaceAll(want, "'", "")
					if field != want {
						t.Fatalf("%s as CSV: got %q, want %q", column.Name, field, want)
					}
					field = textOf(column.Kind, row[n])
				}
				if field != want {
					t.Fatalf("%s as CSV: got %q, want %q", column.Name, field, want)
				}
				if got := textOfJSON(object[column.Name]); got != want || (object[column.Name] == nil) == row[n].Known {
					t.Fatalf("%s as NDJSON: got %q, want %q", column.Name, got, want)
				}
				if got := textOfParquet(column.Kind, values[0][n]); got != want || values[0][n].IsNull() == row[n].Known {
					t.Fatalf("%s as Parquet: got %q, want %q", column.Name, got, want)
				}
			}
		}
		if _, err := objects.Token(); !errors.Is(err, io.EOF) {
			t.Fatal("unexpected lines at the end")
		}
		opened, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil || opened.NumRows() != int64(len(rows)) {
			t.Fatal(err)
		}
		for n, column := range opened.Schema().Columns() {
			if diff := cmp.Diff([]string{columns()[n].Name}, column); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestFormulas(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                 "",
		"Pricing - 50 %":   "Pricing - 50 %",
		"a=b+c@d":          "a=b+c@d",
		"=1+1":             "'=1+1",
		"+1":               "'+1",
		"-1":               "'-1",
		"@SUM(A1)":         "'@SUM(A1)",
		"＝1+1":             "'＝1+1",
		"＋1":               "'＋1",
		"－1":               "'－1",
		"＠SUM(A1)":         "'＠SUM(A1)",
		"\t=1":             "'\t'=1",
		"\r=1":             "'\r'=1",
		"\n":               "'\n",
		";=1":              "';'=1",
		"a;=1;b":           "a;'=1;b",
		"a; \"=1":          "a; \"'=1",
		"a\t＝1":            "a\t'＝1",
		"a\r\n@x":          "a\r\n'@x",
		"\"=1":             "\"'=1",
		"\ufeff\u00a0=1":   "\ufeff\u00a0'=1",
		"'=1":              "'=1",
		"a;b":              "a;b",
		"=1;=2;+3":         "'=1;'=2;'+3",
		"ü;\"\"  \"－1 - 2": "ü;\"\"  \"'－1 - 2",
	} {
		row := make([]table.Cell, len(columns()))
		for i, column := range columns() {
			if column.Kind == table.Text {
				row[i] = table.OfText(text)
			}
		}
		lines, err := csv.NewReader(bytes.NewReader(write(t, export.CSV, [][]table.Cell{row}))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, column := range columns() {
			// The reader turns a carriage return before a line break into nothing.
			if want := strings.ReplaceAll(want, "\r\n", "\n"); column.Kind == table.Text && lines[1][i] != want {
				t.Errorf("%q: got %q, want %q", text, lines[1][i], want)
			}
		}
	}
	object := make([]table.Cell, len(columns()))
	for i, column := range columns() {
		if column.Kind == table.JSON {
			object[i] = table.OfJSON([]byte(`{"a":";=1","b":-1}`))
		}
	}
	if file := string(write(t, export.CSV, [][]table.Cell{object})); !strings.Contains(file, `;'=1`) || strings.Contains(file, "'-1") {
		t.Errorf("got %q", file)
	}
}

func textOf(kind table.Kind, cell table.Cell) string {
	switch {
	case !cell.Known:
		return ""
	case kind == table.Whole:
		return strconv.FormatInt(cell.Whole, 10)
	case kind == table.Number:
		return strconv.FormatFloat(cell.Number, 'f', -1, 64)
	case kind == table.Flag:
		return strconv.FormatBool(cell.Whole == 1)
	default:
		return cell.Text
	}
}

func textOfJSON(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case map[string]any:
		var out bytes.Buffer
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(value)
		return strings.TrimSpace(out.String())
	case bool:
		return strconv.FormatBool(value)
	default:
		return value.(json.Number).String()
	}
}

func textOfParquet(kind table.Kind, value parquet.Value) string {
	switch {
	case value.IsNull():
		return ""
	case kind == table.Time:
		return time.UnixMilli(value.Int64()).UTC().Format(time.RFC3339Nano)
	case kind == table.Number:
		return strconv.FormatFloat(value.Double(), 'f', -1, 64)
	case kind == table.Decimal:
		n := new(big.Int).SetBytes(value.ByteArray())
		if value.ByteArray()[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		text := new(big.Rat).SetFrac(n, big.NewInt(10_000)).FloatString(4)
		return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	default:
		return value.String()
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	if got := export.CSV.FileName("shop.example", "visits", "2026-03-02"); got != `attachment; filename=shop.example_visits_2026-03-02.csv` {
		t.Error(got)
	}
}

// TestRowGroups checks that long texts don't wait in memory for many rows.
func TestRowGroups(t *testing.T) {
	t.Parallel()
	var rows [][]table.Cell
	for i := range 10 {
		row := make([]table.Cell, len(columns()))
		row[1] = table.OfText(strings.Repeat(strconv.Itoa(i), 3<<20))
		rows = append(rows, row)
	}
	file := write(t, export.Parquet, rows)
	opened, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if groups := len(opened.RowGroups()); groups != 4 || opened.NumRows() != 10 {
		t.Errorf("%d rows of 3 MB are in %d groups", opened.NumRows(), groups)
	}
}
