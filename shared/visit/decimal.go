package visit

import (
	"fmt"
	"strings"

	"github.com/analytics-platform/analytics/shared/event"
)

// Decimal is an exact sum of amounts of events. Its units and the ten-thousandths
// above them are kept apart: an amount has at most 12 digits before the point, so
// that the units of millions of events can't overflow.
type Decimal struct {
	units int64 // rounded down
	parts int64 // ten-thousandths above that, 0 to 9999
}

// add adds an amount, and tells whether it is one.
func (d *Decimal) add(amount string) bool {
	units, parts, ok := event.ReadAmount(amount)
	if !ok {
		return false
	}
	d.units += units
	d.parts += parts
	switch {
	case d.parts < 0:
		d.units, d.parts = d.units-1, d.parts+10_000
	case d.parts >= 10_000:
		d.units, d.parts = d.units+1, d.parts-10_000
	}
	return true
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
