package access_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const token = "the-owner-of-this-installation"

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// keys are API keys by secret, which count how often they are looked up.
type keys struct {
	mu      sync.Mutex
	known   map[string]access.Credential
	lookUps int
	err     error
}

func (k *keys) lookUp(_ context.Context, secret string) (access.Credential, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lookUps++
	if found, ok := k.known[secret]; ok || k.err != nil {
		return found, k.err
	}
	return access.Credential{}, sites.ErrNoKey
}

func newAccess(t *testing.T, k *keys) (*access.Access, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	a, err := access.New(token, k.lookUp, slog.New(slog.DiscardHandler), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

// ask sends a request through Require to a handler that answers 200.
func ask(a *access.Access, scope sites.Scope, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.Require(scope, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant := access.Of(r.Context())
		_, _ = fmt.Fprintf(w, "everything %t, site 1 %t, site 2 %t", grant.Everything(), grant.Sees(sites.Site{ID: 1}), grant.Sees(sites.Site{ID: 2}))
	})).ServeHTTP(w, r)
	return w
}

func bearer(secret string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	return r
}

func TestRequire(t *testing.T) {
	t.Parallel()
	const all, none = "everything true, site 1 true, site 2 true", ""
	tests := map[string]struct {
		header string
		scope  sites.Scope
		status int
		body   string // of a 200
	}{
		"the owner's token":           {"Bearer " + token, sites.ScopeAdmin, 200, all},
		"the scheme in another case":  {"bearer " + token, sites.ScopeQuery, 200, all},
		"a key with the scope":        {"Bearer ak_all", sites.ScopeQuery, 200, all},
		"a key for one site":          {"Bearer ak_one", sites.ScopeLive, 200, "everything false, site 1 true, site 2 false"},
		"a key without the scope":     {"Bearer ak_all", sites.ScopeAdmin, 403, none},
		"a key that isn't there":      {"Bearer ak_gone", sites.ScopeQuery, 401, none},
		"a wrong token":               {"Bearer " + token + "x", sites.ScopeQuery, 401, none},
		"a token that begins right":   {"Bearer " + token[:20], sites.ScopeQuery, 401, none},
		"an empty token":              {"Bearer ", sites.ScopeQuery, 401, none},
		"another scheme":              {"Basic " + token, sites.ScopeQuery, 401, none},
		"nothing at all":              {"", sites.ScopeQuery, 401, none},
		"a session's key as a bearer": {"Bearer analytics_session", sites.ScopeQuery, 401, none},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _ := newAccess(t, &keys{known: map[string]access.Credential{
				"ak_all": {Scopes: []sites.Scope{sites.ScopeQuery}},
				"ak_one": {Scopes: []sites.Scope{sites.ScopeLive}, Sites: []int32{1}},
			}})
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if test.header != "" {
				r.Header.Set("Authorization", test.header)
			}
			w := ask(a, test.scope, r)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if test.status == 200 && w.Body.String() != test.body {
				t.Errorf("got %q, want %q", w.Body, test.body)
			}
			if test.status != 200 && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("no problem document: %s", w.Body)
			}
			if (test.status == 401) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate is %q", w.Header().Get("WWW-Authenticate"))
			}
			if strings.Contains(w.Body.String(), token) {
				t.Errorf("the answer repeats the token: %s", w.Body)
			}
		})
	}
}

func TestWithoutGrantNothingIsSeen(t *testing.T) {
	t.Parallel()
	if g := access.Of(t.Context()); g.Everything() || g.Sees(sites.Site{ID: 1, Public: true}) {
		t.Errorf("a request that nobody checked sees %+v", g)
	}
}

func TestShortTokenIsRefused(t *testing.T) {
	t.Parallel()
	_, err := access.New("fifteen-letters", access.NoKeys, slog.New(slog.DiscardHandler), time.Now)
	if err == nil || !strings.Contains(err.Error(), "ADMIN_TOKEN") || strings.Contains(err.Error(), "fifteen") {
		t.Errorf("got %v, want an error that names ADMIN_TOKEN and not its value", err)
	}
}

