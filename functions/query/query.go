// Package query is the function that answers questions about sites. It only reads,
// so its database may be a read replica.
//
// It holds the HTTP surface: what a question is, and what the numbers mean, is in
// shared/query/report. No page of another site may ask: there is no CORS.
package query

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/query/report"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Config is what the function can be told.
type Config struct {
	AdminToken string `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token, at least 16 characters"`
	Rate       int    `env:"QUERY_RATE" envDefault:"600" envDoc:"how many questions a minute are answered with one key, with one share link, and without either about one public site; 0 for no limit"`
}

type function struct {
	db      *pgxpool.Pool
	reports *report.Reporter
	answers *answers
	log     *slog.Logger
	now     func() time.Time
}

// New makes the function.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	return build(ctx, env, report.DefaultLimits())
}

// build makes the function with other limits than its own.
func build(ctx context.Context, env *host.Env, limits report.Limits) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	db, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	gate, err := access.New(config.AdminToken, access.Keys(db, time.Now), env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	questions, err := access.NewRate(config.Rate, time.Now)
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReporter(names{}, limits)
	if err != nil {
		return nil, err
	}
	answers, err := newAnswers()
	if err != nil {
		return nil, err
	}
	f := &function{db: db, reports: reports, answers: answers, log: env.Logger(), now: time.Now}
	mux := http.NewServeMux()
	handle := func(pattern string, single bool, handler http.Handler) {
		require := gate.RequireOrPublic
		if single {
			require = gate.RequireNoGuest
		}
		handler = require(store.ScopeQuery, questions.Limit(handler))
		if strings.Contains(pattern, " /api/") {
			handler = likePlausible(handler)
		}
		mux.Handle(pattern, handler)
	}
	for _, k := range kinds() {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.answer(w, r, &k) })
		handle("POST "+k.path, k.single, handler)
		handle("GET "+k.path, k.single, handler)
	}
	handle("GET /v1/realtime", false, f.serve(f.realtime))
	handle("GET /api/v1/stats/realtime/visitors", false, f.serve(f.present))
	handle("GET /v1/visits/{id}", true, f.serve(f.timeline))
	mux.Handle("GET /openapi.json", serveDocument())
	return &host.Function{Handler: jsonhttp.Routes(mux), BodyLimit: report.MaxBody, Ready: db.Ping}, nil
}

// serve answers with what fn returns, a document or an error.
func (f *function) serve(fn func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document, err := fn(r)
		if err == nil {
			err = jsonhttp.Write(w, http.StatusOK, document)
		}
		if err != nil {
			jsonhttp.Fail(w, r, f.log, err)
		}
	})
}

// site is the site that a parameter of the address names.
func (f *function) site(r *http.Request) (store.Site, error) {
	name := r.URL.Query().Get("site_id")
	if name == "" {
		return store.Site{}, problem.Invalid("site_id", "say which site: ?site_id= its domain or its public id")
	}
	return access.Site(r.Context(), f.db, "site_id", name)
}

func (f *function) realtime(r *http.Request) (any, error) {
	site, err := f.site(r)
	if err != nil {
		return nil, err
	}
	return f.reports.Realtime(r.Context(), f.db, site, f.now())
}

// present is the one answer of Plausible's Stats API v1 that its v2 has no question for.
func (f *function) present(r *http.Request) (any, error) {
	site, err := f.site(r)
	if err != nil {
		return nil, err
	}
	return f.reports.Present(r.Context(), f.db, site, f.now())
}

func (f *function) timeline(r *http.Request) (any, error) {
	site, err := f.site(r)
	if err != nil {
		return nil, err
	}
	id, err := report.ParseVisitID(r.PathValue("id"))
	if err != nil {
		return nil, problem.Invalid("id", "must be the id of a visit, as /v1/visits lists them")
	}
	return f.reports.Timeline(r.Context(), f.db, site, f.now(), id)
}
