// Package admin is the function that manages an installation: its sites and their
// resources, its API keys and its dead letters. It also reports the installation's status.
//
// It validates keys, annotations, share links and JSON documents. Other values are
// validated where they are defined: sites and limits in shared/storage/sites, goals in
// shared/model/goal, filters and funnels in shared/query/language. Redis is needed to
// replay dead letters and to announce changes of sites to track; everything else works
// without it.
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
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// maxBody is the maximum size of a request body in bytes.
const maxBody = 64 << 10

// Config is the configuration of the function.
type Config struct {
	AdminToken string `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token, at least 32 characters"`
}

type function struct {
	db    *pgxpool.Pool
	redis redis.UniversalClient
	log   *slog.Logger
	now   func() time.Time
	gate  *access.Access
}

// New returns the function.
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
	sources, err := env.Sources()
	if err != nil {
		return nil, err
	}
	gate, err := access.New(config.AdminToken, db, access.Keys(db, time.Now), sources, env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	if err := env.AwaitTables(ctx, db); err != nil {
		return nil, err
	}
	f := &function{db: db, redis: client, log: env.Logger(), now: time.Now, gate: gate}
	return &host.Function{Handler: f.routes(), BodyLimit: maxBody, Ready: db.Ping}, nil
}

func (f *function) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/sites", f.serve(f.listSites))
	mux.Handle("POST /v1/sites", f.serveAllSites(f.createSite))
	mux.Handle("GET /v1/sites/{site}", f.serve(f.getSite))
	mux.Handle("PATCH /v1/sites/{site}", f.serve(f.updateSite))
	mux.Handle("DELETE /v1/sites/{site}", f.serve(f.deleteSite))
	handleResource(f, mux, f.goals())
	handleResource(f, mux, f.segments())
	handleResource(f, mux, f.funnels())
	handleResource(f, mux, f.annotations())
	handleResource(f, mux, f.shareLinks())
	mux.Handle("GET /v1/keys", f.serveAllSites(f.listKeys))
	mux.Handle("POST /v1/keys", f.serveAllSites(f.createKey))
	mux.Handle("DELETE /v1/keys/{id}", f.serveAllSites(f.deleteKey))
	mux.Handle("GET /v1/dead-letters", f.serve(f.listDeadLetters))
	mux.Handle("POST /v1/dead-letters/replay", f.serve(f.replayDeadLetters))
	mux.Handle("GET /v1/status", f.serveAllSites(f.getStatus))
	return jsonhttp.Routes(mux)
}

// response is a status and a JSON document, which is nil for an empty body.
type response struct {
	status int
	body   any
}

// handlerFunc handles a request and returns the response.
type handlerFunc func(http.ResponseWriter, *http.Request) (response, error)

// serve returns a handler that runs fn for requests with the scope admin.
func (f *function) serve(fn handlerFunc) http.Handler {
	return f.gate.Require(sites.ScopeAdmin, f.handler(fn))
}

// serveAllSites returns a handler that runs fn for requests with the scope admin for all sites.
func (f *function) serveAllSites(fn handlerFunc) http.Handler {
	return f.gate.RequireAllSites(sites.ScopeAdmin, f.handler(fn))
}

// serveTo returns a handler that runs fn for requests with one of the scopes.
func (f *function) serveTo(scopes []sites.Scope, fn handlerFunc) http.Handler {
	return f.gate.RequireAny(scopes, f.handler(fn))
}

// handler returns a handler that runs fn.
func (f *function) handler(fn handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := fn(w, r)
		switch {
		case err != nil:
		case out.body == nil:
			w.WriteHeader(out.status)
		default:
			err = jsonhttp.Write(w, out.status, out.body)
		}
		if err != nil {
			jsonhttp.Fail(w, r, f.log, err)
		}
	})
}

// inUTC returns a time in UTC; nil for nil.
func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// publishTimeout is the maximum time that a change of a site waits for Redis.
const publishTimeout = 2 * time.Second

// publish announces the sites to track. If that fails, aggregate does it in its next run,
// so the request still succeeds.
func (f *function) publish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := registry.Publish(ctx, f.redis, f.db, f.now()); err != nil {
		f.log.WarnContext(ctx, "publish sites failed: the change takes effect with the next run of aggregate", "error", err)
	}
}
