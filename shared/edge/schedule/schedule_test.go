package schedule_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/schedule"
	"github.com/analytics-platform/analytics/shared/host"
)

const token = "the token of the owner"

// clock is a time that tests advance.
type clock struct{ now time.Time }

func serve(t *testing.T, job *schedule.Job, c *clock) http.Handler {
	t.Helper()
	job.Now = func() time.Time { return c.now }
	job.Deadline = time.Minute
	job.Interval = 10 * time.Second
	guard, err := access.New(token, access.NoKeys, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return job.Handler(guard, host.Invoke)
}

func call(t *testing.T, handler http.Handler, method, path, key string) (status int, answer map[string]any) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatalf("the response %q is not JSON: %v", recorder.Body, err)
	}
	return recorder.Code, answer
}

func TestHandle(t *testing.T) {
	t.Parallel()
	runs := 0
	c := &clock{time.Unix(1e9, 0)}
	handler := serve(t, &schedule.Job{Run: func(context.Context) (any, error) { runs++; return map[string]int{"secret": 42}, nil }}, c)
	for _, step := range []struct {
		after  time.Duration
		status string
		runs   int
	}{{0, "done", 1}, {9 * time.Second, "skipped", 1}, {time.Second, "done", 2}, {0, "skipped", 2}} {
		c.now = c.now.Add(step.after)
		status, answer := call(t, handler, http.MethodPost, "/", "")
		if status != http.StatusOK || answer["status"] != step.status || len(answer) != 1 || runs != step.runs {
			t.Errorf("status %d, %v, %d runs; want %s, %d", status, answer, runs, step.status, step.runs)
		}
	}
}

func TestHandleOwner(t *testing.T) {
	t.Parallel()
	runs := 0
	handler := serve(t, &schedule.Job{Run: func(context.Context) (any, error) { runs++; return map[string]int{"events": 42}, nil }}, &clock{time.Unix(1e9, 0)})
	for range 2 {
		if status, answer := call(t, handler, http.MethodPost, "/", token); status != http.StatusOK || answer["events"] != 42.0 {
			t.Errorf("status %d, %v", status, answer)
		}
	}
	if status, _ := call(t, handler, http.MethodPost, "/", "a wrong token of the owner"); status != http.StatusUnauthorized || runs != 2 {
		t.Errorf("with a wrong token: status %d, %d runs", status, runs)
	}
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	started, finish := make(chan struct{}), make(chan struct{})
	handler := serve(t, &schedule.Job{Run: func(context.Context) (any, error) {
		close(started)
		<-finish
		return struct{}{}, nil
	}}, &clock{time.Unix(1e9, 0)})
	first := make(chan int)
	go func() {
		status, _ := call(t, handler, http.MethodPost, "/", "")
		first <- status
	}()
	<-started
	if _, answer := call(t, handler, http.MethodPost, "/", ""); answer["status"] != "skipped" {
		t.Errorf("a call during a run: got %v, want skipped", answer)
	}
	close(finish)
	if status := <-first; status != http.StatusOK {
		t.Errorf("the first call: got status %d", status)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	handler := serve(t, &schedule.Job{Run: func(ctx context.Context) (any, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the run has no deadline")
		}
		return nil, errors.New("postgres://user:password@host is unavailable")
	}}, &clock{time.Unix(1e9, 0)})
	for name, test := range map[string]struct {
		method, path string
		status       int
		code         string
	}{
		"a failed run":   {http.MethodPost, "/", http.StatusInternalServerError, "internal"},
		"another method": {http.MethodGet, "/", http.StatusMethodNotAllowed, "method_not_allowed"},
		"another path":   {http.MethodPost, "/x", http.StatusNotFound, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if status, answer := call(t, handler, test.method, test.path, ""); status != test.status || answer["code"] != test.code {
				t.Errorf("status %d, %v; want %d, %s", status, answer, test.status, test.code)
			}
		})
	}
}
