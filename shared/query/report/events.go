package report

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/table"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// eventsAtOnce is how many events are in memory, but for those that are looked at to find
// which of them are asked for.
const eventsAtOnce = 2000

// EventList asks for all that is stored of events: of those in the range that match all of
// the filters, engagements among them, in the order of time and then of their ids. With
// filters, engagements that belong to no visit are left out.
type EventList struct {
	Question
	Limit int // 0 when none is given

	after  *EventID // the last one that is there already
	atOnce int      // how many are read together
}

type eventsBody struct {
	SiteID    string         `json:"site_id"`
	DateRange jsontext.Value `json:"date_range"`
	Filters   jsontext.Value `json:"filters"`
	Limit     *int           `json:"limit"`
	Cursor    string         `json:"cursor"`
}

// ParseEventList reads a question for events. It is as strict as Parse.
func ParseEventList(data []byte) (l EventList, err error) {
	var b eventsBody
	if err := strictjson.Decode(data, &b); err != nil {
		return l, err
	}
	l.atOnce = eventsAtOnce
	if err := l.readSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return l, err
	}
	if b.Cursor != "" {
		id, err := ParseEventID(b.Cursor)
		if err != nil {
			return l, problem.Invalid("cursor", "must be the cursor of an event that was exported")
		}
		l.after = &id
	}
	if b.Limit != nil {
		if l.Limit = *b.Limit; l.Limit < 1 {
			return l, problem.Invalid("limit", "must be 1 or more, or left out")
		}
	}
	return l, nil
}

// EventID names an event of a site, and its place among the others.
type EventID struct {
	Time time.Time // whole milliseconds
	ID   uuid.UUID
}

