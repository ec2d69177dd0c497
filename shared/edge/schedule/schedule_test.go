package schedule_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/bearer"
	"github.com/analytics-platform/analytics/shared/edge/schedule"
	"github.com/analytics-platform/analytics/shared/edge/source"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	token         = "the token of the owner of this installation"
	scheduleToken = "the token of the scheduler in all tests"
	interval      = 10 * time.Second
)

// credentials are the keys of the installation.
func credentials() map[string]access.Credential {
	return map[string]access.Credential{
		sites.KeyPrefix + "admin":           {Scopes: []sites.Scope{sites.ScopeAdmin}},
		sites.KeyPrefix + "admin-of-site":   {Scopes: []sites.Scope{sites.ScopeAdmin}, Sites: []int32{1}},
		sites.KeyPrefix + "query":           {Scopes: []sites.Scope{sites.ScopeQuery}},
		sites.ShareLinkPrefix + "of-a-site": {Scopes: []sites.Scope{sites.ScopeQuery, sites.ScopeLive}, Sites: []int32{1}, Guest: true},
	}
}

// clock is a time that tests advance.
type clock struct{ now atomic.Int64 }

func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

func newJob(run func(context.Context) (schedule.Result, error)) (*schedule.Job, *clock) {
	c := &clock{}
	return &schedule.Job{
		Run: run, Deadline: time.Hour, Interval: interval, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(1e9, c.now.Load()) },
	}, c
}

func serve(t *testing.T, job *schedule.Job) http.Handler {
	t.Helper()
	lookup := func(_ context.Context, secret string) (access.Credential, error) {
		credential, ok := credentials()[secret]
		if !ok {
			return credential, sites.ErrNoKey
		}
		return credential, nil
	}
	guard, err := access.New(token, nil, lookup, source.New(privacy.Proxies{}), slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return job.Handler(guard, host.Invoke)
}

// answer is a response.
type answer struct {
	status     int
	retryAfter string
	body       map[string]any
}

func call(t *testing.T, handler http.Handler, method, path, secret string) answer {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	if secret != "" {
		request.Header.Set("Authorization", "Bearer "+secret)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	a := answer{status: recorder.Code, retryAfter: recorder.Header().Get("Retry-After")}
	if err := json.Unmarshal(recorder.Body.Bytes(), &a.body); err != nil {
		t.Errorf("the response %q is not JSON: %v", recorder.Body, err)
	}
	return a
}

// TestInterval checks what a scheduler gets for runs with different outcomes.
func TestInterval(t *testing.T) {
	t.Parallel()
	runs, busy, failure := 0, false, error(nil)
	job, c := newJob(func(context.Context) (schedule.Result, error) {
		runs++
		return schedule.Result{Report: map[string]int{"secret": 42}, Busy: busy}, failure
	})
	handler := serve(t, job)
	down := errors.New("postgres://user:password@host is unavailable")
	for _, step := range []struct {
		after      time.Duration
		busy       bool
		failure    error
		code       int
		status     string
		runs       int
		retryAfter string
	}{
		{code: 200, status: "done", runs: 1},
		{after: interval - 1, code: 200, status: "recent", runs: 1},
		{after: 1, code: 200, status: "done", runs: 2},
		{code: 200, status: "recent", runs: 2},
		{after: interval, failure: down, code: 500, runs: 3},
		{after: interval - 1500*time.Millisecond, failure: down, code: 500, runs: 3, retryAfter: "2"},
		{after: 1500 * time.Millisecond, failure: down, code: 500, runs: 4},
		{after: interval, code: 200, status: "done", runs: 5},
		{after: interval, busy: true, code: 200, status: "busy", runs: 6},
		{busy: true, code: 200, status: "recent", runs: 6},
	} {
		c.advance(step.after)
		busy, failure = step.busy, step.failure
		got := call(t, handler, http.MethodPost, "/", "")
		status, _ := got.body["status"].(string)
		code, _ := got.body["code"].(string)
		if step.code == 500 {
			status = ""
		}
		if got.status != step.code || status != step.status || runs != step.runs || got.retryAfter != step.retryAfter ||
			(step.code == 500) != (code == "internal") || step.code == 200 && len(got.body) != 1 {
			t.Errorf("got %+v, %d runs; want %+v", got, runs, step)
		}
	}
}

// TestHangUps attacks a run: strangers connect, send a call and hang up. The run goes on, and
// the scheduler gets its outcome.
func TestHangUps(t *testing.T) {
	t.Parallel()
	const attacks = 50
	var runs, ended atomic.Int32
	finish := make(chan struct{})
	job, _ := newJob(func(ctx context.Context) (schedule.Result, error) {
		runs.Add(1)
		select {
		case <-finish:
			return schedule.Result{}, nil
		case <-ctx.Done():
			return schedule.Result{}, ctx.Err()
		}
	})
	handler := serve(t, job)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		ended.Add(1)
	}))
	t.Cleanup(server.Close)
	attack := func() {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err == nil {
			_, err = conn.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"))
		}
		if err == nil {
			localtest.Eventually(t, "a run is in progress", func() bool { return runs.Load() > 0 })
			err = conn.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}

	for range attacks {
		attack()
	}
	localtest.Eventually(t, "all calls have ended", func() bool { return ended.Load() == attacks })
	scheduled := make(chan answer)
	go func() {
		defer close(scheduled)
		response, err := http.Post(server.URL, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = response.Body.Close() }()
		a := answer{status: response.StatusCode}
		if err := json.NewDecoder(response.Body).Decode(&a.body); err != nil {
			t.Error(err)
		}
		scheduled <- a
	}()
	for range attacks {
		attack()
	}
	localtest.Eventually(t, "all calls but the scheduler's have ended", func() bool { return ended.Load() == 2*attacks })
	close(finish)
	if got := <-scheduled; got.status != http.StatusOK || got.body["status"] != "done" {
		t.Errorf("the scheduler got %+v", got)
	}
	if n := runs.Load(); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
}

