package access_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/edge/source"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

func signIn(t *testing.T, a *access.Access) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := a.SignIn(w, httptest.NewRequest(http.MethodPost, "/session", nil), token); err != nil {
		t.Fatal(err)
	}
	return cookieOf(t, w)
}

func cookieOf(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("got %d cookies, want 1", len(cookies))
	}
	return cookies[0]
}

func withCookie(method string, cookie *http.Cookie) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.AddCookie(cookie)
	return r
}

func TestSession(t *testing.T) {
	t.Parallel()
	a, c := newAccessTo(t, localtest.Record(t, localtest.Postgres(t)), &keys{})
	cookie := signIn(t, a)
	if cookie.Name != "analytics_session" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode ||
		cookie.Path != "/" || cookie.Secure || cookie.MaxAge != 30*24*3600 {
		t.Errorf("got cookie %s", cookie)
	}
	check := func(when string, status int) {
		t.Helper()
		if w := send(a, sites.ScopeAdmin, withCookie(http.MethodGet, cookie)); w.Code != status || len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: status %d with %d cookies, want %d with none", when, w.Code, len(w.Result().Cookies()), status)
		}
	}
	check("at once", 200)
	for range 4 {
		c.advance(7*24*time.Hour - time.Second)
		check("used each week", 200)
	}
	c.advance(2*24*time.Hour + 3*time.Second)
	check("a second before the end of its life", 200)
	c.advance(time.Second)
	check("at the end of its life, though used a second ago", 401)

	cookie = signIn(t, a)
	c.advance(7*24*time.Hour - time.Second)
	check("a second before it was unused for 7 days", 200)
	c.advance(7 * 24 * time.Hour)
	check("unused for 7 days", 401)
}

// TestSignOut checks that a session that was ended is refused, at once by the same Access, and
// by another when it looks it up again, and that others go on.
func TestSignOut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		signOut    func(*access.Access, http.ResponseWriter, *http.Request) error
		everywhere bool
	}{
		"one":        {(*access.Access).SignOut, false},
		"everywhere": {(*access.Access).SignOutEverywhere, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := localtest.Record(t, localtest.Postgres(t))
			a, _ := newAccessTo(t, db, &keys{})
			other, c := newAccessTo(t, db, &keys{})
			ended, second := signIn(t, a), signIn(t, a)
			if ended.Value == second.Value {
				t.Error("two sessions have one cookie")
			}
			check := func(who string, a *access.Access, cookie *http.Cookie, status int) {
				t.Helper()
				if w := send(a, sites.ScopeAdmin, withCookie(http.MethodGet, cookie)); w.Code != status {
					t.Errorf("%s: status %d, want %d: %s", who, w.Code, status, w.Body)
				}
			}
			for _, a := range []*access.Access{a, other} {
				check("signed in", a, ended, 200)
				check("signed in twice", a, second, 200)
			}
			w := httptest.NewRecorder()
			if err := test.signOut(a, w, withCookie(http.MethodDelete, ended)); err != nil {
				t.Fatal(err)
			}
			if cookie := cookieOf(t, w); cookie.MaxAge >= 0 || cookie.Value != "" || cookie.Path != ended.Path {
				t.Errorf("the cookie is not deleted: %s", cookie)
			}
			status := 200
			if test.everywhere {
				status = 401
			}
			check("signed out", a, ended, 401)
			check("the second session", a, second, status)
			c.advance(5 * time.Second)
			check("signed out elsewhere, five seconds ago", other, ended, 401)
			check("the second session elsewhere", other, second, status)

			// A browser may sign out again, whether or not it has the cookie.
			for _, r := range []*http.Request{withCookie(http.MethodDelete, ended), httptest.NewRequest(http.MethodDelete, "/session", nil)} {
				if err := a.SignOut(httptest.NewRecorder(), r); err != nil {
					t.Errorf("sign out again: %v", err)
				}
			}
		})
	}
}

// TestWhoSignsOutEverywhere checks who may end all sessions.
func TestWhoSignsOutEverywhere(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	a, _ := newAccessTo(t, db, &keys{known: map[string]access.Credential{"ak_1": {Scopes: sites.Scopes()}}})
	session := signIn(t, a)
	foreign := withCookie(http.MethodDelete, session)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	for name, test := range map[string]struct {
		request *http.Request
		status  int
	}{
		"nobody":                 {httptest.NewRequest(http.MethodDelete, "/", nil), 401},
		"a wrong token":          {bearer("wrong"), 401},
		"an admin key":           {bearer("ak_1"), 403},
		"a page of another site": {foreign, 403},
		"an unknown session":     {withCookie(http.MethodDelete, &http.Cookie{Name: session.Name, Value: "x"}), 401},
	} {
		w := httptest.NewRecorder()
		if err := a.SignOutEverywhere(w, test.request); problem.Of(err).Status != test.status || len(w.Result().Cookies()) != 0 {
			t.Errorf("%s: got %v, want status %d", name, err, test.status)
		}
	}
	if w := send(a, sites.ScopeAdmin, withCookie(http.MethodGet, session)); w.Code != 200 {
		t.Fatalf("the session afterwards: got status %d, want 200", w.Code)
	}
	if err := a.SignOutEverywhere(httptest.NewRecorder(), bearer(token)); err != nil {
		t.Errorf("the owner's token: %v", err)
	}
	if w := send(a, sites.ScopeAdmin, withCookie(http.MethodGet, session)); w.Code != 401 {
		t.Errorf("the session at the end: got status %d, want 401", w.Code)
	}
}

