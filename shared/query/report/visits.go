package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

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

const (
	// defaultVisits is how many visits a page lists if the question does not say.
	defaultVisits = 50
	// visitsPerPage is how many visits are read at once to find matching ones.
	visitsPerPage = 1000
	// pageBytes bounds the bytes of a page of visits or events.
	pageBytes = 2 << 20
)

// visitEvents bounds the events of visits that are in memory at once.
func visitEvents() store.Most { return store.Most{Rows: 20_000, Bytes: 4 << 20} }

// VisitsAnswer is a page of visits, the latest first.
type VisitsAnswer struct {
	Visits    []VisitSummary `json:"visits"`
	Next      string         `json:"next,omitempty"` // the cursor of the next page; left out after the last
	DateRange [2]string      `json:"date_range"`
}

// VisitSummary is a visit. Unknown values are "".
type VisitSummary struct {
	ID        string `json:"id"`
	Visitor   string `json:"visitor"`    // the same for all visits of one visitor on one day
	StartedAt string `json:"started_at"` // RFC 3339, local to the site
	Duration  int32  `json:"duration"`   // seconds from the first to the last event
	Engaged   int64  `json:"engaged"`    // seconds during which a page was visible and had the focus
	Pageviews int32  `json:"pageviews"`
	Events    int32  `json:"events"`
	Bounce    bool   `json:"bounce"`
	EntryPage string `json:"entry_page"`
	ExitPage  string `json:"exit_page"`
	Hostname  string `json:"hostname"`
	event.Attributes
	Revenue jsontext.Value `json:"revenue,omitempty"` // decimals by currency
}

// Visits lists a page of the visits of a site.
func (r *Reporter) Visits(ctx context.Context, db database.DB, site sites.Site, now time.Time, v *language.VisitList) (answer VisitsAnswer, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
		within, err := begin(ctx, s, v, &v.Question)
		if err == nil {
			err = s.Grow(ctx)
		}
		if err != nil {
			return err
		}
		answer, err = answerVisits(ctx, s, v, within)
		return err
	})
	return answer, err
}

func answerVisits(ctx context.Context, s *engine.Session, v *language.VisitList, within language.Range) (VisitsAnswer, error) {
	answer := VisitsAnswer{Visits: []VisitSummary{}, DateRange: within.Bounds()}
	limit := cmp.Or(v.Limit, defaultVisits)
	size := visitsPerPage
	if len(v.Filters) == 0 {
		size = min(size, limit+1)
	}
	search := visitSearch{list: v, within: within, after: firstVisit(v, within)}
	for more := true; more; {
		var found []store.StoredVisit
		var err error
		if found, more, err = search.next(ctx, s, size); err != nil {
			return answer, err
		}
		for i := range found {
			if len(answer.Visits) == limit {
				answer.Next = answer.Visits[limit-1].ID
				return answer, nil
			}
			answer.Visits = append(answer.Visits, summary(&found[i], within.From.Location()))
		}
	}
	return answer, nil
}

// VisitTable lists visits of a site as a table: all of them if the question has no limit.
// A connection is in use only while a page is read, so that the list may be long and its
// reader slow.
func (r *Reporter) VisitTable(ctx context.Context, db database.DB, site sites.Site, now time.Time, v *language.VisitList) (table.Table, error) {
	within, err := r.prepare(ctx, db, site, now, v, &v.Question)
	return table.Table{DateRange: within.Bounds(), Columns: visitColumns(), Pages: func(yield func([][]table.Cell, error) bool) {
		left := cmp.Or(v.Limit, math.MaxInt)
		search := visitSearch{list: v, within: within, after: firstVisit(v, within)}
		for more := true; more; {
			var found []store.StoredVisit
			err := r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) (err error) {
				found, more, err = search.next(ctx, s, visitsPerPage)
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
				rows[i] = visitCells(&found[i], within.From.Location())
			}
			if !yield(rows, nil) {
				return
			}
		}
	}}, err
}

// prepare resolves the names in a question and returns its range, in a session of its own.
func (r *Reporter) prepare(ctx context.Context, db database.DB, site sites.Site, now time.Time, kind resolver, selection *language.Question) (within language.Range, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) (err error) {
		within, err = begin(ctx, s, kind, selection)
		return err
	})
	return within, err
}

// maxOverlap is longer than any local day, and than two time zones differ.
const maxOverlap = 50 * time.Hour

// firstVisit returns the visit after which a list begins. A visit may have begun before the
// range, and its day may be in another time zone.
func firstVisit(v *language.VisitList, within language.Range) language.VisitID {
	if v.After != nil {
		return *v.After
	}
	return language.VisitID{Start: within.To.Add(maxOverlap), Visitor: math.MaxInt64}
}

// visitSearch goes through the visits of a list.
type visitSearch struct {
	list   *language.VisitList
	within language.Range
	after  language.VisitID // the last visit read
}

