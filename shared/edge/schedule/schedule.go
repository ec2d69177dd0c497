// Package schedule runs the job of a function that a scheduler calls, one run at a time.
//
// A run does not depend on its callers: it goes on if they hang up, and ends at its deadline
// or with the function. Callers join the run in progress and get its outcome.
//
// Many schedulers can't send a secret. Without Job.Token, therefore, anyone may start a run,
// but at most one per interval, and the response contains only the outcome. A call with the
// owner's token or an admin key for all sites gets the result of a run that began after the
// call. The job must be bounded and idempotent.
package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	handler "github.com/openfaas/templates-sdk/go-http"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/bearer"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// Job is work that runs repeatedly.
type Job struct {
	Run      func(context.Context) (Result, error)
	Deadline time.Duration // maximum duration of a run
	Interval time.Duration // minimum time between the starts of runs, except for callers with a key
	Token    bearer.Token  // what schedulers send; if zero, nothing
	Log      *slog.Logger
	Now      func() time.Time

	mu      sync.Mutex
	current *run // nil if no run is in progress
	last    *run // the last one that ended, or nil
	closed  bool
}

// Result is what a run did.
type Result struct {
	Report any  // sent as JSON to callers with a key
	Busy   bool // another process is doing the work, so the run did nothing
}

// run is one run. After done is closed, result and err are set.
type run struct {
	started time.Time
	cancel  context.CancelFunc
	done    chan struct{}
	result  Result
	err     error // a problem
}

// outcome is the response to a scheduler.
type outcome struct {
	// Status is "done"; "busy" if another process is doing the work; or "recent" if the last
	// run was successful and began less than the interval ago.
	Status string `json:"status"`
}

// Handle handles the call of a scheduler. It joins the run in progress. Otherwise it starts
// one, unless the last one was recent.
func (j *Job) Handle(r handler.Request) (handler.Response, error) {
	if err := onlyPost(r); err != nil {
		return handler.Response{}, err
	}
	current, err := j.join(r.Context())
	if err != nil {
		return handler.Response{}, err
	}
	if current == nil {
		return respond(outcome{"recent"})
	}
	switch result, err := current.wait(r.Context()); {
	case err != nil:
		return handler.Response{}, err
	case result.Busy:
		return respond(outcome{"busy"})
	default:
		return respond(outcome{"done"})
	}
}

// HandleOwner handles a call with a key. It responds with the report of a run that began
// after the call; callers that wait for the same one share it.
func (j *Job) HandleOwner(r handler.Request) (handler.Response, error) {
	if err := onlyPost(r); err != nil {
		return handler.Response{}, err
	}
	j.mu.Lock()
	earlier := j.current
	j.mu.Unlock()
	if earlier != nil && !earlier.ended(r.Context()) {
		return handler.Response{}, stillRunning(r.Context())
	}
	j.mu.Lock()
	current, err := j.currentOrNew(r.Context())
	j.mu.Unlock()
	if err != nil {
		return handler.Response{}, err
	}
	result, err := current.wait(r.Context())
	if err != nil {
		return handler.Response{}, err
	}
	return respond(result.Report)
}

// Handler returns the handler of the function. Invoke converts Handle and HandleOwner to
// http.Handlers, see host.Invoke.
func (j *Job) Handler(a *access.Access, invoke func(func(handler.Request) (handler.Response, error)) http.Handler) http.Handler {
	owner := a.RequireAllSites(sites.ScopeAdmin, invoke(j.HandleOwner))
	scheduler := invoke(j.Handle)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		withSecret := r.Header.Get("Authorization") != ""
		switch {
		case r.URL.Path != "/":
			problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound, "this function is run with POST /"))
		case j.Token.Sent(r), j.Token.IsZero() && !withSecret:
			scheduler.ServeHTTP(w, r)
		case !withSecret:
			problem.Write(w, problem.New(http.StatusUnauthorized, problem.CodeUnauthorized,
				"send the token of the schedule, SCHEDULE_TOKEN, as: Authorization: Bearer TOKEN"))
		default:
			owner.ServeHTTP(w, r)
		}
	})
}

// Close ends the run in progress and waits until it has ended, or until ctx ends.
func (j *Job) Close(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	current := j.current
	j.mu.Unlock()
	if current == nil {
		return nil
	}
	current.cancel()
	if !current.ended(ctx) {
		return fmt.Errorf("the run did not end: %w", ctx.Err())
	}
	return nil
}

// join returns the run in progress, or a new one. If the last one was recent, it returns no
// run, and the problem of the last one if it failed.
func (j *Job) join(ctx context.Context) (*run, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.current == nil && j.last != nil {
		if left := j.Interval - j.Now().Sub(j.last.started); left > 0 {
			return nil, j.last.failure(left)
		}
	}
	return j.currentOrNew(ctx)
}

// currentOrNew returns the run in progress, or a new one. The caller must hold j.mu.
func (j *Job) currentOrNew(ctx context.Context) (*run, error) {
	if j.closed {
		return nil, problem.New(http.StatusServiceUnavailable, "draining", "the function is shutting down")
	}
	if j.current == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.Deadline)
		j.current = &run{started: j.Now(), cancel: cancel, done: make(chan struct{})}
		go j.work(ctx, j.current)
	}
	return j.current, nil
}

// work does a run.
func (j *Job) work(ctx context.Context, r *run) {
	defer func() {
		if panicked := recover(); panicked != nil {
			j.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
			r.err = problem.Of(errPanic)
		}
		r.cancel()
		j.mu.Lock()
		j.current, j.last = nil, r
		j.mu.Unlock()
		close(r.done)
	}()
	var err error
	if r.result, err = j.Run(ctx); err != nil {
		j.Log.ErrorContext(ctx, "the run failed", "error", err)
		r.err = problem.Of(err)
	}
}

var errPanic = errors.New("panic")

// ended waits for the end of the run. It returns false if ctx ends first.
func (r *run) ended(ctx context.Context) bool {
	select {
	case <-r.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// wait waits for the end of the run and returns its outcome.
func (r *run) wait(ctx context.Context) (Result, error) {
	if !r.ended(ctx) {
		return Result{}, stillRunning(ctx)
	}
	return r.result, r.err
}

// stillRunning returns the problem for a call that ends with ctx before its run.
func stillRunning(ctx context.Context) problem.Problem {
	status := http.StatusServiceUnavailable
	if errors.Is(ctx.Err(), context.Canceled) {
		status = problem.StatusHungUp
	}
	return problem.New(status, "running", "the run is still in progress and goes on: call again")
}

// failure returns the problem of the run, if it failed, with the time after which another
// one may start.
func (r *run) failure(left time.Duration) error {
	if r.err == nil {
		return nil
	}
	p := problem.Of(r.err)
	p.RetryAfter = left
	return p
}

func onlyPost(r handler.Request) error {
	if r.Method == http.MethodPost {
		return nil
	}
	return problem.New(http.StatusMethodNotAllowed, problem.CodeMethodNotAllowed, "this function is run with POST")
}

func respond(body any) (handler.Response, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return handler.Response{}, fmt.Errorf("encode response: %w", err)
	}
	return handler.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       append(encoded, '\n'),
	}, nil
}
