// Package admin is the function through which an installation is run: its sites and
// what belongs to each, its API keys, its dead letters, and facts about how it is doing.
//
// It checks what keys, annotations, share links and documents may be. The rest of what
// may be stored is decided where it is defined: sites and limits in shared/storage/store, goals
// in shared/model/goal, filters and funnels in shared/query/report. Redis is there to put dead
// letters back and to tell track of sites at once, and may be away for all the rest.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// maxBody is how many bytes a request may have.
const maxBody = 64 << 10

// Config is what the function can be told.
type Config struct {
	AdminToken string `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token, at least 16 characters"`
}

type function struct {
	db    *pgxpool.Pool
	redis redis.UniversalClient
	log   *slog.Logger
	now   func() time.Time
	gate  *access.Access
}

// New makes the function.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	db, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	client, err := env.LazyRedis()
	if err != nil {
		return nil, err
	}
	gate, err := access.New(config.AdminToken, access.Keys(db, time.Now), env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	f := &function{db: db, redis: client, log: env.Logger(), now: time.Now, gate: gate}
	return &host.Function{Handler: f.routes(), BodyLimit: maxBody, Ready: db.Ping}, nil
}

func (f *function) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/sites", f.serve(f.listSites))
	mux.Handle("POST /v1/sites", f.serve(f.createSite))
	mux.Handle("GET /v1/sites/{site}", f.serve(f.showSite))
	mux.Handle("PATCH /v1/sites/{site}", f.serve(f.changeSite))
	mux.Handle("DELETE /v1/sites/{site}", f.serve(f.deleteSite))
	serveAll(f, mux, f.goals())
	serveAll(f, mux, f.segments())
	serveAll(f, mux, f.funnels())
	serveAll(f, mux, f.annotations())
	serveAll(f, mux, f.shareLinks())
	mux.Handle("GET /v1/keys", f.serve(f.listKeys))
	mux.Handle("POST /v1/keys", f.serve(f.createKey))
	mux.Handle("DELETE /v1/keys/{id}", f.serve(f.deleteKey))
	mux.Handle("GET /v1/dead-letters", f.serve(f.listDeadLetters))
	mux.Handle("POST /v1/dead-letters/replay", f.serve(f.replayDeadLetters))
	mux.Handle("GET /v1/status", f.serve(f.status))
	return jsonhttp.Routes(mux)
}

// answer is what a request comes to: a status and a JSON document, if any.
type answer struct {
	status int
	body   any
}

// action does what a request asks for.
type action func(http.ResponseWriter, *http.Request) (answer, error)

// serve lets those in who may administer, and answers for fn.
func (f *function) serve(fn action) http.Handler {
	return f.serveTo([]sites.Scope{sites.ScopeAdmin}, fn)
}

// serveTo lets those in who have one of the scopes, and answers for fn.
func (f *function) serveTo(scopes []sites.Scope, fn action) http.Handler {
	return f.gate.RequireAny(scopes, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := fn(w, r)
		switch {
		case err != nil:
		case a.body == nil:
			w.WriteHeader(a.status)
		default:
			err = jsonhttp.Write(w, a.status, a.body)
		}
		if err != nil {
			jsonhttp.Fail(w, r, f.log, err)
		}
	}))
}

// inUTC is a time as it is answered.
func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// publishTimeout bounds how long a change waits for Redis.
const publishTimeout = 2 * time.Second

// publish tells track what has become of the sites. Where that fails aggregate does it
// with its next run, so it is not the request's failure.
func (f *function) publish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := registry.Publish(ctx, f.redis, f.db, f.now()); err != nil {
		f.log.WarnContext(ctx, "a change of sites could not be published: it takes effect with the next run of aggregate", "error", err)
	}
}

// everything refuses a key that is for some sites only.
func everything(ctx context.Context) error {
	if !access.Of(ctx).Everything() {
		return problem.New(http.StatusForbidden, problem.CodeForbidden, "this key is for some sites only; this takes one for all")
	}
	return nil
}
