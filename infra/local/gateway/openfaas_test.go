package gateway_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/infra/local/gateway"
)

// receivedRequest is a request as a function receives it.
type receivedRequest struct {
	Method, URI, Host string
	For, ForwardedTo  []string
	Upgrade           string
	Length            int64
	Body              string
}

// report is a function that responds with the request as it receives it.
func report(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(receivedRequest{
		r.Method, r.URL.RequestURI(), r.Host, r.Header.Values("X-Forwarded-For"), r.Header.Values("X-Forwarded-Host"),
		r.Header.Get("Upgrade") + r.Header.Get("Connection"), r.ContentLength, string(body),
	})
}

// container starts a function at its own address, behind an OpenFaaS gateway.
func container(t *testing.T, timeout time.Duration, function http.HandlerFunc) (handler http.Handler, address string) {
	t.Helper()
	server := httptest.NewServer(function)
	t.Cleanup(server.Close)
	address = server.Listener.Addr().String()
	return gateway.OpenFaaS(map[string]gateway.Function{"track": echo{}}, map[string]string{"track": address}, "track", timeout), address
}

func send(handler http.Handler, method, path, body string, headers map[string]string) *httptest.ResponseRecorder {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request := httptest.NewRequest(method, path, reader)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestOpenFaaSPaths(t *testing.T) {
	t.Parallel()
	handler, _ := container(t, time.Minute, report)
	tests := map[string]struct {
		path           string
		code           int
		uri, locations string
	}{
		"prefix stripped":        {"/function/track/a/b?c=d%2Fe", 200, "/a/b?c=d%2Fe", ""},
		"no slash":               {"/function/track?a=b", 200, "/?a=b", ""},
		"namespace":              {"/function/track.openfaas-fn/a", 200, "/a", ""},
		"decoded":                {"/function/track/a%2Fb%20c", 200, "/a/b%20c", ""},
		"decoded twice":          {"/function/track/a%252Fb", 200, "/a/b", ""},
		"two slashes":            {"/function/track//a?b=c", 301, "", "/function/track/a?b=c"},
		"two slashes, decoded":   {"/function/track/a%2F%2Fb", 301, "", "/function/track/a/b"},
		"two slashes at the end": {"/function/track/a//", 301, "", "/function/track/a/"},
		"parent":                 {"/function/track/a/../b", 301, "", "/function/track/b"},
		"unknown function":       {"/function/trick/", 404, "", ""},
		"front page":             {"/", 302, "", "/function/track/"},
		"ready":                  {"/_/ready", 200, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := send(handler, "GET", test.path, "", nil)
			if response.Code != test.code || response.Header().Get("Location") != test.locations {
				t.Fatalf("%d, location %q", response.Code, response.Header().Get("Location"))
			}
			var got receivedRequest
			if test.uri != "" && (json.Unmarshal(response.Body.Bytes(), &got) != nil || got.URI != test.uri) {
				t.Errorf("the function sees %s", got.URI)
			}
		})
	}
}

func TestOpenFaaSMethods(t *testing.T) {
	t.Parallel()
	handler, _ := container(t, time.Minute, report)
	for method, want := range map[string]int{
		"GET": 200, "HEAD": 200, "POST": 200, "PUT": 200, "PATCH": 200, "DELETE": 200, "OPTIONS": 200,
		"TRACE": 405, "PROPFIND": 405, "SEARCH": 405,
	} {
		if response := send(handler, method, "/function/track/", "", nil); response.Code != want {
			t.Errorf("%s: %d", method, response.Code)
		}
	}
}

