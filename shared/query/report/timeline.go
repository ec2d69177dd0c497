package report

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Timeline is a visit with its events.
type Timeline struct {
	Visit  VisitSummary    `json:"visit"`
	Events []TimelineEvent `json:"events"` // in order, engagements included
}

// TimelineEvent is an event of a visit. What it does not have is left out.
type TimelineEvent struct {
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

// ErrNoVisit means that the site has no such visit.
var ErrNoVisit = errors.New("no such visit")

// Timeline returns a visit of a site with its events. If there is none, the error is
// ErrNoVisit.
func (r *Reporter) Timeline(ctx context.Context, db database.DB, site sites.Site, now time.Time, id language.VisitID) (answer Timeline, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
		if err := s.Grow(ctx); err != nil { // a visit may have thousands of events
			return err
		}
		var stored store.StoredVisit
		var events []*event.Event
		err := s.Read(ctx, func(tx database.DB) (err error) {
			if stored, err = store.Visit(ctx, tx, site.ID, id.Start, id.Visitor); err != nil {
				return err
			}
			// A visit ends with its last event that counts; engagements may follow.
			start := stored.Visit.Start
			events, err = store.VisitorsEvents(ctx, tx, site.ID, start, start.Add(maxOverlap), []int64{id.Visitor}, store.Most{Rows: visit.MaxEvents, Bytes: s.Left()})
			return err
		})
		switch {
		case errors.Is(err, store.ErrNoVisit):
			return ErrNoVisit
		case errors.Is(err, store.ErrTooMany):
			return s.TooLarge()
		case err != nil:
			return err
		}
		v := &stored.Visit
		location := s.Now.Location()
		answer = Timeline{Visit: summary(&stored, location), Events: []TimelineEvent{}}
		events = slices.DeleteFunc(events, func(e *event.Event) bool { return e.Day != v.Day })
		visits := visit.Fold(events)
		for _, one := range visits[:min(1, len(visits))] { // the others are later visits of the day
			for _, e := range one.Sequence() {
				answer.Events = append(answer.Events, timelineEvent(e, location))
			}
		}
		return nil
	})
	return answer, err
}

func timelineEvent(e *event.Event, location *time.Location) TimelineEvent {
	out := TimelineEvent{
		Time: e.Time.In(location).Format(milliseconds), Type: e.Type.String(), Name: e.Name,
		Hostname: e.Hostname, Page: e.Page, Title: e.Title, Tag: e.Tag, Props: e.Props, Currency: e.Currency,
		Engaged: float64(e.Engaged) / 1000, Scroll: e.Scroll,
	}
	if e.Amount != "" {
		out.Amount = jsontext.Value(e.Amount)
	}
	return out
}
