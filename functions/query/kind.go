package query

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/report"
	"github.com/analytics-platform/analytics/shared/query/table"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// kind is a kind of questions.
type kind struct {
	path string // where it is asked
	read func(body []byte) (question, error)
	// formats are those in which it is answered, the first by default.
	formats []export.Format
	// single tells whether the answer is about single visits or events, which is more than
	// guests may see.
	single bool
}

// question is a question that was read.
type question struct {
	site string
	// span is the stretch of time that it is about at a time: the same question about
	// another is another one.
	span func(now time.Time) string
	// ask finds the answer that is remembered; nil of a kind that has no such.
	ask func(ctx context.Context, f *function, site store.Site, now time.Time) (answer, error)
	// list finds a table that may be too long for memory, page by page; nil when tables are
	// made of the answer.
	list func(ctx context.Context, f *function, site store.Site, now time.Time) (table.Table, error)
}

// answer is the answer to a question: a JSON document, and how it looks as a table.
type answer struct {
	document any
	table    func() table.Table
}

func kinds() []kind {
	formats := []export.Format{export.JSON, export.CSV, export.NDJSON, export.Parquet}
	return []kind{
		{path: "/api/v2/query", formats: formats, read: func(body []byte) (question, error) {
			q, err := report.Parse(body)
			return question{site: q.SiteID, span: q.Span, ask: func(ctx context.Context, f *function, site store.Site, now time.Time) (answer, error) {
				a, err := f.reports.Answer(ctx, f.db, site, now, &q)
				return answer{a, func() table.Table { return q.Table(a) }}, err
			}}, err
		}},
		{path: "/v1/funnels", formats: formats, read: func(body []byte) (question, error) {
			q, err := report.ParseFunnel(body)
			return question{site: q.SiteID, span: q.Span, ask: func(ctx context.Context, f *function, site store.Site, now time.Time) (answer, error) {
				a, err := f.reports.Funnel(ctx, f.db, site, now, &q)
				return answer{a, func() table.Table { return q.Table(a) }}, err
			}}, err
		}},
		{path: "/v1/cohorts", formats: formats, read: func(body []byte) (question, error) {
			q, err := report.ParseCohorts(body)
			return question{site: q.SiteID, span: q.Span, ask: func(ctx context.Context, f *function, site store.Site, now time.Time) (answer, error) {
				a, err := f.reports.Cohorts(ctx, f.db, site, now, &q)
				return answer{a, func() table.Table { return q.Table(a) }}, err
			}}, err
		}},
		{path: "/v1/journeys", formats: formats, read: func(body []byte) (question, error) {
			q, err := report.ParseJourneys(body)
			return question{site: q.SiteID, span: q.Span, ask: func(ctx context.Context, f *function, site store.Site, now time.Time) (answer, error) {
				a, err := f.reports.Journeys(ctx, f.db, site, now, &q)
				return answer{a, func() table.Table { return q.Table(a) }}, err
			}}, err
		}},
		{path: "/v1/visits", formats: formats, single: true, read: func(body []byte) (question, error) {
			q, err := report.ParseVisitList(body)
			return question{
				site: q.SiteID, span: q.Span,
				ask: func(ctx context.Context, f *function, site store.Site, now time.Time) (answer, error) {
					a, err := f.reports.Visits(ctx, f.db, site, now, &q)
					return answer{document: a}, err
				},
				list: func(ctx context.Context, f *function, site store.Site, now time.Time) (table.Table, error) {
					return f.reports.VisitTable(ctx, f.db, site, now, &q)
				},
			}, err
		}},
		{path: "/v1/export", formats: []export.Format{export.NDJSON, export.CSV, export.Parquet}, single: true, read: func(body []byte) (question, error) {
			q, err := report.ParseEventList(body)
			return question{site: q.SiteID, span: q.Span, list: func(ctx context.Context, f *function, site store.Site, now time.Time) (table.Table, error) {
				return f.reports.EventTable(ctx, f.db, site, now, &q)
			}}, err
		}},
	}
}