func TestOpenFaaSRequests(t *testing.T) {
	t.Parallel()
	handler, container := container(t, time.Minute, report)
	const client, from, stream = "192.0.2.1:1234", "example.com", "text/event-stream"
	tests := map[string]struct {
		method, body string
		headers      map[string]string
		want         receivedRequest
	}{
		"body without length": {"POST", "event", nil,
			receivedRequest{"POST", "/", container, []string{client}, []string{from}, "", -1, "event"}},
		"no body": {"POST", "", nil,
			receivedRequest{"POST", "/", container, []string{client}, []string{from}, "", 0, ""}},
		"headers of the client": {"GET", "", map[string]string{"X-Forwarded-For": "203.0.113.9, 10.0.0.1", "X-Forwarded-Host": "shop.example"},
			receivedRequest{"GET", "/", container, []string{"203.0.113.9, 10.0.0.1"}, []string{"shop.example"}, "", 0, ""}},
		"WebSocket": {"GET", "", map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"},
			receivedRequest{"GET", "/", container, []string{client}, []string{from}, "", 0, ""}},
		"stream": {"GET", "", map[string]string{"Accept": stream, "Connection": "Upgrade", "Upgrade": "websocket"},
			receivedRequest{"GET", "/", from, []string{"192.0.2.1, 127.0.0.1"}, nil, "", 0, ""}},
		"stream behind a proxy": {"GET", "", map[string]string{"Accept": stream + ", */*", "X-Forwarded-For": "203.0.113.9"},
			receivedRequest{"GET", "/", from, []string{"203.0.113.9, 192.0.2.1, 127.0.0.1"}, nil, "", 0, ""}},
		"stream for the provider only": {"GET", "", map[string]string{"Accept": "application/x-ndjson"},
			receivedRequest{"GET", "/", container, []string{client + ", 127.0.0.1"}, []string{from}, "", 0, ""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := send(handler, test.method, "/function/track/", test.body, test.headers)
			var got receivedRequest
			if err := json.Unmarshal(response.Body.Bytes(), &got); err != nil {
				t.Fatalf("%d: %v", response.Code, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOpenFaaSResponses(t *testing.T) {
	t.Parallel()
	handler, _ := container(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/function/track/", http.StatusFound)
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		default:
			maps.Copy(w.Header(), http.Header{"Content-Type": {"text/event-stream"}, "Set-Cookie": {"a=1", "b=2"}})
			_, _ = io.WriteString(w, "data: first\n\n")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "data: last\n\n")
		}
	})
	if response := send(handler, "GET", "/function/track/redirect", "", nil); response.Code != http.StatusFound {
		t.Errorf("a redirect is followed: %d", response.Code)
	}
	if response := send(handler, "POST", "/function/track/empty", "{}", map[string]string{"Content-Type": "application/json"}); response.Header().Get("Content-Type") != "application/json" {
		t.Errorf("response without a type: header %q", response.Header())
	}
	for accept, flushed := range map[string]bool{
		"text/event-stream": true, "text/event-stream;q=1": true,
		"application/json, text/event-stream": false, "Text/Event-Stream": false, "": false,
	} {
		response := send(handler, "GET", "/function/track/live", "", map[string]string{"Accept": accept})
		if response.Flushed != flushed || response.Body.String() != "data: first\n\ndata: last\n\n" || len(response.Header()["Set-Cookie"]) != 2 {
			t.Errorf("Accept: %s: flushed %t, %s %v", accept, response.Flushed, response.Body, response.Header())
		}
	}
}

func TestOpenFaaSTimeout(t *testing.T) {
	t.Parallel()
	function := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: first\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
	handler, _ := container(t, 100*time.Millisecond, function)
	if response := send(handler, "GET", "/function/track/", "", nil); response.Code != http.StatusBadGateway || response.Body.Len() != 0 {
		t.Errorf("timeout: %d %s", response.Code, response.Body)
	}
	// Through a real server: the stream is cut, but looks complete to the client.
	body := ""
	for timeout := time.Second; body == ""; timeout *= 2 { // a slow machine takes longer to start the stream
		handler, _ := container(t, timeout, function)
		front := httptest.NewServer(handler)
		t.Cleanup(front.Close)
		body = readStream(t, front.URL+"/function/track/")
	}
	if body != "data: first\n\n" {
		t.Errorf("the stream: %q", body)
	}
}

// readStream reads a stream to its end.
func readStream(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("the stream: %q, %v", body, err)
	}
	return string(body)
}
