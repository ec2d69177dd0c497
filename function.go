// Package analytics is what Knative's func builds: whichever function of the
// platform the environment variable FUNCTION names. Other platforms build the
// programs in functions/<name>/cmd instead.
package analytics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/host"
)

// Function is a function as Knative's func-go runs it: it starts while the port is
// open already, and stops when the server has been shut down.
type Function struct {
	instance atomic.Pointer[host.Instance] // nil until started
	process  *host.Process
	onDrain  sync.Once
}

// New returns the function, not yet started.
func New() *Function { return &Function{} }

// Start builds the function that FUNCTION names. The variables are the
// environment, and what func adds to it.
func (f *Function) Start(ctx context.Context, variables map[string]string) error {
	name := variables["FUNCTION"]
	function, ok := functions.Find(name)
	if !ok {
		return fmt.Errorf("FUNCTION: %q is no function: use %s", name, strings.Join(names(), ", "))
	}
	log, err := host.NewLogger(os.Stderr, variables)
	if err != nil {
		return err
	}
	f.process = host.NewProcess(variables, log)
	f.process.AdoptLibraryLogs()
	instance, err := host.Build(ctx, f.process.Env(name), function.New)
	if err != nil {
		f.process.Close()
		return errors.New(host.OneLine(name, err))
	}
	f.instance.Store(instance)
	return nil
}

func names() []string {
	var all []string
	for _, f := range functions.All() {
		all = append(all, f.Name)
	}
	return all
}

// Ready tells whether the function can do its work now. Why it can't is in its
// log: func shows an error to whoever asks.
func (f *Function) Ready(ctx context.Context) (bool, error) {
	instance := f.instance.Load()
	return instance != nil && instance.Ready(ctx) == nil, nil
}

// Alive is true while the process answers.
func (f *Function) Alive(context.Context) (bool, error) { return true, nil }

// Stop ends the function, after the last request.
func (f *Function) Stop(ctx context.Context) error {
	instance := f.instance.Load()
	if instance == nil {
		return nil
	}
	defer f.process.Close()
	return instance.Close(ctx)
}

// Handle answers a request.
func (f *Function) Handle(w http.ResponseWriter, r *http.Request) {
	instance := f.instance.Load()
	if instance == nil {
		w.Header().Set("Retry-After", "1")
		problem.Write(w, problem.New(http.StatusServiceUnavailable, "not_ready", "the function is starting"))
		return
	}
	f.onDrain.Do(func() { drainWithServer(r, instance) })
	extend(w)
	instance.ServeHTTP(w, r)
}

// drainWithServer ends the function's streams when the server begins to shut
// down: func calls Stop only when all requests are over.
func drainWithServer(r *http.Request, instance *host.Instance) {
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		server.RegisterOnShutdown(instance.Drain)
	}
}

// extend gives a request the time that it has on other platforms. func's server
// cuts it, and ends its context, after 30 seconds.
func extend(w http.ResponseWriter) {
	controller := http.NewResponseController(w)
	limit := time.Now().Add(host.RequestTimeout)
	// Where the server can't set limits it has none.
	_ = controller.SetReadDeadline(limit)
	_ = controller.SetWriteDeadline(limit)
}
