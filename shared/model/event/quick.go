package event

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// quick reads an event that is written as nearly all are: texts without escapes, numbers
// without exponents, nothing that is seldom there. Of anything else it makes nothing, and
// the strict reader is to read it, or to say what is wrong with it. It must never read an
// event otherwise than the strict reader does.
func quick(data []byte) (in Input, ok bool) {
	r := quickReader{rest: string(data)} // of which all texts are parts
	seen := make([]string, 0, 16)
	for more := r.opened(); more; more = r.goesOn() {
		name := r.name()
		if slices.Contains(seen, name) {
			return Input{}, false
		}
		seen = append(seen, name)
		switch name {
		case "id":
			in.ID = r.text()
		case "site":
			in.Site = r.text()
		case "type":
			in.Type = r.text()
		case "name":
			in.Name = r.text()
		case "url":
			in.URL = r.text()
		case "referrer":
			in.Referrer = r.text()
		case "timestamp":
			in.Timestamp = r.text()
		case "title":
			in.Title = r.text()
		case "language":
			in.Language = r.text()
		case "screen":
			in.Screen = r.text()
		case "subject":
			in.Subject = r.text()
		case "props":
			in.Props = r.props()
		case "consent":
			in.Consent = r.boolean()
		case "passive":
			in.Passive = r.boolean()
		case "scroll":
			in.Scroll = r.whole()
		case "engaged":
			in.Engaged = r.whole()
		default:
			return Input{}, false
		}
	}
	if r.space(); r.failed || r.rest != "" {
		return Input{}, false
	}
	return in, true
}

// quickReader reads JSON from its beginning. Once it has failed what it says means nothing.
type quickReader struct {
	rest   string
	failed bool
}

func (r *quickReader) space() {
	for r.rest != "" && (r.rest[0] == ' ' || r.rest[0] == '\n' || r.rest[0] == '\t' || r.rest[0] == '\r') {
		r.rest = r.rest[1:]
	}
}

// skip passes over a byte, and tells whether it was there.
func (r *quickReader) skip(c byte) bool {
	r.space()
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// must passes over a byte that has to be there.
func (r *quickReader) must(c byte) {
	if !r.skip(c) {
		r.failed = true
	}
}

// opened begins an object, and tells whether it has a member.
func (r *quickReader) opened() bool {
	r.must('{')
	return !r.failed && !r.skip('}')
}

// goesOn tells whether an object has another member; else it ends.
func (r *quickReader) goesOn() bool {
	if r.skip(',') {
		return !r.failed
	}
	r.must('}')
	return false
}

// name reads the name of a member.
func (r *quickReader) name() string {
	name := r.text()
	r.must(':')
	return name
}

// text reads a text.
func (r *quickReader) text() string {
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
func (r *quickReader) boolean() (value bool) {
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

// number reads the digits of a number.
func (r *quickReader) number() string {
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
	r.rest = digits // where an exponent would be no comma, and no end
	return number
}

func countDigits(s string) (n int) {
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// whole reads a whole number.
func (r *quickReader) whole() *int {
	n, err := strconv.Atoi(r.number())
	r.failed = r.failed || err != nil
	return &n
}

// props reads an object of properties.
func (r *quickReader) props() map[string]jsontext.Value {
	props := map[string]jsontext.Value{}
	for more := r.opened(); more; more = r.goesOn() {
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
