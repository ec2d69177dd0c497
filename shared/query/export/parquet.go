package export

import (
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/analytics-platform/analytics/shared/query/table"
)

const (
	// rowGroup is how many rows are in memory, mostly compressed, before they are written, and
	// maxGroup how many bytes of their texts.
	rowGroup = 20_000
	maxGroup = 8 << 20
	// pageSize is how many bytes of a column are in memory before they are compressed.
	pageSize = 64 << 10

	// A decimal has 38 digits, four of them after the point.
	decimalBytes, decimalDigits, decimalScale = 16, 38, 4
)

// parquetFile is a file of Apache Parquet. It is readable only after Close.
type parquetFile struct {
	out     *parquet.GenericWriter[any]
	columns []table.Column
	row     parquet.Row
	bytes   int // of the texts of the row group
}

func newParquet(w io.Writer, columns []table.Column) *parquetFile {
	root := ordered{parquet.Group{}, columns}
	for _, column := range columns {
		root.Group[column.Name] = parquet.Optional(leaf(column.Kind))
	}
	return &parquetFile{
		out: parquet.NewGenericWriter[any](w, parquet.NewSchema("row", root), parquet.Compression(&parquet.Zstd),
			parquet.MaxRowsPerRowGroup(rowGroup), parquet.PageBufferSize(pageSize)),
		columns: columns,
	}
}

// ordered is a group of columns in their own order; the library sorts them by name.
type ordered struct {
	parquet.Group
	columns []table.Column
}

// Fields returns the columns.
func (o ordered) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, field := range o.Group.Fields() {
		byName[field.Name()] = field
	}
	fields := make([]parquet.Field, len(o.columns))
	for i, column := range o.columns {
		fields[i] = byName[column.Name]
	}
	return fields
}

// GoType is not used. The library would make a struct type, which can't have fields of any
// name that a column may have.
func (o ordered) GoType() reflect.Type { return reflect.TypeFor[any]() }

func leaf(kind table.Kind) parquet.Node {
	switch kind {
	case table.Whole:
		return parquet.Int(64)
	case table.Number:
		return parquet.Leaf(parquet.DoubleType)
	case table.Decimal:
		return parquet.Decimal(decimalScale, decimalDigits, parquet.FixedLenByteArrayType(decimalBytes))
	case table.Flag:
		return parquet.Leaf(parquet.BooleanType)
	case table.Time:
		return parquet.Timestamp(parquet.Millisecond)
	case table.JSON:
		return parquet.JSON()
	default:
		return parquet.String()
	}
}

func (f *parquetFile) Write(row []table.Cell) error {
	f.row = f.row[:0]
	for i, cell := range row {
		value, defined := parquet.NullValue(), 0
		if cell.Known {
			var err error
			if value, err = valueOf(f.columns[i].Kind, cell); err != nil {
				return fmt.Errorf("%s: %w", f.columns[i].Name, err)
			}
			defined = 1
			f.bytes += len(cell.Text)
		}
		f.row = append(f.row, value.Level(0, defined, i))
	}
	_, err := f.out.WriteRows([]parquet.Row{f.row})
	if err == nil && f.bytes >= maxGroup {
		f.bytes = 0
		err = f.out.Flush()
	}
	return err
}

func valueOf(kind table.Kind, cell table.Cell) (parquet.Value, error) {
	switch kind {
	case table.Whole, table.Time:
		return parquet.Int64Value(cell.Whole), nil
	case table.Number:
		return parquet.DoubleValue(cell.Number), nil
	case table.Flag:
		return parquet.BooleanValue(cell.Whole != 0), nil
	case table.Decimal:
		encoded, err := decimal(cell.Text)
		return parquet.FixedLenByteArrayValue(encoded), err
	default:
		return parquet.ByteArrayValue([]byte(cell.Text)), nil
	}
}

// decimal returns a number in units of its last digit, in two's complement.
func decimal(text string) ([]byte, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > decimalScale {
		return nil, fmt.Errorf("a decimal has more than %d digits after the point", decimalScale)
	}
	n, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", decimalScale-len(fraction)), 10)
	if !ok || n.BitLen() >= 8*decimalBytes {
		return nil, fmt.Errorf("not a decimal number of %d digits", decimalDigits)
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), 8*decimalBytes))
	}
	return n.FillBytes(make([]byte, decimalBytes)), nil
}

func (f *parquetFile) Flush() error { return nil }

func (f *parquetFile) Close() error { return f.out.Close() }
