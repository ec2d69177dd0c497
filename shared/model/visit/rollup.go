package visit

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Counts are the numbers of one rollup row: of the visits that have the row's value of the
// dimension. Engagements are not counted as events.
type Counts struct {
	Visitors  int64 // visitor-days that have the value
	Visits    int64 // visits that have the value; of an hour, visits that began in it, as for the numbers below
	Pageviews int64 // views that have the value
	Events    int64 // events that have the value
	Bounces   int64 // counted visits that bounced
	Seconds   int64 // duration of the counted visits
	// Engaged is the engaged time of the counted visits, in milliseconds. For a dimension of
	// events it is the time of the engagements that have the value, in visits with an event
	// that has it too.
	Engaged int64
}

func (c *Counts) add(o Counts, sign int64) {
	c.Visitors += sign * o.Visitors
	c.Visits += sign * o.Visits
	c.Pageviews += sign * o.Pageviews
	c.Events += sign * o.Events
	c.Bounces += sign * o.Bounces
	c.Seconds += sign * o.Seconds
	c.Engaged += sign * o.Engaged
}

// HourKey identifies a row of the hour rollup.
type HourKey struct {
	Site int32
	Hour int64     // Unix seconds at which the local hour began
	Day  event.Day // local day of the hour: every local day begins with a local hour
}

// DayKey identifies a row of the day rollup, or of the month rollup, where Day is the first
// of the month.
type DayKey struct {
	Site      int32
	Dimension Dimension
	Day       event.Day
	Value     string
}

// The rows of rollups.
type (
	// HourRow is a row, or a change to a row, of the hour rollup.
	HourRow struct {
		HourKey
		Counts
	}
	// DayRow is a row, or a change to a row, of the day or month rollup.
	DayRow struct {
		DayKey
		Counts
	}
)

// Rollups adds up what visitor-days contribute. The zero value is not usable; see
// NewRollups.
type Rollups struct {
	definitions []definition
	days        map[siteDay]*sums
	visitorDay  int // number of the current visitor-day, from 1
	visit       int // number of the current visit, from 1
}

type siteDay struct {
	site int32
	day  event.Day
}

// sums are the sums of one day of a site.
type sums struct {
	hours  map[int64]*sum // by the Unix second at which the hour began
	total  *sum
	values []valueSums // for each of the definitions
}

// sum adds up a row. It remembers which visitor-day and visit it counted last, since each
// counts once in a row.
type sum struct {
	Counts
	visitorDay int
	visit      int
}

// valueSums are the sums of a dimension, by value. Consecutive events often have the same
// value, so the last row is remembered.
type valueSums struct {
	rows  map[string]*sum
	kept  *Kept
	value string // that the last row counted
	last  *sum
}

func (v *valueSums) at(value string) *sum {
	if v.last == nil || v.value != value {
		v.value, v.last = value, at(v.rows, v.kept.RowOf(value))
	}
	return v.last
}

// NewRollups returns empty Rollups.
func NewRollups() *Rollups {
	return &Rollups{definitions: definitions(), days: map[siteDay]*sums{}}
}

// Len returns the number of rows, with those that are zero and without those of months.
func (r *Rollups) Len() (n int) {
	for _, s := range r.days {
		n += 1 + len(s.hours)
		for i := range s.values {
			n += len(s.values[i].rows)
		}
	}
	return n
}

// Add adds the contribution of one visitor-day, given as the visits that Fold returned.
func (r *Rollups) Add(visits []Visit) { r.apply(visits, 1) }

// Subtract removes the contribution of one visitor-day.
func (r *Rollups) Subtract(visits []Visit) { r.apply(visits, -1) }

func (r *Rollups) apply(visits []Visit, sign int64) {
	if len(visits) == 0 {
		return
	}
	r.visitorDay++
	s := r.sums(siteDay{visits[0].Site, visits[0].Day})
	for i := range visits {
		r.visit++
		r.add(s, &visits[i], sign)
	}
}

// sums returns the sums of a day, which may be new.
func (r *Rollups) sums(key siteDay) *sums {
	s := r.days[key]
	if s == nil {
		s = &sums{map[int64]*sum{}, &sum{}, make([]valueSums, len(r.definitions))}
		for i := range s.values {
			s.values[i].rows = map[string]*sum{}
		}
		r.days[key] = s
	}
	return s
}

