// Package analytics is the package that Knative's func builds: the function that the
// environment variable FUNCTION names. Other platforms build functions/<name>/cmd instead.
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

// Function implements the interface of Knative's func-go, which starts it after the port is
// open, and stops it after the server has shut down.
type Function struct {
	instance atomic.Pointer[host.Instance] // nil until started
	process  *host.Process
	onDrain  sync.Once
}

// New returns a function that is not started yet.
func New() *Function { return &Function{} }

// Start builds the function that FUNCTION names. The variables are the environment and func's
// additions.
func (f *Function) Start(ctx context.Context, variables map[string]string) error {
	name := variables["FUNCTION"]
	function, ok := functions.Find(name)
	if !ok {
		return fmt.Errorf("FUNCTION: %q is not a function: use %s", name, strings.Join(names(), ", "))
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
	f.process.LimitMemory()
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

// Ready reports whether the function is ready. The reason is only logged, since func would
// show an error to any client.
func (f *Function) Ready(ctx context.Context) (bool, error) {
	instance := f.instance.Load()
	return instance != nil && instance.Ready(ctx) == nil, nil
}

// Alive reports true as long as the process responds.
func (f *Function) Alive(context.Context) (bool, error) { return true, nil }

// Stop stops the function after the last request.
func (f *Function) Stop(ctx context.Context) error {
	instance := f.instance.Load()
	if instance == nil {
		return nil
	}
	defer f.process.Close()
	return instance.Close(ctx)
}

// Handle handles a request.
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

// drainWithServer ends the function's streams when the server begins to shut down, since func
// calls Stop only after all requests have ended.
func drainWithServer(r *http.Request, instance *host.Instance) {
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		server.RegisterOnShutdown(instance.Drain)
	}
}

// extend sets the timeout of other platforms for a request. func's server would abort it, and
// cancel its context, after 30 seconds.
func extend(w http.ResponseWriter) {
	controller := http.NewResponseController(w)
	limit := time.Now().Add(host.RequestTimeout)
	// A server that does not support deadlines has none.
	_ = controller.SetReadDeadline(limit)
	_ = controller.SetWriteDeadline(limit)
}
