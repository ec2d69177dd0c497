// Package dashboard is the function that serves the web pages of the dashboard and manages
// sessions, for which it needs the database. It serves pages without it; they call the other
// functions.
package dashboard

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/host"
)

// assets are the pages that `make build` builds from packages/dashboard. They are missing
// in a fresh checkout.
//
//go:embed all:assets
var assets embed.FS

// maxBody is the maximum size of a request body in bytes.
const maxBody = 4 << 10

// Config is the configuration of the function.
type Config struct {
	AdminToken string `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token, at least 32 characters"`
}

type function struct {
	gate *access.Access
	log  *slog.Logger
}

// New returns the function.
func New(_ context.Context, env *host.Env) (*host.Function, error) {
	pages, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	return build(env, pages)
}

// build returns the function with the given pages.
func build(env *host.Env, pages fs.FS) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	db, err := env.LazyDatabase()
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
	files, err := newFiles(pages)
	if err != nil {
		return nil, err
	}
	f := &function{gate, env.Logger()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /session", f.session)
	mux.HandleFunc("POST /session", f.signIn)
	mux.HandleFunc("DELETE /session", f.signOut(f.gate.SignOut))
	mux.HandleFunc("DELETE /sessions", f.signOut(f.gate.SignOutEverywhere))
	mux.Handle("GET /", files)
	return &host.Function{Handler: secure(jsonhttp.Routes(mux)), BodyLimit: maxBody}, nil
}

// credentials is the body of a request that starts a session.
type credentials struct {
	Token string `json:"token"`
}

// identity is the document of a session.
type identity struct {
	Role string `json:"role"`
}

func (f *function) signIn(w http.ResponseWriter, r *http.Request) {
	var body credentials
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		jsonhttp.Fail(w, r, f.log, err)
		return
	}
	if err := f.gate.SignIn(w, r, body.Token); err != nil {
		f.gate.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *function) session(w http.ResponseWriter, r *http.Request) {
	if err := f.gate.CheckSession(r); err != nil {
		f.gate.Refuse(w, r, err)
		return
	}
	if err := jsonhttp.Write(w, http.StatusOK, identity{"owner"}); err != nil {
		jsonhttp.Fail(w, r, f.log, err)
	}
}

// signOut returns a handler that ends sessions.
func (f *function) signOut(end func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := end(w, r); err != nil {
			f.gate.Refuse(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
