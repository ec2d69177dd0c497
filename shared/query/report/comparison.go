package report

import (
	"fmt"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// Comparisons asks for the same numbers of another stretch of time beside each row.
type Comparisons struct {
	// Mode is previous_period (as long, just before), year_over_year (the same dates a year
	// before) or custom (DateRange).
	Mode string `json:"mode"`
	// DateRange are two days, of mode custom.
	DateRange *[2]string `json:"date_range,omitempty"`
	// MatchDayOfWeek moves the other stretch so that it begins on the same day of the week: to
	// the nearest, but for a previous period, which must not reach into the stretch itself.
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
		return problem.Invalid("include.comparisons.date_range", `must be two days, such as ["2026-01-01","2026-01-31"]`)
	case c.Mode == custom:
		r, err := readRangePair(c.DateRange[0], c.DateRange[1])
		if err != nil || r.name != days {
			return problem.Invalid("include.comparisons.date_range", `must be two days, such as ["2026-01-01","2026-01-31"], the first one first`)
		}
		return nil
	case c.Mode != previousPeriod && c.Mode != yearOverYear:
		return problem.Invalid("include.comparisons.mode", fmt.Sprintf("must be %s, %s or %s", previousPeriod, yearOverYear, custom))
	case c.DateRange != nil:
		return problem.Invalid("include.comparisons.date_range", "is for the mode custom only")
	}
	return nil
}

// other is the span to compare a span with. Of whole days it is as many whole days, but
// for custom ones.
func (c *Comparisons) other(s span) span {
	location := s.from.Location()
	length := s.last - s.first + 1
	var first event.Day
	switch c.Mode {
	case custom:
		r, _ := readRangePair(c.DateRange[0], c.DateRange[1]) // it was checked
		first, length = r.first, r.last-r.first+1
	case yearOverYear:
		first = yearBefore(s.first)
	default:
		if !s.whole && !c.MatchDayOfWeek {
			other := between(s.from.Add(-s.to.Sub(s.from)), s.from, location)
			other.since = s.since
			return other
		}
		first = s.first - length
	}
	if c.MatchDayOfWeek {
		// Forwards as far as to the same day of the week, or backwards when that is nearer,
		// or when it would reach into the span itself.
		forwards := ((s.first-first)%7 + 7) % 7
		if forwards > 3 || c.Mode == previousPeriod && forwards > 0 {
			forwards -= 7
		}
		first += forwards
	}
	var other span
	if s.whole || c.Mode == custom {
		other = wholeDays(first, first+length-1, location)
	} else {
		shift := int(first - s.first)
		other = between(s.from.AddDate(0, 0, shift), s.to.AddDate(0, 0, shift), location)
	}
	other.since = s.since
	return other
}

// yearBefore is the same date a year before; of a 29 February the day before.
func yearBefore(day event.Day) event.Day {
	date := day.Date()
	before := event.DayOf(date.AddDate(-1, 0, 0))
	if before.Date().Month() != date.Month() {
		before--
	}
	return before
}

// Compared are the numbers of the other stretch of time for a row.
type Compared struct {
	Metrics    []Value    `json:"metrics"`
	Change     []*float64 `json:"change"` // percent, rounded; of rates the difference in points; null when there is nothing to compare
	Dimensions []string   `json:"dimensions"`
}

// change is how a metric has changed: of percentages the difference in points, of all else
// the percentage by which it grew, rounded. It is nil when a value is not known or the
// other is of another currency, and 100 for what was nothing before.
func change(m Metric, now, before Value) *float64 {
	if !now.Known || !before.Known || now.Currency != before.Currency {
		return nil
	}
	switch m {
	case BounceRate, ScrollDepth, Percentage, ConversionRate, GroupConversionRate:
		return new(round(now.Number-before.Number, 10))
	}
	switch {
	case before.Number == 0 && now.Number == 0:
		return new(0.0)
	case before.Number == 0:
		return new(100.0)
	}
	return new(round(100*(now.Number-before.Number)/before.Number, 1))
}
