package query

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/report"
	"github.com/analytics-platform/analytics/shared/store"
)

// kind reads the questions of one kind.
type kind func(body []byte) (question, error)

// question is a question that was read.
type question struct {
	site string
	// span is the stretch of time that it is about at a time: the same question about
	// another is another one.
	span func(now time.Time) string
	ask  func(ctx context.Context, f *function, site store.Site, now time.Time) (any, error)
}

// kinds are the kinds of questions, by the address where they are asked.
func kinds() map[string]kind {
	return map[string]kind{
		"/api/v2/query": func(body []byte) (question, error) {
			q, err := report.Parse(body)
			return question{q.SiteID, q.Span, func(ctx context.Context, f *function, site store.Site, now time.Time) (any, error) {
				return f.reports.Answer(ctx, f.db, site, now, &q)
			}}, err
		},
		"/v1/funnels": func(body []byte) (question, error) {
			q, err := report.ParseFunnel(body)
			return question{q.SiteID, q.Span, func(ctx context.Context, f *function, site store.Site, now time.Time) (any, error) {
				return f.reports.Funnel(ctx, f.db, site, now, &q)
			}}, err
		},
		"/v1/cohorts": func(body []byte) (question, error) {
			q, err := report.ParseCohorts(body)
			return question{q.SiteID, q.Span, func(ctx context.Context, f *function, site store.Site, now time.Time) (any, error) {
				return f.reports.Cohorts(ctx, f.db, site, now, &q)
			}}, err
		},
		"/v1/journeys": func(body []byte) (question, error) {
			q, err := report.ParseJourneys(body)
			return question{q.SiteID, q.Span, func(ctx context.Context, f *function, site store.Site, now time.Time) (any, error) {
				return f.reports.Journeys(ctx, f.db, site, now, &q)
			}}, err
		},
		"/v1/visits": func(body []byte) (question, error) {
			q, err := report.ParseVisitList(body)
			return question{q.SiteID, q.Span, func(ctx context.Context, f *function, site store.Site, now time.Time) (any, error) {
				return f.reports.Visits(ctx, f.db, site, now, &q)
			}}, err
		},
	}
}
