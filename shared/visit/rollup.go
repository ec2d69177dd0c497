package visit

import (
	"cmp"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/event"
)

// Counts are the numbers of one rollup row. A metric under a value of a dimension
// is taken over the visits that carry the value. Engagements are no events here.
type Counts struct {
	Visitors  int64 // visitor-days that carry the value
	Visits    int64 // visits that carry the value; of an hour: that began in it, and so below
	Pageviews int64 // views that carry the value
	Events    int64 // events that carry the value
	Bounces   int64 // visits, of those counted, with a single event
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
	hours       map[HourKey]*Counts
	days        map[DayKey]*Counts
	own         map[ownKey]*own
	ownHours    map[int64]*Counts
}

// ownKey and own collect a visitor-day's contribution to the day before it goes
// into the sum: within it a visitor counts once and a visit once a value.
type ownKey struct {
	dimension Dimension
	value     string
}

type own struct {
	Counts
	lastVisit int // index, from 1, of the last visit that was counted
}

// NewRollups returns empty sums.
func NewRollups() *Rollups {
	return &Rollups{
		definitions: definitions(),
		hours:       map[HourKey]*Counts{},
		days:        map[DayKey]*Counts{},
		own:         map[ownKey]*own{},
		ownHours:    map[int64]*Counts{},
	}
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
	clear(r.own)
	clear(r.ownHours)
	for i := range visits {
		r.visit(&visits[i], i+1)
	}
	site, day := visits[0].Site, visits[0].Day
	for key, o := range r.own {
		at(r.days, DayKey{site, key.dimension, day, key.value}).add(o.Counts, sign)
	}
	for hour, c := range r.ownHours {
		at(r.hours, HourKey{site, hour, day}).add(*c, sign)
	}
}

func (r *Rollups) visit(v *Visit, number int) {
	whole := Counts{Visits: 1, Pageviews: int64(v.Pageviews), Events: int64(v.Events), Seconds: int64(v.Duration), Engaged: v.Engaged}
	if v.Bounce() {
		whole.Bounces = 1
	}
	once := Counts{Visits: 1, Bounces: whole.Bounces, Seconds: whole.Seconds}

	r.count(Total, "", number, whole, Counts{})
	for i := range r.definitions {
		if def := &r.definitions[i]; def.ofVisit != nil {
			r.count(def.dimension, def.ofVisit(v), number, whole, Counts{})
		}
	}
	for i := range v.events {
		e := &v.events[i]
		if !e.Type.Counts() {
			continue
		}
		each := Counts{Events: 1}
		if e.Type == event.View {
			each.Pageviews = 1
		}
		for j := range r.definitions {
			if def := &r.definitions[j]; def.ofEvent != nil {
				r.count(def.dimension, def.ofEvent(e), number, once, each)
			}
		}
		hour := at(r.ownHours, e.Hour().Unix())
		hour.Visitors = 1
		hour.add(each, 1)
	}
	if v.Engaged > 0 {
		r.engaged(v, number)
	}
	once.Engaged = v.Engaged
	at(r.ownHours, v.Hour.Unix()).add(once, 1)
}

// engaged adds the engagements of a visit to the values that its events carry.
func (r *Rollups) engaged(v *Visit, number int) {
	for i := range v.events {
		e := &v.events[i]
		if e.Type.Counts() {
			continue
		}
		for j := range r.definitions {
			def := &r.definitions[j]
			if def.ofEvent == nil {
				continue
			}
			if o := r.own[ownKey{def.dimension, def.ofEvent(e)}]; o != nil && o.lastVisit == number {
				o.Engaged += int64(e.Engaged)
			}
		}
	}
}

// count adds once when the value is new to the visit, and each in any case.
func (r *Rollups) count(d Dimension, value string, number int, once, each Counts) {
	o := at(r.own, ownKey{d, value})
	o.Visitors = 1
	if o.lastVisit != number {
		o.lastVisit = number
		o.add(once, 1)
	}
	o.add(each, 1)
}

func at[K comparable, V any](m map[K]*V, key K) *V {
	v := m[key]
	if v == nil {
		v = new(V)
		m[key] = v
	}
	return v
}

// Hours returns the rows that are not zero, in the order of their keys.
func (r *Rollups) Hours() []HourRow {
	rows := make([]HourRow, 0, len(r.hours))
	for key, c := range r.hours {
		if *c != (Counts{}) {
			rows = append(rows, HourRow{key, *c})
		}
	}
	slices.SortFunc(rows, func(a, b HourRow) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Day, b.Day))
	})
	return rows
}

// Days returns the rows of the day rollup that are not zero, in the order of
// their keys.
func (r *Rollups) Days() []DayRow { return sorted(r.days) }

// Months returns the rows of the month rollup that are not zero, in the order of
// their keys: the sums of the days, since identity rotates at midnight and so the
// visitors of whole days add up exactly.
func (r *Rollups) Months() []DayRow {
	months := make(map[DayKey]*Counts, len(r.days))
	for key, c := range r.days {
		key.Day = key.Day.Month()
		at(months, key).add(*c, 1)
	}
	return sorted(months)
}

func sorted(m map[DayKey]*Counts) []DayRow {
	rows := make([]DayRow, 0, len(m))
	for key, c := range m {
		if *c != (Counts{}) {
			rows = append(rows, DayRow{key, *c})
		}
	}
	slices.SortFunc(rows, func(a, b DayRow) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Dimension, b.Dimension),
			cmp.Compare(a.Day, b.Day), cmp.Compare(a.Value, b.Value))
	})
	return rows
}

// StartOf is when the hour of the row began.
func (k HourKey) StartOf() time.Time { return time.Unix(k.Hour, 0).UTC() }
