package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/analytics-platform/analytics/infra/local/gateway"
)

// echo is a function that responds with the request line, the host and the client.
type echo struct{ ready error }

func (e echo) Ready(context.Context) error { return e.ready }

func (echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.RequestURI(), r.Host, r.RemoteAddr)
}

func TestGateway(t *testing.T) {
	t.Parallel()
	handler := gateway.New(map[string]gateway.Function{"track": echo{}, "websocket-bridge": echo{}, "dashboard": echo{}}, "dashboard")
	const from = " example.com 192.0.2.1:1234"
	tests := map[string]struct {
		method, path   string
		code           int
		body, location string
	}{
		"front page":                {"GET", "/", 302, "", "/function/dashboard/"},
		"health":                    {"GET", "/_/health", 200, "ok\n", ""},
		"ready":                     {"GET", "/_/ready", 200, "ready\n", ""},
		"function":                  {"GET", "/function/track/", 200, "GET /" + from, ""},
		"path and query":            {"POST", "/function/websocket-bridge/v1/live?a=b", 200, "POST /v1/live?a=b" + from, ""},
		"escaped path":              {"GET", "/function/track/a%2Fb", 200, "GET /a%2Fb" + from, ""},
		"POST without a slash":      {"POST", "/function/track?a=b", 200, "POST /?a=b" + from, ""},
		"GET without a slash":       {"GET", "/function/dashboard?a=b", 308, "", "/function/dashboard/?a=b"},
		"health of a function":      {"GET", "/function/track/_/health", 200, "GET /_/health" + from, ""},
		"unknown function":          {"GET", "/function/trick/x", 404, problemText(`there is no function \"trick\"; the functions are dashboard, track, websocket-bridge`), ""},
		"unknown path":              {"GET", "/favicon.ico", 404, problemText(`functions are at /function/<name>/`), ""},
		"prefix only":               {"GET", "/function/", 404, problemText(`there is no function \"\"; the functions are dashboard, track, websocket-bridge`), ""},
		"name with the same prefix": {"GET", "/function/tracker/", 404, problemText(`there is no function \"tracker\"; the functions are dashboard, track, websocket-bridge`), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest(test.method, test.path, nil))
			if recorder.Code != test.code || recorder.Header().Get("Location") != test.location {
				t.Errorf("%d, location %q", recorder.Code, recorder.Header().Get("Location"))
			}
			if test.location == "" && recorder.Body.String() != test.body {
				t.Errorf("body %s, want %s", recorder.Body, test.body)
			}
		})
	}
}

func problemText(detail string) string {
	return `{"type":"about:blank","title":"Not Found","status":404,"detail":"` + detail + `","code":"not_found"}` + "\n"
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	unavailable := echo{errors.New("unavailable")}
	handler := gateway.New(map[string]gateway.Function{"track": echo{}, "query": unavailable, "admin": unavailable}, "track")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/_/ready", nil))
	const want = `{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"not ready: admin, query","code":"not_ready"}` + "\n"
	if recorder.Code != 503 || recorder.Body.String() != want {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}
