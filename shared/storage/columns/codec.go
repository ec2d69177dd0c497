package columns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Frame is the name under which it is kept which visits a visitor-day and which events a
// visit has. A day that is kept has it.
const Frame Column = "frame"

// Version is the name of the piece that holds the version of the form as a varint, without
// compression. The first version has no such piece.
const Version Column = "version"

// MoreProps is the name under which it is kept that a day has properties that are not kept,
// since there are more than MaxProps: the other properties without a piece may be such.
const MoreProps Column = "more_props"

// MaxEvents is how many events a day may have to be kept.
const MaxEvents = 1 << 23

// maxUnpacked bounds how many bytes a piece may have once it is unpacked.
const maxUnpacked = 1 << 26

// The kinds of pieces, each of which begins with its kind. A new form of one is a new
// kind; so is another guess (see prediction.go).
const (
	kindFrame   = 1 // numbers of visits, then of events
	kindNumbers = 2 // differences from the prediction
	kindTimes   = 3 // seconds from a visit's beginning to that of the next, then those between its events
	kindText    = 4 // the values, then which of them a row has
	kindTextBy  = 5 // the same, where a row has 0 when it is as guessed
	kindTextOf  = 6 // the values that are not among those of the other column, then as before
	kindMore    = 7 // nothing
)

// Codec keeps days as bytes, a piece for each column. It is safe for concurrent use.
type Codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewCodec makes one.
func NewCodec() (*Codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		return nil, fmt.Errorf("set up decompression: %w", err)
	}
	return &Codec{encoder, decoder}, nil
}

// ErrTooLarge means that a day is too large to be kept.
var ErrTooLarge = errors.New("the day is too large to be kept in columns")

// Encode returns the pieces of a day that has all columns. Columns that are in all rows as
// predicted are left out. The error is ErrTooLarge, when Decode would refuse it.
func (c *Codec) Encode(d *Day) (map[Column][]byte, error) {
	if d.Events() > MaxEvents {
		return nil, ErrTooLarge
	}
	pieces := map[Column][]byte{Version: binary.AppendUvarint(nil, ArchiveVersion)}
	fits := true
	pack := func(column Column, data []byte, says bool) {
		fits = fits && len(data) <= maxUnpacked
		if says && fits {
			pieces[column] = c.encoder.EncodeAll(data, nil)
		}
	}
	pack(Frame, encodeFrame(d), true)
	pack(MoreProps, []byte{kindMore}, d.more)
	for _, column := range numberColumns() {
		data, says := encodeNumbers(d, column)
		pack(column, data, says)
	}
	for column, text := range d.texts {
		sorted := &Day{visits: d.visits, events: d.events, texts: map[Column]Text{column: text.byFrequency()}}
		if from := column.predictedFrom(); from != "" {
			sorted.texts[from] = d.texts[from].byFrequency()
		}
		data, says := encodeText(sorted, column)
		pack(column, data, says)
	}
	if !fits {
		return nil, ErrTooLarge
	}
	return pieces, nil
}

// Decode makes a day with the wanted columns of the pieces that were kept of it. It needs
// those that Needed tells.
func (c *Codec) Decode(date event.Day, pieces map[Column][]byte, wanted ...Column) (*Day, error) {
	d := &Day{Date: date, texts: map[Column]Text{}, numbers: map[Column][]int64{}}
	kind, data, err := c.unpack(pieces[Frame])
	if err == nil {
		err = d.decodeFrame(kind, data)
	}
	if err != nil {
		return nil, wrong(Frame, err)
	}
	for _, column := range wanted {
		if err := c.decode(d, pieces, column); err != nil {
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

// decode adds a column to the day, and those from which it is guessed.
func (c *Codec) decode(d *Day, pieces map[Column][]byte, column Column) error {
	if _, ok := d.texts[column]; ok || d.numbers[column] != nil {
		return nil
	}
	if from := column.predictedFrom(); from != "" {
		if err := c.decode(d, pieces, from); err != nil {
			return err
		}
	}
	var kind byte
	var data []byte
	var err error
	if piece := pieces[column]; piece != nil {
		if kind, data, err = c.unpack(piece); err != nil {
			return wrong(column, err)
		}
	} else if _, ok := column.Key(); ok && pieces[MoreProps] != nil {
		return wrong(column, errMore)
	}
	if column.OfNumbers() {
		d.numbers[column], err = d.decodeNumbers(column, kind, data)
	} else {
		d.texts[column], err = d.decodeText(column, kind, data)
	}
	if err != nil {
		return wrong(column, err)
	}
	return nil
}

func (c *Codec) unpack(piece []byte) (kind byte, data []byte, err error) {
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
	errShort = errors.New("it ends too early")
	errKind  = errors.New("it is of a kind that this version does not know")
	errWrong = errors.New("it does not fit the other columns")
	errMore  = errors.New("it may be one of those that were too many to be kept")
)

func wrong(column Column, err error) error {
	return fmt.Errorf("read the column %.100q: %w", string(column), err)
}

// rows is how many a column has.
func (d *Day) rows(c Column) int {
	if c.OfVisits() {
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
		return errWrong
	}
	return nil
}

// readBounds reads the lengths of runs, none of which is empty.
func readBounds(data []byte) (bounds []uint32, rest []byte, err error) {
	n, data, err := readUvarint(data)
	if err != nil || n > uint64(len(data)) {
		return nil, nil, errShort
	}
	bounds = make([]uint32, n+1)
	at := uint64(0)
	for i := range n {
		var length uint64
		if len(data) > 0 && data[0] < 0x80 { // most are that small
			length, data = uint64(data[0]), data[1:]
		} else if length, data, err = readUvarint(data); err != nil {
			return nil, nil, err
		}
		if at += length; length == 0 || length > MaxEvents || at > MaxEvents {
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

// encodeNumbers returns what is kept of a column of numbers; says is false when that says
// nothing.
func encodeNumbers(d *Day, c Column) (out []byte, says bool) {
	values := d.Numbers(c)
	if c == Time {
		return encodeTimes(d, values), len(values) > 0
	}
	prediction := d.predictNumbers(c)
	out = []byte{kindNumbers}
	for i, n := range values {
		difference := n - prediction[i]
		says = says || difference != 0
		out = binary.AppendVarint(out, difference)
	}
	return out, says
}

// decodeNumbers reads a column of numbers, of which nothing is kept when kind is 0.
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

// addVarints adds to each of the values one that it reads.
func addVarints(values []int64, data []byte) error {
	for i := range values {
		if len(data) > 0 && data[0] < 0x80 { // most are that small
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
		return errWrong
	}
	return nil
}

// A day's times are kept in seconds: when a visitor-day began after the one before, when
// another visit of it began after the event before, then of each visit's further events
// how long after the one before they were.
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
		return nil, errWrong
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
