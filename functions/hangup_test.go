package functions_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// lines is a log that a test reads while functions write to it.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestStartBeforeSchemaGuard starts all functions on an empty database, schema-guard as the
// last one. Those that need tables wait, and say once for what.
func TestStartBeforeSchemaGuard(t *testing.T) {
	t.Parallel()
	var log lines
	process := host.NewProcess(map[string]string{
		"DATABASE_URL": localtest.Postgres(t), "REDIS_URL": localtest.Redis(t), "ADMIN_TOKEN": adminToken, "SALT_KEY": localtest.SaltKey,
	}, slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(process.Close)
	var started sync.WaitGroup
	start := func(f functions.Function) {
		instance, err := host.Build(t.Context(), process.Env(f.Name), f.New)
		if err != nil {
			t.Errorf("start %s: %v", f.Name, err)
			return
		}
		if err := instance.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close %s: %v", f.Name, err)
		}
	}
	waiting := []string{"admin", "track", "aggregate", "query", "websocket-bridge"}
	for _, name := range append(waiting, "dashboard") {
		f, _ := functions.Find(name)
		started.Go(func() { start(f) })
	}
	says := func(name string) int {
		count := 0
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "waiting for the function schema-guard, which has to run first") && strings.Contains(line, "function="+name) {
				count++
			}
		}
		return count
	}
	for _, name := range waiting {
		localtest.Eventually(t, name+" says for what it waits", func() bool { return says(name) > 0 })
	}
	f, _ := functions.Find("schema-guard")
	start(f)
	started.Wait()
	for _, name := range waiting {
		if n := says(name); n != 1 {
			t.Errorf("%s says %d times for what it waits", name, n)
		}
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Error(log.String())
	}
}

// TestHangUp sends requests whose client has hung up already. None is an error in the log.
func TestHangUp(t *testing.T) {
	t.Parallel()
	database := localtest.Postgres(t)
	if _, err := sites.Create(t.Context(), localtest.Record(t, database), sites.Draft{Domain: "example.com", Name: "x", Timezone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	var log lines
	process := host.NewProcess(map[string]string{
		"DATABASE_URL": database, "REDIS_URL": localtest.Redis(t), "ADMIN_TOKEN": adminToken, "SALT_KEY": localtest.SaltKey,
		"METRICS_TOKEN": localtest.MetricsToken,
	}, slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(process.Close)
	const (
		agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		key   = sites.KeyPrefix + "unknown"
		ask   = `{"site_id":"example.com","metrics":["visitors"],"date_range":"day"}`
	)
	for name, requests := range map[string][][4]string{ // method, path, secret, body
		"track":            {{"POST", "/", "", `{"site":"example.com","type":"view","url":"https://example.com/"}`}, {"POST", "/api/event", "", `{"name":"pageview","domain":"example.com","url":"https://example.com/"}`}},
		"query":            {{"POST", "/api/v2/query", adminToken, ask}, {"POST", "/api/v2/query", key, ask}, {"GET", "/v1/realtime?site_id=example.com", "", ""}},
		"admin":            {{"GET", "/v1/sites", adminToken, ""}, {"GET", "/v1/status", key, ""}, {"POST", "/v1/dead-letters/replay", adminToken, "{}"}},
		"aggregate":        {{"POST", "/", "", ""}, {"POST", "/", adminToken, ""}, {"POST", "/", key, ""}},
		"schema-guard":     {{"POST", "/", "", ""}, {"POST", "/v1/recompute", adminToken, `{"site":"example.com","from":"2026-01-01","to":"2026-01-01"}`}},
		"websocket-bridge": {{"GET", "/v1/live?site_id=example.com", adminToken, ""}, {"GET", "/v1/live?site_id=example.com", key, ""}},
		"dashboard":        {{"POST", "/session", "", `{"token":"` + adminToken + `"}`}, {"GET", "/session", "", ""}, {"GET", "/", "", ""}},
	} {
		f, _ := functions.Find(name)
		instance, err := host.Build(t.Context(), process.Env(name), f.New)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = instance.Close(context.WithoutCancel(t.Context())) })
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		for _, request := range requests {
			r := httptest.NewRequestWithContext(gone, request[0], request[1], strings.NewReader(request[3]))
			r.Header.Set("User-Agent", agent)
			r.Header.Set("Content-Type", "application/json")
			if request[2] != "" {
				r.Header.Set("Authorization", "Bearer "+request[2])
			}
			instance.ServeHTTP(httptest.NewRecorder(), r)
			// A body that ends early is what the server sees first.
			cut := httptest.NewRequestWithContext(t.Context(), request[0], request[1], &cutBody{})
			cut.Header = r.Header
			if name != "websocket-bridge" { // its streams don't end by themselves
				instance.ServeHTTP(httptest.NewRecorder(), cut)
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", "Bearer "+localtest.MetricsToken)
		w := httptest.NewRecorder()
		if instance.ServeHTTP(w, r); strings.Contains(w.Body.String(), `analytics_request_duration_seconds_count{function="`+name+`",status="5xx"} 0`) == false {
			t.Errorf("%s counts a hang-up as its failure", name)
		}
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Error(log.String())
	}
}

// cutBody is the body of a client that hangs up before its end.
type cutBody struct{}

func (*cutBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
