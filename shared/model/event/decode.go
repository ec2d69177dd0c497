package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Split splits the body of a request, one event or an array of events, into its events
// without decoding them, so that a bad event does not affect the good ones. The error is a
// *validation.Error if the body is not JSON, or neither an object nor an array.
func Split(body []byte) (events []jsontext.Value, array bool, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	switch dec.PeekKind() {
	case jsontext.KindBeginObject:
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false, strictjson.Explain(err)
		}
		return []jsontext.Value{bytes.Clone(value)}, false, atEnd(dec)
	case jsontext.KindBeginArray:
		if _, err := dec.ReadToken(); err != nil {
			return nil, true, strictjson.Explain(err)
		}
		for dec.PeekKind() != jsontext.KindEndArray {
			value, err := dec.ReadValue()
			if err != nil {
				return nil, true, strictjson.Explain(err)
			}
			if len(events) == MaxBatch {
				return nil, true, &validation.Error{Code: validation.CodeTooMany, Detail: fmt.Sprintf("at most %d events in a request", MaxBatch)}
			}
			events = append(events, bytes.Clone(value))
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil, true, strictjson.Explain(err)
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
		return nil, false, strictjson.Explain(err)
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

// decodeError describes why an event can't be decoded, without repeating a value.
func decodeError(err error) error {
	invalid := strictjson.Explain(err)
	switch {
	case invalid.Code == validation.CodeUnknownField:
		invalid.Detail = "is not a field of an event; those are " + inputNames
	case invalid.Code == validation.CodeWrongType && invalid.Field == "":
		invalid.Detail = "an event must be a JSON object"
	}
	return invalid
}
