// Package gateway puts functions that run in this process behind the URLs that
// they have behind an OpenFaaS gateway: /function/<name>/..., with the prefix
// taken off.
//
// One from New passes requests on as they came: with the client's own address and
// Host, with upgrades and without time limits. One from OpenFaaS does to them what
// OpenFaaS does.
package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// prefix begins the path of every function.
const prefix = "/function/"

// Function is a function as the gateway sees it.
type Function interface {
	http.Handler
	// Ready tells whether the function can do its work: nil when it can.
	Ready(context.Context) error
}

// New returns a gateway to functions, by name. Its front page sends people to
// the function home.
//
//   - GET / redirects to the function home.
//   - GET /_/health: 200.
//   - GET /_/ready: 200 when all functions are ready, else a 503 problem that names
//     those that aren't.
func New(functions map[string]Function, home string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler(prefix+home+"/", http.StatusFound))
	mux.HandleFunc("GET /_/health", func(w http.ResponseWriter, _ *http.Request) { serveText(w, "ok\n") })
	mux.HandleFunc("GET /_/ready", func(w http.ResponseWriter, r *http.Request) { serveReady(w, r, functions) })
	for name, function := range functions {
		path := prefix + name
		function := http.StripPrefix(path, function)
		mux.Handle(path+"/", function)
		mux.Handle(path, root(function))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { notFound(w, r, functions) })
	return mux
}

// root serves a function's URL without the slash: a page's links are relative to
// the slash, so people are sent there, and programs are simply served.
func root(function http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		withSlash := *r.URL
		withSlash.Path += "/"
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			http.Redirect(w, r, withSlash.RequestURI(), http.StatusPermanentRedirect) //nolint:gosec // the path is the one that the mux matched
			return
		}
		r.URL = &withSlash
		function.ServeHTTP(w, r)
	})
}

func serveReady(w http.ResponseWriter, r *http.Request, functions map[string]Function) {
	var (
		mu     sync.Mutex
		checks sync.WaitGroup
		waits  []string
	)
	for name, function := range functions {
		checks.Go(func() {
			if function.Ready(r.Context()) != nil {
				mu.Lock()
				defer mu.Unlock()
				waits = append(waits, name)
			}
		})
	}
	checks.Wait()
	if len(waits) == 0 {
		serveText(w, "ready\n")
		return
	}
	slices.Sort(waits)
	problem.Write(w, problem.New(http.StatusServiceUnavailable, "not_ready", "not ready: "+strings.Join(waits, ", ")))
}

func serveText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, text) // a client that has gone away is nobody's error
}

func notFound(w http.ResponseWriter, r *http.Request, functions map[string]Function) {
	detail := "functions are at " + prefix + "<name>/"
	if rest, ok := strings.CutPrefix(r.URL.Path, prefix); ok {
		name, _, _ := strings.Cut(rest, "/")
		names := make([]string, 0, len(functions))
		for name := range functions {
			names = append(names, name)
		}
		slices.Sort(names)
		detail = fmt.Sprintf("there is no function %q; there are %s", name, strings.Join(names, ", "))
	}
	problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound, detail))
}
