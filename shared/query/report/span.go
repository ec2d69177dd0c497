package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// grain is how fine a time dimension is.
type grain int

const (
	noGrain   grain = iota
	autoGrain       // chosen by the length of the range
	minuteGrain
	hourGrain  // local hours of the site
	dayGrain   // local days
	weekGrain  // from Monday
	monthGrain // calendar months
)

// dimension is the name of the time dimension of the grain.
func (g grain) dimension() string {
	switch g {
	case minuteGrain:
		return "time:minute"
	case hourGrain:
		return "time:hour"
	case dayGrain:
		return "time:day"
	case weekGrain:
		return "time:week"
	case monthGrain:
		return "time:month"
	default:
		return "time"
	}
}

// label is how answers name the period that began at t: in the time zone of the
// site, or, for a calendar day, in UTC.
func (g grain) label(t time.Time, location *time.Location) string {
	if g.cutsDays() {
		return t.In(location).Format(time.DateTime)
	}
	return t.Format(time.DateOnly)
}

// cutsDays tells whether a day has several periods of the grain.
func (g grain) cutsDays() bool { return g == hourGrain || g == minuteGrain }

// of is when the period began that has t in it, given how many minutes local time was
// ahead of UTC; the grain cuts days.
func (g grain) of(t time.Time, offset int64) time.Time {
	if g == minuteGrain {
		return t.Truncate(time.Minute)
	}
	e := event.Event{Time: t, UTCOffset: int16(offset)}
	return e.Hour()
}

// span is a stretch of time, up to but not with its end, as a site sees it.
type span struct {
	from, to    time.Time // in the time zone of the site
	first, last event.Day // the local days that it touches
	whole       bool      // it is exactly those days
	since       time.Time // from when on the time zone is in force; zero when it always was
}

// wholeDays is the span of some local days.
func wholeDays(first, last event.Day, location *time.Location) span {
	return span{from: first.Start(location), to: (last + 1).Start(location), first: first, last: last, whole: true}
}

// between is the span between two instants.
func between(from, to time.Time, location *time.Location) span {
	s := span{from: from.In(location), to: to.In(location)}
	s.first, s.last = event.DayOf(s.from), event.DayOf(s.to.Add(-1))
	s.whole = s.from.Equal(s.first.Start(location)) && s.to.Equal((s.last + 1).Start(location))
	return s
}

// anyZone returns the first and the last local day that the span can touch in any time
// zone. Zones range from UTC-12 to UTC+14.
func (s span) anyZone() (first, last event.Day) {
	return event.DayOf(s.from.UTC().Add(-12 * time.Hour)), event.DayOf(s.to.UTC().Add(14*time.Hour - 1))
}

// hourOf is when the local hour of t began.
func hourOf(t time.Time) time.Time {
	_, offset := t.Zone()
	e := event.Event{Time: t, UTCOffset: int16(offset / 60)}
	return e.Hour().In(t.Location())
}

// wholeHours tells whether the span begins and ends with a local hour, and has no
// others in it: those of a time zone before may have begun at other minutes.
func (s span) wholeHours() bool {
	return !s.from.Before(s.since) && s.from.Equal(hourOf(s.from)) && s.to.Equal(hourOf(s.to))
}

// String is the first and the last second of the span.
func (s span) String() [2]string {
	return [2]string{s.from.Format(time.RFC3339), s.to.Add(-time.Second).Format(time.RFC3339)}
}

// grain is the one that suits the span.
func (s span) grain() grain {
	const day = 24 * time.Hour
	switch length := s.to.Sub(s.from); {
	case length <= 2*day:
		return hourGrain
	case length <= 41*day:
		return dayGrain
	case length <= 53*7*day:
		return weekGrain
	default:
		return monthGrain
	}
}

// period is the day that names the period of a calendar day. The first week is
// named by the first day of the span when its Monday is not in it.
func (s span) period(g grain, day event.Day) event.Day {
	switch g {
	case weekGrain:
		monday := day - ((day+3)%7+7)%7 // day 0 was a Thursday
		return max(monday, s.first)
	case monthGrain:
		return day.Month()
	default:
		return day
	}
}

