package query

import (
	"context"
	"errors"
	"time"

	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/report"
	"github.com/analytics-platform/analytics/shared/query/table"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// question is a parsed question of any kind.
type question interface {
	// RangeKey identifies the range at a time: the same question about another range is
	// another question.
	RangeKey(now time.Time) string
	// Answer returns the JSON document that answers it.
	Answer(ctx context.Context, at target) (any, error)
	// Table returns the answer as a table.
	Table(ctx context.Context, at target) (table.Table, error)
}

// target is where and when a question is answered.
type target struct {
	reports *report.Reporter
	db      database.DB
	site    sites.Site
	now     time.Time // in the time zone of the site
}

// kind is a kind of question.
type kind struct {
	path  string // of its address
	parse func(body []byte) (question, error)
	// formats are the formats of answers, the default first.
	formats []export.Format
	// detailed marks answers about single visits or events, which guests may not see.
	detailed bool
	// streamed marks tables that may be too long for memory. They are sent page by page and
	// not cached.
	streamed bool
}

// kinds lists all kinds of questions.
func kinds() []kind {
	answers := []export.Format{export.JSON, export.CSV, export.NDJSON, export.Parquet}
	files := []export.Format{export.NDJSON, export.CSV, export.Parquet}
	return []kind{
		{path: "/api/v2/query", parse: parseNumbers, formats: answers},
		{path: "/v1/funnels", parse: parseFunnel, formats: answers},
		{path: "/v1/cohorts", parse: parseCohorts, formats: answers},
		{path: "/v1/journeys", parse: parseJourneys, formats: answers},
		{path: "/v1/visits", parse: parseVisits, formats: answers, detailed: true, streamed: true},
		{path: "/v1/export", parse: parseEvents, formats: files, detailed: true, streamed: true},
	}
}

type numbers struct{ *language.Question }

func parseNumbers(body []byte) (question, error) {
	q, err := language.Parse(body)
	return numbers{q}, err
}

func (q numbers) Answer(ctx context.Context, at target) (any, error) {
	return at.reports.Answer(ctx, at.db, at.site, at.now, q.Question)
}

func (q numbers) Table(ctx context.Context, at target) (table.Table, error) {
	answer, err := at.reports.Answer(ctx, at.db, at.site, at.now, q.Question)
	return report.NumberTable(q.Question, answer), err
}

type funnel struct{ *language.Funnel }

func parseFunnel(body []byte) (question, error) {
	f, err := language.ParseFunnel(body)
	return funnel{f}, err
}

func (f funnel) Answer(ctx context.Context, at target) (any, error) {
	return at.reports.Funnel(ctx, at.db, at.site, at.now, f.Funnel)
}

func (f funnel) Table(ctx context.Context, at target) (table.Table, error) {
	answer, err := at.reports.Funnel(ctx, at.db, at.site, at.now, f.Funnel)
	return report.FunnelTable(f.Funnel, answer), err
}

type cohorts struct{ *language.Cohorts }

func parseCohorts(body []byte) (question, error) {
	c, err := language.ParseCohorts(body)
	return cohorts{c}, err
}

func (c cohorts) Answer(ctx context.Context, at target) (any, error) {
	return at.reports.Cohorts(ctx, at.db, at.site, at.now, c.Cohorts)
}

func (c cohorts) Table(ctx context.Context, at target) (table.Table, error) {
	answer, err := at.reports.Cohorts(ctx, at.db, at.site, at.now, c.Cohorts)
	return report.CohortTable(c.Cohorts, answer), err
}

type journeys struct{ *language.Journeys }

func parseJourneys(body []byte) (question, error) {
	j, err := language.ParseJourneys(body)
	return journeys{j}, err
}

func (j journeys) Answer(ctx context.Context, at target) (any, error) {
	return at.reports.Journeys(ctx, at.db, at.site, at.now, j.Journeys)
}

func (j journeys) Table(ctx context.Context, at target) (table.Table, error) {
	answer, err := at.reports.Journeys(ctx, at.db, at.site, at.now, j.Journeys)
	return report.JourneyTable(answer), err
}

type visits struct{ *language.VisitList }

func parseVisits(body []byte) (question, error) {
	v, err := language.ParseVisitList(body)
	return visits{v}, err
}

func (v visits) Answer(ctx context.Context, at target) (any, error) {
	return at.reports.Visits(ctx, at.db, at.site, at.now, v.VisitList)
}

func (v visits) Table(ctx context.Context, at target) (table.Table, error) {
	return at.reports.VisitTable(ctx, at.db, at.site, at.now, v.VisitList)
}

type events struct{ *language.EventList }

func parseEvents(body []byte) (question, error) {
	l, err := language.ParseEventList(body)
	return events{l}, err
}

// Answer is not supported: events are only available as files.
func (events) Answer(context.Context, target) (any, error) { return nil, errors.ErrUnsupported }

func (l events) Table(ctx context.Context, at target) (table.Table, error) {
	return at.reports.EventTable(ctx, at.db, at.site, at.now, l.EventList)
}
