package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func runAttacks() []attack {
	return []attack{{"runs that nobody waits for", abandonedRuns}}
}

func liveAttacks() []attack {
	return []attack{{"streams that nobody reads", manyStreams}, {"sockets that don't speak the protocol", brokenSockets}}
}

func accessAttacks() []attack {
	return []attack{{"wrong secrets", wrongSecrets}, {"requests of other pages", forgedRequests}, {"paths and headers", oddRequests}}
}

// abandonedRuns starts runs, and hangs up.
func abandonedRuns(t *testing.T, i *installation) {
	t.Helper()
	var all sync.WaitGroup
	for _, function := range []string{"aggregate", "schema-guard"} {
		for n := range 10 {
			all.Go(func() {
				for k := range 10 {
					ctx, hangUp := context.WithTimeout(t.Context(), time.Duration(n*k)*time.Millisecond)
					i.sendWith(t, ctx, function, request{method: http.MethodPost, path: "/"})
					hangUp()
				}
			})
		}
	}
	all.Wait()
}

// manyStreams opens live streams of public sites, from one address and from many, and reads
// none of them. The one address soon gets no more.
func manyStreams(t *testing.T, i *installation) {
	t.Helper()
	const crowded = "198.51.100.1"
	for n := range 600 {
		address := crowded
		if n%2 == 0 {
			address = randomAddress()
		}
		i.dial(t, "websocket-bridge", 1, fmt.Sprintf("GET /v1/live?site=%s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nX-Forwarded-For: %s\r\n\r\n", attacked, address))
	}
	one := request{method: http.MethodGet, path: "/v1/live?site=" + attacked, address: crowded, headers: map[string]string{"Accept": "text/event-stream"}}
	i.eventually(t, "further streams of an address are refused", func() bool {
		ctx, hangUp := context.WithTimeout(t.Context(), 5*time.Second) // an accepted one has no end
		defer hangUp()
		return i.sendWith(t, ctx, "websocket-bridge", one).status == http.StatusTooManyRequests
	})
}

// brokenSockets sends what a WebSocket may not.
func brokenSockets(t *testing.T, i *installation) {
	t.Helper()
	for _, frames := range []string{
		"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", // an endless message
		strings.Repeat("\x01\x81\x00\x00\x00\x00a", 10_000),        // one that is never finished
		strings.Repeat("\x89\x80\x00\x00\x00\x00", 10_000),         // pings
		"\x83\x80\x00\x00\x00\x00", "\x81\x01a", "GET / HTTP/1.1\r\n\r\n",
	} {
		for range 20 {
			i.dial(t, "websocket-bridge", 1, "GET /v1/live?site="+attacked+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: "+randomAddress()+"\r\n\r\n"+frames)
		}
	}
	conn, response, err := websocket.Dial(t.Context(), i.programs["websocket-bridge"].URL+"/v1/live?site="+attacked,
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + owner}, "X-Forwarded-For": {"203.0.113.8"}}})
	switch {
	case err == nil:
		_ = conn.CloseNow()
	case response == nil || response.StatusCode != http.StatusServiceUnavailable: // short of memory, or of processor time
		t.Errorf("the owner's socket meanwhile: %v", err)
	}
}

// wrongSecrets tries secrets from one address and from many. Meanwhile the owner and a
// program get in, from another address.
func wrongSecrets(t *testing.T, i *installation) {
	t.Helper()
	var all sync.WaitGroup
	for n, path := range map[string]string{"admin": "/v1/sites", "query": "/v1/realtime?site_id=" + attacked, "websocket-bridge": "/v1/live?site=" + attacked, "dashboard": "/session"} {
		all.Go(func() {
			i.flood(t, n, 500, func(k int) request {
				r := request{method: http.MethodGet, path: path, secret: fmt.Sprintf("%s%040d", []string{"", "ak_", "sl_"}[k%3], k)}
				if k%2 == 0 {
					r.address = "198.51.100.1"
				}
				if n == "dashboard" {
					r = request{method: http.MethodPost, path: path, address: r.address, body: []byte(`{"token":"` + r.secret + `"}`)}
				}
				return r
			})
		})
	}
	for range 20 {
		if got := i.send(t, "admin", request{method: http.MethodGet, path: "/v1/sites", secret: owner, address: "203.0.113.7"}); got.refused() {
			t.Errorf("the owner is refused meanwhile: %d %s", got.status, got.body)
		}
		if got := i.send(t, "dashboard", request{method: http.MethodPost, path: "/session", body: []byte(`{"token":"` + owner + `"}`), address: "203.0.113.7"}); got.refused() {
			t.Errorf("the owner can't sign in meanwhile: %d %s", got.status, got.body)
		}
		if got := i.send(t, "query", request{method: http.MethodGet, path: "/v1/realtime?site_id=" + attacked, secret: i.program, address: "203.0.113.8"}); got.refused() {
			t.Errorf("a program is refused meanwhile: %d %s", got.status, got.body)
		}
	}
	all.Wait()
}

