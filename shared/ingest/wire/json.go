package wire

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/loosejson"
	"github.com/analytics-platform/analytics/shared/model/strictjson"
)

// decode decodes JSON into a struct. It ignores unknown fields, since trackers add fields
// over time. The error is a *validation.Error.
func decode(data []byte, into any) error {
	if err := loosejson.Unmarshal(data, into); err != nil {
		return strictjson.Explain(err)
	}
	return nil
}

// first returns the first value that is present, or nil; null counts as absent.
func first(values ...jsontext.Value) jsontext.Value {
	for _, value := range values {
		if kind := value.Kind(); kind != jsontext.KindInvalid && kind != jsontext.KindNull {
			return value
		}
	}
	return nil
}

// text decodes a string. Anything that is none is omitted.
func (e *Event) text(field string, value jsontext.Value) string {
	text, ok := loosejson.Text(value)
	if !ok {
		e.Input.Omit(field, "must be a string")
	}
	return text
}

// object decodes an object, or a string that holds one as JSON. Anything else is omitted.
func (e *Event) object(field string, value jsontext.Value) map[string]jsontext.Value {
	members, ok := loosejson.Object(value)
	if !ok {
		e.Input.Omit(field, "must be an object, or a string that holds one as JSON")
	}
	return members
}

// isObject notes that a field is omitted if it is something else than an object.
func isObject[T any](e *Event, field string, s *loosejson.Struct[T]) {
	if s.Wrong {
		e.Input.Omit(field, "must be an object")
	}
}

// money returns the value of an event, or nil if there is no amount.
func (e *Event) money(field string, amount, currency jsontext.Value, defaultCurrency string) *event.Value {
	if first(amount) == nil {
		return nil
	}
	code := strings.TrimSpace(e.text(field+".currency", currency))
	if code == "" {
		code = defaultCurrency
	}
	return &event.Value{Amount: amount, Currency: code}
}