// labels names all periods of the span in order. Should there be too many it blames the
// field of the question that needs them.
func (s span) labels(g grain, field string) ([]string, error) {
	const most = 10_000
	var labels []string
	var last string
	add := func(label string) error {
		if !g.cutsDays() && label == last {
			return nil
		}
		if len(labels) == most {
			return problem.Invalid(field, fmt.Sprintf("the range has more than %d periods: ask for a shorter date_range or a coarser time dimension", most))
		}
		labels, last = append(labels, label), label
		return nil
	}
	if g.cutsDays() {
		start, step := hourOf, time.Hour
		if g == minuteGrain {
			start, step = func(t time.Time) time.Time { return t.Truncate(time.Minute) }, time.Minute
		}
		for t := start(s.from); t.Before(s.to); t = start(t.Add(step)) {
			if err := add(g.label(t, s.from.Location())); err != nil {
				return nil, err
			}
		}
		return labels, nil
	}
	for day := s.first; day <= s.last; day++ {
		if err := add(s.period(g, day).String()); err != nil {
			return nil, err
		}
	}
	return labels, nil
}

// dateRange is the date_range of a question: a name, or two days, or two instants.
type dateRange struct {
	name        string
	count       int // of "7d" and "6mo"
	first, last event.Day
	from, to    time.Time
}

// The names of ranges. The last days and months are those before the current one;
// a named day, month or year is the whole current one.
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

func readRangeName(name string) (dateRange, error) {
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
	return dateRange{}, problem.Invalid("date_range", dateRangeHelp)
}

func readRangePair(from, to string) (dateRange, error) {
	if firstDay, err := time.Parse(time.DateOnly, from); err == nil {
		lastDay, err := time.Parse(time.DateOnly, to)
		if err != nil {
			return dateRange{}, problem.Invalid("date_range.1", "must be a date such as 2026-01-31, as the first one is")
		}
		r := dateRange{name: days, first: event.DayOf(firstDay), last: event.DayOf(lastDay)}
		if r.last < r.first {
			return dateRange{}, problem.Invalid("date_range", "must begin before it ends")
		}
		return r, nil
	}
	fromTime, err := time.Parse(time.RFC3339, from)
	if err != nil {
		return dateRange{}, problem.Invalid("date_range.0", "must be a date such as 2026-01-01, or a time such as 2026-01-01T12:00:00+01:00")
	}
	toTime, err := time.Parse(time.RFC3339, to)
	if err != nil {
		return dateRange{}, problem.Invalid("date_range.1", "must be a time such as 2026-01-01T15:59:59+01:00, as the first one is")
	}
	// The last second is part of the range.
	r := dateRange{name: instants, from: fromTime.Truncate(time.Second), to: toTime.Truncate(time.Second).Add(time.Second)}
	if !r.from.Before(r.to) {
		return dateRange{}, problem.Invalid("date_range", "must begin before it ends")
	}
	return r, nil
}

// at is the span that the range stands for at now, which is in the time zone of
// the site. It is not for allTime.
func (r dateRange) at(now time.Time) span {
	day := event.DayOf(now)
	location := now.Location()
	year, month, _ := day.Date().Date()
	firstOf := func(year int, month time.Month) event.Day {
		return event.DayOf(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC))
	}
	switch r.name {
	case lastHours:
		end := now.Truncate(time.Second).Add(time.Second)
		return between(end.Add(-24*time.Hour), end, location)
	case lastDays:
		return wholeDays(day-event.Day(r.count), day-1, location)
	case thisMonth:
		return wholeDays(firstOf(year, month), firstOf(year, month+1)-1, location)
	case lastMonths:
		return wholeDays(firstOf(year, month-time.Month(r.count)), firstOf(year, month)-1, location)
	case thisYear:
		return wholeDays(firstOf(year, time.January), firstOf(year+1, time.January)-1, location)
	case days:
		return wholeDays(r.first, r.last, location)
	case instants:
		return between(r.from, r.to, location)
	default:
		return wholeDays(day, day, location)
	}
}
