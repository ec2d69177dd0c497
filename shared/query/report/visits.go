package report

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/table"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const (
	// maxVisits is how many visits are listed at once.
	maxVisits = 1000
	// defaultVisits is how many are when the question does not say.
	defaultVisits = 50
	// visitsAtOnce is how many visits are looked at together in search of some.
	visitsAtOnce = 1000
	// maxVisitEvents bounds the events of those that are in memory.
	maxVisitEvents = 100_000
)

// VisitList asks for the visits that have an event which matches all of the filters and lies
// in the range, the latest first.
type VisitList struct {
	Question
	Limit int      // 0 when none is given
	after *VisitID // the last one of the page before
}

type visitsBody struct {
	SiteID    string         `json:"site_id"`
	DateRange jsontext.Value `json:"date_range"`
	Filters   jsontext.Value `json:"filters"`
	Limit     *int           `json:"limit"`
	Cursor    string         `json:"cursor"`
}

// ParseVisitList reads a question for visits. It is as strict as Parse.
func ParseVisitList(data []byte) (v VisitList, err error) {
	var b visitsBody
	if err := strictjson.Decode(data, &b); err != nil {
		return v, err
	}
	if err := v.readSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return v, err
	}
	if b.Cursor != "" {
		id, err := ParseVisitID(b.Cursor)
		if err != nil {
			return v, problem.Invalid("cursor", "must be the next of an answer before")
		}
		v.after = &id
	}
	if b.Limit != nil {
		if v.Limit = *b.Limit; v.Limit < 1 || v.Limit > maxVisits {
			return v, problem.Invalid("limit", fmt.Sprintf("must be from 1 to %d", maxVisits))
		}
	}
	return v, nil
}

// VisitID names a visit of a site. It tells nothing of who the visitor is: that number was
// made with a salt that is destroyed.
type VisitID struct {
	Start   time.Time
	Visitor int64
}

// String is the id as answers have it.
func (id VisitID) String() string {
	buf := binary.BigEndian.AppendUint64(nil, uint64(id.Start.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(buf, uint64(id.Visitor)))
}

// ParseVisitID reads an id as String writes it.
func ParseVisitID(text string) (VisitID, error) {
	buf, err := decodeID(text)
	if err != nil || len(buf) != 16 {
		return VisitID{}, errors.New("it is not the id of a visit")
	}
	start := int64(binary.BigEndian.Uint64(buf))
	// What the record can hold: years 1 to 9999, by far more than there are events of.
	if start < -62_135_596_800_000_000 || start > 253_402_300_799_000_000 {
		return VisitID{}, errors.New("it is not the id of a visit")
	}
	return VisitID{time.UnixMicro(start).UTC(), int64(binary.BigEndian.Uint64(buf[8:]))}, nil
}

// decodeID decodes what is exactly as it was encoded: the decoder itself passes over ends of
// lines.
func decodeID(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("it has ends of lines")
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}

// VisitsAnswer are visits, the latest first.
type VisitsAnswer struct {
	Visits    []VisitSummary `json:"visits"`
	Next      string         `json:"next,omitempty"` // the cursor of the next page; left out after the last
	DateRange [2]string      `json:"date_range"`
}

// VisitSummary is a visit. What is not known of it is "".
type VisitSummary struct {
	ID        string `json:"id"`
	Visitor   string `json:"visitor"`    // the same in all visits of one visitor on one day
	StartedAt string `json:"started_at"` // RFC 3339, local to the site
	Duration  int32  `json:"duration"`   // seconds from the first to the last event
	Engaged   int64  `json:"engaged"`    // seconds for which a page was visible and had the focus
	Pageviews int32  `json:"pageviews"`
	Events    int32  `json:"events"`
	Bounce    bool   `json:"bounce"`
	EntryPage string `json:"entry_page"`
	ExitPage  string `json:"exit_page"`
	Hostname  string `json:"hostname"`
	event.Attributes
	Revenue jsontext.Value `json:"revenue,omitempty"` // decimals by currency
}

// Visits lists visits of a site.
func (p *Reporter) Visits(ctx context.Context, db store.DB, site store.Site, now time.Time, v *VisitList) (answer VisitsAnswer, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		if err := at.define(ctx, &v.Question); err != nil {
			return err
		}
		s, err := v.span(ctx, at.tx, site, now)
		if err != nil {
			return err
		}
		answer, err = at.visits(ctx, v, s)
		return err
	})
	return answer, err
}

