// Package gateway serves functions of this process at the URLs of an OpenFaaS gateway:
// /function/<name>/..., with the prefix stripped.
//
// A gateway from New forwards requests unchanged: with the client's address and Host, with
// upgrades, and without timeouts. A gateway from OpenFaaS changes them as OpenFaaS does.
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

// prefix is the start of every function's path.
const prefix = "/function/"

// Function is a function behind the gateway.
type Function interface {
	http.Handler
	// Ready returns nil if the function is ready.
	Ready(context.Context) error
}

// New returns a gateway to functions, by name.
//
//   - GET / redirects to the function home.
//   - GET /_/health returns 200.
//   - GET /_/ready returns 200 if all functions are ready, or a 503 problem that names those
//     that are not.
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

// root serves a function's URL without the trailing slash. It redirects GET and HEAD to the
// slash, since links of pages are relative to it, and serves other methods.
func root(function http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		withSlash := *r.URL
		withSlash.Path += "/"
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			http.Redirect(w, r, withSlash.RequestURI(), http.StatusPermanentRedirect) //nolint:gosec // the mux has matched the path
			return
		}
		r.URL = &withSlash
		function.ServeHTTP(w, r)
	})
}

func serveReady(w http.ResponseWriter, r *http.Request, functions map[string]Function) {
	var (
		mu       sync.Mutex
		checks   sync.WaitGroup
		notReady []string
	)
	for name, function := range functions {
		checks.Go(func() {
			if function.Ready(r.Context()) != nil {
				mu.Lock()
				defer mu.Unlock()
				notReady = append(notReady, name)
			}
		})
	}
	checks.Wait()
	if len(notReady) == 0 {
		serveText(w, "ready\n")
		return
	}
	slices.Sort(notReady)
	problem.Write(w, problem.New(http.StatusServiceUnavailable, "not_ready", "not ready: "+strings.Join(notReady, ", ")))
}

func serveText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, text) // fails only if the client is gone
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
		detail = fmt.Sprintf("there is no function %q; the functions are %s", name, strings.Join(names, ", "))
	}
	problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound, detail))
}
