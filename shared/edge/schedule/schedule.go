// Package schedule is how a function that a platform's scheduler calls does its
// work: one run at a time, whoever asks.
//
// Schedulers send no key through a public gateway, so a call without one may start
// a run at most once an interval and learns only whether it went well. A call with
// the owner's token or an admin key runs now and learns what was done. The work
// itself must be bounded and idempotent: anyone may start it.
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

// Job is work that is done again and again.
type Job struct {
	Run      func(context.Context) (any, error) // what it returns is shown as JSON to callers with a key
	Deadline time.Duration                      // of one run
	Interval time.Duration                      // between the starts of runs by callers without a key
	Now      func() time.Time

	running sync.Mutex
	state   sync.Mutex
	started time.Time // of the last run; guarded by state
}

// answer is what a caller without a key learns.
type answer struct {
	Status string `json:"status"` // done, or skipped since it ran a moment ago or is running
}

// Handle runs the job for a caller without a key.
func (j *Job) Handle(r handler.Request) (handler.Response, error) {
	if err := onlyPost(r); err != nil {
		return handler.Response{}, err
	}
	if !j.running.TryLock() {
		return respond(answer{"skipped"})
	}
	defer j.running.Unlock()
	if !j.due() {
		return respond(answer{"skipped"})
	}
	if _, err := j.run(r.Context()); err != nil {
		return handler.Response{}, err
	}
	return respond(answer{"done"})
}

// HandleOwner runs the job for a caller with a key, and says what was done.
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

// Handler is the function's surface: with a key HandleOwner, without one Handle.
// invoke turns either into an http.Handler, as host.Invoke does.
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
		return handler.Response{}, fmt.Errorf("encode the answer: %w", err)
	}
	return handler.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       append(encoded, '\n'),
	}, nil
}