func (a asked) visits(ctx context.Context, v *VisitList, s span) (VisitsAnswer, error) {
	answer := VisitsAnswer{Visits: []VisitSummary{}, DateRange: s.String()}
	limit := cmp.Or(v.Limit, defaultVisits)
	size := visitsAtOnce
	if len(v.Filters) == 0 {
		size = min(size, limit+1)
	}
	for at, more := v.begin(s), true; more; {
		var found []store.StoredVisit
		var err error
		if found, at, more, err = a.someVisits(ctx, v, s, at, size); err != nil {
			return answer, err
		}
		for i := range found {
			if len(answer.Visits) == limit {
				answer.Next = answer.Visits[limit-1].ID
				return answer, nil
			}
			answer.Visits = append(answer.Visits, summary(&found[i], s.from.Location()))
		}
	}
	return answer, nil
}

// longest is more than a local day has, and than two time zones differ.
const longest = 50 * time.Hour

// begin is after which visit the list begins. A visit may have begun before the range, and
// its day be of another time zone.
func (v *VisitList) begin(s span) VisitID {
	if v.after != nil {
		return *v.after
	}
	return VisitID{s.to.Add(longest), math.MaxInt64}
}

// someVisits looks at the visits that come after one in the list, size at most, and returns
// those that are asked for and the last that was looked at. more is false when that was the
// last of all.
func (a asked) someVisits(ctx context.Context, v *VisitList, s span, after VisitID, size int) (found []store.StoredVisit, last VisitID, more bool, err error) {
	page, err := store.VisitsBefore(ctx, a.tx, a.site.ID, after.Start, after.Visitor, s.from.Add(-longest), size)
	if err != nil || len(page) == 0 {
		return nil, after, false, err
	}
	matching, err := a.matching(ctx, v, s, page)
	if err != nil {
		return nil, after, false, err
	}
	end := &page[len(page)-1].Visit
	last, more = VisitID{end.Start, end.Visitor}, len(page) == size
	for i := range page {
		if matching[i] {
			found = append(found, page[i])
		}
	}
	return found, last, more, nil
}

// VisitTable lists visits of a site as a table: all of them, when the question has no limit.
// Each page is of its own moment, so that the list may be long and whoever takes it slow.
func (p *Reporter) VisitTable(ctx context.Context, db store.DB, site store.Site, now time.Time, v *VisitList) (table.Table, error) {
	s, err := p.prepare(ctx, db, site, now, &v.Question)
	return table.Table{DateRange: s.String(), Columns: visitColumns(), Pages: func(yield func([][]table.Cell, error) bool) {
		left := cmp.Or(v.Limit, math.MaxInt)
		for at, more := v.begin(s), true; more; {
			var found []store.StoredVisit
			err := p.ask(ctx, db, site, now, func(ctx context.Context, a asked, _ time.Time) (err error) {
				found, at, more, err = a.someVisits(ctx, v, s, at, visitsAtOnce)
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
			for i := range found {
				rows[i] = visitCells(&found[i], s.from.Location())
			}
			if !yield(rows, nil) {
				return
			}
		}
	}}, err
}

// prepare finds out what a question names, and the stretch of time that it is about.
func (p *Reporter) prepare(ctx context.Context, db store.DB, site store.Site, now time.Time, q *Question) (s span, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		if err := at.define(ctx, q); err != nil {
			return err
		}
		s, err = q.span(ctx, at.tx, site, now)
		return err
	})
	return s, err
}

// matching tells which of some visits are asked for.
func (a asked) matching(ctx context.Context, v *VisitList, s span, page []store.StoredVisit) ([]bool, error) {
	matching := make([]bool, len(page))
	var near []int // those of which the events must be looked at
	for i := range page {
		one := &page[i].Visit
		end := one.Start.Add(time.Duration(one.Duration+1) * time.Second)
		inside := !one.Start.Before(s.from) && !end.After(s.to)
		if s.whole {
			inside = one.Day >= s.first && one.Day <= s.last
		}
		switch {
		case inside && len(v.Filters) == 0:
			matching[i] = true
		case inside, !s.whole && end.After(s.from) && one.Start.Before(s.to):
			near = append(near, i)
		}
	}
	// Few at a time, halved when they have too many events.
	for size := len(near); len(near) > 0; {
		some := near[:min(size, len(near))]
		err := a.look(ctx, v, s, page, some, matching)
		if errors.Is(err, store.ErrTooMany) && size > 1 {
			size /= 2
			continue
		}
		if err != nil {
			return nil, err
		}
		near = near[len(some):]
	}
	return matching, nil
}

