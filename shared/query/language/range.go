package language

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Grain is the length of the periods of a time dimension.
type Grain int

// The grains.
const (
	NoGrain   Grain = iota // no time dimension
	AutoGrain              // chosen by the length of the range
	MinuteGrain
	HourGrain  // local hours of the site
	DayGrain   // local days
	WeekGrain  // from Monday
	MonthGrain // calendar months
)

// dimension returns the name of the time dimension of the grain.
func (g Grain) dimension() string {
	switch g {
	case MinuteGrain:
		return "time:minute"
	case HourGrain:
		return "time:hour"
	case DayGrain:
		return "time:day"
	case WeekGrain:
		return "time:week"
	case MonthGrain:
		return "time:month"
	default:
		return "time"
	}
}

// Label returns how answers name the period that began at t. For a grain that splits days
// t is an instant, shown in the time zone of the site; otherwise it is a day, in UTC. No two
// periods of a time zone have the same name: where clocks go back, names have the offset.
func (g Grain) Label(t time.Time, location *time.Location) string {
	if !g.SplitsDays() {
		return t.Format(time.DateOnly)
	}
	offset, layout := g.offset(t, location), time.DateTime
	if g.isTwice(t, offset, location) {
		layout += "-07:00"
	}
	return t.In(time.FixedZone("", offset)).Format(layout)
}

// offset returns how many seconds local time is ahead of UTC in the period that began at t.
// For an hour it is the offset of its events: where clocks are moved by half an hour, they
// happened after the clocks were moved, and the hour began before.
func (g Grain) offset(t time.Time, location *time.Location) int {
	_, atStart := t.In(location).Zone()
	if g == HourGrain && (t.Unix()+int64(atStart))%3600 != 0 {
		if _, atEnd := t.Add(time.Hour - 1).In(location).Zone(); (t.Unix()+int64(atEnd))%3600 == 0 {
			return atEnd
		}
	}
	return atStart
}

// isTwice reports whether another period began when clocks showed what they show at t, with
// the offset before or after the clocks were moved.
func (g Grain) isTwice(t time.Time, offset int, location *time.Location) bool {
	start, end := t.In(location).ZoneBounds()
	for _, near := range []time.Time{start.Add(-1), t, end} {
		_, other := near.In(location).Zone()
		twin := t.Add(time.Duration(offset-other) * time.Second)
		if other != offset && g.offset(twin, location) == other {
			return true
		}
	}
	return false
}

// SplitsDays reports whether a day has several periods of the grain.
func (g Grain) SplitsDays() bool { return g == HourGrain || g == MinuteGrain }

// Start returns when the period that contains t began. The grain must split days; offset
// is how many minutes local time is ahead of UTC.
func (g Grain) Start(t time.Time, offset int64) time.Time {
	if g == MinuteGrain {
		return t.Truncate(time.Minute)
	}
	e := event.Event{Time: t, UTCOffset: int16(offset)}
	return e.Hour()
}

// Range is a range of time as a site sees it.
type Range struct {
	From, To    time.Time // in the time zone of the site; To is not part of the range
	First, Last event.Day // the local days that it touches
	Whole       bool      // whether it consists of exactly those days
	Since       time.Time // when the time zone came into force; zero if it always was
	months      int       // of which it consists, if it was asked for as months or a year
}

// monthRange returns the range of some months from the one of a day on.
func monthRange(first event.Day, months int, location *time.Location) Range {
	r := DayRange(first, event.DayOf(first.Date().AddDate(0, months, 0))-1, location)
	r.months = months
	return r
}

// DayRange returns the range of some local days.
func DayRange(first, last event.Day, location *time.Location) Range {
	return Range{From: first.Start(location), To: (last + 1).Start(location), First: first, Last: last, Whole: true}
}

// TimeRange returns the range between two instants.
func TimeRange(from, to time.Time, location *time.Location) Range {
	r := Range{From: from.In(location), To: to.In(location)}
	r.First, r.Last = event.DayOf(r.From), event.DayOf(r.To.Add(-1))
	r.Whole = r.From.Equal(r.First.Start(location)) && r.To.Equal((r.Last + 1).Start(location))
	return r
}

// AnyZone returns the first and the last local day that the range can touch in any time
// zone. Zones range from UTC-12 to UTC+14.
func (r Range) AnyZone() (first, last event.Day) {
	return event.DayOf(r.From.UTC().Add(-12 * time.Hour)), event.DayOf(r.To.UTC().Add(14*time.Hour - 1))
}

// hourStart returns when the local hour of t began.
func hourStart(t time.Time) time.Time {
	_, offset := t.Zone()
	e := event.Event{Time: t, UTCOffset: int16(offset / 60)}
	return e.Hour().In(t.Location())
}

// WholeHours reports whether the range consists of local hours. Those before the time zone
// came into force may have begun at other minutes.
func (r Range) WholeHours() bool {
	return !r.From.Before(r.Since) && r.From.Equal(hourStart(r.From)) && r.To.Equal(hourStart(r.To))
}

// Bounds returns the first and the last second of the range, in RFC 3339.
func (r Range) Bounds() [2]string {
	return [2]string{r.From.Format(time.RFC3339), r.To.Add(-time.Second).Format(time.RFC3339)}
}

// defaultGrain returns the grain that suits the length of the range.
func (r Range) defaultGrain() Grain {
	const day = 24 * time.Hour
	switch length := r.To.Sub(r.From); {
	case length <= 2*day:
		return HourGrain
	case length <= 41*day:
		return DayGrain
	case length <= 53*7*day:
		return WeekGrain
	default:
		return MonthGrain
	}
}

