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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/edge/source"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const token = "the-owner-of-this-whole-installation"

// clock is a time that tests advance.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// keys are API keys by secret. It counts lookups.
type keys struct {
	mu      sync.Mutex
	known   map[string]access.Credential
	lookups int
	err     error
}

func (k *keys) lookup(_ context.Context, secret string) (access.Credential, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lookups++
	if found, ok := k.known[secret]; ok || k.err != nil {
		return found, k.err
	}
	return access.Credential{}, sites.ErrNoKey
}

// newAccess returns an Access without sessions.
func newAccess(t *testing.T, k *keys) (*access.Access, *clock) {
	t.Helper()
	return newAccessTo(t, nil, k)
}

// newAccessTo returns an Access with the sessions of a database.
func newAccessTo(t *testing.T, db database.DB, k *keys) (*access.Access, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	a, err := access.New(token, db, k.lookup, source.New(privacy.Proxies{}), slog.New(slog.DiscardHandler), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

// send sends a request through Require to a handler that responds with status 200.
func send(a *access.Access, scope sites.Scope, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.Require(scope, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant := access.GrantFrom(r.Context())
		_, _ = fmt.Fprintf(w, "all %t, site 1 %t, site 2 %t", grant.AllSites(), grant.CanSee(sites.Site{ID: 1}), grant.CanSee(sites.Site{ID: 2}))
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
	const all, none = "all true, site 1 true, site 2 true", ""
	tests := map[string]struct {
		header string
		scope  sites.Scope
		status int
		body   string // if the status is 200
	}{
		"the owner's token of this installation": {"Bearer " + token, sites.ScopeAdmin, 200, all},
		"the scheme in another case":             {"bearer " + token, sites.ScopeQuery, 200, all},
		"a key with the scope":                   {"Bearer ak_all", sites.ScopeQuery, 200, all},
		"a key for one site":                     {"Bearer ak_one", sites.ScopeLive, 200, "all false, site 1 true, site 2 false"},
		"a key without the scope":                {"Bearer ak_all", sites.ScopeAdmin, 403, none},
		"an unknown key":                         {"Bearer ak_gone", sites.ScopeQuery, 401, none},
		"a wrong token":                          {"Bearer " + token + "x", sites.ScopeQuery, 401, none},
		"a prefix of the token":                  {"Bearer " + token[:20], sites.ScopeQuery, 401, none},
		"an empty token":                         {"Bearer ", sites.ScopeQuery, 401, none},
		"another scheme":                         {"Basic " + token, sites.ScopeQuery, 401, none},
		"no secret":                              {"", sites.ScopeQuery, 401, none},
		"the cookie name as a token":             {"Bearer analytics_session", sites.ScopeQuery, 401, none},
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
			w := send(a, test.scope, r)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if test.status == 200 && w.Body.String() != test.body {
				t.Errorf("got %q, want %q", w.Body, test.body)
			}
			if test.status != 200 && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("not a problem document: %s", w.Body)
			}
			if (test.status == 401) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate is %q", w.Header().Get("WWW-Authenticate"))
			}
			if strings.Contains(w.Body.String(), token) {
				t.Errorf("the response contains the token: %s", w.Body)
			}
		})
	}
}

func TestGrantFromUnauthorized(t *testing.T) {
	t.Parallel()
	if g := access.GrantFrom(t.Context()); g.AllSites() || g.CanSee(sites.Site{ID: 1, Public: true}) {
		t.Errorf("an unauthorized request has the grant %+v", g)
	}
}

func TestNewShortToken(t *testing.T) {
	t.Parallel()
	_, err := access.New("fifteen-letters", nil, new(keys).lookup, source.New(privacy.Proxies{}), slog.New(slog.DiscardHandler), time.Now)
	if err == nil || !strings.Contains(err.Error(), "ADMIN_TOKEN") || strings.Contains(err.Error(), "fifteen") {
		t.Errorf("got %v, want an error that names ADMIN_TOKEN and not its value", err)
	}
}

func TestKeyCache(t *testing.T) {
	t.Parallel()
	k := &keys{known: map[string]access.Credential{"ak_1": {Scopes: []sites.Scope{sites.ScopeQuery}}}}
	a, c := newAccess(t, k)
	for range 10 {
		if w := send(a, sites.ScopeQuery, bearer("ak_1")); w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
	}
	if k.lookups != 1 {
		t.Errorf("ten requests took %d lookups, want 1", k.lookups)
	}
	delete(k.known, "ak_1")
	c.advance(5 * time.Second)
	if w := send(a, sites.ScopeQuery, bearer("ak_1")); w.Code != 401 {
		t.Errorf("a key that was revoked 5 s ago: got status %d, want 401", w.Code)
	}
}

