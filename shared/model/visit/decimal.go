package visit

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Decimal is an exact sum of amounts of events. Units and ten-thousandths are separate: an
// amount has at most 12 digits before the point, so the units of millions of events can't
// overflow.
type Decimal struct {
	units int64 // rounded down
	parts int64 // ten-thousandths above the units, 0 to 9999
}

// ParseDecimal parses an amount of an event; ok is false if it is not one.
func ParseDecimal(amount string) (d Decimal, ok bool) {
	units, parts, ok := event.ReadAmount(amount)
	if ok {
		d.Add(Decimal{units, parts})
	}
	return d, ok
}

// Add adds o to d.
func (d *Decimal) Add(o Decimal) {
	d.units += o.units
	d.parts += o.parts
	switch {
	case d.parts < 0:
		d.units, d.parts = d.units-1, d.parts+10_000
	case d.parts >= 10_000:
		d.units, d.parts = d.units+1, d.parts-10_000
	}
}

// Mean returns d divided by n, which must be 1 or more, rounded to the nearest
// ten-thousandth, half up.
func (d Decimal) Mean(n int64) Decimal {
	parts := new(big.Int).Mul(big.NewInt(d.units), big.NewInt(10_000))
	parts.Add(parts, big.NewInt(d.parts))
	parts.Add(parts.Lsh(parts, 1), big.NewInt(n)) // (2 parts + n) / 2n, rounded down
	parts.Div(parts, big.NewInt(2*n))
	units, rest := new(big.Int).DivMod(parts, big.NewInt(10_000), new(big.Int))
	return Decimal{units.Int64(), rest.Int64()}
}

// String formats d with as many digits after the point as needed.
func (d Decimal) String() string {
	units, parts, sign := d.units, d.parts, ""
	if units < 0 { // -1.25 is -2 units and 7500 parts
		units, parts, sign = -units, -parts, "-"
		if parts < 0 {
			units, parts = units-1, parts+10_000
		}
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%s%d.%04d", sign, units, parts), "0"), ".")
}

// MarshalJSON encodes d as a number.
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }
