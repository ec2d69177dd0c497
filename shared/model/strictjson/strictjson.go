// Package strictjson decodes JSON objects into structs. It rejects unknown and duplicate
// names, wrong types, and data after the object. Every error is a *validation.Error, which
// never contains a value, since it may be a secret.
//
// Decoders with other rules can use Explain for the errors of package json.
package strictjson

import (
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// maxName is the maximum number of bytes of a client's name in an error.
const maxName = 100

// Decode decodes a JSON object into the struct that into points to.
func Decode(data []byte, into any) error { return decode(data, into, json.RejectUnknownMembers(true)) }

// Peek is like Decode, but skips what the struct does not have, at hardly any cost.
func Peek(data []byte, into any) error { return decode(data, into) }

func decode(data []byte, into any, options ...json.Options) error {
	if strings.TrimSpace(string(data)) == "" {
		return validation.New("", "the body is empty: send a JSON object")
	}
	err := json.Unmarshal(data, into, options...)
	if err == nil {
		return nil
	}
	invalid := Explain(err)
	switch {
	case invalid.Code == validation.CodeUnknownField:
		if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
			invalid.Detail = "is not a known field; known are " + strings.Join(memberNames(into, semantic.JSONPointer.Parent()), ", ")
		}
	case invalid.Code == validation.CodeWrongType && invalid.Field == "":
		invalid.Detail = "the body must be a JSON object"
	case strings.HasPrefix(invalid.Detail, notValid):
		invalid.Detail = "the body " + invalid.Detail
	}
	invalid.Code = "" // a request with a single document has the same code for every error
	return invalid
}

const notValid = "is not valid JSON"

// Explain describes an error of json.Unmarshal. The code is CodeUnknownField,
// CodeWrongType, or CodeMalformed for what is not JSON and for names that appear twice.
func Explain(err error) *validation.Error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		path := Path(semantic.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			return &validation.Error{Field: path, Code: validation.CodeUnknownField, Detail: "is not a known field"}
		}
		want, got := typeName(semantic.GoType), KindName(semantic.JSONKind)
		if want == wholeNumber && semantic.JSONKind == jsontext.KindNumber {
			got = "one with a fraction or too many digits"
		}
		return &validation.Error{Field: path, Code: validation.CodeWrongType, Detail: "must be " + want + ", not " + got}
	}
	invalid := &validation.Error{Code: validation.CodeMalformed, Detail: "the body ends in the middle of the JSON"}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		invalid.Field = Path(syntactic.JSONPointer)
		invalid.Detail = notValid + " at byte " + strconv.FormatInt(syntactic.ByteOffset, 10)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			invalid.Detail = "appears twice"
		}
	}
	return invalid
}

// Path turns a JSON pointer into the dotted path that errors use. Long names are cut.
func Path(p jsontext.Pointer) string {
	var parts []string
	for token := range p.Tokens() {
		if len(token) > maxName {
			token = token[:maxName] + "..."
		}
		parts = append(parts, strings.ToValidUTF8(token, "?"))
	}
	return strings.Join(parts, ".")
}

// KindName returns the name of a kind of JSON value with its article, such as "a string".
func KindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindBeginArray:
		return "an array"
	default:
		return "that"
	}
}

const wholeNumber = "a whole number"

// typeName returns the name of the JSON values of a Go type.
func typeName(t reflect.Type) string {
	if t == nil {
		return "something else"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return wholeNumber
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return typeName(t.Elem())
	default:
		return "something else"
	}
}

// memberNames returns the names that the object at a pointer may have.
func memberNames(into any, at jsontext.Pointer) []string {
	t := reflect.TypeOf(into).Elem()
	for token := range at.Tokens() {
		if t.Kind() == reflect.Slice { // all elements have one type
			t = t.Elem()
		} else {
			field, ok := fieldByName(t, token)
			if !ok {
				return nil
			}
			t = field.Type
		}
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if !f.Anonymous { // its fields are visible themselves
			names = append(names, memberName(f))
		}
	}
	return names
}

func fieldByName(t reflect.Type, name string) (reflect.StructField, bool) {
	return t.FieldByNameFunc(func(field string) bool {
		f, _ := t.FieldByName(field)
		return memberName(f) == name
	})
}

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