// TestJoin checks that concurrent callers get the outcome of the run in progress.
func TestJoin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
	}{"a success": {nil, 200}, "a failure": {errors.New("failed"), 500}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				runs, finish := 0, make(chan struct{})
				job, _ := newJob(func(context.Context) (schedule.Result, error) {
					runs++
					<-finish
					return schedule.Result{}, test.err
				})
				handler := serve(t, job)
				var group sync.WaitGroup
				for range 10 {
					group.Go(func() {
						if got := call(t, handler, http.MethodPost, "/", ""); got.status != test.status {
							t.Errorf("got %+v, want %d", got, test.status)
						}
					})
				}
				synctest.Wait()
				close(finish)
				group.Wait()
				if runs != 1 {
					t.Errorf("%d runs, want 1", runs)
				}
			})
		})
	}
}

// TestOwner checks that callers with a key get the report of a run that began after their
// call, whatever the interval, and share it.
func TestOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs, finish := 0, make(chan struct{})
		job, _ := newJob(func(context.Context) (schedule.Result, error) {
			runs++
			run := runs
			<-finish
			return schedule.Result{Report: map[string]int{"run": run}}, nil
		})
		handler := serve(t, job)
		var group sync.WaitGroup
		group.Go(func() {
			if got := call(t, handler, http.MethodPost, "/", ""); got.body["status"] != "done" {
				t.Errorf("the scheduler got %+v", got)
			}
		})
		synctest.Wait()
		for range 5 {
			group.Go(func() {
				if got := call(t, handler, http.MethodPost, "/", token); got.status != http.StatusOK || got.body["run"] != 2.0 {
					t.Errorf("the owner got %+v, want the second run", got)
				}
			})
		}
		synctest.Wait()
		finish <- struct{}{}
		synctest.Wait()
		close(finish)
		group.Wait()
		if runs != 2 {
			t.Errorf("%d runs, want 2", runs)
		}
	})
}

func TestPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	panics := true
	job, c := newJob(func(context.Context) (schedule.Result, error) {
		if panics {
			panic("oh no")
		}
		return schedule.Result{}, nil
	})
	job.Log = slog.New(slog.NewJSONHandler(&log, nil))
	handler := serve(t, job)
	if got := call(t, handler, http.MethodPost, "/", ""); got.status != http.StatusInternalServerError || got.body["code"] != "internal" {
		t.Errorf("got %+v", got)
	}
	if text := log.String(); !strings.Contains(text, "oh no") || !strings.Contains(text, "schedule_test.go") {
		t.Errorf("the log lacks the panic and its stack: %s", text)
	}
	panics = false
	c.advance(interval)
	if got := call(t, handler, http.MethodPost, "/", ""); got.body["status"] != "done" {
		t.Errorf("afterwards: got %+v", got)
	}
}

// TestDeadline checks that a run has its own deadline, and may return what it has done.
func TestDeadline(t *testing.T) {
	t.Parallel()
	job, _ := newJob(func(ctx context.Context) (schedule.Result, error) {
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("the run ended with %v", ctx.Err())
		}
		return schedule.Result{}, nil
	})
	job.Deadline = time.Millisecond
	if got := call(t, serve(t, job), http.MethodPost, "/", ""); got.body["status"] != "done" {
		t.Errorf("got %+v", got)
	}
}

