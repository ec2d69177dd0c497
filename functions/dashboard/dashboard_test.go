package dashboard

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/host"
)

const token = "the-owner-of-this-whole-installation"

// serve returns the function without a database, which pages don't need.
func serve(t *testing.T, build host.New) http.Handler {
	t.Helper()
	return serveFrom(t, "postgres://nobody@127.0.0.1:1/none", build)
}

// serveFrom returns the function with a database.
func serveFrom(t *testing.T, database string, build host.New) http.Handler {
	t.Helper()
	process := host.NewProcess(map[string]string{"ADMIN_TOKEN": token, "DATABASE_URL": database}, slog.New(slog.DiscardHandler))
	t.Cleanup(process.Close)
	instance, err := host.Build(t.Context(), process.Env("dashboard"), build)
	if err != nil {
		t.Fatal(err)
	}
	return instance
}

// with returns a host.New that builds the function with the given pages.
func with(pages fstest.MapFS) host.New {
	return func(_ context.Context, env *host.Env) (*host.Function, error) { return build(env, pages) }
}

func pages() fstest.MapFS {
	return fstest.MapFS{
		".gitkeep":            {},
		"index.html":          {Data: []byte("<!doctype html><title>Analytics</title>")},
		"static/app-3f2a.js":  {Data: []byte(strings.Repeat("console.log('analytics');\n", 200))},
		"static/app-9c1d.css": {Data: []byte("body{}")},
		"icon.svg":            {Data: []byte("<svg/>")},
	}
}

func get(t *testing.T, handler http.Handler, path string, headers map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Result()
}

func TestFiles(t *testing.T) {
	t.Parallel()
	handler := serve(t, with(pages()))
	const forever = "public, max-age=31536000, immutable"
	for path, want := range map[string]struct {
		status       int
		media, cache string
	}{
		"/":                    {200, "text/html; charset=utf-8", "no-cache"},
		"/index.html":          {200, "text/html; charset=utf-8", "no-cache"},
		"/icon.svg":            {200, "image/svg+xml", "no-cache"},
		"/static/app-3f2a.js":  {200, "text/javascript; charset=utf-8", forever},
		"/static/app-9c1d.css": {200, "text/css; charset=utf-8", forever},
		"/static/":             {404, "application/problem+json", "no-store"},
		"/static/app-0000.js":  {404, "application/problem+json", "no-store"},
		"/.gitkeep":            {404, "application/problem+json", "no-store"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			response := get(t, handler, path, nil)
			h := response.Header
			if response.StatusCode != want.status || h.Get("Content-Type") != want.media || h.Get("Cache-Control") != want.cache {
				t.Errorf("status %d, Content-Type %q, Cache-Control %q, want %+v", response.StatusCode, h.Get("Content-Type"), h.Get("Cache-Control"), want)
			}
			policy := h.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"} {
				if !strings.Contains(policy, part) {
					t.Errorf("Content-Security-Policy %q has no %s", policy, part)
				}
			}
			if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
				t.Errorf("got headers %v", h)
			}
		})
	}
}

// TestHeaders checks the security headers of all responses. Over HTTPS, they tell browsers to
// use only HTTPS.
func TestHeaders(t *testing.T) {
	t.Parallel()
	handler := serve(t, with(pages()))
	for _, path := range []string{"/", "/static/app-3f2a.js", "/none", "/session"} {
		for proto, want := range map[string]string{"": "", "http": "", "https": "max-age=31536000"} {
			h := get(t, handler, path, map[string]string{"X-Forwarded-Proto": proto}).Header
			if got := h.Get("Strict-Transport-Security"); got != want {
				t.Errorf("%s over %q: Strict-Transport-Security %q, want %q", path, proto, got, want)
			}
			if !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("X-Frame-Options") != "DENY" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Referrer-Policy") != "same-origin" {
				t.Errorf("%s has the headers %v", path, h)
			}
		}
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	handler := serve(t, with(pages()))
	for name, encoding := range map[string]string{"plain": "identity", "compressed": "gzip, br"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := get(t, handler, "/static/app-3f2a.js", map[string]string{"Accept-Encoding": encoding})
			var body io.Reader = first.Body
			if name == "compressed" {
				if got := first.Header.Get("Content-Encoding"); got != "gzip" {
					t.Fatalf("got Content-Encoding %q, want gzip", got)
				}
				var err error
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			content, err := io.ReadAll(body)
			if err != nil || string(content) != string(pages()["static/app-3f2a.js"].Data) {
				t.Errorf("got %d bytes and error %v, want the file", len(content), err)
			}
			again := get(t, handler, "/static/app-3f2a.js", map[string]string{
				"Accept-Encoding": encoding, "If-None-Match": first.Header.Get("ETag"),
			})
			if again.StatusCode != http.StatusNotModified {
				t.Errorf("got status %d for ETag %s, want 304", again.StatusCode, first.Header.Get("ETag"))
			}
		})
	}
	if other := get(t, handler, "/", map[string]string{"If-None-Match": `"another"`}); other.StatusCode != http.StatusOK {
		t.Errorf("got status %d for another ETag, want 200", other.StatusCode)
	}
}

func TestNotBuilt(t *testing.T) {
	t.Parallel()
	handler := serve(t, with(fstest.MapFS{".gitkeep": {}}))
	response := get(t, handler, "/", nil)
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "make build") {
		t.Errorf("status %d: %s (%v)", response.StatusCode, body, err)
	}
}

