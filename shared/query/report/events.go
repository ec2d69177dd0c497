package report

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/table"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// eventsPerPage is how many events of a table are in memory, besides those that are read to
// decide which of them match.
const eventsPerPage = 2000

// milliseconds is the layout of times in whole milliseconds.
const milliseconds = "2006-01-02T15:04:05.000Z07:00"

// EventTable lists events of a site as a table. The column cursor says where the list goes
// on after a row. Each page is read by itself: an event that arrives
// meanwhile is included if its place is still ahead.
func (r *Reporter) EventTable(ctx context.Context, db database.DB, site sites.Site, now time.Time, l *language.EventList) (table.Table, error) {
	within, err := r.prepare(ctx, db, site, now, l, &l.Question)
	return table.Table{DateRange: within.Bounds(), Columns: eventColumns(), Pages: func(yield func([][]table.Cell, error) bool) {
		bounds := eventBounds(within)
		after := language.EventID{Time: bounds.From}
		if l.After != nil && !l.After.Time.Before(after.Time) {
			after = *l.After
		}
		left := cmp.Or(l.Limit, math.MaxInt)
		for more := true; more; {
			var found []*event.Event
			err := r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
				var page []*event.Event
				err := s.Read(ctx, func(tx database.DB) (err error) {
					page, more, err = store.EventsAfter(ctx, tx, site.ID, bounds, after.Time, after.ID, store.Most{Rows: r.eventsPerPage, Bytes: pageBytes})
					return err
				})
				if err != nil {
					return err
				}
				if len(page) > 0 {
					after = idOf(page[len(page)-1])
				}
				found, err = matchingEvents(ctx, s, l.Filters, page)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			found = found[:min(left, len(found))]
			left -= len(found)
			more = more && left > 0
			rows := make([][]table.Cell, len(found))
			for i, e := range found {
				if rows[i], err = eventCells(e); err != nil {
					yield(nil, err)
					return
				}
			}
			if !yield(rows, nil) {
				return
			}
		}
	}}, err
}

func idOf(e *event.Event) language.EventID { return language.EventID{Time: e.Time, ID: e.ID} }

// eventBounds returns where the events of a range are stored.
func eventBounds(r language.Range) store.EventRange {
	if r.Whole {
		return store.EventRangeOf(r.First, r.Last)
	}
	first, last := r.AnyZone() // the site may have been in another time zone
	return store.EventRange{From: r.From, To: r.To, First: first, Last: last}
}

