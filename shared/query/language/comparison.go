package language

import (
	"fmt"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Comparisons asks for the numbers of another range beside each row.
type Comparisons struct {
	// Mode is previous_period (as long, just before; for months and years as many of them), year_over_year (the same dates a year
	// before) or custom (DateRange).
	Mode string `json:"mode"`
	// DateRange is two days, for the mode custom.
	DateRange *[2]string `json:"date_range,omitempty"`
	// MatchDayOfWeek moves the other range so that it begins on the same day of the week: the
	// nearest one, but a previous period must not overlap the range itself.
	MatchDayOfWeek bool `json:"match_day_of_week,omitzero"`
	// Whole asks for all of the other range even if the range itself is not over. Otherwise as
	// much of it counts as has elapsed of the range.
	Whole bool `json:"whole,omitzero"`
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

// Range returns the range to compare r with at now. If r is over it has as many whole days as
// r has, unless it is custom or r is months. If r is not over, it ends where now is in r: after
// as many whole days, at the end of the same local minute.
func (c *Comparisons) Range(r Range, now time.Time) Range {
	other := c.whole(r)
	if c.Whole || now.Before(r.From) || !now.Before(r.To) {
		return other
	}
	location := r.From.Location()
	now = now.In(location).Truncate(time.Minute).Add(time.Minute)
	end := other.From.Add(now.Sub(r.From))
	if r.Whole {
		local := now.Add(-1) // in the current minute
		day := other.First + event.DayOf(local) - r.First
		year, month, date := day.Date().Date()
		end = time.Date(year, month, date, local.Hour(), local.Minute()+1, 0, 0, location)
	}
	if !end.Before(other.To) {
		return other
	}
	part := TimeRange(other.From, end, location)
	part.Since = r.Since
	return part
}

// whole returns the whole of the range to compare r with.
func (c *Comparisons) whole(r Range) Range {
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
		if r.months > 0 {
			date := r.First.Date()
			first = event.DayOf(date.AddDate(0, -r.months, 0))
			length = r.First - first
		}
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