func TestKeysAreRememberedForSeconds(t *testing.T) {
	t.Parallel()
	k := &keys{known: map[string]access.Credential{"ak_1": {Scopes: []sites.Scope{sites.ScopeQuery}}}}
	a, c := newAccess(t, k)
	for range 10 {
		if w := ask(a, sites.ScopeQuery, bearer("ak_1")); w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
	}
	if k.lookUps != 1 {
		t.Errorf("ten requests took %d look-ups, want 1", k.lookUps)
	}
	delete(k.known, "ak_1")
	c.pass(5 * time.Second)
	if w := ask(a, sites.ScopeQuery, bearer("ak_1")); w.Code != 401 {
		t.Errorf("5 s after it was revoked a key gets %d, want 401", w.Code)
	}
}

func TestKeysThatCantBeLookedUp(t *testing.T) {
	t.Parallel()
	a, _ := newAccess(t, &keys{err: errors.New("connect to 10.0.0.1: refused")})
	w := ask(a, sites.ScopeQuery, bearer("ak_1"))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "10.0.0.1") {
		t.Errorf("status %d with Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
}

func TestTooManyWrongTokens(t *testing.T) {
	t.Parallel()
	k := &keys{known: map[string]access.Credential{"ak_1": {Scopes: []sites.Scope{sites.ScopeQuery}}}}
	a, c := newAccess(t, k)
	session := signIn(t, a)
	for range 50 {
		if w := ask(a, sites.ScopeQuery, bearer("wrong")); w.Code != 401 {
			t.Fatalf("status %d, want 401", w.Code)
		}
	}
	for _, secret := range []string{"wrong", token} {
		w := ask(a, sites.ScopeQuery, bearer(secret))
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("after 50 wrong tokens: status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
	}
	if w := ask(a, sites.ScopeQuery, bearer("ak_1")); w.Code != 200 {
		t.Errorf("a key gets %d meanwhile, want 200", w.Code)
	}
	if w := ask(a, sites.ScopeQuery, withCookie(http.MethodGet, session)); w.Code != 200 {
		t.Errorf("a session gets %d meanwhile, want 200", w.Code)
	}
	c.pass(time.Second)
	for range 100 { // right ones cost nothing
		if w := ask(a, sites.ScopeQuery, bearer(token)); w.Code != 200 {
			t.Fatalf("a second later the token gets %d, want 200", w.Code)
		}
	}
}

func TestTooManyUnknownKeys(t *testing.T) {
	t.Parallel()
	k := &keys{known: map[string]access.Credential{"ak_1": {Scopes: []sites.Scope{sites.ScopeQuery}}}}
	a, c := newAccess(t, k)
	if w := ask(a, sites.ScopeQuery, bearer("ak_1")); w.Code != 200 {
		t.Fatalf("status %d", w.Code)
	}
	for i := range 200 {
		if w := ask(a, sites.ScopeQuery, bearer(fmt.Sprint([]string{"ak_x", "sl_x"}[i%2], i))); w.Code != 401 {
			t.Fatalf("status %d, want 401", w.Code)
		}
	}
	before := k.lookUps
	for _, secret := range []string{"ak_y", "sl_y"} {
		if w := ask(a, sites.ScopeQuery, bearer(secret)); w.Code != 429 || k.lookUps != before {
			t.Errorf("status %d after %d look-ups, want 429 without one", w.Code, k.lookUps-before)
		}
	}
	c.pass(10 * time.Millisecond) // too little for another unknown key
	if w := ask(a, sites.ScopeQuery, bearer("ak_1")); w.Code != 200 {
		t.Errorf("a key that was good gets %d, want 200", w.Code)
	}
}

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
		t.Fatalf("%d cookies, want 1", len(cookies))
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
	a, c := newAccess(t, &keys{})
	cookie := signIn(t, a)
	if cookie.Name != "analytics_session" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode ||
		cookie.Path != "/" || cookie.Secure || cookie.MaxAge != 7*24*3600 {
		t.Errorf("the cookie is %s", cookie)
	}
	if w := ask(a, sites.ScopeAdmin, withCookie(http.MethodGet, cookie)); w.Code != 200 || len(w.Result().Cookies()) != 0 {
		t.Errorf("status %d with %d cookies, want 200 with none", w.Code, len(w.Result().Cookies()))
	}

	c.pass(25 * time.Hour)
	w := ask(a, sites.ScopeAdmin, withCookie(http.MethodGet, cookie))
	renewed := cookieOf(t, w)
	c.pass(6 * 24 * time.Hour)
	if w := ask(a, sites.ScopeAdmin, withCookie(http.MethodGet, cookie)); w.Code != 401 {
		t.Errorf("a session of 7 days gets %d, want 401", w.Code)
	}
	if w := ask(a, sites.ScopeAdmin, withCookie(http.MethodGet, renewed)); w.Code != 200 {
		t.Errorf("a session that was in use gets %d, want 200", w.Code)
	}
}

func TestSessionOfAnotherToken(t *testing.T) {
	t.Parallel()
	a, c := newAccess(t, &keys{})
	cookie := signIn(t, a)
	other, err := access.New("another-token-of-the-owner", access.NoKeys, slog.New(slog.DiscardHandler), c.now)
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(other, sites.ScopeAdmin, withCookie(http.MethodGet, cookie)); w.Code != 401 {
		t.Errorf("a session from before the token was changed gets %d, want 401", w.Code)
	}
}

func TestForgedSession(t *testing.T) {
	t.Parallel()
	a, _ := newAccess(t, &keys{})
	good := signIn(t, a)
	for i := range good.Value {
		forged := []byte(good.Value)
		forged[i] ^= 1
		if w := ask(a, sites.ScopeAdmin, withCookie(http.MethodGet, &http.Cookie{Name: good.Name, Value: string(forged)})); w.Code == 200 {
			t.Errorf("a cookie with another character at %d is taken", i)
		}
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method  string
		headers map[string]string
		status  int
	}{
		"of the same origin":               {http.MethodPost, map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		"from another site":                {http.MethodPost, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"from another host of the site":    {http.MethodDelete, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"reading from another site":        {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
		"no browser":                       {http.MethodPost, nil, 200},
		"an old browser, same origin":      {http.MethodPost, map[string]string{"Origin": "http://example.com"}, 200},
		"an old browser, another site":     {http.MethodPost, map[string]string{"Origin": "http://evil.example"}, 403},
		"behind a gateway, same origin":    {http.MethodPost, map[string]string{"Origin": "https://stats.example.org", "X-Forwarded-Host": "stats.example.org"}, 200},
		"behind a gateway, another origin": {http.MethodPost, map[string]string{"Origin": "https://evil.example", "X-Forwarded-Host": "stats.example.org"}, 403},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _ := newAccess(t, &keys{})
			r := withCookie(test.method, signIn(t, a))
			for key, value := range test.headers {
				r.Header.Set(key, value)
			}
			if w := ask(a, sites.ScopeAdmin, r); w.Code != test.status {
				t.Errorf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
		})
	}
}

func TestSecureCookie(t *testing.T) {
	t.Parallel()
	a, _ := newAccess(t, &keys{})
	r := httptest.NewRequest(http.MethodPost, "/session", nil)
	r.Header.Set("X-Forwarded-Proto", "https")
	w := httptest.NewRecorder()
	if err := a.SignIn(w, r, token); err != nil {
		t.Fatal(err)
	}
	if !cookieOf(t, w).Secure {
		t.Error("the cookie of a session over https is not secure")
	}
}

func TestSignInFromAnotherSite(t *testing.T) {
	t.Parallel()
	a, _ := newAccess(t, &keys{})
	r := httptest.NewRequest(http.MethodPost, "/session", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if err := a.SignIn(w, r, token); err == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("another site signs in: %v", err)
	}
}

// askAbout sends a request through RequireOrPublic to a handler that says which of the
// sites 1, which is public, 2 and 3 it may see.
func askAbout(a *access.Access, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.RequireOrPublic(sites.ScopeQuery, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant := access.Of(r.Context())
		_, _ = fmt.Fprintf(w, "%t %t %t, everything %t, owner %t",
			grant.Sees(sites.Site{ID: 1, Public: true}), grant.Sees(sites.Site{ID: 2}), grant.Sees(sites.Site{ID: 3}), grant.Everything(), grant.Owner())
	})).ServeHTTP(w, r)
	return w
}

func TestRequireOrPublic(t *testing.T) {
	t.Parallel()
	k := &keys{known: map[string]access.Credential{
		"ak_all":  {Scopes: []sites.Scope{sites.ScopeQuery}},
		"ak_live": {Scopes: []sites.Scope{sites.ScopeLive}},
		"sl_two":  {Scopes: []sites.Scope{sites.ScopeQuery, sites.ScopeLive}, Sites: []int32{2}},
	}}
	for name, test := range map[string]struct {
		header string
		cookie bool // of another session
		status int
		sees   string
	}{
		"no secret":                {"", false, 200, "true false false, everything false, owner false"},
		"the owner":                {"Bearer " + token, false, 200, "true true true, everything true, owner true"},
		"a key":                    {"Bearer ak_all", false, 200, "true true true, everything true, owner false"},
		"a share link":             {"Bearer sl_two", false, 200, "false true false, everything false, owner false"},
		"a share link that is not": {"Bearer sl_x", false, 401, ""},
		"a wrong token":            {"Bearer wrong", false, 401, ""},
		"another scheme":           {"Basic wrong", false, 401, ""},
		"a key for other things":   {"Bearer ak_live", false, 403, ""},
		"a session that has ended": {"", true, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _ := newAccess(t, k)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if test.header != "" {
				r.Header.Set("Authorization", test.header)
			}
			if test.cookie {
				r.AddCookie(&http.Cookie{Name: access.CookieName, Value: "ended"})
			}
			if w := askAbout(a, r); w.Code != test.status || test.status == 200 && w.Body.String() != test.sees {
				t.Errorf("status %d: %s, want %d: %s", w.Code, w.Body, test.status, test.sees)
			}
		})
	}
}

// TestNobodyAdministers: what is for administrators is not for those with a link or none.
func TestNobodyAdministers(t *testing.T) {
	t.Parallel()
	a, _ := newAccess(t, &keys{known: map[string]access.Credential{"sl_1": {Scopes: []sites.Scope{sites.ScopeQuery, sites.ScopeLive}, Sites: []int32{1}}}})
	if w := ask(a, sites.ScopeAdmin, bearer("sl_1")); w.Code != 403 {
		t.Errorf("a share link gets %d, want 403", w.Code)
	}
	w := httptest.NewRecorder()
	a.RequireOrPublic(sites.ScopeAdmin, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != 403 {
		t.Errorf("no secret gets %d, want 403", w.Code)
	}
}

// TestShareLinkEnds: a link that is remembered is still no good once it has ended, and
// what it let in ends with it.
func TestShareLinkEnds(t *testing.T) {
	t.Parallel()
	k := &keys{known: map[string]access.Credential{}}
	a, c := newAccess(t, k)
	const lasts = time.Hour
	ends := c.now().Add(lasts)
	k.known["sl_1"] = access.Credential{Scopes: []sites.Scope{sites.ScopeQuery}, Sites: []int32{1}, Ends: &ends}
	var left time.Duration
	w := httptest.NewRecorder()
	a.Require(sites.ScopeQuery, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		deadline, _ := r.Context().Deadline()
		left = time.Until(deadline)
	})).ServeHTTP(w, bearer("sl_1"))
	if w.Code != 200 || left <= 0 || left > lasts {
		t.Errorf("status %d, and the request may go on for %s, want %s", w.Code, left, lasts)
	}
	c.pass(lasts - time.Second)
	if w := ask(a, sites.ScopeQuery, bearer("sl_1")); w.Code != 200 {
		t.Errorf("a second before its end a link gets %d, want 200", w.Code)
	}
	c.pass(time.Second)
	delete(k.known, "sl_1") // the record finds it no more
	if w := ask(a, sites.ScopeQuery, bearer("sl_1")); w.Code != 401 {
		t.Errorf("at its end a link gets %d, want 401", w.Code)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	var names []string
	for _, public := range []bool{true, true, false} {
		site, err := sites.Create(t.Context(), db, sites.Draft{Domain: fmt.Sprint("s", len(names), ".example"), Name: "s", Timezone: "UTC", Public: public})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, site.PublicID)
	}
	scopes := []sites.Scope{sites.ScopeQuery}
	a, c := newAccess(t, &keys{known: map[string]access.Credential{"ak_1": {Scopes: scopes}, "ak_2": {Scopes: scopes}, "sl_1": {Scopes: scopes, Sites: []int32{1}}}})
	limited, err := access.NewRate(120, c.now)
	if err != nil {
		t.Fatal(err)
	}
	unlimited, err := access.NewRate(0, c.now)
	if err != nil {
		t.Fatal(err)
	}
	question := func(rate *access.Rate, secret, site string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if secret != "" {
			r = bearer(secret)
		}
		w := httptest.NewRecorder()
		a.RequireOrPublic(sites.ScopeQuery, rate.Limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := access.Site(r.Context(), db, "site", site); err != nil {
				problem.Write(w, problem.Of(err))
			}
		}))).ServeHTTP(w, r)
		return w
	}
	for name, asker := range map[string]struct{ secret, site string }{
		"a key": {"ak_1", names[0]}, "another key": {"ak_2", names[2]}, "a link": {"sl_1", names[0]},
		"anyone": {"", names[0]}, "anyone, of another site": {"", names[1]},
	} {
		for range 100 {
			if w := question(limited, asker.secret, asker.site); w.Code != 200 {
				t.Fatalf("%s: status %d: %s", name, w.Code, w.Body)
			}
		}
		w := question(limited, asker.secret, asker.site)
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"rate_limited"`) {
			t.Errorf("%s, after 100: status %d, Retry-After %q: %s", name, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
	if w := question(limited, "ak_1", names[1]); w.Code != 429 {
		t.Errorf("a key about another site: status %d, want 429", w.Code)
	}
	for range 101 {
		if w := question(limited, token, names[0]); w.Code != 200 {
			t.Fatalf("the owner: status %d", w.Code)
		}
		if w := question(unlimited, "ak_1", names[0]); w.Code != 200 {
			t.Fatalf("without a limit: status %d", w.Code)
		}
	}
	c.pass(500 * time.Millisecond) // a question's worth
	for _, status := range []int{200, 429} {
		if w := question(limited, "ak_1", names[0]); w.Code != status {
			t.Errorf("half a second later: status %d, want %d", w.Code, status)
		}
	}
	// What anyone may not see is told in the same words as what isn't there.
	private, none := question(limited, "", names[2]), question(limited, "", "no.example")
	if private.Code != 401 || private.Header().Get("WWW-Authenticate") == "" || private.Body.String() != none.Body.String() {
		t.Errorf("a site that isn't public: %d: %s; none: %d: %s", private.Code, private.Body, none.Code, none.Body)
	}
}