func (r *Rollups) add(s *sums, v *Visit, sign int64) {
	whole := Counts{Visits: 1, Pageviews: int64(v.Pageviews), Events: int64(v.Events), Seconds: int64(v.Duration), Engaged: v.Engaged}
	if v.Bounce {
		whole.Bounces = 1
	}
	once := Counts{Visits: 1, Bounces: whole.Bounces, Seconds: whole.Seconds}

	r.count(s.total, sign, whole, Counts{})
	for i := range r.definitions {
		if def := &r.definitions[i]; def.ofVisit != nil {
			r.count(s.values[i].at(def.ofVisit(v)), sign, whole, Counts{})
		}
	}
	for _, e := range v.events {
		if !e.Type.Counts() {
			continue
		}
		each := Counts{Events: 1}
		if e.Type == event.View {
			each.Pageviews = 1
		}
		for i := range r.definitions {
			if def := &r.definitions[i]; def.ofEvent != nil {
				r.count(s.values[i].at(def.ofEvent(e)), sign, once, each)
			}
		}
		hour := at(s.hours, e.Hour().Unix())
		r.meet(hour, sign)
		hour.add(each, sign)
	}
	if v.Engaged > 0 {
		r.engaged(s, v, sign)
	}
	once.Engaged = v.Engaged
	at(s.hours, v.Hour.Unix()).add(once, sign)
}

// engaged adds the engagements of a visit to the values that its events have.
func (r *Rollups) engaged(s *sums, v *Visit, sign int64) {
	for _, e := range v.events {
		if e.Type.Counts() {
			continue
		}
		for i := range r.definitions {
			def := &r.definitions[i]
			if def.ofEvent == nil {
				continue
			}
			if row := s.values[i].rows[s.values[i].kept.RowOf(def.ofEvent(e))]; row != nil && row.visit == r.visit {
				row.Engaged += sign * int64(e.Engaged)
			}
		}
	}
}

// count adds once if the row is new to the visit, and each in any case.
func (r *Rollups) count(row *sum, sign int64, once, each Counts) {
	r.meet(row, sign)
	if row.visit != r.visit {
		row.visit = r.visit
		row.add(once, sign)
	}
	row.add(each, sign)
}

// meet counts the visitor if the row is new to the visitor-day.
func (r *Rollups) meet(row *sum, sign int64) {
	if row.visitorDay != r.visitorDay {
		row.visitorDay = r.visitorDay
		row.Visitors += sign
	}
}

func at[K comparable](m map[K]*sum, key K) *sum {
	row := m[key]
	if row == nil {
		row = new(sum)
		m[key] = row
	}
	return row
}

// Hours returns the rows that are not zero, in the order of their keys.
func (r *Rollups) Hours() []HourRow {
	var rows []HourRow
	for key, s := range r.days {
		for hour, row := range s.hours {
			if row.Counts != (Counts{}) {
				rows = append(rows, HourRow{HourKey{key.site, hour, key.day}, row.Counts})
			}
		}
	}
	slices.SortFunc(rows, func(a, b HourRow) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Day, b.Day))
	})
	return rows
}

// Days returns the rows of the day rollup that are not zero, in the order of
// their keys.
func (r *Rollups) Days() []DayRow {
	days := slices.SortedFunc(maps.Keys(r.days), func(a, b siteDay) int {
		return cmp.Or(cmp.Compare(a.site, b.site), cmp.Compare(a.day, b.day))
	})
	rows := make([]DayRow, 0, r.Len())
	add := func(of siteDay, d Dimension, value string, c Counts) {
		if c != (Counts{}) {
			rows = append(rows, DayRow{DayKey{of.site, d, of.day, value}, c})
		}
	}
	for len(days) > 0 {
		n := 1 // days of the first site
		for n < len(days) && days[n].site == days[0].site {
			n++
		}
		for _, day := range days[:n] {
			add(day, Total, "", r.days[day].total.Counts)
		}
		for i, def := range r.definitions {
			for _, day := range days[:n] {
				values := r.days[day].values[i].rows
				for _, value := range slices.Sorted(maps.Keys(values)) {
					add(day, def.dimension, value, values[value].Counts)
				}
			}
		}
		days = days[n:]
	}
	return rows
}

// MonthsOf returns the rows of the month rollup for rows of the day rollup that Days
// returned: their sums. Identity rotates at midnight, so the visitors of whole days add up
// exactly. It returns the rows that are not zero, in the order of their keys.
func MonthsOf(days []DayRow) []DayRow {
	rows := slices.Clone(days)
	for i := range rows {
		rows[i].Day = rows[i].Day.Month()
	}
	slices.SortFunc(rows, compareDays) // they are sorted except where several days are of one month
	months := rows[:0]
	for _, row := range rows {
		if n := len(months); n > 0 && months[n-1].DayKey == row.DayKey {
			months[n-1].add(row.Counts, 1)
		} else {
			months = append(months, row)
		}
	}
	return slices.DeleteFunc(months, func(row DayRow) bool { return row.Counts == Counts{} })
}

func compareDays(a, b DayRow) int {
	return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Dimension, b.Dimension),
		cmp.Compare(a.Day, b.Day), cmp.Compare(a.Value, b.Value))
}

// StartOf returns the beginning of the hour.
func (k HourKey) StartOf() time.Time { return time.Unix(k.Hour, 0).UTC() }
