package event

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// fastReader reads JSON from its beginning. After a failure, returned values must be
// ignored.
type fastReader struct {
	rest   string
	failed bool
}

func (r *fastReader) space() {
	for r.rest != "" && (r.rest[0] == ' ' || r.rest[0] == '\n' || r.rest[0] == '\t' || r.rest[0] == '\r') {
		r.rest = r.rest[1:]
	}
}

// skip skips a byte, and reports whether it was there.
func (r *fastReader) skip(c byte) bool {
	r.space()
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// must skips a byte, and fails if it is not there.
func (r *fastReader) must(c byte) {
	if !r.skip(c) {
		r.failed = true
	}
}

// begin enters an object, and reports whether it has a member.
func (r *fastReader) begin() bool {
	r.must('{')
	return !r.failed && !r.skip('}')
}

// next reports whether the object has another member, and leaves the object otherwise.
func (r *fastReader) next() bool {
	if r.skip(',') {
		return !r.failed
	}
	r.must('}')
	return false
}

// name reads the name of a member.
func (r *fastReader) name() string {
	name := r.text()
	r.must(':')
	return name
}

// text reads a string.
func (r *fastReader) text() string {
	r.must('"')
	plain := true // ASCII
	for i := range len(r.rest) {
		switch c := r.rest[i]; {
		case c == '"':
			text := r.rest[:i]
			r.rest = r.rest[i+1:]
			r.failed = r.failed || !plain && !utf8.ValidString(text)
			return text
		case c == '\\' || c < ' ':
			r.failed = true
			return ""
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	r.failed = true
	return ""
}

// boolean reads true or false.
func (r *fastReader) boolean() (value bool) {
	r.space()
	rest, value := strings.CutPrefix(r.rest, "true")
	if !value {
		var is bool
		rest, is = strings.CutPrefix(r.rest, "false")
		r.failed = r.failed || !is
	}
	r.rest = rest
	return value
}

// number reads a number and returns its text.
func (r *fastReader) number() string {
	r.space()
	digits, _ := strings.CutPrefix(r.rest, "-")
	whole := countDigits(digits)
	if whole == 0 || whole > 1 && digits[0] == '0' {
		r.failed = true
		return ""
	}
	digits = digits[whole:]
	if part, point := strings.CutPrefix(digits, "."); point {
		n := countDigits(part)
		r.failed = r.failed || n == 0
		digits = part[n:]
	}
	number := r.rest[:len(r.rest)-len(digits)]
	r.rest = digits // an exponent is neither a comma nor an end, so it fails there
	return number
}

func countDigits(s string) (n int) {
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// integer reads a whole number.
func (r *fastReader) integer() *int {
	n, err := strconv.Atoi(r.number())
	r.failed = r.failed || err != nil
	return &n
}

// props reads the properties of an event.
func (r *fastReader) props() map[string]jsontext.Value {
	props := map[string]jsontext.Value{}
	for more := r.begin(); more; more = r.next() {
		key := r.name()
		if _, twice := props[key]; twice || r.failed {
			r.failed = true
			return nil
		}
		r.space()
		before := r.rest
		switch {
		case before == "":
			r.failed = true
		case before[0] == '"':
			r.text()
		case before[0] == 't' || before[0] == 'f':
			r.boolean()
		default:
			r.number()
		}
		props[key] = jsontext.Value(before[:len(before)-len(r.rest)])
	}
	return props
}
