package visit

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Counts are the numbers of one rollup row. A metric under a value of a dimension
// is taken over the visits that carry the value. Engagements are no events here.
type Counts struct {
	Visitors  int64 // visitor-days that carry the value
	Visits    int64 // visits that carry the value; of an hour: that began in it, and so below
	Pageviews int64 // views that carry the value
	Events    int64 // events that carry the value
	Bounces   int64 // visits, of those counted, that bounced
	Seconds   int64 // duration of the visits counted
	// Engaged is the engaged time of the visits counted, in milliseconds. Under a
	// value of a dimension of an event it is that of the engagements that carry the
	// value, in visits with an event that carries it too.
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

// HourKey names a row of the hour rollup.
type HourKey struct {
	Site int32
	Hour int64     // Unix seconds at which the local hour began
	Day  event.Day // that the hour is of: a local day begins where a local hour does
}

// DayKey names a row of the day rollup, or of the month rollup when Day is the
// first of a month and stands for all of it.
type DayKey struct {
	Site      int32
	Dimension Dimension
	Day       event.Day
	Value     string
}

// Hour and Day are rollup rows.
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
	visitorDay  int // number of the visitor-day that is being added, from 1
	visit       int // number of the visit that is being added, from 1
}

type siteDay struct {
	site int32
	day  event.Day
}

// sums are those of one day of a site.
type sums struct {
	hours  map[int64]*sum // by the Unix second at which the hour began
	total  *sum
	values []map[string]*sum // by value, for each of the definitions
}

// sum adds up a row. It notes who was counted last, since in it a visitor-day counts once
// and so does a visit.
type sum struct {
	Counts
	visitorDay int
	visit      int
}

// NewRollups returns empty sums.
func NewRollups() *Rollups {
	return &Rollups{definitions: definitions(), days: map[siteDay]*sums{}}
}

// Add puts in the contribution of one visitor-day, given as the visits that Fold
// returned.
func (r *Rollups) Add(visits []Visit) { r.apply(visits, 1) }

// Subtract takes the contribution of one visitor-day out.
func (r *Rollups) Subtract(visits []Visit) { r.apply(visits, -1) }

func (r *Rollups) apply(visits []Visit, sign int64) {
	if len(visits) == 0 {
		return
	}
	r.visitorDay++
	key := siteDay{visits[0].Site, visits[0].Day}
	s := r.days[key]
	if s == nil {
		s = &sums{map[int64]*sum{}, &sum{}, make([]map[string]*sum, len(r.definitions))}
		for i := range s.values {
			s.values[i] = map[string]*sum{}
		}
		r.days[key] = s
	}
	for i := range visits {
		r.visit++
		r.add(s, &visits[i], sign)
	}
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
			r.count(at(s.values[i], def.ofVisit(v)), sign, whole, Counts{})
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
				r.count(at(s.values[i], def.ofEvent(e)), sign, once, each)
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

// engaged adds the engagements of a visit to the values that its events carry.
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
			if row := s.values[i][def.ofEvent(e)]; row != nil && row.visit == r.visit {
				row.Engaged += sign * int64(e.Engaged)
			}
		}
	}
}

// count adds once when the row is new to the visit, and each in any case.
func (r *Rollups) count(row *sum, sign int64, once, each Counts) {
	r.meet(row, sign)
	if row.visit != r.visit {
		row.visit = r.visit
		row.add(once, sign)
	}
	row.add(each, sign)
}

// meet counts the visitor when the row is new to the visitor-day.
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
	var rows []DayRow
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
				values := r.days[day].values[i]
				for _, value := range slices.Sorted(maps.Keys(values)) {
					add(day, def.dimension, value, values[value].Counts)
				}
			}
		}
		days = days[n:]
	}
	return rows
}

// MonthsOf returns the rows of the month rollup that rows of the day rollup, as Days
// returns them, come to: their sums, since identity rotates at midnight and so the
// visitors of whole days add up exactly. Those that are not zero, in the order of their
// keys.
func MonthsOf(days []DayRow) []DayRow {
	rows := slices.Clone(days)
	for i := range rows {
		rows[i].Day = rows[i].Day.Month()
	}
	slices.SortFunc(rows, compareDays) // which they are, but where several days are of one month
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

// StartOf is when the hour of the row began.
func (k HourKey) StartOf() time.Time { return time.Unix(k.Hour, 0).UTC() }
