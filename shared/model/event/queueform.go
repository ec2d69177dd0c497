package event

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"
)

// appendID appends an id that may be absent.
func appendID(buf []byte, id uuid.UUID) []byte {
	if id == uuid.Nil {
		return msgp.AppendNil(buf)
	}
	return msgp.AppendBytes(buf, id[:])
}

// appendProps appends properties, or nil if there are none.
func appendProps(buf []byte, props map[string]string) []byte {
	if len(props) == 0 {
		return msgp.AppendNil(buf)
	}
	return msgp.AppendMapStrStr(buf, props)
}

// SiteOf returns the Site of an encoded event without decoding the rest.
func SiteOf(encoded string) (int32, error) {
	r, err := open(encoded)
	if err != nil {
		return 0, err
	}
	site := r.int32()
	if r.err != nil {
		return 0, fmt.Errorf("decode the site of an event: %w", r.err)
	}
	return site, nil
}

// reader reads the elements of an encoded event. After an error it returns zeros.
type reader struct {
	elements uint32 // of the array
	rest     []byte
	err      error
}

func open(encoded string) (r reader, err error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(msgp.UnsafeBytes(encoded)) // nothing writes to it
	if err != nil {
		return r, fmt.Errorf("decode an event: %w", err)
	}
	if n < firstQueueElements {
		return r, fmt.Errorf("decode an event: it has %d elements instead of %d or more", n, firstQueueElements)
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
func (r *reader) bool() bool   { return read(r, msgp.ReadBoolBytes) }
func (r *reader) text() string { return msgp.UnsafeString(read(r, msgp.ReadStringZC)) }

// version reads the version of the form. The first version has none.
func (r *reader) version() {
	if v := r.int16(); r.err == nil && v < 2 {
		r.err = fmt.Errorf("the version is %d instead of 2 or more", v)
	}
}

// isNil skips a nil, and reports whether there was one.
func (r *reader) isNil() bool {
	if r.err == nil && msgp.IsNil(r.rest) {
		r.rest, r.err = msgp.ReadNilBytes(r.rest)
		return true
	}
	return false
}

// uuid reads an id; nil is the zero id.
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
	if r.err == nil && int(n) > len(r.rest) { // reject counts larger than the input, to bound allocation
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
