package wire

import (
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// decode decodes JSON into a struct. It ignores unknown fields, since trackers add fields
// over time. The error is a *validation.Error.
func decode(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
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

// text decodes a string; nil decodes to "".
func text(field string, value jsontext.Value) (string, error) {
	if value == nil {
		return "", nil
	}
	var s string
	if value.Kind() != jsontext.KindString || json.Unmarshal(value, &s) != nil {
		return "", &validation.Error{Field: field, Code: validation.CodeWrongType, Detail: "must be a string"}
	}
	return s, nil
}

// number decodes a finite number, or a string that holds one. ok is false for other values.
func number(value jsontext.Value) (n float64, ok bool) {
	digits := string(value)
	switch value.Kind() {
	case jsontext.KindString:
		if json.Unmarshal(value, &digits) != nil {
			return 0, false
		}
	case jsontext.KindNumber:
	default:
		return 0, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// object decodes an object, or a string that holds one as JSON.
func object(field string, value jsontext.Value) (map[string]jsontext.Value, error) {
	if value == nil {
		return nil, nil //nolint:nilnil // absent counts as empty
	}
	if value.Kind() == jsontext.KindString {
		inner, err := text(field, value)
		if err != nil {
			return nil, err
		}
		value = jsontext.Value(inner)
	}
	var o map[string]jsontext.Value
	if json.Unmarshal(value, &o) != nil {
		return nil, &validation.Error{Field: field, Code: validation.CodeWrongType, Detail: "must be an object, or a string that holds one as JSON"}
	}
	return o, nil
}

// money returns the value of an event, or nil if there is no amount. An amount with more
// digits than an event stores, as JavaScript's sums have, is rounded to four decimals. A
// value that is not a number is returned as is: validation of the event rejects it.
func money(amount, currency jsontext.Value, defaultCurrency string) *event.Value {
	if first(amount) == nil {
		return nil
	}
	digits := string(amount)
	if amount.Kind() == jsontext.KindString && json.Unmarshal(amount, &digits) != nil {
		digits = ""
	}
	if _, _, ok := event.ReadAmount(digits); !ok {
		if n, ok := number(amount); ok && math.Abs(n) < 1e12 {
			amount = jsontext.Value(strconv.FormatFloat(n, 'f', 4, 64))
		}
	}
	code, err := text("", first(currency))
	if err != nil || code == "" {
		code = defaultCurrency
	}
	return &event.Value{Amount: amount, Currency: strings.ToUpper(code)}
}
