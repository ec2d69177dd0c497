package query

import (
	"context"
	"errors"
	"strconv"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/glob"
	"github.com/analytics-platform/analytics/shared/model/weburl"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// names implements engine.Names with what owners of sites have stored.
type names struct{}

// Goals returns the goals of a site.
func (names) Goals(ctx context.Context, db database.DB, site int32) ([]language.Goal, error) {
	stored, err := sites.Goals(ctx, db, site)
	if err != nil {
		return nil, err
	}
	goals := make([]language.Goal, len(stored))
	for i, g := range stored {
		goals[i] = language.Goal{Name: g.Name, Event: g.Event, Props: g.Props, Currency: g.Currency}
		if g.Page != "" {
			pattern := weburl.Canonical(g.Page) // earlier versions stored it escaped
			goals[i].Page = func(page string) bool { return glob.Match(pattern, page) }
		}
	}
	return goals, nil
}

// Segment returns the filters of the segment with a name, otherwise with an id.
func (names) Segment(ctx context.Context, db database.DB, site int32, name string) (filters []byte, ok bool, err error) {
	segment, err := sites.SegmentNamed(ctx, db, site, name)
	if id, number := strconv.ParseInt(name, 10, 32); errors.Is(err, sites.ErrNotFound) && number == nil {
		segment, err = sites.FindSegment(ctx, db, site, int32(id))
	}
	return found(segment.Filters, err)
}

// Funnel returns the definition of the funnel with a name.
func (names) Funnel(ctx context.Context, db database.DB, site int32, name string) (definition []byte, ok bool, err error) {
	funnel, err := sites.FunnelNamed(ctx, db, site, name)
	return found(funnel.Definition, err)
}

// found returns a definition; ok is false if the error is that there is none.
func found(definition []byte, err error) ([]byte, bool, error) {
	if errors.Is(err, sites.ErrNotFound) {
		return nil, false, nil
	}
	return definition, err == nil, err
}

// Annotations returns the notes on the days from first to last.
func (names) Annotations(ctx context.Context, db database.DB, site int32, first, last event.Day) ([]engine.Annotation, error) {
	stored, err := sites.Annotations(ctx, db, site)
	if err != nil {
		return nil, err
	}
	annotations := []engine.Annotation{}
	for _, a := range stored {
		if day := event.DayOf(a.Day); day >= first && day <= last {
			annotations = append(annotations, engine.Annotation{Day: day.String(), Text: a.Text})
		}
	}
	return annotations, nil
}
