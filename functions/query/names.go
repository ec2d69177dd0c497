package query

import (
	"context"
	"strconv"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/glob"
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
			goals[i].Page = func(page string) bool { return glob.Match(g.Page, page) }
		}
	}
	return goals, nil
}

// Segment returns the filters of the segment with a name, otherwise with an id.
func (names) Segment(ctx context.Context, db database.DB, site int32, name string) (filters []byte, ok bool, err error) {
	segments, err := sites.Segments(ctx, db, site)
	if err != nil {
		return nil, false, err
	}
	for _, s := range segments {
		if s.Name == name {
			return s.Filters, true, nil
		}
	}
	for _, s := range segments {
		if strconv.Itoa(int(s.ID)) == name {
			return s.Filters, true, nil
		}
	}
	return nil, false, nil
}

// Funnel returns the definition of the funnel with a name.
func (names) Funnel(ctx context.Context, db database.DB, site int32, name string) (definition []byte, ok bool, err error) {
	funnels, err := sites.Funnels(ctx, db, site)
	if err != nil {
		return nil, false, err
	}
	for _, f := range funnels {
		if f.Name == name {
			return f.Definition, true, nil
		}
	}
	return nil, false, nil
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
