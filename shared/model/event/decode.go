package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/loosejson"
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

// Decode decodes one event of the native form. The error is a *validation.Error if it is no JSON
// object, or too long. Members that make no sense are flaws.
func Decode(data []byte) (Input, error) {
	if len(data) > MaxEvent {
		return Input{}, &validation.Error{Code: validation.CodeTooLong, Detail: fmt.Sprintf("an event may have at most %d bytes", MaxEvent)}
	}
	if in, ok := decodeFast(data); ok {
		return in, nil
	}
	var in Input
	if json.Unmarshal(data, &in, json.RejectUnknownMembers(true)) == nil {
		return in, nil
	}
	return decodeAny(data)
}

// decodeAny decodes an event member by member, which is slower.
func decodeAny(data []byte) (in Input, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if kind := dec.PeekKind(); kind != jsontext.KindBeginObject && kind != jsontext.KindInvalid {
		return in, &validation.Error{Code: validation.CodeWrongType, Detail: "an event must be a JSON object"}
	}
	if _, err := dec.ReadToken(); err != nil {
		return in, strictjson.Explain(err)
	}
	for dec.PeekKind() == jsontext.KindString {
		token, err := dec.ReadToken()
		if err != nil {
			return in, strictjson.Explain(err)
		}
		name := token.String()
		value, err := dec.ReadValue()
		if err != nil {
			return in, strictjson.Explain(err)
		}
		if !in.set(name, value) {
			in.Omit(nameOf(name), "is not a field of an event; those are "+inputNames)
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return in, strictjson.Explain(err)
	}
	return in, atEnd(dec)
}

// Omit notes that a field is left out. The detail describes a valid value.
func (in *Input) Omit(field, detail string) {
	in.Flaws = addFlaw(in.Flaws, Flaw{field, detail, false})
}

func readText(in *Input, name string, value jsontext.Value) string {
	text, ok := loosejson.Text(value)
	if !ok {
		in.Omit(name, "must be a string")
	}
	return text
}

func readBool(in *Input, name string, value jsontext.Value) bool {
	is, ok := loosejson.Bool(value)
	if !ok {
		in.Omit(name, "must be true or false")
	}
	return is
}

func readInteger(in *Input, name string, value jsontext.Value) *int {
	if value.Kind() == jsontext.KindNull {
		return nil
	}
	n, ok := loosejson.Integer(value)
	if !ok {
		in.Omit(name, "must be a number")
		return nil
	}
	return new(int(n))
}

func readProps(in *Input, name string, value jsontext.Value) map[string]jsontext.Value {
	props, ok := loosejson.Object(value)
	if !ok {
		in.Omit(name, "must be an object")
	}
	return props
}

func readValue(in *Input, name string, value jsontext.Value) *Value {
	members, ok := loosejson.Object(value)
	if !ok {
		in.Omit(name, `must be an object, e.g. {"amount":12.5,"currency":"EUR"}`)
	}
	if members == nil {
		return nil
	}
	in.unknown(name, members, "amount", "currency")
	return &Value{members["amount"], readText(in, name+".currency", members["currency"])}
}

func readFunnel(in *Input, name string, value jsontext.Value) *Funnel {
	members, ok := loosejson.Object(value)
	if !ok {
		in.Omit(name, `must be an object, e.g. {"id":"signup","step":1}`)
	}
	if members == nil {
		return nil
	}
	in.unknown(name, members, "id", "step")
	funnel := &Funnel{ID: readText(in, name+".id", members["id"])}
	if step := readInteger(in, name+".step", members["step"]); step != nil {
		funnel.Step = *step
	}
	return funnel
}

// unknown notes the members of a field that it does not have.
func (in *Input) unknown(field string, members map[string]jsontext.Value, known ...string) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			in.Omit(field+"."+nameOf(name), "is not a field of "+field+"; those are "+strings.Join(known, ", "))
		}
	}
}
