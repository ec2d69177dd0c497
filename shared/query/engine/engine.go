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
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// A question reads from read-only snapshots, with a time limit. Its statements are planned for
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
	codec *columns.Codec
	names Names
	gate  *admission.Gate
}

// New returns an Engine that looks up names in names, and lets requests in through a gate.
func New(names Names, gate *admission.Gate) (*Engine, error) {
	codec, err := columns.NewCodec()
	if err != nil {
		return nil, err
	}
	return &Engine{codec, names, gate}, nil
}

// Session is a question about one site.
type Session struct {
	*admission.Allowance

	Site sites.Site
	Now  time.Time // in the time zone of the site
	// Prefer is the source to read where it can answer; nil chooses the best. Tests compare
	// sources with it.
	Prefer *Source

	db     database.DB
	engine *Engine
}

// Run calls fn with a session about a site at now, whose context ends with the question's
// time limit. If that is reached, the error is an admission.Error. If the context was not admitted,
// the question waits for its turn here.
func (e *Engine) Run(ctx context.Context, db database.DB, site sites.Site, now time.Time, fn func(context.Context, *Session) error) error {
	location, err := site.LocationAt(now)
	if err != nil {
		return fmt.Errorf("answer a question: %w", err)
	}
	allowance, admitted := admission.Of(ctx)
	if !admitted {
		var done func()
		if ctx, done, err = e.gate.Admit(ctx, ""); err != nil {
			return err
		}
		defer done()
		allowance, _ = admission.Of(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, e.gate.Time())
	defer cancel()
	err = fn(limited, &Session{Site: site, Now: now.In(location), db: db, engine: e, Allowance: allowance})
	if _, ok := errors.AsType[*admission.Error](err); ok {
		return err
	}
	canceled, ok := errors.AsType[*pgconn.PgError](err)
	if ok && canceled.Code == pgerrcode.QueryCanceled || err != nil && ctx.Err() == nil && limited.Err() != nil {
		return &admission.Error{Code: admission.CodeTooSlow, Detail: fmt.Sprintf("the answer takes longer than %s: ask for a shorter date_range, fewer dimensions or fewer filters", e.gate.Time())}
	}
	if err != nil {
		return fmt.Errorf("answer a question: %w", err)
	}
	return nil
}

// Read calls fn with a transaction that sees the database at one moment. The connection is
// free again when Read returns: fn should only read, so that others need not wait for what
// is computed from it. It may be called again, and must then begin anew.
//
// A question that reads several times may see several moments. What is read later only adds
// to what was there: a share of visitors is read after the visitors.
func (s *Session) Read(ctx context.Context, fn func(tx database.DB) error) error {
	before := s.Used()
	err := s.readOnce(ctx, fn)
	if !errors.Is(err, admission.ErrGrow) {
		return err
	}
	s.SetUsed(before)
	if err := s.Grow(ctx); err != nil {
		return err
	}
	return s.readOnce(ctx, fn)
}

func (s *Session) readOnce(ctx context.Context, fn func(tx database.DB) error) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, snapshotSQL); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if _, err := tx.Exec(ctx, settingsSQL, strconv.FormatInt(s.engine.gate.Time().Milliseconds(), 10)); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return fn(tx)
	})
}

// Definitions returns a lookup of the names of the session's site. Each list is read once.
func (s *Session) Definitions(ctx context.Context) language.Definitions {
	names, site := s.engine.names, s.Site.ID
	var goals []language.Goal
	haveGoals := false
	segments := map[string][]byte{}
	return language.Definitions{
		Goals: func() (_ []language.Goal, err error) {
			if !haveGoals {
				err = s.Read(ctx, func(tx database.DB) error {
					goals, err = names.Goals(ctx, tx, site)
					return err
				})
				haveGoals = err == nil
			}
			return goals, err
		},
		Segment: func(name string) (filters []byte, ok bool, err error) {
			if filters, ok = segments[name]; ok {
				return filters, true, nil
			}
			err = s.Read(ctx, func(tx database.DB) error {
				filters, ok, err = names.Segment(ctx, tx, site, name)
				return err
			})
			if ok {
				segments[name] = filters
			}
			return filters, ok, err
		},
		Funnel: func(name string) (definition []byte, ok bool, err error) {
			err = s.Read(ctx, func(tx database.DB) error {
				definition, ok, err = names.Funnel(ctx, tx, site, name)
				return err
			})
			return definition, ok, err
		},
	}
}

// Annotations returns the notes on the days of a range, in order.
func (s *Session) Annotations(ctx context.Context, r language.Range) (notes []Annotation, err error) {
	err = s.Read(ctx, func(tx database.DB) error {
		notes, err = s.engine.names.Annotations(ctx, tx, s.Site.ID, r.First, r.Last)
		return err
	})
	return notes, err
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
	err := s.Read(ctx, func(tx database.DB) error { return tx.QueryRow(ctx, firstDaySQL, s.Site.ID).Scan(&first) })
	if err != nil {
		return language.Range{}, fmt.Errorf("find the first day: %w", err)
	}
	today := event.DayOf(s.Now)
	if first == nil {
		return language.DayRange(today, today, s.Now.Location()), nil
	}
	return language.DayRange(min(event.DayOf(*first), today), today, s.Now.Location()), nil
}