// look reads the events of some visits, and notes which of them are asked for.
func (a asked) look(ctx context.Context, v *VisitList, s span, page []store.StoredVisit, some []int, matching []bool) error {
	wanted := map[visit.Key]int{}
	var visitors []int64
	var from, to time.Time
	for _, i := range some {
		one := &page[i].Visit
		wanted[one.Key()] = i
		visitors = append(visitors, one.Visitor)
		if from.IsZero() || one.Start.Before(from) {
			from = one.Start
		}
		if end := one.Start.Add(time.Duration(one.Duration+1) * time.Second); end.After(to) {
			to = end
		}
	}
	events, err := store.VisitorsEvents(ctx, a.tx, a.site.ID, from, to, visitors, maxVisitEvents)
	if err != nil {
		return err
	}
	days := map[store.VisitorDay][]*event.Event{}
	for _, e := range events {
		days[store.VisitorDayOf(e)] = append(days[store.VisitorDayOf(e)], e)
	}
	for key, events := range days {
		visits := visit.Fold(events)
		needed := append(columnsOf(v.Filters), columns.Type) // one at least: none would be all
		builder := columns.NewBuilder(key.Day, needed...)
		builder.Add(visits)
		d := builder.Day()
		keeps := compileAll(d, v.Filters)
		for n := range visits {
			i, ok := wanted[visits[n].Key()]
			if !ok { // or only a part of it was read, and it has another beginning
				continue
			}
			first, _ := d.EventsOf(n)
			for number, e := range visits[n].Sequence() {
				in := s.whole || !e.Time.Before(s.from) && e.Time.Before(s.to)
				if e.Type.Counts() && in && (keeps == nil || keeps.holds(first+number, n)) {
					matching[i] = true
					break
				}
			}
		}
	}
	return nil
}

// visitorText is a visitor as answers have it.
func visitorText(visitor int64) string { return fmt.Sprintf("%016x", uint64(visitor)) }

func summary(s *store.StoredVisit, location *time.Location) VisitSummary {
	v := &s.Visit
	return VisitSummary{
		ID: VisitID{v.Start, v.Visitor}.String(), Visitor: visitorText(v.Visitor),
		StartedAt: v.Start.In(location).Format(time.RFC3339), Duration: v.Duration, Engaged: v.Engaged / 1000,
		Pageviews: v.Pageviews, Events: v.Events, Bounce: v.Bounce, EntryPage: v.EntryPage, ExitPage: v.ExitPage, Hostname: v.Hostname,
		Attributes: v.Attributes, Revenue: s.Revenue(),
	}
}

// Timeline is a visit and what happened in it.
type Timeline struct {
	Visit  VisitSummary `json:"visit"`
	Events []Moment     `json:"events"` // in order, engagements among them
}

// Moment is an event of a visit. What it does not have is left out.
type Moment struct {
	Time     string            `json:"time"` // RFC 3339 with milliseconds, local to the site
	Type     string            `json:"type"` // view, click, conversion, funnel_step, engagement
	Name     string            `json:"name,omitempty"`
	Hostname string            `json:"hostname,omitempty"`
	Page     string            `json:"page,omitempty"`
	Title    string            `json:"title,omitempty"`
	Tag      string            `json:"tag,omitempty"`
	Props    map[string]string `json:"props,omitempty"`
	Amount   jsontext.Value    `json:"amount,omitzero"`
	Currency string            `json:"currency,omitempty"`
	Engaged  float64           `json:"engaged,omitzero"` // seconds
	Scroll   int16             `json:"scroll,omitzero"`  // percent
}

// Timeline shows a visit of a site.
func (p *Reporter) Timeline(ctx context.Context, db store.DB, site store.Site, now time.Time, id VisitID) (answer Timeline, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		stored, err := store.Visit(ctx, at.tx, site.ID, id.Start, id.Visitor)
		if errors.Is(err, store.ErrNoVisit) {
			p := problem.New(http.StatusNotFound, problem.CodeNotFound, "there is no such visit of this site, or it has other events by now: list them again")
			p.Field = "id"
			return p
		}
		if err != nil {
			return err
		}
		v := &stored.Visit
		location := now.Location()
		answer = Timeline{Visit: summary(&stored, location), Events: []Moment{}}
		// A visit ends with its last event that counts; engagements may follow.
		events, err := store.VisitorsEvents(ctx, at.tx, site.ID, v.Start, v.Start.Add(longest), []int64{v.Visitor}, visit.MaxEvents)
		if err != nil {
			return err
		}
		events = slices.DeleteFunc(events, func(e *event.Event) bool { return e.Day != v.Day })
		for i, one := range visit.Fold(events) {
			if i > 0 { // another visit of the day
				break
			}
			for _, e := range one.Sequence() {
				answer.Events = append(answer.Events, moment(e, location))
			}
		}
		return nil
	})
	return answer, err
}

func moment(e *event.Event, location *time.Location) Moment {
	m := Moment{
		Time: e.Time.In(location).Format("2006-01-02T15:04:05.000Z07:00"), Type: e.Type.String(), Name: e.Name,
		Hostname: e.Hostname, Page: e.Page, Title: e.Title, Tag: e.Tag, Props: e.Props, Currency: e.Currency,
		Engaged: float64(e.Engaged) / 1000, Scroll: e.Scroll,
	}
	if e.Amount != "" {
		m.Amount = jsontext.Value(e.Amount)
	}
	return m
}
