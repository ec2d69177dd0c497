package columns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// The pieces of an archived day that are not columns.
const (
	// Frame is the piece that holds the number of visits of each visitor-day and the
	// number of events of each visit. Every archived day has it.
	Frame Column = "frame"

	// Version is the piece that holds the version of the archive form, as a varint
	// without compression. Days of version 1 do not have it.
	Version Column = "version"

	// MoreProps is the piece of a day that has more than MaxProps properties. A property
	// without a piece is then unknown; in other days it occurs in no event.
	MoreProps Column = "more_props"
)

// MaxEvents is the maximum number of events of an archived day, or of a part of one.
const MaxEvents = 1 << 23

// maxDecompressed is the maximum size of a decompressed piece in bytes.
const maxDecompressed = 1 << 26

// Each piece begins with its kind. A change to the form of a piece, or to how its column
// is predicted (see predict.go), needs a new kind.
const (
	kindFrame   = 1 // visits of each visitor-day, then events of each visit
	kindNumbers = 2 // differences from the prediction
	kindTimes   = 3 // see encodeTimes
	kindText    = 4 // the distinct values, then the value of each row
	kindTextBy  = 5 // as kindText, with 0 for a row that is as predicted
	kindTextOf  = 6 // as kindTextBy, without the values that the source column has
	kindMore    = 7 // empty
)

// Codec encodes days to bytes, one piece for each column, and decodes them. It is safe
// for concurrent use.
type Codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewCodec returns a Codec.
func NewCodec() (*Codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxDecompressed))
	if err != nil {
		return nil, fmt.Errorf("set up decompression: %w", err)
	}
	return &Codec{encoder, decoder}, nil
}

// ErrTooLarge is returned by Encode for a day that is too large to archive.
var ErrTooLarge = errors.New("the day is too large to archive")

// Encode returns the pieces of a day that has all columns. It leaves out columns that
// equal their prediction. It returns ErrTooLarge if Decode would refuse the day.
func (c *Codec) Encode(d *Day) (map[Column][]byte, error) {
	if d.Events() > MaxEvents {
		return nil, ErrTooLarge
	}
	pieces := map[Column][]byte{Version: binary.AppendUvarint(nil, ArchiveVersion)}
	fits := true
	add := func(column Column, data []byte, needed bool) {
		fits = fits && len(data) <= maxDecompressed
		if needed && fits {
			pieces[column] = c.encoder.EncodeAll(data, nil)
		}
	}
	add(Frame, encodeFrame(d), true)
	add(MoreProps, []byte{kindMore}, d.moreProps)
	for _, column := range numberColumns() {
		data, needed := encodeNumbers(d, column)
		add(column, data, needed)
	}
	for column, text := range d.texts {
		sorted := &Day{visits: d.visits, events: d.events, texts: map[Column]Text{column: text.byFrequency()}}
		if from := column.predictedFrom(); from != "" {
			sorted.texts[from] = d.texts[from].byFrequency()
		}
		data, needed := encodeText(sorted, column)
		add(column, data, needed)
	}
	if !fits {
		return nil, ErrTooLarge
	}
	return pieces, nil
}

// Room is asked before memory is taken, with the bytes, and told with a negative number when
// it is given back. Its error ends the decoding.
type Room func(bytes int64) error

// Decode returns a day with the wanted columns, given at least the pieces that Needed
// returns for them.
func (c *Codec) Decode(date event.Day, pieces map[Column][]byte, wanted ...Column) (*Day, error) {
	return c.DecodeWithin(func(int64) error { return nil }, date, pieces, wanted...)
}

