// Package engine executes questions: it plans from which source each is answered, reads
// rollups or scans days, applies filters, groups and counts. Package language defines the
// questions and what their numbers mean, package report shapes the answers.
//
// # Sources
//
// Rollups of months, days and hours answer what they can; anything else scans days in
// columns. Every source that can answer a question gives the same rows. Tests of package
// report compare each with a plain evaluation of the definitions in package language.
//
// The package must never put a value of a question into SQL: values are parameters, and
// names of columns come from a closed list.
package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// Limits bound what a question may take.
type Limits struct {
	Time   time.Duration // for the answer
	Groups int           // groups, or other things that are counted one by one, in memory
}

// DefaultLimits returns the limits of questions in production.
func DefaultLimits() Limits { return Limits{Time: 10 * time.Second, Groups: 1_000_000} }

// A question runs in a read-only snapshot with a time limit. Its statements are planned for
// their values, which differ too much for one plan, and not compiled, which takes longer
// than nearly all of them run.
const (
	snapshotSQL = `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY`
	settingsSQL = `
SELECT set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('jit', 'off', true)`
	firstDaySQL = `SELECT min(day) FROM rollup_day WHERE site_id = $1 AND dimension = 0`
)

// The codes of a LimitError.
const (
	CodeTooSlow  = "query_too_slow"
	CodeTooLarge = "query_too_large"
)

// LimitError reports a question that needs more time or memory than one may have.
type LimitError struct {
	Code   string // CodeTooSlow or CodeTooLarge
	Detail string // what to ask instead
}

// Error returns the detail.
func (e *LimitError) Error() string { return e.Detail }

// Names finds what the owner of a site has given names to, in the transaction that answers
// the question.
type Names interface {
	// Goals returns all goals of the site.
	Goals(ctx context.Context, db database.DB, site int32) ([]language.Goal, error)
	// Segment returns the filters of a segment, a JSON array, by its name or its id; ok is
	// false if there is none.
	Segment(ctx context.Context, db database.DB, site int32, name string) (filters []byte, ok bool, err error)
	// Funnel returns the definition of a funnel by its name; ok is false if there is none.
	Funnel(ctx context.Context, db database.DB, site int32, name string) (definition []byte, ok bool, err error)
	// Annotations returns the notes on days from first to last, in order.
	Annotations(ctx context.Context, db database.DB, site int32, first, last event.Day) ([]Annotation, error)
}

// Annotation is a note on a day of a site.
type Annotation struct {
	Day  string `json:"day"` // YYYY-MM-DD
	Text string `json:"text"`
}

// Engine executes questions. It is safe for concurrent use.
type Engine struct {
	codec  *columns.Codec
	names  Names
	limits Limits
}

// New returns an Engine that looks up names in names.
func New(names Names, limits Limits) (*Engine, error) {
	codec, err := columns.NewCodec()
	if err != nil {
		return nil, err
	}
	return &Engine{codec, names, limits}, nil
}

// Session is a question's view of one site: a snapshot of the database at one time.
type Session struct {
	DB   database.DB // the transaction
	Site sites.Site
	Now  time.Time // in the time zone of the site
	// Prefer is the source to read where it can answer; nil chooses the best. Tests compare
	// sources with it.
	Prefer *Source

	engine *Engine
}

// Run calls fn with a session about a site at now, whose context ends with the question's
// time limit. If that is reached, the error is a LimitError.
func (e *Engine) Run(ctx context.Context, db database.DB, site sites.Site, now time.Time, fn func(context.Context, *Session) error) error {
	location, err := site.LocationAt(now)
	if err != nil {
		return fmt.Errorf("answer a question: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, e.limits.Time)
	defer cancel()
	err = pgx.BeginFunc(limited, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(limited, snapshotSQL); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if _, err := tx.Exec(limited, settingsSQL, strconv.FormatInt(e.limits.Time.Milliseconds(), 10)); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return fn(limited, &Session{DB: tx, Site: site, Now: now.In(location), engine: e})
	})
	canceled, ok := errors.AsType[*pgconn.PgError](err)
	if ok && canceled.Code == pgerrcode.QueryCanceled || err != nil && ctx.Err() == nil && limited.Err() != nil {
		return &LimitError{CodeTooSlow, fmt.Sprintf("the answer takes longer than %s: ask for a shorter date_range, fewer dimensions or fewer filters", e.limits.Time)}
	}
	if err != nil {
		return fmt.Errorf("answer a question: %w", err)
	}
	return nil
}

// MaxGroups returns how many groups the question may have in memory.
func (s *Session) MaxGroups() int { return s.engine.limits.Groups }

// CheckGroups returns a LimitError if the question has more groups than MaxGroups.
func (s *Session) CheckGroups(n int) error {
	if n <= s.MaxGroups() {
		return nil
	}
	return &LimitError{CodeTooLarge, fmt.Sprintf("the answer has more than %d rows before pagination: ask for a shorter date_range, fewer dimensions or more filters", s.MaxGroups())}
}

// Definitions returns a lookup of the names of the session's site.
func (s *Session) Definitions(ctx context.Context) language.Definitions {
	names, site := s.engine.names, s.Site.ID
	return language.Definitions{
		Goals: func() ([]language.Goal, error) { return names.Goals(ctx, s.DB, site) },
		Segment: func(name string) (filters []byte, ok bool, err error) {
			return names.Segment(ctx, s.DB, site, name)
		},
		Funnel: func(name string) (definition []byte, ok bool, err error) {
			return names.Funnel(ctx, s.DB, site, name)
		},
	}
}

// Annotations returns the notes on the days of a range, in order.
func (s *Session) Annotations(ctx context.Context, r language.Range) ([]Annotation, error) {
	return s.engine.names.Annotations(ctx, s.DB, s.Site.ID, r.First, r.Last)
}

// Range returns the range of a question.
func (s *Session) Range(ctx context.Context, q *language.Question) (r language.Range, err error) {
	if q.AllTime() {
		r, err = s.everything(ctx)
	} else {
		r = q.Range(s.Now)
	}
	if since := s.Site.TimezoneSince; since != nil && !s.Now.Before(*since) {
		r.Since = *since
	}
	return r, err
}

// everything returns the range from the first day with an event to today.
func (s *Session) everything(ctx context.Context) (language.Range, error) {
	var first *time.Time
	if err := s.DB.QueryRow(ctx, firstDaySQL, s.Site.ID).Scan(&first); err != nil {
		return language.Range{}, fmt.Errorf("find the first day: %w", err)
	}
	today := event.DayOf(s.Now)
	if first == nil {
		return language.DayRange(today, today, s.Now.Location()), nil
	}
	return language.DayRange(min(event.DayOf(*first), today), today, s.Now.Location()), nil
}