// TestSessionsWithoutDatabase checks that nobody is signed out because the database is down.
func TestSessionsWithoutDatabase(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	a, c := newAccessTo(t, db, &keys{})
	session := signIn(t, a)
	db.Close()
	for name, request := range map[string]func(http.ResponseWriter, *http.Request) error{
		"sign in":  func(w http.ResponseWriter, r *http.Request) error { return a.SignIn(w, r, token) },
		"sign out": a.SignOut, "sign out everywhere": a.SignOutEverywhere,
		"a session": func(_ http.ResponseWriter, r *http.Request) error { return a.CheckSession(r) },
	} {
		w := httptest.NewRecorder()
		r := withCookie(http.MethodPost, session)
		err := request(w, r)
		if err == nil || len(w.Result().Cookies()) != 0 {
			t.Fatalf("%s: got error %v and cookies %v", name, err, w.Result().Cookies())
		}
		a.Refuse(w, r, err)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q: %s", name, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
	c.advance(time.Hour)
	if w := send(a, sites.ScopeAdmin, withCookie(http.MethodGet, session)); w.Code != 503 {
		t.Errorf("status %d, want 503", w.Code)
	}
}

func TestSessionOfAnotherToken(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	a, c := newAccessTo(t, db, &keys{})
	cookie := signIn(t, a)
	other, err := access.New("another-token-of-the-owner-of-all", db, new(keys).lookup, source.New(privacy.Proxies{}), slog.New(slog.DiscardHandler), c.now)
	if err != nil {
		t.Fatal(err)
	}
	if w := send(other, sites.ScopeAdmin, withCookie(http.MethodGet, cookie)); w.Code != 401 {
		t.Errorf("a session of the previous token: got status %d, want 401", w.Code)
	}
}

// TestForgedSession checks that forged cookies are refused, without asking the database.
func TestForgedSession(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	a, _ := newAccessTo(t, db, &keys{})
	good := signIn(t, a)
	db.Close()
	forged := []string{"", good.Value[:43], good.Value + good.Value, good.Value[1:]}
	for i := range good.Value {
		changed := []byte(good.Value)
		changed[i] ^= 1
		forged = append(forged, string(changed))
	}
	for _, value := range forged {
		if w := send(a, sites.ScopeAdmin, withCookie(http.MethodGet, &http.Cookie{Name: good.Name, Value: value})); w.Code != 401 {
			t.Errorf("the cookie %q instead of %q: got status %d, want 401", value, good.Value, w.Code)
		}
	}
}

// TestStoredSession checks that the database does not have the cookie.
func TestStoredSession(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	a, _ := newAccessTo(t, db, &keys{})
	value, err := base64.RawURLEncoding.DecodeString(signIn(t, a).Value)
	if err != nil {
		t.Fatal(err)
	}
	var rows, found int
	const query = `SELECT count(*), count(*) FILTER (WHERE position(encode($1, 'hex') in sessions::text) > 0) FROM sessions`
	if err := db.QueryRow(t.Context(), query, value[:32]).Scan(&rows, &found); err != nil || rows != 1 || found != 0 {
		t.Errorf("%d of %d rows have the id, %v", found, rows, err)
	}
}

// TestWhileValid checks that the context of a request ends soon after its session, not before,
// and not because the database fails.
func TestWhileValid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := []error{
			nil, errors.New("the database is down"),
			problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "so is this"),
			problem.New(http.StatusUnauthorized, problem.CodeUnauthorized, "it has ended"),
		}
		start := time.Now()
		var calls atomic.Int32
		ctx, cancel := access.WhileValid(t.Context(), func(ctx context.Context) error {
			n := calls.Add(1)
			if ctx.Err() != nil {
				t.Error("the check gets a context that has ended")
			}
			return answers[n-1]
		})
		defer cancel()
		<-ctx.Done()
		if took := time.Since(start); calls.Load() != 4 || took != 20*time.Second {
			t.Errorf("the context ended after %d checks and %s, want 4 in 20s", calls.Load(), took)
		}
		time.Sleep(time.Minute)
		if calls.Load() != 4 {
			t.Errorf("%d checks were made, the last after the end", calls.Load())
		}

		// The request ends between two checks.
		ctx, cancel = access.WhileValid(t.Context(), func(context.Context) error { calls.Add(1); return nil })
		time.Sleep(12 * time.Second)
		cancel()
		time.Sleep(time.Minute)
		if ctx.Err() == nil || calls.Load() != 6 {
			t.Errorf("%d checks were made of a request that took 12s, want 2", calls.Load()-4)
		}
	})
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method  string
		headers map[string]string
		status  int
	}{
		"the same origin":                  {http.MethodPost, map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		"from another site":                {http.MethodPost, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"from another host of the site":    {http.MethodDelete, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"reading from another site":        {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
		"no browser":                       {http.MethodPost, nil, 200},
		"an old browser, same origin":      {http.MethodPost, map[string]string{"Origin": "http://example.com"}, 200},
		"an old browser, another site":     {http.MethodPost, map[string]string{"Origin": "http://evil.example"}, 403},
		"behind a gateway, same origin":    {http.MethodPost, map[string]string{"Origin": "https://stats.example.org", "X-Forwarded-Host": "stats.example.org"}, 200},
		"behind a gateway, another origin": {http.MethodPost, map[string]string{"Origin": "https://evil.example", "X-Forwarded-Host": "stats.example.org"}, 403},
	}
	db := localtest.Record(t, localtest.Postgres(t))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _ := newAccessTo(t, db, &keys{})
			r := withCookie(test.method, signIn(t, a))
			for key, value := range test.headers {
				r.Header.Set(key, value)
			}
			if w := send(a, sites.ScopeAdmin, r); w.Code != test.status {
				t.Errorf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
		})
	}
}

// TestCookieScope checks how the cookie is named, and where browsers send it.
func TestCookieScope(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	for name, test := range map[string]struct {
		proto, page string
		path        string
	}{
		"a gateway":                 {"", "http://example.com/function/dashboard/", "/function/"},
		"a page in the folder":      {"", "http://example.com/function/dashboard/index.html?site=a/b#x/y", "/function/"},
		"over HTTPS":                {"https", "https://example.com/function/dashboard/", "/function/"},
		"two proxies":               {"HTTPS, http", "https://example.com/function/dashboard/", "/function/"},
		"deeper":                    {"https", "https://example.com/a/b%20c/dashboard/", "/a/b%20c/"},
		"functions at the root":     {"https", "https://example.com/dashboard/", "/"},
		"the dashboard at the root": {"https", "https://example.com/", "/"},
		"only the origin":           {"https", "https://example.com", "/"},
		"no page":                   {"https", "", "/"},
		"not a URL":                 {"", "%", "/"},
		"a semicolon":               {"", "http://example.com/a;Domain=evil.example/dashboard/", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _ := newAccessTo(t, db, &keys{})
			from := func(method string) *http.Request {
				r := httptest.NewRequest(method, "/session", nil)
				r.Header.Set("X-Forwarded-Proto", test.proto)
				r.Header.Set("Referer", test.page)
				return r
			}
			w := httptest.NewRecorder()
			if err := a.SignIn(w, from(http.MethodPost), token); err != nil {
				t.Fatal(err)
			}
			cookie, want := cookieOf(t, w), "analytics_session"
			if test.proto != "" {
				want = "__Secure-analytics_session"
			}
			if cookie.Name != want || cookie.Secure != (test.proto != "") || cookie.Path != test.path || cookie.Domain != "" {
				t.Errorf("got %s, want the name %s and the path %s", cookie, want, test.path)
			}
			r := from(http.MethodGet)
			r.AddCookie(cookie)
			if err := a.CheckSession(r); err != nil {
				t.Errorf("the session: %v", err)
			}
			w = httptest.NewRecorder()
			if err := a.SignOut(w, from(http.MethodDelete)); err != nil {
				t.Fatal(err)
			}
			if ended := cookieOf(t, w); ended.Name != cookie.Name || ended.Path != cookie.Path || ended.MaxAge >= 0 {
				t.Errorf("signing out sets %s", ended)
			}
		})
	}
}

