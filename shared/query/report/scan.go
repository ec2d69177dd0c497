package report

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// scanned answers from the days themselves. Each is read from its columns when they are
// kept, else made from its events; which of them it is makes no difference. Few days are
// in memory at once, however many there are.
func (a asked) scanned(ctx context.Context, r *resolved) ([]*group, error) {
	tallies := make([]*tally, scanWorkers())
	for i := range tallies {
		tallies[i] = newTally(r)
	}
	s := r.span
	s.whole = r.wholeDays()
	err := a.eachDay(ctx, s, r.columns(), len(tallies), func(worker int, d *columns.Day) error {
		tallies[worker].scan(d)
		return a.limits.bounded(len(tallies[worker].groups.leaves))
	})
	if err != nil {
		return nil, err
	}
	return merged(tallies), nil
}

// bounded says whether a question has too many rows.
func (l Limits) bounded(rows int) error {
	if rows <= l.Rows {
		return nil
	}
	return problem.New(http.StatusUnprocessableEntity, "query_too_large",
		fmt.Sprintf("the answer has more than %d rows before pagination: ask for a shorter date_range, fewer dimensions or more filters", l.Rows))
}

// scanWorkers is how many goroutines scan days.
func scanWorkers() int { return runtime.GOMAXPROCS(0) }