// TestClose checks that the end of the function ends the run, and that none starts afterwards.
func TestClose(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	var ended atomic.Bool
	job, c := newJob(func(ctx context.Context) (schedule.Result, error) {
		close(started)
		<-ctx.Done()
		ended.Store(true)
		return schedule.Result{}, nil
	})
	handler := serve(t, job)
	ctx, hangUp := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody))
		if recorder.Code != 499 || !strings.Contains(recorder.Body.String(), `"code":"running"`) {
			t.Errorf("a call that ends before its run: got %d %s", recorder.Code, recorder.Body)
		}
	})
	<-started
	hangUp()
	group.Wait()
	canceled, cancel := context.WithCancel(t.Context())
	if ended.Load() {
		t.Error("the run ended with its caller")
	}
	if err := job.Close(t.Context()); err != nil || !ended.Load() {
		t.Errorf("Close = %v before the run has ended", err)
	}
	cancel()
	if err := job.Close(canceled); err != nil {
		t.Errorf("Close without a run = %v", err)
	}
	c.advance(interval)
	for _, secret := range []string{"", token} {
		if got := call(t, handler, http.MethodPost, "/", secret); got.status != http.StatusServiceUnavailable || got.body["code"] != "draining" {
			t.Errorf("after Close: got %+v", got)
		}
	}
}

// TestCloseOfStuckRun checks that Close does not wait longer than its context.
func TestCloseOfStuckRun(t *testing.T) {
	t.Parallel()
	started, finish := make(chan struct{}), make(chan struct{})
	job, _ := newJob(func(context.Context) (schedule.Result, error) {
		close(started)
		<-finish
		return schedule.Result{}, nil
	})
	handler := serve(t, job)
	var group sync.WaitGroup
	group.Go(func() { call(t, handler, http.MethodPost, "/", "") })
	<-started
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := job.Close(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("Close = %v", err)
	}
	close(finish)
	group.Wait()
}

// TestCredentials checks who may start a run and who gets its report, with and without a
// token of the schedule.
func TestCredentials(t *testing.T) {
	t.Parallel()
	const refused, starts, reports = "refused", "starts", "reports"
	for name, test := range map[string]struct {
		secret            string
		without, with     string // a token of the schedule
		status, withToken int    // if refused
	}{
		"no secret":                                   {secret: "", without: starts, with: refused, withToken: 401},
		"the token of the schedule in all tests":      {secret: scheduleToken, without: refused, status: 401, with: starts},
		"a wrong token":                               {secret: "a wrong token of the owner", without: refused, status: 401, with: refused, withToken: 401},
		"the token of the owner of this installation": {secret: token, without: reports, with: reports},
		"an admin key":                                {secret: sites.KeyPrefix + "admin", without: reports, with: reports},
		"an admin key of a site":                      {secret: sites.KeyPrefix + "admin-of-site", without: refused, status: 403, with: refused, withToken: 403},
		"a query key":                                 {secret: sites.KeyPrefix + "query", without: refused, status: 403, with: refused, withToken: 403},
		"a share link":                                {secret: sites.ShareLinkPrefix + "of-a-site", without: refused, status: 403, with: refused, withToken: 403},
		"an unknown key":                              {secret: sites.KeyPrefix + "unknown", without: refused, status: 401, with: refused, withToken: 401},
	} {
		for _, withToken := range []bool{false, true} {
			want, status := test.without, test.status
			if withToken {
				name, want, status = name+" where there is a token", test.with, test.withToken
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				runs := 0
				job, _ := newJob(func(context.Context) (schedule.Result, error) {
					runs++
					return schedule.Result{Report: map[string]int{"events": 42}}, nil
				})
				if withToken {
					var err error
					if job.Token, err = bearer.New("SCHEDULE_TOKEN", scheduleToken); err != nil {
						t.Fatal(err)
					}
				}
				got := call(t, serve(t, job), http.MethodPost, "/", test.secret)
				switch {
				case want == refused && (got.status != status || runs != 0):
					t.Errorf("got %+v, %d runs; want %d", got, runs, status)
				case want == starts && (got.status != 200 || got.body["status"] != "done" || len(got.body) != 1 || runs != 1):
					t.Errorf("got %+v, %d runs; want only the status", got, runs)
				case want == reports && (got.status != 200 || got.body["events"] != 42.0 || runs != 1):
					t.Errorf("got %+v, %d runs; want the report", got, runs)
				}
			})
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	job, _ := newJob(func(context.Context) (schedule.Result, error) { return schedule.Result{}, nil })
	handler := serve(t, job)
	for name, test := range map[string]struct {
		method, path, secret string
		status               int
		code                 string
	}{
		"another method":              {http.MethodGet, "/", "", http.StatusMethodNotAllowed, "method_not_allowed"},
		"another method of the owner": {http.MethodGet, "/", token, http.StatusMethodNotAllowed, "method_not_allowed"},
		"another path":                {http.MethodPost, "/x", "", http.StatusNotFound, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := call(t, handler, test.method, test.path, test.secret); got.status != test.status || got.body["code"] != test.code {
				t.Errorf("got %+v; want %d, %s", got, test.status, test.code)
			}
		})
	}
}