// Period returns the day that names the period of a local day. The first week is named by
// the first day of the range if its Monday lies before it.
func (r Range) Period(g Grain, day event.Day) event.Day {
	switch g {
	case WeekGrain:
		monday := day - ((day+3)%7+7)%7 // day 0 was a Thursday
		return max(monday, r.First)
	case MonthGrain:
		return day.Month()
	default:
		return day
	}
}

// Labels names all periods of the range in order. If there are too many, the error is
// about the field that asks for them.
func (r Range) Labels(g Grain, field string) ([]string, error) {
	const most = 10_000
	var labels []string
	var last string
	add := func(label string) error {
		if !g.SplitsDays() && label == last {
			return nil
		}
		if len(labels) == most {
			return validation.New(field, fmt.Sprintf("the range has more than %d periods: ask for a shorter date_range or a coarser time dimension", most))
		}
		labels, last = append(labels, label), label
		return nil
	}
	if g.SplitsDays() {
		start, step := hourStart, time.Hour
		if g == MinuteGrain {
			start, step = func(t time.Time) time.Time { return t.Truncate(time.Minute) }, time.Minute
		}
		for t := start(r.From); t.Before(r.To); t = start(t.Add(step)) {
			if err := add(g.Label(t, r.From.Location())); err != nil {
				return nil, err
			}
		}
		return labels, nil
	}
	for day := r.First; day <= r.Last; day++ {
		if err := add(r.Period(g, day).String()); err != nil {
			return nil, err
		}
	}
	return labels, nil
}

// dateRange is the date_range of a question: a name, two days, or two instants.
type dateRange struct {
	name        string
	count       int // of "7d" and "6mo"
	first, last event.Day
	from, to    time.Time
}

// The names of ranges. The last days and months are those before the current one; a named
// day, month or year is the whole current one.
const (
	today      = "day"
	lastHours  = "24h"
	lastDays   = "d"
	thisMonth  = "month"
	lastMonths = "mo"
	thisYear   = "year"
	allTime    = "all" // from the first day with an event to today
	days       = "days"
	instants   = "instants"
)

const dateRangeHelp = `must be day, 24h, month, year, all, a number of days such as 7d or 30d, a number of months such as 6mo or 12mo, ` +
	`["2026-01-01","2026-01-31"], or two times such as ["2026-01-01T12:00:00+01:00","2026-01-01T15:59:59+01:00"]`

func parseRangeName(name string) (dateRange, error) {
	switch name {
	case today, lastHours, thisMonth, thisYear, allTime:
		return dateRange{name: name}, nil
	}
	for _, unit := range []struct {
		name string
		most int
	}{{lastDays, 5000}, {lastMonths, 100}} {
		number, ok := strings.CutSuffix(name, unit.name)
		if n, err := strconv.Atoi(number); ok && err == nil && n >= 1 && n <= unit.most && strconv.Itoa(n) == number {
			return dateRange{name: unit.name, count: n}, nil
		}
	}
	return dateRange{}, validation.New("date_range", dateRangeHelp)
}

func parseRangePair(from, to string) (dateRange, error) {
	if firstDay, err := time.Parse(time.DateOnly, from); err == nil {
		lastDay, err := time.Parse(time.DateOnly, to)
		if err != nil {
			return dateRange{}, validation.New("date_range.1", "must be a date such as 2026-01-31, as the first one is")
		}
		r := dateRange{name: days, first: event.DayOf(firstDay), last: event.DayOf(lastDay)}
		if r.last < r.first {
			return dateRange{}, validation.New("date_range", "must begin before it ends")
		}
		return r, nil
	}
	fromTime, err := time.Parse(time.RFC3339, from)
	if err != nil {
		return dateRange{}, validation.New("date_range.0", "must be a date such as 2026-01-01, or a time such as 2026-01-01T12:00:00+01:00")
	}
	toTime, err := time.Parse(time.RFC3339, to)
	if err != nil {
		return dateRange{}, validation.New("date_range.1", "must be a time such as 2026-01-01T15:59:59+01:00, as the first one is")
	}
	// The last second is part of the range.
	r := dateRange{name: instants, from: fromTime.Truncate(time.Second), to: toTime.Truncate(time.Second).Add(time.Second)}
	if !r.from.Before(r.to) {
		return dateRange{}, validation.New("date_range", "must begin before it ends")
	}
	return r, nil
}

// at returns the range at now, which is in the time zone of the site.
func (r dateRange) at(now time.Time) Range {
	day := event.DayOf(now)
	location := now.Location()
	year, month, _ := day.Date().Date()
	firstOf := func(year int, month time.Month) event.Day {
		return event.DayOf(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC))
	}
	switch r.name {
	case lastHours:
		end := now.Truncate(time.Second).Add(time.Second)
		return TimeRange(end.Add(-24*time.Hour), end, location)
	case lastDays:
		return DayRange(day-event.Day(r.count), day-1, location)
	case thisMonth:
		return monthRange(firstOf(year, month), 1, location)
	case lastMonths:
		return monthRange(firstOf(year, month-time.Month(r.count)), r.count, location)
	case thisYear:
		return monthRange(firstOf(year, time.January), 12, location)
	case days:
		return DayRange(r.first, r.last, location)
	case instants:
		return TimeRange(r.from, r.to, location)
	default:
		return DayRange(day, day, location)
	}
}