// DecodeWithin is like Decode, but asks whether there is room for the memory that it takes.
func (c *Codec) DecodeWithin(room Room, date event.Day, pieces map[Column][]byte, wanted ...Column) (*Day, error) {
	d := &Day{Date: date, texts: map[Column]Text{}, numbers: map[Column][]int64{}}
	kind, data, err := c.decompress(room, pieces[Frame])
	if err == nil {
		err = d.decodeFrame(kind, data)
	}
	if err == nil {
		err = room(d.frameSize() - int64(len(data)))
	}
	if err != nil {
		return nil, columnError(Frame, err)
	}
	for _, column := range wanted {
		if err := c.decode(d, room, pieces, column); err != nil {
			return nil, err
		}
	}
	for column := range d.texts {
		if !slices.Contains(wanted, column) {
			delete(d.texts, column)
		}
	}
	for column := range d.numbers {
		if !slices.Contains(wanted, column) {
			delete(d.numbers, column)
		}
	}
	return d, nil
}

// decode adds a column to the day, and the columns from which it is predicted.
func (c *Codec) decode(d *Day, room Room, pieces map[Column][]byte, column Column) error {
	if _, ok := d.texts[column]; ok || d.numbers[column] != nil {
		return nil
	}
	if from := column.predictedFrom(); from != "" {
		if err := c.decode(d, room, pieces, from); err != nil {
			return err
		}
	}
	var kind byte
	var data []byte
	var err error
	if piece := pieces[column]; piece != nil {
		if kind, data, err = c.decompress(room, piece); err != nil {
			return columnError(column, err)
		}
		defer func() { _ = room(-int64(len(data))) }() // giving back never fails
	} else if _, ok := column.Key(); ok && pieces[MoreProps] != nil {
		return columnError(column, errOmitted)
	}
	if err := room(d.sizeOf(column, data)); err != nil {
		return columnError(column, err)
	}
	if column.Numeric() {
		d.numbers[column], err = d.decodeNumbers(column, kind, data)
	} else {
		d.texts[column], err = d.decodeText(column, kind, data)
	}
	if err != nil {
		return columnError(column, err)
	}
	return nil
}

// sizeOf returns about how many bytes a column takes, given the content of its piece.
func (d *Day) sizeOf(c Column, data []byte) int64 {
	rows := int64(d.rows(c))
	if c.Numeric() {
		return 8 * rows
	}
	values, _, _ := readUvarint(data)
	return 4*rows + valueSize*int64(min(values, uint64(len(data)))) + int64(len(data))
}

// valueSize is about how many bytes a distinct text of a column takes besides its own.
const valueSize = 24

func (c *Codec) decompress(room Room, piece []byte) (kind byte, data []byte, err error) {
	var header zstd.Header
	if err := header.Decode(piece); err != nil {
		return 0, nil, err
	}
	if err := room(int64(min(header.FrameContentSize, maxDecompressed))); err != nil {
		return 0, nil, err
	}
	data, err = c.decoder.DecodeAll(piece, nil)
	if err != nil {
		return 0, nil, err
	}
	if len(data) == 0 || data[0] == 0 {
		return 0, nil, errShort
	}
	return data[0], data[1:], nil
}

var (
	errShort    = errors.New("unexpected end")
	errKind     = errors.New("unknown kind of piece")
	errMismatch = errors.New("does not match the other columns")
	errOmitted  = errors.New("the property may have been left out")
)

func columnError(column Column, err error) error {
	return fmt.Errorf("decode column %.100q: %w", string(column), err)
}

// rows returns the number of rows of a column.
func (d *Day) rows(c Column) int {
	if c.PerVisit() {
		return d.Visits()
	}
	return d.Events()
}

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
		return errMismatch
	}
	return nil
}

