// Package loosejson reads JSON of strangers as far as it makes sense: a lone surrogate becomes
// U+FFFD, of two members with one name the last counts, and a number may stand where a text is
// expected.
//
// It is pure. Package strictjson rejects invalid JSON instead, and says what is wrong with it.
package loosejson

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Unmarshal decodes JSON, and ignores members that into does not have. Fields that may have
// another type than expected should be of type jsontext.Value.
func Unmarshal(data []byte, into any) error {
	return json.Unmarshal(data, into, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

// Text returns a string, or a number or a boolean as it is written. Null and no value are
// empty. ok is false for lists and objects.
func Text(value jsontext.Value) (text string, ok bool) {
	switch value.Kind() {
	case jsontext.KindString:
		if unquoted, err := jsontext.AppendUnquote(make([]byte, 0, 64), value); err == nil {
			return string(unquoted), true
		}
		return text, Unmarshal(value, &text) == nil
	case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		return string(value), true
	default:
		return "", isNothing(value)
	}
}

// Bool returns a boolean, which may be written as a string. Null and no value are false.
func Bool(value jsontext.Value) (is, ok bool) {
	text, ok := Text(value)
	switch text {
	case "true":
		return true, true
	case "false", "":
		return false, ok
	default:
		return false, false
	}
}

// Number returns a finite number, which may be written as a string.
func Number(value jsontext.Value) (n float64, ok bool) {
	text, ok := Text(value)
	if text = strings.TrimSpace(text); !ok || strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64) // which takes all finite numbers
	if err != nil {
		return 0, false
	}
	return n, true
}

// Integer returns the whole part of a number, at most a million million in size.
func Integer(value jsontext.Value) (n int64, ok bool) {
	const most = 1e12
	number, ok := Number(value)
	return int64(max(-most, min(most, number))), ok
}

// Object returns the members of an object, which may be written as a string that holds it as
// JSON. Null and no value have none.
func Object(value jsontext.Value) (members map[string]jsontext.Value, ok bool) {
	if isNothing(value) {
		return nil, true
	}
	if value.Kind() == jsontext.KindString {
		text, _ := Text(value)
		value = jsontext.Value(text)
	}
	ok = value.Kind() == jsontext.KindBeginObject && Unmarshal(value, &members) == nil
	return members, ok
}

func isNothing(value jsontext.Value) bool {
	return value == nil || value.Kind() == jsontext.KindNull
}

// Struct is a struct in which an object is decoded. Other values leave it as it is.
type Struct[T any] struct {
	Value T
	OK    bool // there was an object
	Wrong bool // there was something else, other than null
}

// UnmarshalJSONFrom decodes the next value.
func (s *Struct[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	if s.OK = kind == jsontext.KindBeginObject; s.OK {
		return json.UnmarshalDecode(dec, &s.Value)
	}
	s.Wrong = kind != jsontext.KindNull
	return dec.SkipValue()
}
