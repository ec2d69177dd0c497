// Package metric has the values of metrics, and their JSON.
package metric

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Value is the value of a metric: a number, an amount of money, amounts by currency, or
// unknown (null).
type Value struct {
	Number   float64
	Known    bool
	Currency string // of an amount of money
	Amount   string // decimal, exact
	Amounts  string // decimals by currency, as a JSON object; "" for other values
}

// Number returns a known number.
func Number(n float64) Value { return Value{Number: n, Known: true} }

// MarshalJSONTo writes a number, null, an amount as {"value":12.5,"currency":"EUR"}, or
// amounts by currency as {"EUR":12.5,"USD":3}.
func (v Value) MarshalJSONTo(out *jsontext.Encoder) error {
	switch {
	case !v.Known:
		return out.WriteToken(jsontext.Null)
	case v.Amounts != "":
		return out.WriteValue(jsontext.Value(v.Amounts))
	case v.Currency == "":
		return out.WriteToken(jsontext.Float(v.Number))
	default:
		return out.WriteValue(v.money())
	}
}

// MarshalJSON is for encoding/json.
func (v Value) MarshalJSON() ([]byte, error) {
	switch {
	case !v.Known:
		return []byte("null"), nil
	case v.Amounts != "":
		return []byte(v.Amounts), nil
	case v.Currency == "":
		return jsontext.AppendFormat(nil, strconv.AppendFloat(nil, v.Number, 'f', -1, 64))
	default:
		return v.money(), nil
	}
}

func (v Value) money() jsontext.Value {
	return jsontext.Value(`{"value":` + v.Amount + `,"currency":` + strconv.Quote(v.Currency) +
		`,"short":` + strconv.Quote(v.Amount+" "+v.Currency) + `,"long":` + strconv.Quote(v.Amount+" "+v.Currency) + `}`)
}

// Round rounds to a multiple of 1/precision.
func Round(n, precision float64) float64 { return math.Round(n*precision) / precision }

// Quotient returns a / b, 0 if b is 0.
func Quotient(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
