// Package query is the function that answers questions about sites. It only reads, so its
// database may be a read replica.
//
// It is the HTTP surface of shared/query: package language defines the questions and what
// their numbers mean. There is no CORS, so that pages of other sites can't ask.
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
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/report"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// Config is the configuration of the function.
type Config struct {
	AdminToken string `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token, at least 32 characters"`
	Rate       int    `env:"QUERY_RATE" envDefault:"600" envDoc:"how many questions a minute are answered with one key, with one share link, and without either about one public site; 0 for no limit"`
}

type function struct {
	db      *pgxpool.Pool
	reports *report.Reporter
	turns   *admission.Gate
	cache   *cache
	log     *slog.Logger
	now     func() time.Time
}

// New creates the function.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	return build(ctx, env, func(connections int) admission.Limits { return admission.LimitsFor(env.Memory(), connections) })
}

// build makes the function with other limits than its own.
func build(ctx context.Context, env *host.Env, limits func(connections int) admission.Limits) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	db, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := env.Sources()
	if err != nil {
		return nil, err
	}
	gate, err := access.New(config.AdminToken, db, access.Keys(db, time.Now), sources, env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	questions, err := access.NewRate(config.Rate, time.Now)
	if err != nil {
		return nil, err
	}
	if err := env.AwaitTables(ctx, db); err != nil {
		return nil, err
	}
	turns := admission.New(limits(int(db.Config().MaxConns)))
	reports, err := report.New(names{}, turns)
	if err != nil {
		return nil, err
	}
	if err := addMetrics(env.Metrics(), turns); err != nil {
		return nil, err
	}
	answers, err := newCache()
	if err != nil {
		return nil, err
	}
	f := &function{db: db, reports: reports, turns: turns, cache: answers, log: env.Logger(), now: time.Now}
	mux := http.NewServeMux()
	handle := func(pattern string, detailed bool, handler http.Handler) {
		require := gate.RequireOrPublic
		if detailed {
			require = gate.RequireNoGuest
		}
		handler = require(sites.ScopeQuery, questions.Limit(handler))
		if strings.Contains(pattern, " /api/") {
			handler = likePlausible(handler)
		}
		mux.Handle(pattern, handler)
	}
	for _, k := range kinds() {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.answer(w, r, &k) })
		handle("POST "+k.path, k.detailed, handler)
		handle("GET "+k.path, k.detailed, handler)
	}
	handle("GET /v1/realtime", false, f.serve(f.realtime))
	handle("GET /api/v1/stats/realtime/visitors", false, f.serve(f.present))
	handle("GET /v1/visits/{id}", true, f.serve(f.timeline))
	mux.Handle("GET /openapi.json", serveDocument())
	return &host.Function{Handler: jsonhttp.Routes(mux), BodyLimit: language.MaxBody, Ready: db.Ping}, nil
}

// serve answers with the document or the error that fn returns for a site.
func (f *function) serve(fn func(*http.Request, sites.Site) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("site_id")
		if name == "" {
			f.fail(w, r, validation.New("site_id", "say which site: ?site_id= its domain or its public id"))
			return
		}
		f.admitted(w, r, name, f.turns.Admit, func(r *http.Request, site sites.Site) {
			document, err := fn(r, site)
			var body *pieces
			if err == nil {
				body, err = encodeJSON(r.Context(), document)
			}
			if err != nil {
				f.fail(w, r, err)
				return
			}
			header := w.Header()
			header.Set("Cache-Control", "no-store")
			setContentHeaders(header, export.JSON, "")
			body.send(r.Context(), w)
		})
	})
}

func (f *function) realtime(r *http.Request, site sites.Site) (any, error) {
	return f.reports.Realtime(r.Context(), f.db, site, f.now())
}

// present answers the one question of Plausible's Stats API v1 that v2 does not have.
func (f *function) present(r *http.Request, site sites.Site) (any, error) {
	return f.reports.Present(r.Context(), f.db, site, f.now())
}

func (f *function) timeline(r *http.Request, site sites.Site) (any, error) {
	id, err := language.ParseVisitID(r.PathValue("id"))
	if err != nil {
		return nil, validation.New("id", "must be the id of a visit, as /v1/visits lists them")
	}
	return f.reports.Timeline(r.Context(), f.db, site, f.now(), id)
}
