package event

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"
)

const (
	// elements is how many elements the array of an encoded event has. They never change
	// their places, and what will be known of events comes behind them: so a version reads
	// what another has written, and passes over what it doesn't know.
	elements = fewest + 2
	// fewest is how many the first version wrote.
	fewest = 11 + 7 + 18
)

// texts are the texts of an event, but for its attributes, which are encoded behind them.
func (e *Event) texts() [7]*string {
	return [7]*string{&e.Name, &e.Hostname, &e.Page, &e.Title, &e.Amount, &e.Currency, &e.Funnel}
}

// Encode appends the form that an event has in the queue, an array in MessagePack.
func (e *Event) Encode(buf []byte) []byte {
	buf = msgp.AppendArrayHeader(buf, elements)
	buf = msgp.AppendInt32(buf, e.Site) // first, for SiteOf
	buf = msgp.AppendBytes(buf, e.ID[:])
	buf = msgp.AppendInt64(buf, e.Time.UnixMilli())
	buf = msgp.AppendInt32(buf, int32(e.Day))
	buf = msgp.AppendInt16(buf, e.UTCOffset)
	buf = msgp.AppendInt64(buf, e.Visitor)
	buf = msgp.AppendInt16(buf, int16(e.Type))
	buf = msgp.AppendInt16(buf, e.Step)
	buf = msgp.AppendInt32(buf, e.Engaged)
	if e.Subject == uuid.Nil {
		buf = msgp.AppendNil(buf)
	} else {
		buf = msgp.AppendBytes(buf, e.Subject[:])
	}
	if len(e.Props) == 0 {
		buf = msgp.AppendNil(buf)
	} else {
		buf = msgp.AppendMapStrStr(buf, e.Props)
	}
	for _, text := range e.texts() {
		buf = msgp.AppendString(buf, *text)
	}
	for _, text := range e.AttributeValues() {
		buf = msgp.AppendString(buf, *text)
	}
	buf = msgp.AppendInt16(buf, e.Scroll)
	return msgp.AppendBool(buf, e.Passive)
}

// Decode reads into the zero event what Encode has made. The event's texts are parts of
// encoded: they cost no memory, and keep it.
func (e *Event) Decode(encoded string) error {
	r, err := open(encoded)
	if err != nil {
		return err
	}
	e.Site = r.int32()
	e.ID = r.uuid()
	e.Time = time.UnixMilli(r.int64()).UTC()
	e.Day = Day(r.int32())
	e.UTCOffset = r.int16()
	e.Visitor = r.int64()
	e.Type = Type(r.int16())
	e.Step = r.int16()
	e.Engaged = r.int32()
	e.Subject = r.uuid()
	e.Props = r.props()
	for _, text := range e.texts() {
		*text = r.text()
	}
	for _, text := range e.AttributeValues() {
		*text = r.text()
	}
	if r.elements >= elements {
		e.Scroll = r.int16()
		e.Passive = read(&r, msgp.ReadBoolBytes)
	}
	if r.err != nil {
		return fmt.Errorf("read an encoded event: %w", r.err)
	}
	return nil
}

// SiteOf is the Site of an event that Encode has encoded, found without decoding the
// rest.
func SiteOf(encoded string) (int32, error) {
	r, err := open(encoded)
	if err != nil {
		return 0, err
	}
	site := r.int32()
	if r.err != nil {
		return 0, fmt.Errorf("read the site of an encoded event: %w", r.err)
	}
	return site, nil
}

// reader reads the elements of an encoded event. After an error it reads nothing but
// zeros.
type reader struct {
	elements uint32 // of the array
	rest     []byte
	err      error
}

func open(encoded string) (r reader, err error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(msgp.UnsafeBytes(encoded)) // nothing here writes to it
	if err != nil {
		return r, fmt.Errorf("read an encoded event: %w", err)
	}
	if n < fewest {
		return r, fmt.Errorf("read an encoded event: it has %d elements instead of %d", n, elements)
	}
	return reader{elements: n, rest: rest}, nil
}

func read[T any](r *reader, next func([]byte) (T, []byte, error)) (value T) {
	if r.err != nil {
		return value
	}
	var read T
	if read, r.rest, r.err = next(r.rest); r.err != nil {
		return value
	}
	return read
}

func (r *reader) int16() int16 { return read(r, msgp.ReadInt16Bytes) }
func (r *reader) int32() int32 { return read(r, msgp.ReadInt32Bytes) }
func (r *reader) int64() int64 { return read(r, msgp.ReadInt64Bytes) }
func (r *reader) text() string { return msgp.UnsafeString(read(r, msgp.ReadStringZC)) }

// isNil passes over a nil.
func (r *reader) isNil() bool {
	if r.err == nil && msgp.IsNil(r.rest) {
		r.rest, r.err = msgp.ReadNilBytes(r.rest)
		return true
	}
	return false
}

// uuid reads an id; nil is the zero one.
func (r *reader) uuid() (id uuid.UUID) {
	if r.isNil() {
		return id
	}
	b := read(r, msgp.ReadBytesZC)
	if r.err == nil && copy(id[:], b) != len(b) || r.err == nil && len(b) != len(id) {
		r.err = fmt.Errorf("an id has %d bytes instead of %d", len(b), len(id))
	}
	return id
}

func (r *reader) props() map[string]string {
	if r.isNil() {
		return nil
	}
	n := read(r, msgp.ReadMapHeaderBytes)
	if r.err == nil && int(n) > len(r.rest) { // each takes a byte at least: memory is not for the asking
		r.err = fmt.Errorf("%d properties in %d bytes", n, len(r.rest))
	}
	if r.err != nil {
		return nil
	}
	props := make(map[string]string, n)
	for range n {
		key := r.text()
		props[key] = r.text()
	}
	return props
}
