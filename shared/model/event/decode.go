package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Split cuts the body of a request, one event or an array of events, into its
// events without reading them: a bad one must not take the good ones with it.
// A body that is no JSON, or neither an object nor an array, is a *validation.Error.
func Split(body []byte) (events []jsontext.Value, array bool, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	switch dec.PeekKind() {
	case jsontext.KindBeginObject:
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false, malformed(err)
		}
		return []jsontext.Value{bytes.Clone(value)}, false, atEnd(dec)
	case jsontext.KindBeginArray:
		if _, err := dec.ReadToken(); err != nil {
			return nil, true, malformed(err)
		}
		for dec.PeekKind() != jsontext.KindEndArray {
			value, err := dec.ReadValue()
			if err != nil {
				return nil, true, malformed(err)
			}
			if len(events) == MaxBatch {
				return nil, true, &validation.Error{Code: validation.CodeTooMany, Detail: fmt.Sprintf("at most %d events in a request", MaxBatch)}
			}
			events = append(events, bytes.Clone(value))
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil, true, malformed(err)
		}
		if len(events) == 0 {
			return nil, true, &validation.Error{Code: validation.CodeRequired, Detail: "the array holds no event"}
		}
		return events, true, atEnd(dec)
	case jsontext.KindInvalid:
		_, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil, false, &validation.Error{Code: validation.CodeRequired, Detail: "the body is empty: send one event as a JSON object, or an array of events"}
		}
		return nil, false, malformed(err)
	default:
		return nil, false, &validation.Error{Code: validation.CodeWrongType, Detail: "the body must be a JSON object (one event) or an array of events"}
	}
}

func atEnd(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return &validation.Error{Code: validation.CodeMalformed, Detail: fmt.Sprintf("the body goes on after the JSON ends, at byte %d: send one object or one array", dec.InputOffset())}
	}
	return nil
}

func malformed(err error) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return invalid(field(syntactic.JSONPointer), validation.CodeMalformed, fmt.Sprintf("is not valid JSON at byte %d", syntactic.ByteOffset))
	}
	return invalid("", validation.CodeMalformed, "the body ends in the middle of the JSON")
}

// decodeError says which member of an event could not be read and why, without
// repeating its value.
func decodeError(err error) error {
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &semantic):
		name := field(semantic.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			return invalid(name, validation.CodeUnknownField, "is not a field of an event; those are "+inputNames)
		}
		if name == "" {
			return invalid("", validation.CodeWrongType, "an event must be a JSON object")
		}
		if expected(name) == wholeNumber && semantic.JSONKind == jsontext.KindNumber {
			return invalid(name, validation.CodeWrongType, "must be "+wholeNumber+", not one with a fraction or too many digits")
		}
		return invalid(name, validation.CodeWrongType, "must be "+expected(name)+", not "+kind(semantic.JSONKind))
	case errors.Is(err, jsontext.ErrDuplicateName):
		var syntactic *jsontext.SyntacticError
		if errors.As(err, &syntactic) {
			return invalid(field(syntactic.JSONPointer), validation.CodeMalformed, "appears twice")
		}
		return invalid("", validation.CodeMalformed, "a field appears twice")
	default:
		return malformed(err)
	}
}

// field turns a JSON pointer into the dotted path that errors use.
func field(p jsontext.Pointer) string {
	var parts []string
	for token := range p.Tokens() {
		parts = append(parts, clip(token))
	}
	return strings.Join(parts, ".")
}

const wholeNumber = "a whole number"

func expected(name string) string {
	switch name {
	case "props", "value", "funnel":
		return "an object"
	case "funnel.step", "engaged", "scroll":
		return wholeNumber
	case "passive", "consent":
		return "true or false"
	default:
		return "a string"
	}
}

func kind(k jsontext.Kind) string {
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
