package engine

import (
	"context"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// scan returns rows from days, in no order.
func (s *Session) scan(ctx context.Context, p *Plan) ([]*Group, error) {
	scanners := make([]*scanner, Workers())
	for i := range scanners {
		scanners[i] = newScanner(p)
	}
	r := p.Range
	r.Whole = p.WholeDays()
	err := s.EachDay(ctx, r, p.columns(), func(ctx context.Context, w *Worker, d *columns.Day) error {
		return scanners[w.Number].scan(ctx, w, d)
	})
	if err != nil {
		return nil, err
	}
	return s.mergeGroups(ctx, scanners)
}

// needsEvents reports whether the question is about single events, not only about whole
// visits.
func (p *Plan) needsEvents() bool {
	if !p.WholeDays() || p.needsEngagements() || p.needsMoney() {
		return true
	}
	ofEvents := func(f *language.Filter) bool {
		return f.Operator == language.HasDone || f.Operator == language.HasNotDone || len(f.Filters) == 0 && f.Dimension.OfEvent()
	}
	for i := range p.Filters {
		if p.Filters[i].Any(ofEvents) {
			return true
		}
	}
	return slices.ContainsFunc(p.Properties, func(d language.Dimension) bool { return d.OfEvent() })
}

// columns lists the columns that a scan reads.
func (p *Plan) columns() []columns.Column {
	needed := append(FilterColumns(p.Filters), columns.Bounce, columns.Duration)
	for i := range p.Properties {
		needed = append(needed, dimensionColumns(&p.Properties[i], p.Goals)...)
	}
	if p.needsEvents() {
		needed = append(needed, columns.Type)
	} else {
		needed = append(needed, columns.Pageviews, columns.Events)
	}
	if !p.WholeDays() {
		needed = append(needed, columns.Time, columns.UTCOffset, columns.Start, columns.StartOffset)
	}
	if p.needsEngagements() {
		needed = append(needed, columns.Engaged, columns.Scroll)
	}
	if p.needsMoney() {
		needed = append(needed, columns.Amount, columns.Currency)
	}
	slices.Sort(needed)
	return slices.Compact(needed)
}

// FilterColumns lists the columns that filters look at.
func FilterColumns(filters []language.Filter) (needed []columns.Column) {
	for i := range filters {
		filters[i].Any(func(f *language.Filter) bool {
			needed = append(needed, dimensionColumns(&f.Dimension, f.Goals)...)
			if f.Operator == language.HasDone || f.Operator == language.HasNotDone {
				needed = append(needed, columns.Type)
			}
			return false
		})
	}
	return needed
}

// dimensionColumns lists the columns from which a dimension's values follow.
func dimensionColumns(d *language.Dimension, goals []language.Goal) []columns.Column {
	if !d.IsGoal() {
		if d.Column() == "" {
			return nil
		}
		return []columns.Column{d.Column()}
	}
	needed := []columns.Column{columns.Type, columns.Name, columns.Page}
	for i := range goals {
		for key := range goals[i].Props {
			needed = append(needed, columns.Prop(key))
		}
	}
	return needed
}

// scanner counts what one worker scans.
type scanner struct {
	plan        *Plan
	needsEvents bool
	entries     bool // see Plan.countsEntries
	groups      groups
	day         dayData
	visitorDay  uint32 // the current one, counted from 1 over all days
	visit       uint32 // likewise
	entry       int    // the event with which the current visit began, if entries are counted
}

func newScanner(p *Plan) *scanner {
	return &scanner{plan: p, needsEvents: p.needsEvents(), entries: p.countsEntries(), groups: newGroups(len(p.Properties))}
}

// dayData is the data of the current day.
type dayData struct {
	*columns.Day
	midnight  int64
	predicate Predicate // nil if everything passes
	values    []valuer
	period    int64 // of the whole day, if the grain does not split days

	types, bounce, duration, pageviews, events []int64
	times, offsets, starts, startOffsets       []int64
	engaged, scroll                            []int64
	amounts, currencies                        columns.Text
}

func (s *scanner) scan(ctx context.Context, w *Worker, d *columns.Day) (err error) {
	p := s.plan
	data := &s.day
	*data = dayData{Day: d, midnight: d.Date.Date().UnixMilli(), bounce: d.Numbers(columns.Bounce), duration: d.Numbers(columns.Duration)}
	if data.predicate, err = Compile(ctx, w, d, p.Filters); err != nil {
		return err
	}
	for i := range p.Properties {
		value, err := compileValue(ctx, w, d, &p.Properties[i], p.Goals, &s.groups, i)
		if err != nil {
			return err
		}
		data.values = append(data.values, value)
	}
	if s.needsEvents {
		data.types = d.Numbers(columns.Type)
	} else {
		data.pageviews, data.events = d.Numbers(columns.Pageviews), d.Numbers(columns.Events)
	}
	if !p.WholeDays() {
		data.times, data.offsets = d.Numbers(columns.Time), d.Numbers(columns.UTCOffset)
		data.starts, data.startOffsets = d.Numbers(columns.Start), d.Numbers(columns.StartOffset)
	}
	if p.needsEngagements() {
		data.engaged, data.scroll = d.Numbers(columns.Engaged), d.Numbers(columns.Scroll)
	}
	if p.needsMoney() {
		data.amounts, data.currencies = d.Text(columns.Amount), d.Text(columns.Currency)
	}
	if p.Grain != language.NoGrain && !p.Grain.SplitsDays() {
		data.period = p.Range.Period(p.Grain, d.Date).Date().UnixMilli()
	}
	for visitorDay := range d.VisitorDays() {
		if err := w.Check(ctx); err != nil {
			return err
		}
		s.visitorDay++
		first, end := d.VisitsOf(visitorDay)
		for visit := first; visit < end; visit++ {
			s.visit++
			if s.needsEvents {
				s.scanVisit(visit)
			} else {
				s.countVisit(visit)
			}
		}
		w.Keep(s.groups.added)
		s.groups.added = 0
	}
	return nil
}

// entryOf returns the event on the entry page of a visit, of which the events are given: the
// first view, or the first event if there is no view.
func (d *dayData) entryOf(first, end int) int {
	entry := -1
	for i := first; i < end; i++ {
		switch {
		case d.types[i] == int64(event.View):
			return i
		case entry < 0 && d.types[i] != int64(event.Engagement):
			entry = i
		}
	}
	return entry
}

// countVisit counts a visit as a whole.
func (s *scanner) countVisit(visit int) {
	data := &s.day
	if data.predicate != nil && !data.predicate.Holds(-1, visit) {
		return
	}
	for _, g := range s.groups.find(data.period, data.values, -1, visit) {
		s.countVisitorDay(g)
		g.visits++
		g.entries++
		g.Pageviews += data.pageviews[visit]
		g.Events += data.events[visit]
		g.bounces += data.bounce[visit]
		g.seconds += data.duration[visit]
	}
}

// countVisitorDay counts the current visitor-day if it is new to the group.
func (s *scanner) countVisitorDay(g *groupCounter) {
	if g.visitorDay != s.visitorDay {
		g.visitorDay = s.visitorDay
		g.Visitors++
	}
}

// scanVisit counts the events of a visit that the question selects.
func (s *scanner) scanVisit(visit int) {
	data := &s.day
	first, end := data.EventsOf(visit)
	engagements := false
	if s.entries {
		s.entry = data.entryOf(first, end)
	}
	for i := first; i < end; i++ {
		if data.types[i] == int64(event.Engagement) {
			engagements = true
			continue
		}
		if period, ok := s.selects(i, visit); ok {
			for _, g := range s.groups.find(period, data.values, i, visit) {
				s.countEvent(g, i, visit, period)
			}
		}
	}
	if !engagements || !s.plan.needsEngagements() {
		return
	}
	s.groups.scrolled = s.groups.scrolled[:0]
	for i := first; i < end; i++ {
		if data.types[i] != int64(event.Engagement) {
			continue
		}
		if period, ok := s.selects(i, visit); ok {
			for _, g := range s.groups.find(period, data.values, i, visit) {
				s.countEngagement(g, i)
			}
		}
	}
	for _, g := range s.groups.scrolled {
		g.scroll += g.deepest
		g.scrolled++
		g.deepest = 0
	}
}

// selects reports whether an event is in the range and passes the filters, and returns its
// period.
func (s *scanner) selects(i, visit int) (period int64, ok bool) {
	data, p := &s.day, s.plan
	period = data.period
	if data.times != nil {
		at := time.UnixMilli(data.midnight + data.times[i]).UTC()
		if !p.WholeDays() && (at.Before(p.Range.From) || !at.Before(p.Range.To)) {
			return 0, false
		}
		if p.Grain.SplitsDays() {
			period = p.Grain.Start(at, data.offsets[i]).UnixMilli()
		}
	}
	return period, data.predicate == nil || data.predicate.Holds(i, visit)
}

func (s *scanner) countEvent(g *groupCounter, i, visit int, period int64) {
	data := &s.day
	s.countVisitorDay(g)
	g.Events++
	if data.types[i] == int64(event.View) {
		g.Pageviews++
	}
	if g.visit != s.visit {
		g.visit, g.countsVisit = s.visit, s.beganIn(visit, period)
		if g.countsVisit {
			g.visits++
			g.seconds += data.duration[visit]
			if !s.entries {
				g.countEntry(data.bounce[visit])
			}
		}
	}
	if s.entries && g.countsVisit && i == s.entry {
		g.countEntry(data.bounce[visit])
	}
	if data.amounts.Values != nil {
		s.groups.added += g.addAmount(data.amounts.At(i), data.currencies.At(i))
	}
}

// beganIn reports whether a visit began in a period, and in the range.
func (s *scanner) beganIn(visit int, period int64) bool {
	data, p := &s.day, s.plan
	if data.starts == nil {
		return true
	}
	start := time.UnixMilli(data.midnight + data.starts[visit]).UTC()
	return !start.Before(p.Range.From) && (!p.Grain.SplitsDays() || p.Grain.Start(start, data.startOffsets[visit]).UnixMilli() == period)
}

// countEngagement counts an engagement if the group counts its visit.
func (s *scanner) countEngagement(g *groupCounter, i int) {
	if g.visit != s.visit || !g.countsVisit {
		return
	}
	g.engaged += s.day.engaged[i]
	if depth := s.day.scroll[i]; depth > 0 {
		if g.deepest == 0 {
			s.groups.scrolled = append(s.groups.scrolled, g)
		}
		g.deepest = max(g.deepest, depth)
	}
}