// forgedRequests sends requests with the session of the owner, as a page of another website
// would make its browser send them.
func forgedRequests(t *testing.T, i *installation) {
	t.Helper()
	session := i.signIn(t)
	for _, r := range []struct{ function, method, path, body string }{
		{"admin", http.MethodPost, "/v1/sites", `{"domain":"forged.example","timezone":"UTC"}`},
		{"admin", http.MethodDelete, "/v1/sites/site0.example", ""},
		{"admin", http.MethodPost, "/v1/keys", `{"name":"x","scopes":["admin"]}`},
		{"dashboard", http.MethodDelete, "/session", ""},
	} {
		for _, headers := range []map[string]string{
			{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"},
		} {
			headers["Cookie"] = session
			if got := i.send(t, r.function, request{method: r.method, path: r.path, headers: headers, body: []byte(r.body)}); got.status != http.StatusForbidden && got.status != http.StatusServiceUnavailable {
				t.Errorf("%s %s with %v: %d %s", r.method, r.path, headers, got.status, got.body)
			}
		}
	}
	i.flood(t, "admin", 300, func(n int) request {
		name, value, _ := strings.Cut(session, "=")
		forged := []string{value[:len(value)/2], value + "x", strings.ToUpper(value), "", strings.Repeat("A", 4000), value[1:]}
		return request{method: http.MethodGet, path: "/v1/sites", headers: map[string]string{"Cookie": name + "=" + forged[n%len(forged)]}}
	})
}

// signIn returns a cookie of the owner.
func (i *installation) signIn(t *testing.T) (session string) {
	t.Helper()
	i.eventually(t, "the owner signs in", func() bool {
		session = i.trySignIn(t)
		return session != ""
	})
	return session
}

// trySignIn returns a cookie of the owner, or "" if the function is busy.
func (i *installation) trySignIn(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.programs["dashboard"].URL+"/session", strings.NewReader(`{"token":"`+owner+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	response, err := i.botnet.Do(r)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	if len(response.Cookies()) != 1 {
		return ""
	}
	cookie := response.Cookies()[0]
	return cookie.Name + "=" + cookie.Value
}

// oddRequests sends paths, methods and headers that no browser sends to every function.
func oddRequests(t *testing.T, i *installation) {
	t.Helper()
	paths := []string{
		"/metrics", "/_/health", "/..", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2f..%2fetc/passwd", "//evil.example/", "/%00", "/\\..\\", "/" + strings.Repeat("a", 8000),
		"/?" + strings.Repeat("a=b&", 2000), "/v1/sites/%27%3B%20DROP%20TABLE%20sites", "/v1/sites/..%2f..", "/v1/keys/-1", "/v1/keys/99999999999999999999", "/v1/visits/x", "/.git/config", "/debug/pprof/",
	}
	methods := []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete, "TRACE", "CONNECT1"}
	for function := range i.programs {
		i.flood(t, function, len(paths)*len(methods), func(n int) request {
			return request{method: methods[n/len(paths)], path: paths[n%len(paths)], headers: map[string]string{
				"X-Odd": strings.Repeat("x", 4000), "Forwarded": `for="[::1"`, "X-Forwarded-Host": "evil.example", "Content-Type": "text/html; charset=\"",
			}}
		})
		got := i.send(t, function, request{method: http.MethodGet, path: "/metrics"})
		if got.status != http.StatusUnauthorized && got.status != http.StatusForbidden || strings.Contains(got.body, "analytics_") {
			t.Errorf("the metrics of %s without a token: %d %.200s", function, got.status, got.body)
		}
	}
}
