package language

import (
	"fmt"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Comparisons asks for the numbers of another range beside each row.
type Comparisons struct {
	// Mode is previous_period (as long, just before), year_over_year (the same dates a year
	// before) or custom (DateRange).
	Mode string `json:"mode"`
	// DateRange is two days, for the mode custom.
	DateRange *[2]string `json:"date_range,omitempty"`
	// MatchDayOfWeek moves the other range so that it begins on the same day of the week: the
	// nearest one, but a previous period must not overlap the range itself.
	MatchDayOfWeek bool `json:"match_day_of_week,omitzero"`
}

// The modes.
const (
	previousPeriod = "previous_period"
	yearOverYear   = "year_over_year"
	custom         = "custom"
)

func (c *Comparisons) check() error {
	switch {
	case c == nil:
		return nil
	case c.Mode == custom && c.DateRange == nil:
		return validation.New("include.comparisons.date_range", `must be two days, such as ["2026-01-01","2026-01-31"]`)
	case c.Mode == custom:
		r, err := parseRangePair(c.DateRange[0], c.DateRange[1])
		if err != nil || r.name != days {
			return validation.New("include.comparisons.date_range", `must be two days, such as ["2026-01-01","2026-01-31"], the first one first`)
		}
		return nil
	case c.Mode != previousPeriod && c.Mode != yearOverYear:
		return validation.New("include.comparisons.mode", fmt.Sprintf("must be %s, %s or %s", previousPeriod, yearOverYear, custom))
	case c.DateRange != nil:
		return validation.New("include.comparisons.date_range", "is for the mode custom only")
	}
	return nil
}

// Range returns the range to compare r with. For whole days it has as many whole days,
// unless it is custom.
func (c *Comparisons) Range(r Range) Range {
	location := r.From.Location()
	length := r.Last - r.First + 1
	var first event.Day
	switch c.Mode {
	case custom:
		pair, _ := parseRangePair(c.DateRange[0], c.DateRange[1]) // check has parsed it
		first, length = pair.first, pair.last-pair.first+1
	case yearOverYear:
		first = yearBefore(r.First)
	default:
		if !r.Whole && !c.MatchDayOfWeek {
			other := TimeRange(r.From.Add(-r.To.Sub(r.From)), r.From, location)
			other.Since = r.Since
			return other
		}
		first = r.First - length
	}
	if c.MatchDayOfWeek {
		// Move forwards to the same day of the week, or backwards if that is nearer or if the
		// ranges would overlap.
		forwards := ((r.First-first)%7 + 7) % 7
		if forwards > 3 || c.Mode == previousPeriod && forwards > 0 {
			forwards -= 7
		}
		first += forwards
	}
	var other Range
	if r.Whole || c.Mode == custom {
		other = DayRange(first, first+length-1, location)
	} else {
		shift := int(first - r.First)
		other = TimeRange(r.From.AddDate(0, 0, shift), r.To.AddDate(0, 0, shift), location)
	}
	other.Since = r.Since
	return other
}

// yearBefore returns the same date a year before, for 29 February the 28th.
func yearBefore(day event.Day) event.Day {
	date := day.Date()
	before := event.DayOf(date.AddDate(-1, 0, 0))
	if before.Date().Month() != date.Month() {
		before--
	}
	return before
}