func TestLookupError(t *testing.T) {
	t.Parallel()
	a, _ := newAccess(t, &keys{err: errors.New("connect to 10.0.0.1: refused")})
	w := send(a, sites.ScopeQuery, bearer("ak_1"))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "10.0.0.1") {
		t.Errorf("status %d with Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
}

// from returns the request as another client sends it.
func from(r *http.Request, address string) *http.Request {
	r.RemoteAddr = address + ":1"
	return r
}

// TestTooManyWrongTokens checks that wrong tokens slow down only who sends them, and never
// the right one.
func TestTooManyWrongTokens(t *testing.T) {
	t.Parallel()
	k := &keys{known: map[string]access.Credential{"ak_1": {Scopes: []sites.Scope{sites.ScopeQuery}}}}
	a, c := newAccessTo(t, localtest.Record(t, localtest.Postgres(t)), k)
	session := signIn(t, a)
	const guesser, neighbour = "203.0.113.7", "203.0.113.8"
	for range 20 {
		if w := send(a, sites.ScopeQuery, from(bearer("wrong"), guesser)); w.Code != 401 {
			t.Fatalf("status %d, want 401", w.Code)
		}
	}
	for range 3 {
		if w := send(a, sites.ScopeQuery, from(bearer("wrong"), guesser)); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("after 20 wrong tokens: status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
	}
	if w := send(a, sites.ScopeQuery, from(bearer("wrong"), neighbour)); w.Code != 401 {
		t.Errorf("the first wrong token of another client: status %d, want 401", w.Code)
	}
	for name, r := range map[string]*http.Request{"the token": bearer(token), "a key": bearer("ak_1"), "a session": withCookie(http.MethodGet, session)} {
		for _, address := range []string{guesser, neighbour} {
			for range 100 { // what is right does not count
				if w := send(a, sites.ScopeQuery, from(r, address)); w.Code != 200 {
					t.Fatalf("%s from %s: status %d, want 200", name, address, w.Code)
				}
			}
		}
	}
	c.advance(time.Second)
	if w := send(a, sites.ScopeQuery, from(bearer("wrong"), guesser)); w.Code != 401 {
		t.Errorf("a wrong token a second later: status %d, want 401", w.Code)
	}
}

// TestTooManyUnknownKeys checks that unknown keys are looked up less often, and only for who
// sends them.
func TestTooManyUnknownKeys(t *testing.T) {
	t.Parallel()
	scopes := []sites.Scope{sites.ScopeQuery}
	k := &keys{known: map[string]access.Credential{"ak_1": {Scopes: scopes}, "ak_2": {Scopes: scopes}}}
	a, c := newAccess(t, k)
	const guesser, neighbour = "203.0.113.7", "203.0.113.8"
	for range 100 { // what is known does not count
		if w := send(a, sites.ScopeQuery, from(bearer("ak_1"), guesser)); w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
		c.advance(access.CacheTTL)
	}
	for i := range 50 {
		if w := send(a, sites.ScopeQuery, from(bearer(fmt.Sprint([]string{"ak_x", "sl_x"}[i%2], i)), guesser)); w.Code != 401 {
			t.Fatalf("status %d, want 401", w.Code)
		}
	}
	before := k.lookups
	for _, secret := range []string{"ak_y", "sl_y"} {
		if w := send(a, sites.ScopeQuery, from(bearer(secret), guesser)); w.Code != 429 || k.lookups != before {
			t.Errorf("status %d after %d lookups, want 429 without one", w.Code, k.lookups-before)
		}
	}
	c.advance(10 * time.Millisecond) // too short for another unknown key
	if w := send(a, sites.ScopeQuery, from(bearer("ak_1"), guesser)); w.Code != 200 {
		t.Errorf("a key that was valid before: status %d, want 200", w.Code)
	}
	if w := send(a, sites.ScopeQuery, from(bearer("ak_2"), neighbour)); w.Code != 200 {
		t.Errorf("a key of another client: status %d, want 200", w.Code)
	}
}

// TestLookupsWait sends many secrets at once. The function looks up two at a time, and refuses
// none.
func TestLookupsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at, most atomic.Int32
		lookup := func(context.Context, string) (access.Credential, error) {
			most.Store(max(most.Load(), at.Add(1)))
			defer at.Add(-1)
			time.Sleep(time.Second) // on the clock of synctest
			return access.Credential{Scopes: []sites.Scope{sites.ScopeQuery}}, nil
		}
		a, err := access.New(token, nil, lookup, source.New(privacy.Proxies{}), slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if w := send(a, sites.ScopeQuery, from(bearer(fmt.Sprint("ak_", i)), fmt.Sprint("203.0.113.", i))); w.Code != 200 {
					t.Errorf("status %d", w.Code)
				}
			})
		}
		all.Wait()
		if most.Load() != 2 {
			t.Errorf("%d look-ups at once, want 2", most.Load())
		}
	})
}