// TestCookieOfHTTP checks that a cookie that was set over HTTP, maybe by somebody on the
// network, is none over HTTPS, and the other way round.
func TestCookieOfHTTP(t *testing.T) {
	t.Parallel()
	a, _ := newAccessTo(t, localtest.Record(t, localtest.Postgres(t)), &keys{})
	value := signIn(t, a).Value
	for _, test := range []struct {
		proto, name string
		status      int
	}{
		{"", "analytics_session", 200}, {"http", "analytics_session", 200}, {"https", "__Secure-analytics_session", 200},
		{"wss", "__Secure-analytics_session", 200}, {"https", "analytics_session", 401}, {"", "__Secure-analytics_session", 401},
	} {
		r := withCookie(http.MethodGet, &http.Cookie{Name: test.name, Value: value})
		r.Header.Set("X-Forwarded-Proto", test.proto)
		if w := send(a, sites.ScopeAdmin, r); w.Code != test.status {
			t.Errorf("%+v: got status %d", test, w.Code)
		}
	}
}

func TestSignInFromAnotherSite(t *testing.T) {
	t.Parallel()
	a, _ := newAccess(t, &keys{})
	r := httptest.NewRequest(http.MethodPost, "/session", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if err := a.SignIn(w, r, token); err == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("sign in from another site: got error %v", err)
	}
}
