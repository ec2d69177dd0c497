package host_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/host"
)

// logBuffer collects the log of a test.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

const metricsToken = "the token of Prometheus in all tests"

func build(t *testing.T, function *host.Function) (*host.Instance, *logBuffer) {
	t.Helper()
	var log logBuffer
	process := host.NewProcess(map[string]string{"METRICS_TOKEN": metricsToken}, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	instance, err := host.Build(t.Context(), process.Env("test"), func(context.Context, *host.Env) (*host.Function, error) {
		return function, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return instance, &log
}

// mux returns a handler with a path for each case.
func mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/sites/{site}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			problem.Write(w, problem.Of(err))
			return
		}
		_, _ = w.Write(body)
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("oh no") })
	mux.HandleFunc("GET /half", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half an answer")
		w.(http.Flusher).Flush()
		panic("oh no")
	})
	mux.HandleFunc("GET /abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("GET /unavailable", func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, problem.New(503, problem.CodeUnavailable, "Redis is away"))
	})
	return mux
}

func get(handler http.Handler, method, target, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	request.Header.Set("User-Agent", "Secretive/1.0")
	request.Header.Set("Authorization", "Bearer "+metricsToken)
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestHealth(t *testing.T) {
	t.Parallel()
	instance, _ := build(t, &host.Function{Handler: mux()})
	if got := get(instance, "GET", "/_/health", ""); got.Code != 200 || got.Body.String() != "ok\n" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := get(instance, "HEAD", "/_/health", ""); got.Code != 200 {
		t.Errorf("HEAD: %d", got.Code)
	}
	got := get(instance, "POST", "/_/health", "")
	if got.Code != 405 || got.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", got.Code, got.Header().Get("Allow"))
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ready func(context.Context) error
		code  int
		body  string
	}{
		"without a check":    {nil, 200, "ready\n"},
		"a successful check": {func(context.Context) error { return nil }, 200, "ready\n"},
		"a problem": {
			func(context.Context) error {
				return fmt.Errorf("check: %w", problem.New(500, "schema_old", "the schema is being migrated"))
			}, 503,
			`{"type":"about:blank","title":"Service Unavailable","status":503,` +
				`"detail":"the schema is being migrated","code":"schema_old"}` + "\n",
		},
		"another error": {
			func(context.Context) error { return errors.New("dial 10.0.0.1") }, 503,
			`{"type":"about:blank","title":"Service Unavailable","status":503,` +
				`"detail":"the function is not ready; see its log","code":"not_ready"}` + "\n",
		},
		"a check that hangs": {
			func(ctx context.Context) error {
				if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 2*time.Second {
					return errors.New("no deadline of two seconds")
				}
				return nil
			}, 200, "ready\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instance, _ := build(t, &host.Function{Handler: mux(), Ready: test.ready})
			if got := get(instance, "GET", "/_/ready", ""); got.Code != test.code || got.Body.String() != test.body {
				t.Errorf("%d %s, want %d %s", got.Code, got.Body, test.code, test.body)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	drains, closes := 0, 0
	instance, _ := build(t, &host.Function{
		Handler: mux(),
		Drain:   func() { drains++ },
		Close:   func(context.Context) error { closes++; return errors.New("not closed") },
	})
	instance.Drain()
	if got := get(instance, "GET", "/_/ready", ""); got.Code != 503 || !strings.Contains(got.Body.String(), `"code":"draining"`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := get(instance, "GET", "/_/health", ""); got.Code != 200 {
		t.Errorf("health while draining: got status %d", got.Code)
	}
	if err := instance.Close(t.Context()); err == nil || err.Error() != "not closed" {
		t.Errorf("Close: %v", err)
	}
	if drains != 1 || closes != 1 {
		t.Errorf("drained %d times, closed %d times", drains, closes)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	instance, _ := build(t, &host.Function{Handler: mux()})
	get(instance, "GET", "/v1/sites/private.example", "")
	get(instance, "GET", "/nowhere/private.example", "")
	get(instance, "GET", "/unavailable", "")
	got := get(instance, "GET", "/metrics", "").Body.String()
	for _, want := range []string{
		`analytics_request_duration_seconds_count{function="test",status="2xx"} 1`,
		`analytics_request_duration_seconds_count{function="test",status="4xx"} 1`,
		`analytics_request_duration_seconds_count{function="test",status="5xx"} 1`,
		`analytics_requests_in_flight{function="test"} 0`,
		"go_goroutines",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(got, "private.example") {
		t.Error("the metrics contain a path")
	}
}

// TestMetricsToken checks that only requests with METRICS_TOKEN get metrics.
func TestMetricsToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		token, sent string
		status      int
		code        string
	}{
		"the token":           {metricsToken, "Bearer " + metricsToken, 200, ""},
		"none is sent":        {metricsToken, "", 401, "unauthorized"},
		"another is sent":     {metricsToken, "Bearer the token of the owner", 401, "unauthorized"},
		"none is set":         {"", "", 403, "forbidden"},
		"an empty one":        {"", "Bearer ", 403, "forbidden"},
		"any, if none is set": {"", "Bearer " + metricsToken, 403, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			process := host.NewProcess(map[string]string{"METRICS_TOKEN": test.token}, slog.New(slog.DiscardHandler))
			instance, err := host.Build(t.Context(), process.Env("test"), func(context.Context, *host.Env) (*host.Function, error) {
				return &host.Function{Handler: mux()}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
			request.Header.Set("Authorization", test.sent)
			recorder := httptest.NewRecorder()
			instance.ServeHTTP(recorder, request)
			if body := recorder.Body.String(); recorder.Code != test.status || strings.Contains(body, "go_goroutines") != (test.status == 200) ||
				!strings.Contains(body, test.code) {
				t.Errorf("got %d %.200s, want %d %s", recorder.Code, body, test.status, test.code)
			}
		})
	}
	process := host.NewProcess(map[string]string{"METRICS_TOKEN": "short"}, slog.New(slog.DiscardHandler))
	_, err := host.Build(t.Context(), process.Env("test"), func(context.Context, *host.Env) (*host.Function, error) {
		t.Error("a function without valid settings is built")
		return &host.Function{Handler: mux()}, nil
	})
	if err == nil || !strings.Contains(err.Error(), "METRICS_TOKEN must have at least 32 characters") {
		t.Errorf("a short token: %v", err)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	instance, log := build(t, &host.Function{Handler: mux()})
	got := get(instance, "GET", "/panic", "")
	if got.Code != 500 || got.Header().Get("Content-Type") != problem.ContentType || strings.Contains(got.Body.String(), "oh no") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	for _, want := range []string{`"panic":"oh no"`, `"route":"GET /panic"`, "instance_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
}

func TestAbortedResponse(t *testing.T) {
	t.Parallel()
	instance, log := build(t, &host.Function{Handler: mux()})
	server := httptest.NewServer(instance)
	t.Cleanup(server.Close)
	for _, path := range []string{"/half", "/abort"} {
		response, err := http.Get(server.URL + path)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the incomplete response looks complete", path)
		}
	}
	if got := strings.Count(log.String(), `"msg":"panic"`); got != 1 {
		t.Errorf("%d panics logged, want 1 without http.ErrAbortHandler", got)
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		limit int64
		size  int
		want  int
	}{
		"at the default":   {0, host.DefaultBodyLimit, 200},
		"over the default": {0, host.DefaultBodyLimit + 1, 413},
		"at its limit":     {10, 10, 200},
		"over its limit":   {10, 11, 413},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instance, _ := build(t, &host.Function{Handler: mux(), BodyLimit: test.limit})
			server := httptest.NewServer(instance)
			t.Cleanup(server.Close)
			for _, chunked := range []bool{false, true} {
				var body io.Reader = strings.NewReader(strings.Repeat("x", test.size))
				if chunked {
					body = io.MultiReader(body) // hide its length
				}
				response, err := http.Post(server.URL+"/echo", "text/plain", body)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if response.StatusCode != test.want {
					t.Errorf("chunked %t: %d", chunked, response.StatusCode)
				}
				if test.want == 413 && !strings.Contains(string(text), `"code":"body_too_large"`) {
					t.Errorf("chunked %t: %s", chunked, text)
				}
				if test.want == 200 && len(text) != test.size {
					t.Errorf("chunked %t: the handler read %d bytes", chunked, len(text))
				}
			}
		})
	}
}

func TestFailureLog(t *testing.T) {
	t.Parallel()
	instance, log := build(t, &host.Function{Handler: mux()})
	for range 100 {
		get(instance, "GET", "/unavailable?email=someone@example.com", "")
	}
	get(instance, "GET", "/v1/sites/private.example?email=someone@example.com", "")
	text := log.String()
	if failures := strings.Count(text, `"msg":"request failed"`); failures == 0 || failures > 50 {
		t.Errorf("%d lines for 100 consecutive failures, want about one", failures)
	}
	for _, want := range []string{`"route":"GET /unavailable"`, `"status":503`, `"route":"GET /v1/sites/{site}"`, `"function":"test"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s: %s", want, text)
		}
	}
	for _, secret := range []string{"Secretive", "someone", "192.0.2.1", "private.example"} { // httptest's address
		if strings.Contains(text, secret) {
			t.Errorf("the log contains %s: %s", secret, text)
		}
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	streams := http.NewServeMux()
	streams.HandleFunc("GET /sse", func(w http.ResponseWriter, r *http.Request) {
		if err := host.KeepOpen(w); err != nil {
			t.Error(err)
		}
		for range 2 {
			_, _ = io.WriteString(w, "data: x\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			select {
			case <-more:
			case <-r.Context().Done():
				t.Error("the server's time limits ended the stream")
				return
			}
		}
	})
	streams.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Write(r.Context(), websocket.MessageText, []byte("hello"))
		_ = conn.Close(websocket.StatusNormalClosure, "")
	})
	instance, _ := build(t, &host.Function{Handler: streams})
	server := httptest.NewUnstartedServer(instance)
	server.Config.ReadTimeout, server.Config.WriteTimeout = time.Nanosecond, time.Nanosecond // they expire before the handler runs
	server.Config.ReadHeaderTimeout = time.Hour
	server.Start()
	t.Cleanup(server.Close)

	response, err := http.Get(server.URL + "/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() {
		t.Fatalf("nothing was flushed: %v", lines.Err())
	}
	more <- struct{}{}
	if !lines.Scan() || lines.Text() != "data: x" {
		t.Fatalf("the stream ended early: %v", lines.Err())
	}
	more <- struct{}{}

	sockets := httptest.NewServer(instance)
	t.Cleanup(sockets.Close)
	conn, _, err := websocket.Dial(t.Context(), sockets.URL+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, message, err := conn.Read(t.Context()); err != nil || string(message) != "hello" {
		t.Errorf("%q, %v", message, err)
	}
	_ = conn.CloseNow()
	localtest.Eventually(t, "the WebSocket is counted as switched", func() bool {
		metrics := get(instance, "GET", "/metrics", "").Body.String()
		return strings.Contains(metrics, `analytics_request_duration_seconds_count{function="test",status="1xx"} 1`)
	})
}

// BenchmarkServe measures the overhead of the host around an empty handler.
func BenchmarkServe(b *testing.B) {
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	process := host.NewProcess(nil, slog.New(slog.NewJSONHandler(io.Discard, nil)))
	instance, err := host.Build(b.Context(), process.Env("test"), func(context.Context, *host.Env) (*host.Function, error) {
		return &host.Function{Handler: nothing}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	body := io.NopCloser(strings.NewReader("{}"))
	for name, handler := range map[string]http.Handler{"bare": nothing, "hosted": instance} {
		b.Run(name, func(b *testing.B) {
			request := httptest.NewRequest(http.MethodPost, "/", nil)
			writer := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				request.Body = body
				handler.ServeHTTP(writer, request)
			}
		})
	}
}