// TestRevokedWhileOpen revokes a key while a request with it is open, as a stream is: its
// context ends soon, and not while the database is down.
func TestRevokedWhileOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &keys{known: map[string]access.Credential{"ak_one": {Scopes: []sites.Scope{sites.ScopeLive}}}}
		a, err := access.New(token, nil, k.lookup, source.New(privacy.Proxies{}), slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		opened := time.Now()
		var ended time.Duration
		var stream sync.WaitGroup
		stream.Go(func() {
			a.Require(sites.ScopeLive, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				ended = time.Since(opened)
			})).ServeHTTP(httptest.NewRecorder(), bearer("ak_one"))
		})
		for at, change := range map[time.Duration]func(){
			time.Minute:     func() { k.err = errors.New("the database is down") },
			2 * time.Minute: func() { k.err = nil },
			3 * time.Minute: func() { delete(k.known, "ak_one") },
		} {
			time.AfterFunc(at, func() {
				k.mu.Lock()
				defer k.mu.Unlock()
				change()
			})
		}
		stream.Wait()
		if ended < 3*time.Minute || ended > 3*time.Minute+10*time.Second {
			t.Errorf("the request ends after %s, want 3 minutes and some seconds", ended)
		}
	})
}

// sendPublic sends a request through RequireOrPublic to a handler that writes which of the
// sites 1, which is public, 2 and 3 it may see.
func sendPublic(a *access.Access, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.RequireOrPublic(sites.ScopeQuery, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant := access.GrantFrom(r.Context())
		_, _ = fmt.Fprintf(w, "%t %t %t, all %t, owner %t",
			grant.CanSee(sites.Site{ID: 1, Public: true}), grant.CanSee(sites.Site{ID: 2}), grant.CanSee(sites.Site{ID: 3}), grant.AllSites(), grant.Owner())
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
		cookie bool // of an expired session
		status int
		sees   string
	}{
		"no secret":              {"", false, 200, "true false false, all false, owner false"},
		"the owner":              {"Bearer " + token, false, 200, "true true true, all true, owner true"},
		"a key":                  {"Bearer ak_all", false, 200, "true true true, all true, owner false"},
		"a share link":           {"Bearer sl_two", false, 200, "false true false, all false, owner false"},
		"an unknown share link":  {"Bearer sl_x", false, 401, ""},
		"a wrong token":          {"Bearer wrong", false, 401, ""},
		"another scheme":         {"Basic wrong", false, 401, ""},
		"a key of another scope": {"Bearer ak_live", false, 403, ""},
		"an expired session":     {"", true, 401, ""},
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
			if w := sendPublic(a, r); w.Code != test.status || test.status == 200 && w.Body.String() != test.sees {
				t.Errorf("status %d: %s, want %d: %s", w.Code, w.Body, test.status, test.sees)
			}
		})
	}
}