// String is the id as cursors have it.
func (id EventID) String() string {
	buf := binary.BigEndian.AppendUint64(nil, uint64(id.Time.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(buf, id.ID[:]...))
}

// ParseEventID reads an id as String writes it.
func ParseEventID(text string) (EventID, error) {
	buf, err := decodeID(text)
	if err != nil || len(buf) != 24 {
		return EventID{}, errors.New("it is not the id of an event")
	}
	at := int64(binary.BigEndian.Uint64(buf))
	// What the record can hold: years 1 to 9999, by far more than there are events of.
	if at < -62_135_596_800_000 || at > 253_402_300_799_000 {
		return EventID{}, errors.New("it is not the id of an event")
	}
	return EventID{time.UnixMilli(at).UTC(), uuid.UUID(buf[8:])}, nil
}

// EventTable lists events of a site as a table. The column cursor has of each where the list
// goes on after it. Each page is of its own moment: an event that comes meanwhile is there
// when its place is still to come.
func (p *Reporter) EventTable(ctx context.Context, db store.DB, site store.Site, now time.Time, l *EventList) (table.Table, error) {
	s, err := p.prepare(ctx, db, site, now, &l.Question)
	return table.Table{DateRange: s.String(), Columns: eventColumns(), Pages: func(yield func([][]table.Cell, error) bool) {
		stretch := s.stretch()
		after := EventID{Time: stretch.From}
		if l.after != nil && !l.after.Time.Before(after.Time) {
			after = *l.after
		}
		left := cmp.Or(l.Limit, math.MaxInt)
		for more := true; more; {
			var found []*event.Event
			err := p.ask(ctx, db, site, now, func(ctx context.Context, a asked, _ time.Time) error {
				page, err := store.EventsAfter(ctx, a.tx, site.ID, stretch, after.Time, after.ID, l.atOnce)
				if err != nil {
					return err
				}
				if more = len(page) == l.atOnce; len(page) > 0 {
					after = idOf(page[len(page)-1])
				}
				found, err = a.matchingEvents(ctx, l.Filters, page)
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

func idOf(e *event.Event) EventID { return EventID{e.Time, e.ID} }

// stretch is where the events of the span are.
func (s span) stretch() store.Stretch {
	if s.whole {
		return store.StretchOf(s.first, s.last)
	}
	first, last := s.anyZone() // the site may have been in another time zone
	return store.Stretch{From: s.from, To: s.to, First: first, Last: last}
}

// matchingEvents are those of some events, which are in order, that match filters.
func (a asked) matchingEvents(ctx context.Context, filters []Filter, page []*event.Event) ([]*event.Event, error) {
	if len(filters) == 0 || len(page) == 0 {
		return page, nil
	}
	matching := map[EventID]bool{}
	for _, e := range page {
		matching[idOf(e)] = false
	}
	from, to := page[0].Time, page[len(page)-1].Time
	visitors := map[int64]bool{}
	for _, e := range page {
		visitors[e.Visitor] = true
	}
	open := make([]int64, 0, len(visitors))
	for visitor := range visitors {
		open = append(open, visitor)
	}
	// A visit may begin long before and end long after; hardly any does.
	for _, reach := range []time.Duration{2 * visit.Timeout, longest} {
		var err error
		if open, err = a.matchAround(ctx, filters, from.Add(-reach), to.Add(reach), open, matching); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(page, func(e *event.Event) bool { return !matching[idOf(e)] }), nil
}

// matchAround looks at what visitors did between two times, and notes which of the events
// match. It returns the visitors of whom it may not have seen whole visits; what it noted of
// them is to be noted anew.
func (a asked) matchAround(ctx context.Context, filters []Filter, from, to time.Time, visitors []int64, matching map[EventID]bool) (cut []int64, err error) {
	// Few at a time, halved when they have too many events.
	for size := len(visitors); len(visitors) > 0; {
		some := visitors[:min(size, len(visitors))]
		events, err := store.VisitorsEvents(ctx, a.tx, a.site.ID, from, to, some, maxVisitEvents)
		if errors.Is(err, store.ErrTooMany) && size > 1 {
			size /= 2
			continue
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
			noteMatching(day, visitors, filters, matching)
			for visitor, events := range visitors {
				if events[0].Time.Before(from.Add(visit.Timeout)) || events[len(events)-1].Time.After(to.Add(-visit.Timeout)) {
					cut = append(cut, visitor)
				}
			}
		}
	}
	slices.Sort(cut)
	return slices.Compact(cut), nil
}

// noteMatching notes which events of visitors on a day match, as far as it is asked of them.
func noteMatching(day event.Day, visitors map[int64][]*event.Event, filters []Filter, matching map[EventID]bool) {
	needed := append(columnsOf(filters), columns.Type) // one at least: none would be all
	var days [][]visit.Visit
	for _, events := range visitors {
		if visits := visit.Fold(events); len(visits) > 0 {
			days = append(days, visits)
		}
	}
	// In the order of a day in columns.
	slices.SortFunc(days, func(a, b []visit.Visit) int { return a[0].Start.Compare(b[0].Start) })
	builder := columns.NewBuilder(day, needed...)
	var inOrder []*event.Event
	for _, visits := range days {
		builder.Add(visits)
		for i := range visits {
			inOrder = append(inOrder, visits[i].Sequence()...)
		}
	}
	d := builder.Day()
	keeps := compileAll(d, filters)
	for v := range d.Visits() {
		first, end := d.EventsOf(v)
		for i := first; i < end; i++ {
			if _, ok := matching[idOf(inOrder[i])]; ok {
				matching[idOf(inOrder[i])] = keeps.holds(i, v)
			}
		}
	}
}

// eventColumns are all that is stored of an event, by the names of the record.
func eventColumns() []table.Column {
	list := []table.Column{
		{Name: "cursor", Kind: table.Text}, {Name: "id", Kind: table.Text}, {Name: "time", Kind: table.Time}, {Name: "day", Kind: table.Text},
		{Name: "utc_offset", Kind: table.Whole}, {Name: "visitor", Kind: table.Text}, {Name: "subject", Kind: table.Text},
		{Name: "type", Kind: table.Text},
	}
	return append(list, fieldColumns()...)
}

// eventCells are those of eventColumns.
func eventCells(e *event.Event) ([]table.Cell, error) {
	subject := table.Cell{}
	if e.Subject != uuid.Nil {
		subject = table.OfText(hex.EncodeToString(e.Subject[:]))
	}
	cells := []table.Cell{
		table.OfText(idOf(e).String()), table.OfText(e.ID.String()), table.OfTime(e.Time, "2006-01-02T15:04:05.000Z07:00"), table.OfText(e.Day.String()),
		table.OfWhole(e.UTCOffset), table.OfText(visitorText(e.Visitor)), subject,
		table.OfText(e.Type.String()),
	}
	return appendFieldCells(cells, e)
}

// propsCell is the cell of an event's properties.
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
