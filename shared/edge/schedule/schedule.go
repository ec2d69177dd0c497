// Package schedule runs the job of a function that a scheduler calls, one run at a time.
//
// Schedulers send no key, and their calls pass a public gateway. A call without a key
// therefore starts at most one run per interval, and its response contains only the
// outcome. A call with the owner's token or an admin key always starts a run and returns
// its result. The job must be bounded and idempotent, since anyone may start it.
package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	handler "github.com/openfaas/templates-sdk/go-http"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// Job is work that runs repeatedly.
type Job struct {
	Run      func(context.Context) (any, error) // the result is sent as JSON to callers with a key
	Deadline time.Duration                      // maximum duration of a run
	Interval time.Duration                      // minimum time before a caller without a key can start another run
	Now      func() time.Time

	running sync.Mutex
	state   sync.Mutex
	started time.Time // start of the last run; guarded by state
}

// outcome is the response to a caller without a key.
type outcome struct {
	Status string `json:"status"` // "done", or "skipped" if a run is in progress or was recent
}

// Handle runs the job for a caller without a key, unless a run is in progress or the last
// one is more recent than the interval.
func (j *Job) Handle(r handler.Request) (handler.Response, error) {
	if err := onlyPost(r); err != nil {
		return handler.Response{}, err
	}
	if !j.running.TryLock() {
		return respond(outcome{"skipped"})
	}
	defer j.running.Unlock()
	if !j.due() {
		return respond(outcome{"skipped"})
	}
	if _, err := j.run(r.Context()); err != nil {
		return handler.Response{}, err
	}
	return respond(outcome{"done"})
}

// HandleOwner runs the job for a caller with a key and responds with the result.
func (j *Job) HandleOwner(r handler.Request) (handler.Response, error) {
	if err := onlyPost(r); err != nil {
		return handler.Response{}, err
	}
	j.running.Lock()
	defer j.running.Unlock()
	result, err := j.run(r.Context())
	if err != nil {
		return handler.Response{}, err
	}
	return respond(result)
}

// Handler returns the handler of the function. It calls HandleOwner for requests with a key
// and Handle for others. invoke converts both to an http.Handler, see host.Invoke.
func (j *Job) Handler(a *access.Access, invoke func(func(handler.Request) (handler.Response, error)) http.Handler) http.Handler {
	owner := a.Require(sites.ScopeAdmin, invoke(j.HandleOwner))
	anyone := invoke(j.Handle)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound, "this function is run with POST /"))
			return
		}
		if r.Header.Get("Authorization") != "" {
			owner.ServeHTTP(w, r)
			return
		}
		anyone.ServeHTTP(w, r)
	})
}

func (j *Job) due() bool {
	j.state.Lock()
	defer j.state.Unlock()
	return j.Now().Sub(j.started) >= j.Interval
}

func (j *Job) run(ctx context.Context) (any, error) {
	j.state.Lock()
	j.started = j.Now()
	j.state.Unlock()
	ctx, cancel := context.WithTimeout(ctx, j.Deadline)
	defer cancel()
	return j.Run(ctx)
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
