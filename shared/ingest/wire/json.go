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

// decode decodes JSON into a struct and ignores what the struct does not declare, since
// trackers grow. An error is a *validation.Error.
func decode(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return strictjson.Explain(err)
	}
	return nil
}

// first is the first of the values that is there; null counts as absent.
func first(values ...jsontext.Value) jsontext.Value {
	for _, value := range values {
		if kind := value.Kind(); kind != jsontext.KindInvalid && kind != jsontext.KindNull {
			return value
		}
	}
	return nil
}

// text reads a string, and "" where there is none.
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

// number reads a number or a string that holds one; ok is false for all else.
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

// object reads an object, or a string that holds one as JSON.
func object(field string, value jsontext.Value) (map[string]jsontext.Value, error) {
	if value == nil {
		return nil, nil //nolint:nilnil // no object is an empty one
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

// money is what an event is worth, nil when it says no amount. An amount with more
// digits than are kept, as sums in JavaScript have, is rounded to four after the
// point; what is no number at all is left for the check of the event to refuse.
func money(amount, currency jsontext.Value, otherwise string) *event.Value {
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
		code = otherwise
	}
	return &event.Value{Amount: amount, Currency: strings.ToUpper(code)}
}