// matchingEvents returns those of some events, which are in order, that match all filters.
func matchingEvents(ctx context.Context, s *engine.Session, filters []language.Filter, page []*event.Event) ([]*event.Event, error) {
	if len(filters) == 0 || len(page) == 0 {
		return page, nil
	}
	m := eventMatcher{filters: filters, matching: map[language.EventID]bool{}}
	seen := map[int64]bool{}
	var visitors []int64
	for _, e := range page {
		m.matching[idOf(e)] = false
		if !seen[e.Visitor] {
			seen[e.Visitor] = true
			visitors = append(visitors, e.Visitor)
		}
	}
	from, to := page[0].Time, page[len(page)-1].Time
	// A visit may begin long before the events and end long after, but hardly any does.
	for _, margin := range []time.Duration{2 * visit.Timeout, maxOverlap} {
		var err error
		if visitors, err = m.matchVisitors(ctx, s, from.Add(-margin), to.Add(margin), visitors); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(page, func(e *event.Event) bool { return !m.matching[idOf(e)] }), nil
}

// eventMatcher notes which of some events match all filters.
type eventMatcher struct {
	filters  []language.Filter
	matching map[language.EventID]bool // by event of the page
}

// matchVisitors reads what visitors did between two times, and notes which events match. It
// returns the visitors whose visits may continue outside; what it noted about them is
// provisional.
func (m *eventMatcher) matchVisitors(ctx context.Context, s *engine.Session, from, to time.Time, visitors []int64) (incomplete []int64, err error) {
	// If some visitors together have too many events, try half as many.
	for size := len(visitors); len(visitors) > 0; {
		some := visitors[:min(size, len(visitors))]
		var events []*event.Event
		var worker *engine.Worker
		err := s.Read(ctx, func(tx database.DB) (err error) {
			if events, err = store.VisitorsEvents(ctx, tx, s.Site.ID, from, to, some, visitEvents()); err != nil {
				return err
			}
			worker, err = s.Worker(ctx, tx, daysOf(events), filterColumns(m.filters))
			return err
		})
		if errors.Is(err, store.ErrTooMany) && size > 1 {
			size /= 2
			continue
		}
		if errors.Is(err, store.ErrTooMany) {
			err = s.TooLarge()
		}
		if err != nil {
			return nil, err
		}
		visitors = visitors[len(some):]
		days := map[event.Day]map[int64][]*event.Event{}
		for _, e := range events {
			if days[e.Day] == nil {
				days[e.Day] = map[int64][]*event.Event{}
			}
			days[e.Day][e.Visitor] = append(days[e.Day][e.Visitor], e)
		}
		for day, visitors := range days {
			if err := m.matchDay(ctx, worker, day, visitors); err != nil {
				return nil, err
			}
			for visitor, events := range visitors {
				if events[0].Time.Before(from.Add(visit.Timeout)) || events[len(events)-1].Time.After(to.Add(-visit.Timeout)) {
					incomplete = append(incomplete, visitor)
				}
			}
		}
		worker.Close()
	}
	slices.Sort(incomplete)
	return slices.Compact(incomplete), nil
}

// matchDay notes which events of visitors on a day match.
func (m *eventMatcher) matchDay(ctx context.Context, w *engine.Worker, day event.Day, visitors map[int64][]*event.Event) error {
	var days [][]visit.Visit
	for _, events := range visitors {
		if visits := visit.Fold(events); len(visits) > 0 {
			days = append(days, visits)
		}
	}
	// A builder takes visitor-days in the order of their first visits.
	slices.SortFunc(days, func(a, b []visit.Visit) int { return a[0].Start.Compare(b[0].Start) })
	builder := columns.NewBuilder(day, filterColumns(m.filters)...)
	var inOrder []*event.Event
	for _, visits := range days {
		builder.Add(visits)
		for i := range visits {
			inOrder = append(inOrder, visits[i].Sequence()...)
		}
	}
	d := builder.Day()
	predicate, err := engine.Compile(ctx, w, d, m.filters)
	if err != nil {
		return err
	}
	for v := range d.Visits() {
		first, end := d.EventsOf(v)
		for i := first; i < end; i++ {
			if _, ok := m.matching[idOf(inOrder[i])]; ok {
				m.matching[idOf(inOrder[i])] = predicate.Holds(i, v)
			}
		}
	}
	return nil
}

// eventColumns lists all that is stored of an event, by the names in the database.
func eventColumns() []table.Column {
	list := []table.Column{
		{Name: "cursor", Kind: table.Text}, {Name: "id", Kind: table.Text}, {Name: "time", Kind: table.Time}, {Name: "day", Kind: table.Text},
		{Name: "utc_offset", Kind: table.Whole}, {Name: "visitor", Kind: table.Text}, {Name: "subject", Kind: table.Text},
		{Name: "type", Kind: table.Text},
	}
	return append(list, fieldColumns()...)
}

// eventCells returns the cells of eventColumns.
func eventCells(e *event.Event) ([]table.Cell, error) {
	subject := table.Cell{}
	if e.Subject != uuid.Nil {
		subject = table.OfText(hex.EncodeToString(e.Subject[:]))
	}
	cells := []table.Cell{
		table.OfText(idOf(e).String()), table.OfText(e.ID.String()), table.OfTime(e.Time, milliseconds), table.OfText(e.Day.String()),
		table.OfWhole(e.UTCOffset), table.OfText(visitorText(e.Visitor)), subject,
		table.OfText(e.Type.String()),
	}
	return appendFieldCells(cells, e)
}

// propsCell returns the cell of an event's properties.
func propsCell(props map[string]string) (table.Cell, error) {
	if len(props) == 0 {
		return table.OfJSON(nil), nil
	}
	text, err := json.Marshal(props, json.Deterministic(true))
	if err != nil {
		return table.Cell{}, fmt.Errorf("encode properties: %w", err)
	}
	return table.OfJSON(text), nil
}
