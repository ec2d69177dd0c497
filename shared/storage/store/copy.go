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

// rowSource provides the rows that are added to a table. A row is valid until the next
// call of row. Numbers, times and texts are pointers, since converting a pointer to an
// interface does not allocate.
type rowSource interface {
	len() int
	row(i int) ([]any, error)
}

// copyRows adds rows with sql, a COPY in binary format. CopyFrom of pgx does the same, but
// looks up an encoder for every value, which takes longer than everything else.
func copyRows(ctx context.Context, tx pgx.Tx, sql string, rows rowSource) error {
	conn := tx.Conn()
	_, err := conn.PgConn().CopyFrom(ctx, &copyReader{rows: rows, types: conn.TypeMap(), next: []byte(copyHeader)}, sql)
	return err
}

// copyHeader is the header of the binary format: signature, no flags, no extension. See
// https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format".
const copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// copyReader reads rows in the binary format of COPY.
type copyReader struct {
	rows    rowSource
	types   *pgtype.Map
	encoded int    // number of encoded rows
	ended   bool   // the trailer is encoded
	buffer  []byte // reused when all of it was read
	next    []byte // the unread part of buffer
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

// fill encodes rows until they have at least size bytes or there are no more.
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

// appendValue appends the length of a value and the value in the binary format of its
// type.
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
	case json.RawMessage: // jsonb, format version 1
		buf = binary.BigEndian.AppendUint32(buf, uint32(1+len(v)))
		return append(append(buf, 1), v...), nil
	case pgtype.Numeric:
		at := len(buf)
		buf, err := types.Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, v, append(buf, 0, 0, 0, 0))
		if err != nil {
			return nil, fmt.Errorf("encode number: %w", err)
		}
		binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
		return buf, nil
	default:
		return nil, fmt.Errorf("can't copy a value of type %T", value)
	}
}

// epoch is the epoch of PostgreSQL's timestamps, 2000-01-01, in Unix seconds.
const epoch = 946_684_800

// maxParameters is how many bytes of texts the parameters of a statement may have. The client
// and the server hold them several times.
const maxParameters = 4 << 20

// byColumn calls fn with the rows as parameters of unnest, one slice for each column: with so
// many rows at a time that their texts have about maxParameters bytes.
func byColumn(rows rowSource, fn func(columns []any) error) error {
	var columns [][]any
	size := 0
	for i := range rows.len() {
		row, err := rows.row(i)
		if err != nil {
			return err
		}
		if columns == nil {
			columns = make([][]any, len(row))
		}
		for c, value := range row {
			columns[c] = append(columns[c], value)
			switch v := value.(type) {
			case *string:
				size += len(*v)
			case json.RawMessage:
				size += len(v)
			}
		}
		if size < maxParameters && i < rows.len()-1 {
			continue
		}
		args := make([]any, len(columns))
		for c, column := range columns {
			args[c] = column
		}
		if err := fn(args); err != nil {
			return err
		}
		columns, size = nil, 0
	}
	return nil
}
