package visit

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Decimal is an exact sum of amounts of events. Its units and the ten-thousandths
// above them are kept apart: an amount has at most 12 digits before the point, so
// that the units of millions of events can't overflow.
type Decimal struct {
	units int64 // rounded down
	parts int64 // ten-thousandths above that, 0 to 9999
}

// ParseDecimal reads an amount of an event; ok is false when it is none.
func ParseDecimal(amount string) (d Decimal, ok bool) {
	units, parts, ok := event.ReadAmount(amount)
	if ok {
		d.Add(Decimal{units, parts})
	}
	return d, ok
}

// Add adds another.
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

// Mean is the number divided by n, which is 1 or more, to the nearest ten-thousandth; a
// half is rounded up.
func (d Decimal) Mean(n int64) Decimal {
	parts := new(big.Int).Mul(big.NewInt(d.units), big.NewInt(10_000))
	parts.Add(parts, big.NewInt(d.parts))
	parts.Add(parts.Lsh(parts, 1), big.NewInt(n)) // (2 parts + n) / 2n, rounded down
	parts.Div(parts, big.NewInt(2*n))
	units, rest := new(big.Int).DivMod(parts, big.NewInt(10_000), new(big.Int))
	return Decimal{units.Int64(), rest.Int64()}
}

// String is the number with as many digits after the point as it needs.
func (d Decimal) String() string {
	units, parts, sign := d.units, d.parts, ""
	if units < 0 { // -1.25 is kept as -2 and 0.75
		units, parts, sign = -units, -parts, "-"
		if parts < 0 {
			units, parts = units-1, parts+10_000
		}
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%s%d.%04d", sign, units, parts), "0"), ".")
}

// MarshalJSON writes a number.
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }
