package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// rowSource is rows that are to be added to a table. A row is good until the next is
// asked for. Numbers, times and texts stand in it as pointers: to make an interface of a
// pointer takes no memory.
type rowSource interface {
	len() int
	row(i int) ([]any, error)
}

// copyRows adds rows by sql, a COPY in binary format. CopyFrom of pgx does the same, but
// looks for a way to encode each single value anew, and takes longer for that than for
// the rest.
func copyRows(ctx context.Context, tx pgx.Tx, sql string, rows rowSource) error {
	conn := tx.Conn()
	_, err := conn.PgConn().CopyFrom(ctx, &copyReader{rows: rows, types: conn.TypeMap(), next: []byte(copyHeader)}, sql)
	return err
}

// copyHeader begins the binary format of COPY: a signature, no flags, no extension. See
// https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format".
const copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// copyReader is rows in the binary format of COPY.
type copyReader struct {
	rows    rowSource
	types   *pgtype.Map
	encoded int    // rows
	ended   bool   // the trailer is encoded
	buffer  []byte // is used anew whenever all of it was read
	next    []byte // what is to be read next
}

func (r *copyReader) Read(p []byte) (int, error) {
	if len(r.next) == 0 {
		if err := r.fill(len(p)); err != nil {
			return 0, err
		}
		if len(r.next) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, r.next)
	r.next = r.next[n:]
	return n, nil
}

// fill encodes about so many bytes of rows.
func (r *copyReader) fill(size int) error {
	r.buffer = r.buffer[:0]
	for ; r.encoded < r.rows.len() && len(r.buffer) < size; r.encoded++ {
		row, err := r.rows.row(r.encoded)
		if err != nil {
			return err
		}
		r.buffer = binary.BigEndian.AppendUint16(r.buffer, uint16(len(row)))
		for _, value := range row {
			if r.buffer, err = appendValue(r.buffer, r.types, value); err != nil {
				return err
			}
		}
	}
	if r.encoded == r.rows.len() && !r.ended {
		r.buffer = binary.BigEndian.AppendUint16(r.buffer, 0xffff)
		r.ended = true
	}
	r.next = r.buffer
	return nil
}

// appendValue appends a value as its length and what the receive function of its type
// reads.
func appendValue(buf []byte, types *pgtype.Map, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return binary.BigEndian.AppendUint32(buf, 0xffffffff), nil
	case *string:
		return append(binary.BigEndian.AppendUint32(buf, uint32(len(*v))), *v...), nil
	case *int16:
		return binary.BigEndian.AppendUint16(append(buf, 0, 0, 0, 2), uint16(*v)), nil
	case *int32:
		return binary.BigEndian.AppendUint32(append(buf, 0, 0, 0, 4), uint32(*v)), nil
	case *int64:
		return binary.BigEndian.AppendUint64(append(buf, 0, 0, 0, 8), uint64(*v)), nil
	case bool:
		if v {
			return append(buf, 0, 0, 0, 1, 1), nil
		}
		return append(buf, 0, 0, 0, 1, 0), nil
	case *time.Time: // timestamptz
		return binary.BigEndian.AppendUint64(append(buf, 0, 0, 0, 8), uint64(v.UnixMicro()-epoch*1e6)), nil
	case pgtype.Date:
		return binary.BigEndian.AppendUint32(append(buf, 0, 0, 0, 4), uint32((v.Time.Unix()-epoch)/86400)), nil
	case pgtype.UUID:
		return append(append(buf, 0, 0, 0, 16), v.Bytes[:]...), nil
	case json.RawMessage: // jsonb, in version 1 of its form
		buf = binary.BigEndian.AppendUint32(buf, uint32(1+len(v)))
		return append(append(buf, 1), v...), nil
	case pgtype.Numeric:
		at := len(buf)
		buf, err := types.Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, v, append(buf, 0, 0, 0, 0))
		if err != nil {
			return nil, fmt.Errorf("encode a number: %w", err)
		}
		binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
		return buf, nil
	default:
		return nil, fmt.Errorf("values of type %T can't be copied", value)
	}
}

// epoch is where PostgreSQL's time begins, 2000-01-01, in Unix seconds.
const epoch = 946_684_800

// byColumn turns rows into a slice a column, as unnest takes them.
func byColumn(rows rowSource) ([]any, error) {
	var columns [][]any
	for i := range rows.len() {
		row, err := rows.row(i)
		if err != nil {
			return nil, err
		}
		if columns == nil {
			columns = make([][]any, len(row))
		}
		for i, value := range row {
			columns[i] = append(columns[i], value)
		}
	}
	args := make([]any, len(columns))
	for i, column := range columns {
		args[i] = column
	}
	return args, nil
}