func TestEmbeddedPages(t *testing.T) {
	t.Parallel()
	handler := serve(t, New)
	if status := get(t, handler, "/", nil).StatusCode; status != 200 && status != 503 {
		t.Errorf("got status %d, want 200, or 503 if the pages are not built", status)
	}
}

func session(handler http.Handler, method, body string, headers map[string]string, cookies ...*http.Cookie) *http.Response {
	r := httptest.NewRequest(method, "/session", strings.NewReader(body))
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Result()
}

func TestSession(t *testing.T) {
	t.Parallel()
	database := localtest.Postgres(t)
	localtest.Record(t, database)
	handler := serveFrom(t, database, with(pages()))
	if status := session(handler, "GET", "", nil).StatusCode; status != 401 {
		t.Errorf("without a session: got status %d, want 401", status)
	}
	in := session(handler, "POST", `{"token":"`+token+`"}`, nil)
	if in.StatusCode != http.StatusNoContent || len(in.Cookies()) != 1 {
		t.Fatalf("sign in: status %d with %d cookies", in.StatusCode, len(in.Cookies()))
	}
	cookie := in.Cookies()[0]
	if cookie.Name != "analytics_session" || cookie.Path != "/" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("got cookie %s", cookie)
	}
	who := session(handler, "GET", "", nil, cookie)
	body, err := io.ReadAll(who.Body)
	if err != nil || who.StatusCode != http.StatusOK || string(body) != `{"role":"owner"}` {
		t.Errorf("status %d: %s (%v)", who.StatusCode, body, err)
	}
	out := session(handler, "DELETE", "", nil, cookie)
	if out.StatusCode != http.StatusNoContent || len(out.Cookies()) != 1 || out.Cookies()[0].MaxAge >= 0 || out.Cookies()[0].Value != "" {
		t.Errorf("sign out: status %d with cookies %v", out.StatusCode, out.Cookies())
	}
	if status := session(handler, "GET", "", nil, cookie).StatusCode; status != 401 {
		t.Errorf("signed out: got status %d, want 401", status)
	}
}

func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	database := localtest.Postgres(t)
	localtest.Record(t, database)
	handler := serveFrom(t, database, with(pages()))
	var cookies []*http.Cookie
	for range 3 {
		cookies = append(cookies, session(handler, "POST", `{"token":"`+token+`"}`, nil).Cookies()...)
	}
	everywhere := func(cookie *http.Cookie) *http.Response {
		r := httptest.NewRequest(http.MethodDelete, "/sessions", nil)
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result()
	}
	if out := everywhere(cookies[0]); out.StatusCode != http.StatusNoContent || len(out.Cookies()) != 1 || out.Cookies()[0].MaxAge >= 0 {
		t.Errorf("status %d with cookies %v", out.StatusCode, out.Cookies())
	}
	for i, cookie := range cookies {
		if status := session(handler, "GET", "", nil, cookie).StatusCode; status != 401 {
			t.Errorf("session %d: got status %d, want 401", i, status)
		}
	}
	if out := everywhere(cookies[0]); out.StatusCode != http.StatusUnauthorized {
		t.Errorf("by a session that has ended: status %d, want 401", out.StatusCode)
	}
}

// TestWithoutDatabase checks that the pages are served without the database, and that the
// answers about sessions don't sign anybody out.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	database := localtest.Postgres(t)
	localtest.Record(t, database)
	cookie := session(serveFrom(t, database, with(pages())), "POST", `{"token":"`+token+`"}`, nil).Cookies()[0]
	handler := serve(t, with(pages()))
	if status := get(t, handler, "/", nil).StatusCode; status != 200 {
		t.Errorf("a page: got status %d, want 200", status)
	}
	for method, body := range map[string]string{"GET": "", "POST": `{"token":"` + token + `"}`, "DELETE": ""} {
		out := session(handler, method, body, nil, cookie)
		if out.StatusCode != http.StatusServiceUnavailable || out.Header.Get("Retry-After") == "" || len(out.Cookies()) > 0 {
			t.Errorf("%s: status %d with cookies %v, want 503 with none", method, out.StatusCode, out.Cookies())
		}
	}
	if status := session(handler, "GET", "", nil).StatusCode; status != 401 {
		t.Errorf("nobody: got status %d, want 401", status)
	}
}

func TestSessionErrors(t *testing.T) {
	t.Parallel()
	handler := serve(t, with(pages()))
	crossSite := map[string]string{"Sec-Fetch-Site": "cross-site"}
	for name, test := range map[string]struct {
		method, body string
		headers      map[string]string
		status       int
	}{
		"a wrong token":          {"POST", `{"token":"wrong"}`, nil, 401},
		"no token":               {"POST", `{}`, nil, 401},
		"an unknown field":       {"POST", `{"token":"wrong","remember":true}`, nil, 400},
		"not JSON":               {"POST", `token=wrong`, nil, 400},
		"a form":                 {"POST", `token=wrong`, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		"a large body":           {"POST", strings.Repeat(" ", 5000), nil, 413},
		"sign in, another site":  {"POST", `{"token":"` + token + `"}`, crossSite, 403},
		"sign out, another site": {"DELETE", "", crossSite, 403},
		"another method":         {"PUT", "", nil, 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := session(handler, test.method, test.body, test.headers)
			if response.StatusCode != test.status || response.Header.Get("Content-Type") != "application/problem+json" || len(response.Cookies()) > 0 {
				t.Errorf("status %d, want %d: %v", response.StatusCode, test.status, response.Header)
			}
		})
	}
}
