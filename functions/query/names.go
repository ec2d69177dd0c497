package query

import (
	"context"
	"strconv"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/glob"
	"github.com/analytics-platform/analytics/shared/query/report"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// names finds what the owners of sites have given names to.
type names struct{}

// Goals are for questions.
func (names) Goals(ctx context.Context, db store.DB, site int32) ([]report.Goal, error) {
	stored, err := store.Goals(ctx, db, site)
	if err != nil {
		return nil, err
	}
	goals := make([]report.Goal, len(stored))
	for i, g := range stored {
		goals[i] = report.Goal{Name: g.Name, Event: g.Event, Props: g.Props, Currency: g.Currency}
		if g.Page != "" {
			pages, err := glob.Compile(g.Page)
			if err != nil {
				return nil, err
			}
			goals[i].Page = pages.MatchString
		}
	}
	return goals, nil
}

// Segment is the filters of the segment with a name, or with an id.
func (names) Segment(ctx context.Context, db store.DB, site int32, name string) (filters []byte, ok bool, err error) {
	segments, err := store.Segments(ctx, db, site)
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

// Funnel is the definition of the funnel with a name.
func (names) Funnel(ctx context.Context, db store.DB, site int32, name string) (definition []byte, ok bool, err error) {
	funnels, err := store.Funnels(ctx, db, site)
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

// Annotations are those of the days from first to last.
func (names) Annotations(ctx context.Context, db store.DB, site int32, first, last event.Day) ([]report.Annotation, error) {
	stored, err := store.Annotations(ctx, db, site)
	if err != nil {
		return nil, err
	}
	annotations := []report.Annotation{}
	for _, a := range stored {
		if day := event.DayOf(a.Day); day >= first && day <= last {
			annotations = append(annotations, report.Annotation{Day: day.String(), Text: a.Text})
		}
	}
	return annotations, nil
}