// TestGuestsNotAdmin checks that requests with a share link or no secret lack the scope
// admin.
func TestGuestsNotAdmin(t *testing.T) {
	t.Parallel()
	a, _ := newAccess(t, &keys{known: map[string]access.Credential{"sl_1": {Scopes: []sites.Scope{sites.ScopeQuery, sites.ScopeLive}, Sites: []int32{1}}}})
	if w := send(a, sites.ScopeAdmin, bearer("sl_1")); w.Code != 403 {
		t.Errorf("a share link: got status %d, want 403", w.Code)
	}
	w := httptest.NewRecorder()
	a.RequireOrPublic(sites.ScopeAdmin, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != 403 {
		t.Errorf("no secret: got status %d, want 403", w.Code)
	}
}

// TestShareLinkExpires checks that a cached link is refused once it has expired, and that
// the contexts of its requests end then.
func TestShareLinkExpires(t *testing.T) {
	t.Parallel()
	k := &keys{known: map[string]access.Credential{}}
	a, c := newAccess(t, k)
	const lasts = time.Hour
	ends := c.now().Add(lasts)
	k.known["sl_1"] = access.Credential{Scopes: []sites.Scope{sites.ScopeQuery}, Sites: []int32{1}, ExpiresAt: &ends}
	var left time.Duration
	w := httptest.NewRecorder()
	a.Require(sites.ScopeQuery, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		deadline, _ := r.Context().Deadline()
		left = time.Until(deadline)
	})).ServeHTTP(w, bearer("sl_1"))
	if w.Code != 200 || left <= 0 || left > lasts {
		t.Errorf("got status %d and a deadline in %s, want 200 and %s", w.Code, left, lasts)
	}
	c.advance(lasts - time.Second)
	if w := send(a, sites.ScopeQuery, bearer("sl_1")); w.Code != 200 {
		t.Errorf("a second before it expires: got status %d, want 200", w.Code)
	}
	c.advance(time.Second)
	delete(k.known, "sl_1") // as UseShareLink does not return it any more
	if w := send(a, sites.ScopeQuery, bearer("sl_1")); w.Code != 401 {
		t.Errorf("when it expires: got status %d, want 401", w.Code)
	}
}

// TestClient checks which requests come from one client.
func TestClient(t *testing.T) {
	t.Parallel()
	scopes := []sites.Scope{sites.ScopeQuery}
	a, _ := newAccess(t, &keys{known: map[string]access.Credential{"ak_1": {Scopes: scopes}, "ak_2": {Scopes: scopes}, "sl_1": {Scopes: scopes, Sites: []int32{1}}}})
	clients := map[string]string{}
	for _, secret := range []string{"", token, "ak_1", "ak_2", "sl_1"} {
		for id := range int32(2) {
			handler := a.RequireOrPublic(sites.ScopeQuery, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				who := "bearer of " + secret
				if secret == "" {
					who = fmt.Sprint("visitor of ", id)
				}
				client := access.Client(r.Context(), sites.Site{ID: 1 + id})
				if before, ok := clients[who]; ok && before != client {
					t.Errorf("the %s is two clients", who)
				}
				for other, one := range clients {
					if other != who && one == client {
						t.Errorf("the %s is the same client as the %s", who, other)
					}
				}
				clients[who] = client
			}))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if secret != "" {
				r.Header.Set("Authorization", "Bearer "+secret)
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	if len(clients) != 6 {
		t.Errorf("%d clients have asked", len(clients))
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
	query := func(rate *access.Rate, secret, site string) *httptest.ResponseRecorder {
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
	for name, client := range map[string]struct{ secret, site string }{
		"a key": {"ak_1", names[0]}, "another key": {"ak_2", names[2]}, "a link": {"sl_1", names[0]},
		"anyone": {"", names[0]}, "anyone, of another site": {"", names[1]},
	} {
		for range 100 {
			if w := query(limited, client.secret, client.site); w.Code != 200 {
				t.Fatalf("%s: status %d: %s", name, w.Code, w.Body)
			}
		}
		w := query(limited, client.secret, client.site)
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"rate_limited"`) {
			t.Errorf("%s, after 100: status %d, Retry-After %q: %s", name, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
	}
	if w := query(limited, "ak_1", names[1]); w.Code != 429 {
		t.Errorf("a key about another site: status %d, want 429", w.Code)
	}
	for range 101 {
		if w := query(limited, token, names[0]); w.Code != 200 {
			t.Fatalf("the owner: status %d", w.Code)
		}
		if w := query(unlimited, "ak_1", names[0]); w.Code != 200 {
			t.Fatalf("without a limit: status %d", w.Code)
		}
	}
	c.advance(500 * time.Millisecond) // the time for one query
	for _, status := range []int{200, 429} {
		if w := query(limited, "ak_1", names[0]); w.Code != status {
			t.Errorf("half a second later: status %d, want %d", w.Code, status)
		}
	}
	// The response for a site that is not public does not reveal that it exists.
	private, none := query(limited, "", names[2]), query(limited, "", "no.example")
	if private.Code != 401 || private.Header().Get("WWW-Authenticate") == "" || private.Body.String() != none.Body.String() {
		t.Errorf("a private site: %d: %s; an unknown site: %d: %s", private.Code, private.Body, none.Code, none.Body)
	}
}