// eachDay calls fn with every day that has events of a span, or with the parts in which it is
// kept, with some columns. It calls it from several goroutines, of which each has a number below workers.
func (a asked) eachDay(ctx context.Context, s span, wanted []columns.Column, workers int, fn func(worker int, d *columns.Day) error) error {
	first, last := s.first, s.last
	if !s.whole { // the site may have been in another time zone
		first, last = s.anyZone()
	}
	days, err := store.DaysWithEvents(ctx, a.tx, a.site.ID, first, last)
	if err != nil || len(days) == 0 {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	made := make(chan func() (*columns.Day, error), 1)
	for worker := range workers {
		group.Go(func() error {
			for day := range made {
				d, err := day()
				if err != nil {
					return err
				}
				if inner.Err() != nil {
					return inner.Err()
				}
				if err := fn(worker, d); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(made)
		hand := func(fn func() (*columns.Day, error)) error {
			select {
			case made <- fn:
				return nil
			case <-inner.Done():
				return inner.Err()
			}
		}
		kept := map[event.Day]bool{}
		for day, err := range store.DayColumns(inner, a.tx, a.site.ID, days, wanted...) {
			if err != nil {
				return err
			}
			kept[day.Day] = true
			for _, pieces := range day.Parts {
				if err := hand(func() (*columns.Day, error) { return a.codec.Decode(day.Day, pieces, wanted...) }); err != nil {
					return err
				}
			}
		}
		for _, day := range days {
			if kept[day] {
				continue
			}
			d, err := a.read(inner, s, day, wanted)
			if err == nil {
				err = hand(func() (*columns.Day, error) { return d, nil })
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("scan days: %w", err)
	}
	return nil
}

// read makes a day from its events: of one that the span cuts, the visitor-days that have
// any there.
func (a asked) read(ctx context.Context, s span, day event.Day, wanted []columns.Column) (*columns.Day, error) {
	location := s.from.Location()
	if s.whole || !s.from.After(day.Start(location)) && !s.to.Before((day+1).Start(location)) {
		return store.ScanDay(ctx, a.tx, a.site.ID, day, wanted...)
	}
	return store.ScanPart(ctx, a.tx, a.site.ID, day, s.from, s.to, wanted...)
}

// looksIntoVisits tells whether the question is about single events, and not about whole
// visits only.
func (r *resolved) looksIntoVisits() bool {
	if !r.wholeDays() || r.engagements() || slices.ContainsFunc(r.Metrics, Metric.moneyed) {
		return true
	}
	ofEvents := func(f *Filter) bool {
		return f.Operator == HasDone || f.Operator == HasNotDone || len(f.Filters) == 0 && f.Dimension.ofEvent()
	}
	for i := range r.Filters {
		if r.Filters[i].any(ofEvents) {
			return true
		}
	}
	return slices.ContainsFunc(r.properties, func(d Dimension) bool { return d.ofEvent() })
}

// columns are those that a scan needs.
func (r *resolved) columns() []columns.Column {
	needed := append(columnsOf(r.Filters), columns.Bounce, columns.Duration)
	for i := range r.properties {
		needed = append(needed, r.properties[i].columns(r.goals)...)
	}
	if r.looksIntoVisits() {
		needed = append(needed, columns.Type)
	} else {
		needed = append(needed, columns.Pageviews, columns.Events)
	}
	if !r.wholeDays() {
		needed = append(needed, columns.Time, columns.UTCOffset, columns.Start, columns.StartOffset)
	}
	if r.engagements() {
		needed = append(needed, columns.Engaged, columns.Scroll)
	}
	if slices.ContainsFunc(r.Metrics, Metric.moneyed) {
		needed = append(needed, columns.Amount, columns.Currency)
	}
	slices.Sort(needed)
	return slices.Compact(needed)
}

// columnsOf are those that filters look at.
func columnsOf(filters []Filter) (needed []columns.Column) {
	for i := range filters {
		filters[i].any(func(f *Filter) bool {
			needed = append(needed, f.Dimension.columns(f.goals)...)
			if f.Operator == HasDone || f.Operator == HasNotDone {
				needed = append(needed, columns.Type)
			}
			return false
		})
	}
	return needed
}

// columns are those that the dimension's values come from.
func (d *Dimension) columns(goals []Goal) []columns.Column {
	if !d.isGoal() {
		if d.column == "" {
			return nil
		}
		return []columns.Column{d.column}
	}
	needed := []columns.Column{columns.Type, columns.Name, columns.Page}
	for i := range goals {
		for key := range goals[i].Props {
			needed = append(needed, columns.Prop(key))
		}
	}
	return needed
}

// tally counts what one worker scans.
type tally struct {
	question *resolved
	intoThem bool // it looks into visits
	groups   groups
	day      dayScan
	number   uint32 // of the visitor-day at hand, from 1, over all days
	visit    uint32 // the same of the visit
}

func newTally(r *resolved) *tally {
	return &tally{question: r, intoThem: r.looksIntoVisits(), groups: newGroups(len(r.properties))}
}

// dayScan is what the scan of a day looks at.
type dayScan struct {
	*columns.Day
	midnight int64
	keeps    node // nil keeps all
	values   []valuer
	period   int64 // of the whole day, when the grain does not cut days

	types, bounce, duration, pageviews, events []int64
	times, offsets, starts, startOffsets       []int64
	engaged, scroll                            []int64
	amounts, currencies                        columns.Text
}

func (t *tally) scan(d *columns.Day) {
	r := t.question
	s := &t.day
	*s = dayScan{Day: d, midnight: d.Date.Date().UnixMilli(), bounce: d.Numbers(columns.Bounce), duration: d.Numbers(columns.Duration)}
	s.keeps = compileAll(d, r.Filters)
	for i := range r.properties {
		s.values = append(s.values, compileValue(d, &r.properties[i], r.goals, t.groups.names[i]))
	}
	if t.intoThem {
		s.types = d.Numbers(columns.Type)
	} else {
		s.pageviews, s.events = d.Numbers(columns.Pageviews), d.Numbers(columns.Events)
	}
	if !r.wholeDays() {
		s.times, s.offsets = d.Numbers(columns.Time), d.Numbers(columns.UTCOffset)
		s.starts, s.startOffsets = d.Numbers(columns.Start), d.Numbers(columns.StartOffset)
	}
	if r.engagements() {
		s.engaged, s.scroll = d.Numbers(columns.Engaged), d.Numbers(columns.Scroll)
	}
	if slices.ContainsFunc(r.Metrics, Metric.moneyed) {
		s.amounts, s.currencies = d.Text(columns.Amount), d.Text(columns.Currency)
	}
	if r.grain != noGrain && !r.grain.cutsDays() {
		s.period = r.span.period(r.grain, d.Date).Date().UnixMilli()
	}
	for visitorDay := range d.VisitorDays() {
		t.number++
		first, end := d.VisitsOf(visitorDay)
		for visit := first; visit < end; visit++ {
			t.visit++
			if t.intoThem {
				t.scanVisit(visit)
			} else {
				t.countVisit(visit)
			}
		}
	}
}

// countVisit counts a visit as a whole.
func (t *tally) countVisit(visit int) {
	s := &t.day
	if s.keeps != nil && !s.keeps.holds(-1, visit) {
		return
	}
	for _, g := range t.groups.of(s.period, s.values, -1, visit) {
		t.meet(g)
		g.visits++
		g.pageviews += s.pageviews[visit]
		g.events += s.events[visit]
		g.bounces += s.bounce[visit]
		g.seconds += s.duration[visit]
	}
}

// meet counts the visitor-day when the group is new to it.
func (t *tally) meet(g *running) {
	if g.visitorDay != t.number {
		g.visitorDay = t.number
		g.visitors++
	}
}

// scanVisit counts the events of a visit that are asked for.
func (t *tally) scanVisit(visit int) {
	s, r := &t.day, t.question
	first, end := s.EventsOf(visit)
	engagements := false
	for i := first; i < end; i++ {
		if s.types[i] == int64(event.Engagement) {
			engagements = true
			continue
		}
		if period, ok := t.asked(i, visit); ok {
			for _, g := range t.groups.of(period, s.values, i, visit) {
				t.countEvent(g, i, visit, period)
			}
		}
	}
	if !engagements || !r.engagements() {
		return
	}
	t.groups.touched = t.groups.touched[:0]
	for i := first; i < end; i++ {
		if s.types[i] != int64(event.Engagement) {
			continue
		}
		if period, ok := t.asked(i, visit); ok {
			for _, g := range t.groups.of(period, s.values, i, visit) {
				t.countEngagement(g, i)
			}
		}
	}
	for _, g := range t.groups.touched {
		g.scroll += g.deepest
		g.scrolled++
		g.deepest = 0
	}
}

// asked tells whether an event is in the range and kept by the filters, and in which
// period it is.
func (t *tally) asked(i, visit int) (period int64, ok bool) {
	s, r := &t.day, t.question
	period = s.period
	if s.times != nil {
		at := time.UnixMilli(s.midnight + s.times[i]).UTC()
		if !r.wholeDays() && (at.Before(r.span.from) || !at.Before(r.span.to)) {
			return 0, false
		}
		if r.grain.cutsDays() {
			period = r.grain.of(at, s.offsets[i]).UnixMilli()
		}
	}
	return period, s.keeps == nil || s.keeps.holds(i, visit)
}

func (t *tally) countEvent(g *running, i, visit int, period int64) {
	s := &t.day
	t.meet(g)
	g.events++
	if s.types[i] == int64(event.View) {
		g.pageviews++
	}
	if g.visit != t.visit {
		g.visit, g.counted = t.visit, t.counts(visit, period)
		if g.counted {
			g.visits++
			g.bounces += s.bounce[visit]
			g.seconds += s.duration[visit]
		}
	}
	if s.amounts.Values != nil {
		g.earned(s.amounts.At(i), s.currencies.At(i))
	}
}

// counts tells whether a visit counts in a period: it must have begun there, and in the
// range.
func (t *tally) counts(visit int, period int64) bool {
	s, r := &t.day, t.question
	if s.starts == nil {
		return true
	}
	start := time.UnixMilli(s.midnight + s.starts[visit]).UTC()
	return !start.Before(r.span.from) && (!r.grain.cutsDays() || r.grain.of(start, s.startOffsets[visit]).UnixMilli() == period)
}

// countEngagement counts an engagement, if the visit has an event in the group and is
// counted there.
func (t *tally) countEngagement(g *running, i int) {
	if g.visit != t.visit || !g.counted {
		return
	}
	g.engaged += t.day.engaged[i]
	if depth := t.day.scroll[i]; depth > 0 {
		if g.deepest == 0 {
			t.groups.touched = append(t.groups.touched, g)
		}
		g.deepest = max(g.deepest, depth)
	}
}
