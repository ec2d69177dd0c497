// Package report is the query language: it reads a question in the form of
// Plausible's Stats API v2, finds the cheapest source that can answer it exactly,
// and shapes the answer.
//
// # What a number means
//
// A question selects events: those of the site, in the range, that match every
// filter, where a filter on a visit's dimension looks at the visit that the event
// belongs to. Engagements are no events here. The events of one row share a period
// (of the time dimension) and a value of each other dimension. Of these events
//
//   - visitors are the visitor-days: identity lasts for one local day of the site,
//     so a person who comes on two days counts twice;
//   - pageviews are the views, events are all;
//   - visits are the visits that any of the events belongs to. A visit counts in
//     the period (and range) in which it began, and only there;
//   - bounce_rate is the percentage, rounded, of those visits that had a single
//     event;
//   - visit_duration is the mean duration of those visits from their first to
//     their last event, in whole seconds;
//   - views_per_visit is pageviews / visits, to two decimals.
//
// A quotient without visits is 0.
//
// # Sources
//
// Every source that can answer a question gives the same answer: rollups of
// months, days and hours, else visits, else events. That is checked against a
// plain evaluation of the sentences above.
//
// # Not there yet
//
// Filters are a list of is, is_not, contains and contains_not, all of which must
// hold; there are no and, or, not, matches, has_done and no goals, segments or
// properties. Asking for those is a problem that says what there is.
//
// The package must never put a value of a question into SQL: values are
// parameters, and names of columns come from a closed list.
package report

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/problem"
	"github.com/analytics-platform/analytics/shared/store"
)

// Timeout is how long the database may work on one question.
const Timeout = 10 * time.Second

// The settings of a question's transaction: it can't write, can't run for long,
// and is planned for its values, which differ too much for one plan. Compiling a
// statement takes longer than nearly all of them run.
const (
	settings = `
SELECT set_config('transaction_read_only', 'on', true),
       set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('jit', 'off', true)`
	firstDay = `SELECT min(day) FROM rollup_day WHERE site_id = $1 AND dimension = 0`
)

// queryCanceled is the SQLSTATE of a statement that ran into its timeout.
const queryCanceled = "57014"

// Answer is the answer to a question, in the form of Plausible's Stats API v2.
type Answer struct {
	Results []Row    `json:"results"`
	Meta    Meta     `json:"meta"`
	Query   Resolved `json:"query"`
}

// Row is one row of an answer.
type Row struct {
	Metrics    []float64 `json:"metrics"`    // in the order of the question's metrics
	Dimensions []string  `json:"dimensions"` // in the order of the question's dimensions
}

// Meta is what the question asked to know about the answer.
type Meta struct {
	TimeLabels      []string `json:"time_labels,omitempty"`      // of all periods in the range, in order
	TotalRows       *int64   `json:"total_rows,omitempty"`       // without limit and offset
	ImportsIncluded *bool    `json:"imports_included,omitempty"` // never true: nothing is imported
}

// Resolved is the question as it was understood.
type Resolved struct {
	SiteID     string      `json:"site_id"`
	Metrics    []Metric    `json:"metrics"`
	DateRange  [2]string   `json:"date_range"` // first and last second, RFC 3339, local to the site
	Dimensions []string    `json:"dimensions"`
	Filters    [][]any     `json:"filters"`
	OrderBy    [][2]string `json:"order_by"`
	Include    Include     `json:"include"`
	Pagination Pagination  `json:"pagination"`
}

// Answer answers the question about a site at now. What is wrong with the question
// is a problem.
func (q *Question) Answer(ctx context.Context, db store.DB, site store.Site, now time.Time) (Answer, error) {
	location, err := site.LocationAt(now)
	if err != nil {
		return Answer{}, fmt.Errorf("answer a question: %w", err)
	}
	var answer Answer
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, settings, strconv.FormatInt(Timeout.Milliseconds(), 10)); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		span, err := q.span(ctx, tx, site, now.In(location))
		if err != nil {
			return err
		}
		r := q.resolve(span)
		answer, err = r.answer(ctx, tx, site, r.sources()[0])
		return err
	})
	if canceled, ok := errors.AsType[*pgconn.PgError](err); ok && canceled.Code == queryCanceled {
		return answer, problem.New(http.StatusUnprocessableEntity, "query_too_slow",
			fmt.Sprintf("the answer takes longer than %s: ask for a shorter date_range, fewer dimensions or fewer filters", Timeout))
	}
	if err != nil {
		return answer, fmt.Errorf("answer a question: %w", err)
	}
	return answer, nil
}

// span is the stretch of time that the question is about.
func (q *Question) span(ctx context.Context, db store.DB, site store.Site, now time.Time) (s span, err error) {
	if q.dateRange.name == allTime {
		s, err = everything(ctx, db, site, now)
	} else {
		s = q.dateRange.at(now)
	}
	if since := site.TimezoneSince; since != nil && !now.Before(*since) {
		s.since = *since
	}
	return s, err
}

// everything is the span from the first day with an event to today.
func everything(ctx context.Context, db store.DB, site store.Site, now time.Time) (span, error) {
	var first *time.Time
	if err := db.QueryRow(ctx, firstDay, site.ID).Scan(&first); err != nil {
		return span{}, fmt.Errorf("find the first day: %w", err)
	}
	today := event.DayOf(now)
	if first == nil {
		return wholeDays(today, today, now.Location()), nil
	}
	return wholeDays(min(event.DayOf(*first), today), today, now.Location()), nil
}

// answer answers from one of the question's sources.
func (r *resolved) answer(ctx context.Context, db store.DB, site store.Site, from source) (Answer, error) {
	rows, total, err := r.rows(ctx, db, site.ID, from)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Results: rows, Query: r.echo(site)}
	if r.Include.TotalRows {
		answer.Meta.TotalRows = &total
	}
	if r.Include.TimeLabels {
		if answer.Meta.TimeLabels, err = r.span.labels(r.grain); err != nil {
			return Answer{}, err
		}
	}
	if r.Include.Imports {
		answer.Meta.ImportsIncluded = new(false)
	}
	return answer, nil
}

func (r *resolved) echo(site store.Site) Resolved {
	out := Resolved{
		SiteID: site.Domain, Metrics: r.Metrics, DateRange: r.span.String(),
		Dimensions: []string{}, Filters: [][]any{}, OrderBy: [][2]string{},
		Include: r.Include, Pagination: r.Pagination,
	}
	for _, d := range r.Dimensions {
		out.Dimensions = append(out.Dimensions, d.Name)
	}
	for _, f := range r.Filters {
		out.Filters = append(out.Filters, []any{f.Operator, f.Dimension.Name, f.Values})
	}
	for _, o := range r.Order {
		direction := "asc"
		if o.Descending {
			direction = "desc"
		}
		out.OrderBy = append(out.OrderBy, [2]string{o.By, direction})
	}
	return out
}
