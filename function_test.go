package analytics_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	analytics "github.com/analytics-platform/analytics"
	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// knative is the interface of an instance in func-go v0.21.
type knative interface {
	Start(ctx context.Context, cfg map[string]string) error
	Stop(ctx context.Context) error
	Ready(ctx context.Context) (bool, error)
	Alive(ctx context.Context) (bool, error)
	Handle(w http.ResponseWriter, r *http.Request)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func ready(t *testing.T, f knative) bool {
	t.Helper()
	is, err := f.Ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func TestKnative(t *testing.T) {
	t.Parallel()
	f := analytics.New()
	server := httptest.NewUnstartedServer(http.HandlerFunc(f.Handle))
	server.Config.ReadTimeout, server.Config.WriteTimeout = time.Nanosecond, time.Nanosecond
	server.Config.ReadHeaderTimeout = time.Minute
	server.Start()
	t.Cleanup(server.Close)

	if alive, err := f.Alive(t.Context()); !alive || err != nil {
		t.Errorf("alive before the start: %t, %v", alive, err)
	}
	if ready(t, f) {
		t.Error("ready before the start")
	}
	recorder := httptest.NewRecorder()
	f.Handle(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusServiceUnavailable || recorder.Header().Get("Retry-After") == "" {
		t.Errorf("before the start: %d %s", recorder.Code, recorder.Body)
	}

	err := f.Start(t.Context(), map[string]string{
		"FUNCTION": "schema-guard", "ADMIN_TOKEN": "the owner's token of this installation", "DATABASE_URL": localtest.Postgres(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !ready(t, f) {
		t.Error("not ready after the start")
	}
	if status, body := get(t, server.URL+"/_/health"); status != http.StatusOK {
		t.Errorf("health: %d %s", status, body)
	}

	if err := server.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	localtest.Eventually(t, "the function drains with the server", func() bool { return !ready(t, f) })
	if err := f.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestKnativeErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		variables map[string]string
		want      string
	}{
		"no function": {nil, `FUNCTION: "" is not a function: use schema-guard, admin, track, aggregate, query, websocket-bridge, dashboard`},
		"no token":    {map[string]string{"FUNCTION": "dashboard"}, "dashboard: ADMIN_TOKEN is not set"},
		"log level":   {map[string]string{"FUNCTION": "dashboard", "LOG_LEVEL": "loud"}, `LOG_LEVEL: "loud" is not debug, info, warn or error`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := analytics.New()
			err := f.Start(t.Context(), test.variables)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if err := f.Stop(t.Context()); err != nil {
				t.Errorf("stop without a start: %v", err)
			}
		})
	}
}
