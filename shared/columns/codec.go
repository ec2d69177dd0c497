package columns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/shared/event"
)

// Frame is the name under which it is kept which visits a visitor-day and which events a
// visit has. A day that is kept has it.
const Frame Column = "frame"

// maxDecoded bounds how many bytes a column may have once it is unpacked.
const maxDecoded = 1 << 30

// The kinds of columns, which begin what is kept of one. A new form of one is a new kind.
const (
	kindFrame   = 1
	kindNumbers = 2 // each as a varint
	kindTimes   = 3 // the first of a visit so, then differences
	kindText    = 4 // the values, then an index of one, two or four bytes a row
)

// Codec keeps days as bytes, a piece for each column. It is safe for concurrent use.
type Codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewCodec makes one.
func NewCodec() (*Codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxDecoded))
	if err != nil {
		return nil, fmt.Errorf("set up decompression: %w", err)
	}
	return &Codec{encoder, decoder}, nil
}

// Encode yields the pieces of a day that has all columns, Frame first. Columns that say
// the same for every row, that it is not known or 0, are left out.
func (c *Codec) Encode(d *Day) iter.Seq2[Column, []byte] {
	return func(yield func(Column, []byte) bool) {
		if !yield(Frame, c.pack(encodeFrame(d))) {
			return
		}
		for _, column := range numbers() {
			values := d.Numbers(column)
			if column == Time {
				if !yield(column, c.pack(encodeTimes(d, values))) {
					return
				}
				continue
			}
			if slices.ContainsFunc(values, func(n int64) bool { return n != 0 }) && !yield(column, c.pack(encodeNumbers(values))) {
				return
			}
		}
		texts := make([]Column, 0, len(d.texts))
		for column := range d.texts {
			texts = append(texts, column)
		}
		slices.Sort(texts)
		for _, column := range texts {
			text := d.texts[column]
			if len(text.Values) > 1 && !yield(column, c.pack(encodeText(text))) {
				return
			}
		}
	}
}