// next reads at most size visits and returns those that match. more is false if there are
// none after them.
func (v *visitSearch) next(ctx context.Context, s *engine.Session, size int) (found []store.StoredVisit, more bool, err error) {
	var page []store.StoredVisit
	err = s.Read(ctx, func(tx database.DB) error {
		page, more, err = store.VisitsBefore(ctx, tx, s.Site.ID, v.after.Start, v.after.Visitor, v.within.From.Add(-maxOverlap), store.Most{Rows: size, Bytes: pageBytes})
		return err
	})
	if err != nil || len(page) == 0 {
		return nil, false, err
	}
	matching, err := v.match(ctx, s, page)
	if err != nil {
		return nil, false, err
	}
	last := &page[len(page)-1].Visit
	v.after = language.VisitID{Start: last.Start, Visitor: last.Visitor}
	for i := range page {
		if matching[i] {
			found = append(found, page[i])
		}
	}
	return found, more, nil
}

// match reports which of some visits match.
func (v *visitSearch) match(ctx context.Context, s *engine.Session, page []store.StoredVisit) ([]bool, error) {
	matching := make([]bool, len(page))
	var candidates []int // visits whose events decide
	for i := range page {
		one := &page[i].Visit
		end := one.Start.Add(time.Duration(one.Duration+1) * time.Second)
		inside := !one.Start.Before(v.within.From) && !end.After(v.within.To)
		if v.within.Whole {
			inside = one.Day >= v.within.First && one.Day <= v.within.Last
		}
		switch {
		case inside && len(v.list.Filters) == 0:
			matching[i] = true
		case inside, !v.within.Whole && end.After(v.within.From) && one.Start.Before(v.within.To):
			candidates = append(candidates, i)
		}
	}
	// If some visits together have too many events, try half as many.
	for size := len(candidates); len(candidates) > 0; {
		some := candidates[:min(size, len(candidates))]
		err := v.matchEvents(ctx, s, page, some, matching)
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
		candidates = candidates[len(some):]
	}
	return matching, nil
}

// matchEvents reads the events of some visits and notes which visits match.
func (v *visitSearch) matchEvents(ctx context.Context, s *engine.Session, page []store.StoredVisit, some []int, matching []bool) error {
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
	var events []*event.Event
	var worker *engine.Worker
	err := s.Read(ctx, func(tx database.DB) (err error) {
		if events, err = store.VisitorsEvents(ctx, tx, s.Site.ID, from, to, visitors, visitEvents()); err != nil {
			return err
		}
		worker, err = s.Worker(ctx, tx, daysOf(events), filterColumns(v.list.Filters))
		return err
	})
	if err != nil {
		return err
	}
	defer worker.Close()
	days := map[store.VisitorDay][]*event.Event{}
	for _, e := range events {
		days[store.VisitorDayOf(e)] = append(days[store.VisitorDayOf(e)], e)
	}
	for key, events := range days {
		visits := visit.Fold(events)
		builder := columns.NewBuilder(key.Day, filterColumns(v.list.Filters)...)
		builder.Add(visits)
		d := builder.Day()
		predicate, err := engine.Compile(ctx, worker, d, v.list.Filters)
		if err != nil {
			return err
		}
		for n := range visits {
			i, ok := wanted[visits[n].Key()]
			if !ok { // not a candidate, or read only in part, with another start
				continue
			}
			first, _ := d.EventsOf(n)
			for number, e := range visits[n].Sequence() {
				inRange := v.within.Whole || !e.Time.Before(v.within.From) && e.Time.Before(v.within.To)
				if e.Type.Counts() && inRange && (predicate == nil || predicate.Holds(first+number, n)) {
					matching[i] = true
					break
				}
			}
		}
	}
	return nil
}

// filterColumns lists the columns that filters look at. It lists at least one, since a
// builder makes all columns if none are named.
func filterColumns(filters []language.Filter) []columns.Column {
	return append(engine.FilterColumns(filters), columns.Type)
}

// daysOf returns the days of events, each once.
func daysOf(events []*event.Event) (days []event.Day) {
	for _, e := range events {
		if !slices.Contains(days, e.Day) {
			days = append(days, e.Day)
		}
	}
	return days
}

// visitorText returns a visitor as answers write it.
func visitorText(visitor int64) string { return fmt.Sprintf("%016x", uint64(visitor)) }

func summary(s *store.StoredVisit, location *time.Location) VisitSummary {
	v := &s.Visit
	return VisitSummary{
		ID: language.VisitID{Start: v.Start, Visitor: v.Visitor}.String(), Visitor: visitorText(v.Visitor),
		StartedAt: v.Start.In(location).Format(time.RFC3339), Duration: v.Duration, Engaged: v.Engaged / 1000,
		Pageviews: v.Pageviews, Events: v.Events, Bounce: v.Bounce, EntryPage: v.EntryPage, ExitPage: v.ExitPage, Hostname: v.Hostname,
		Attributes: v.Attributes, Revenue: s.Revenue(),
	}
}