// readBounds reads the lengths of runs and returns where each begins. A run must not be
// empty.
func readBounds(data []byte) (bounds []uint32, rest []byte, err error) {
	n, data, err := readUvarint(data)
	if err != nil || n > uint64(len(data)) {
		return nil, nil, errShort
	}
	bounds = make([]uint32, n+1)
	at := uint64(0)
	for i := range n {
		var length uint64
		if len(data) > 0 && data[0] < 0x80 { // the common case
			length, data = uint64(data[0]), data[1:]
		} else if length, data, err = readUvarint(data); err != nil {
			return nil, nil, err
		}
		if at += length; length == 0 || length > MaxEvents || at > MaxEvents {
			return nil, nil, errMismatch
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

// encodeNumbers returns the piece of a column of numbers. It is not needed if the column
// equals its prediction.
func encodeNumbers(d *Day, c Column) (out []byte, needed bool) {
	values := d.Numbers(c)
	if c == Time {
		return encodeTimes(d, values), len(values) > 0
	}
	prediction := d.predictNumbers(c)
	out = []byte{kindNumbers}
	for i, n := range values {
		difference := n - prediction[i]
		needed = needed || difference != 0
		out = binary.AppendVarint(out, difference)
	}
	return out, needed
}

// decodeNumbers decodes a column of numbers. The kind is 0 if the column has no piece.
func (d *Day) decodeNumbers(c Column, kind byte, data []byte) ([]int64, error) {
	if kind == kindTimes && c == Time {
		return d.decodeTimes(data)
	}
	values := d.predictNumbers(c)
	switch kind {
	case 0:
		return values, nil
	case kindNumbers:
		return values, addVarints(values, data)
	default:
		return nil, errKind
	}
}

// addVarints reads a number for each of the values and adds it.
func addVarints(values []int64, data []byte) error {
	for i := range values {
		if len(data) > 0 && data[0] < 0x80 { // the common case
			values[i] += int64(data[0]>>1) ^ -int64(data[0]&1)
			data = data[1:]
			continue
		}
		n, length := binary.Varint(data)
		if length <= 0 {
			return errShort
		}
		values[i] += n
		data = data[length:]
	}
	if len(data) > 0 {
		return errMismatch
	}
	return nil
}

// encodeTimes encodes times as differences in seconds. First comes a difference for each
// visit: that of a visitor-day's first visit from the start of the previous visitor-day,
// that of its other visits from the previous event. Then come the differences of each
// visit's further events from the event before.
func encodeTimes(d *Day, values []int64) []byte {
	out := []byte{kindTimes}
	before := int64(0)
	for visitorDay := range d.VisitorDays() {
		firstVisit, endVisit := d.VisitsOf(visitorDay)
		for visit := firstVisit; visit < endVisit; visit++ {
			first, end := d.EventsOf(visit)
			out = binary.AppendVarint(out, (values[first]-before)/second)
			before = values[end-1]
		}
		first, _ := d.EventsOf(firstVisit)
		before = values[first]
	}
	for visit := range d.Visits() {
		first, end := d.EventsOf(visit)
		for i := first + 1; i < end; i++ {
			out = binary.AppendUvarint(out, uint64((values[i]-values[i-1])/second))
		}
	}
	return out
}

const second = 1000 // milliseconds

func (d *Day) decodeTimes(data []byte) ([]int64, error) {
	starts := make([]int64, d.Visits())
	for visit := range starts {
		n, length := binary.Varint(data)
		if length <= 0 {
			return nil, errShort
		}
		starts[visit], data = n*second, data[length:]
	}
	values := make([]int64, d.Events())
	for visit := range starts {
		first, end := d.EventsOf(visit)
		for i := first + 1; i < end; i++ {
			if len(data) > 0 && data[0] < 0x80 {
				values[i], data = int64(data[0])*second, data[1:]
				continue
			}
			n, length := binary.Uvarint(data)
			if length <= 0 {
				return nil, errShort
			}
			values[i], data = int64(n)*second, data[length:]
		}
	}
	if len(data) > 0 {
		return nil, errMismatch
	}
	before := int64(0)
	for visitorDay := range d.VisitorDays() {
		firstVisit, endVisit := d.VisitsOf(visitorDay)
		for visit := firstVisit; visit < endVisit; visit++ {
			first, end := d.EventsOf(visit)
			before += starts[visit]
			values[first] = before
			for i := first + 1; i < end; i++ {
				before += values[i]
				values[i] = before
			}
		}
		first, _ := d.EventsOf(firstVisit)
		before = values[first]
	}
	return values, nil
}