// Decode makes a day with the wanted columns of the pieces that were kept of it.
func (c *Codec) Decode(date event.Day, pieces map[Column][]byte, wanted ...Column) (*Day, error) {
	d := &Day{Date: date, texts: map[Column]Text{}, numbers: map[Column][]int64{}, hasProps: true}
	if err := c.unpack(Frame, pieces, d.decodeFrame); err != nil {
		return nil, err
	}
	for _, column := range wanted {
		rows := d.Events()
		if column.OfVisits() {
			rows = d.Visits()
		}
		var err error
		if slices.Contains(numbers(), column) {
			d.numbers[column] = make([]int64, rows)
			if pieces[column] != nil {
				err = c.unpack(column, pieces, func(kind byte, data []byte) error { return d.decodeNumbers(kind, data, d.numbers[column]) })
			}
		} else {
			text := Text{Values: []string{""}, Index: make([]uint32, rows)}
			if pieces[column] != nil {
				err = c.unpack(column, pieces, text.decode)
			}
			d.texts[column] = text
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (c *Codec) pack(data []byte) []byte { return c.encoder.EncodeAll(data, nil) }

func (c *Codec) unpack(column Column, pieces map[Column][]byte, fn func(kind byte, data []byte) error) error {
	data, err := c.decoder.DecodeAll(pieces[column], nil)
	if err == nil && len(data) == 0 {
		err = errShort
	}
	if err == nil {
		err = fn(data[0], data[1:])
	}
	if err != nil {
		return fmt.Errorf("read the column %.100q: %w", string(column), err)
	}
	return nil
}

var (
	errShort = errors.New("it ends too early")
	errKind  = errors.New("it is of a kind that this version does not know")
	errWrong = errors.New("it does not fit the other columns")
)

func encodeFrame(d *Day) []byte {
	out := []byte{kindFrame}
	for _, bounds := range [][]uint32{d.visits, d.events} {
		out = binary.AppendUvarint(out, uint64(len(bounds)-1))
		for i := 1; i < len(bounds); i++ {
			out = binary.AppendUvarint(out, uint64(bounds[i]-bounds[i-1]))
		}
	}
	return out
}

func (d *Day) decodeFrame(kind byte, data []byte) (err error) {
	if kind != kindFrame {
		return errKind
	}
	if d.visits, data, err = readBounds(data); err != nil {
		return err
	}
	if d.events, data, err = readBounds(data); err != nil {
		return err
	}
	if int(d.visits[len(d.visits)-1]) != d.Visits() || len(data) > 0 {
		return errWrong
	}
	return nil
}

func readBounds(data []byte) (bounds []uint32, rest []byte, err error) {
	n, data, err := readUvarint(data)
	if err != nil || n > uint64(len(data)) {
		return nil, nil, errShort
	}
	bounds = make([]uint32, n+1)
	at := uint64(0)
	for i := range n {
		var length uint64
		if length, data, err = readUvarint(data); err != nil {
			return nil, nil, err
		}
		if at += length; length > maxDecoded || at > maxDecoded {
			return nil, nil, errWrong
		}
		bounds[i+1] = uint32(at)
	}
	return bounds, data, nil
}

func readUvarint(data []byte) (n uint64, rest []byte, err error) {
	n, length := binary.Uvarint(data)
	if length <= 0 {
		return 0, nil, errShort
	}
	return n, data[length:], nil
}

func encodeNumbers(values []int64) []byte {
	out := []byte{kindNumbers}
	for _, n := range values {
		out = binary.AppendVarint(out, n)
	}
	return out
}

func encodeTimes(d *Day, values []int64) []byte {
	out := []byte{kindTimes}
	for visit := range d.Visits() {
		before := int64(0)
		first, end := d.EventsOf(visit)
		for _, at := range values[first:end] {
			out = binary.AppendVarint(out, at-before)
			before = at
		}
	}
	return out
}

func (d *Day) decodeNumbers(kind byte, data []byte, into []int64) error {
	if kind != kindNumbers && kind != kindTimes {
		return errKind
	}
	for i := range into {
		if len(data) > 0 && data[0] < 0x80 { // most are that small
			into[i] = int64(data[0]>>1) ^ -int64(data[0]&1)
			data = data[1:]
			continue
		}
		n, length := binary.Varint(data)
		if length <= 0 {
			return errShort
		}
		into[i], data = n, data[length:]
	}
	if len(data) > 0 {
		return errWrong
	}
	if kind == kindTimes {
		if len(into) != d.Events() {
			return errWrong
		}
		for visit := range d.Visits() {
			first, end := d.EventsOf(visit)
			for i := first + 1; i < end; i++ {
				into[i] += into[i-1]
			}
		}
	}
	return nil
}

func encodeText(t Text) []byte {
	out := []byte{kindText}
	out = binary.AppendUvarint(out, uint64(len(t.Values)))
	for _, value := range t.Values {
		out = binary.AppendUvarint(out, uint64(len(value)))
		out = append(out, value...)
	}
	width := widthOf(len(t.Values))
	for _, n := range t.Index {
		switch width {
		case 1:
			out = append(out, byte(n))
		case 2:
			out = binary.LittleEndian.AppendUint16(out, uint16(n))
		default:
			out = binary.LittleEndian.AppendUint32(out, n)
		}
	}
	return out
}

// widthOf is how many bytes the number of one of n values takes.
func widthOf(n int) int {
	switch {
	case n <= 1<<8:
		return 1
	case n <= 1<<16:
		return 2
	default:
		return 4
	}
}

// decode fills in the values, and the index, which has its length.
func (t *Text) decode(kind byte, data []byte) error {
	if kind != kindText {
		return errKind
	}
	n, data, err := readUvarint(data)
	if err != nil || n > uint64(len(data)) || n == 0 {
		return errShort
	}
	t.Values = make([]string, n)
	for i := range t.Values {
		var length uint64
		if length, data, err = readUvarint(data); err != nil || length > uint64(len(data)) {
			return errShort
		}
		t.Values[i], data = string(data[:length]), data[length:]
	}
	if t.Values[0] != "" {
		return errWrong
	}
	width := widthOf(len(t.Values))
	if len(data) != width*len(t.Index) {
		return errWrong
	}
	most := uint32(0)
	for i := range t.Index {
		var value uint32
		switch width {
		case 1:
			value = uint32(data[i])
		case 2:
			value = uint32(binary.LittleEndian.Uint16(data[2*i:]))
		default:
			value = binary.LittleEndian.Uint32(data[4*i:])
		}
		t.Index[i] = value
		most = max(most, value)
	}
	if uint64(most) >= n {
		return errWrong
	}
	return nil
}
