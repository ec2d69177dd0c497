package functions_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// The credentials of TestAccess.
const (
	nobody         = "nobody"
	owner          = "the owner"
	session        = "a session of the owner"
	foreignSession = "a session, from a page of another website"
	idleSession    = "a session that was idle for too long"
	endedSession   = "a session that was signed out"
	schedule       = "the schedule"
	prometheus     = "Prometheus"
	adminKey       = "an admin key"
	adminKeyOfOne  = "an admin key of one site"
	queryKey       = "a query key"
	queryKeyOfOne  = "a query key of one site"
	liveKeyOfOne   = "a live key of one site"
	writeKey       = "a write key"
	writeKeyOfOne  = "a write key of one site"
	linkOfOne      = "a share link of one site"
	expiredLink    = "an expired share link of one site"
	unknownKey     = "an unknown key"
	wrongToken     = "a wrong token"
)

// TestAccess sends each request with each credential, on an installation with the sites
// one.example, two.example and public.example, which is public. A credential that does not
// allow the request gets 401 or 403. A key for one site never gets data of another.
func TestAccess(t *testing.T) {
	t.Parallel()
	const scheduleToken = "the token of the schedule in all tests"
	database := localtest.Postgres(t)
	process := host.NewProcess(map[string]string{
		"DATABASE_URL": database, "REDIS_URL": localtest.Redis(t), "ADMIN_TOKEN": adminToken, "SALT_KEY": localtest.SaltKey,
		"SCHEDULE_TOKEN": scheduleToken, "METRICS_TOKEN": localtest.MetricsToken,
	}, slog.New(slog.DiscardHandler))
	t.Cleanup(process.Close)
	all := map[string]http.Handler{}
	for _, f := range functions.All() {
		instance, err := host.Build(t.Context(), process.Env(f.Name), f.New)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = instance.Close(t.Context()) })
		all[f.Name] = instance
	}
	secrets := map[string]string{
		nobody: "", owner: adminToken, schedule: scheduleToken, prometheus: localtest.MetricsToken, unknownKey: sites.KeyPrefix + "unknown",
		wrongToken: strings.Repeat("wrong-", 10),
	}
	db := localtest.Record(t, database)
	var ids []int32
	for _, domain := range []string{"one.example", "two.example", "public.example"} {
		site, err := sites.Create(t.Context(), db, sites.Draft{Domain: domain, Name: domain, Timezone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, site.ID)
	}
	if _, err := db.Exec(t.Context(), `UPDATE sites SET public = true WHERE domain = 'public.example'`); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]struct {
		scope sites.Scope
		sites []int32
	}{
		adminKey: {sites.ScopeAdmin, nil}, adminKeyOfOne: {sites.ScopeAdmin, ids[:1]}, queryKey: {sites.ScopeQuery, nil},
		queryKeyOfOne: {sites.ScopeQuery, ids[:1]}, liveKeyOfOne: {sites.ScopeLive, ids[:1]},
		writeKey: {sites.ScopeWrite, nil}, writeKeyOfOne: {sites.ScopeWrite, ids[:1]},
	} {
		var err error
		if _, secrets[name], err = sites.CreateKey(t.Context(), db, name, []sites.Scope{key.scope}, key.sites); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-time.Minute)
	for name, expires := range map[string]*time.Time{linkOfOne: nil, expiredLink: &past} {
		var err error
		if _, secrets[name], err = sites.CreateShareLink(t.Context(), db, ids[0], "test", expires); err != nil {
			t.Fatal(err)
		}
	}
	cookies := map[string]*http.Cookie{}
	for _, name := range []string{idleSession, endedSession, session, foreignSession} {
		secrets[name], cookies[name] = "", signIn(t, all["dashboard"])
		switch name {
		case idleSession: // there is no other one yet
			if _, err := db.Exec(t.Context(), `UPDATE sessions SET expires_at = now()`); err != nil {
				t.Fatal(err)
			}
		case endedSession:
			r := httptest.NewRequestWithContext(t.Context(), "DELETE", "/session", nil)
			r.AddCookie(cookies[name])
			w := httptest.NewRecorder()
			if all["dashboard"].ServeHTTP(w, r); w.Code != http.StatusNoContent {
				t.Fatalf("sign out: %d %s", w.Code, w.Body)
			}
		}
	}

	operators := []string{owner, adminKey}
	client := 0
	for _, request := range []struct {
		function, method, path, body string
		allowed                      []string
	}{
		{"aggregate", "POST", "/", "", append(slices.Clone(operators), schedule)},
		{"schema-guard", "POST", "/", "", append(slices.Clone(operators), schedule)},
		{"schema-guard", "POST", "/v1/recompute", `{"site":"one.example","from":"2026-03-01"}`, operators},
		{"schema-guard", "POST", "/v1/recompute", `{"site":"two.example","from":"2026-03-01"}`, operators},
		{"aggregate", "GET", "/metrics", "", []string{prometheus}},
		{"track", "GET", "/metrics", "", []string{prometheus}},
		{"dashboard", "GET", "/metrics", "", []string{prometheus}},
		{"dashboard", "GET", "/session", "", []string{session}},

		{"admin", "GET", "/v1/status", "", operators},
		{"admin", "GET", "/v1/keys", "", operators},
		{"admin", "POST", "/v1/keys", `{"name":"x","scopes":["query"]}`, operators},
		{"admin", "DELETE", "/v1/keys/999", "", operators},
		{"admin", "GET", "/v1/dead-letters", "", []string{owner}},
		{"admin", "POST", "/v1/dead-letters/replay", `{"limit":1}`, []string{owner}},
		{"admin", "POST", "/v1/sites", `{"domain":"not valid","timezone":"UTC"}`, operators},
		{"admin", "GET", "/v1/sites", "", append(slices.Clone(operators), adminKeyOfOne)},
		{"admin", "GET", "/v1/sites/one.example", "", append(slices.Clone(operators), adminKeyOfOne)},
		{"admin", "GET", "/v1/sites/two.example", "", operators},
		{"admin", "PATCH", "/v1/sites/two.example", `{}`, operators},
		{"admin", "DELETE", "/v1/sites/two.example", "", operators},
		{"admin", "GET", "/v1/sites/no.example", "", operators},
		{"admin", "GET", "/v1/sites/public.example", "", operators},
		{"admin", "GET", "/v1/sites/one.example/goals", "", append(slices.Clone(operators), adminKeyOfOne, queryKey, queryKeyOfOne, linkOfOne)},
		{"admin", "GET", "/v1/sites/two.example/goals", "", append(slices.Clone(operators), queryKey)},
		{"admin", "GET", "/v1/sites/one.example/share-links", "", append(slices.Clone(operators), adminKeyOfOne)},
		{"admin", "GET", "/v1/sites/two.example/share-links", "", operators},

		{"query", "POST", "/api/v2/query", `{"site_id":"one.example","metrics":["visitors"],"date_range":"7d"}`, []string{owner, queryKey, queryKeyOfOne, linkOfOne}},
		{"query", "POST", "/api/v2/query", `{"site_id":"two.example","metrics":["visitors"],"date_range":"7d"}`, []string{owner, queryKey}},
		{"query", "POST", "/v1/visits", `{"site_id":"one.example","date_range":"7d"}`, []string{owner, queryKey, queryKeyOfOne}},
		{"query", "POST", "/v1/visits", `{"site_id":"two.example","date_range":"7d"}`, []string{owner, queryKey}},
		{"query", "POST", "/api/v2/query", `{"site_id":"public.example","metrics":["visitors"],"date_range":"7d"}`, []string{nobody, owner, queryKey}},
		{"query", "POST", "/v1/visits", `{"site_id":"public.example","date_range":"7d"}`, []string{owner, queryKey}},
		{"query", "GET", "/v1/realtime?site_id=two.example", "", []string{owner, queryKey}},
		{"query", "GET", "/v1/realtime?site_id=public.example", "", []string{nobody, owner, queryKey}},
		{"websocket-bridge", "GET", "/v1/live?site=one.example", "", []string{nobody, owner, liveKeyOfOne, linkOfOne}}, // then 426
	} {
		allowed := request.allowed
		if slices.Contains(allowed, owner) && request.path != "/" { // schedules have no sessions
			allowed = append(slices.Clone(allowed), session)
		}
		if slices.Contains(allowed, session) && request.method == "GET" {
			allowed = append(slices.Clone(allowed), foreignSession) // its page can't read the answer
		}
		for who, secret := range secrets {
			client++
			address := fmt.Sprintf("10.0.%d.%d:1", client/256, client%256) // so that no client sends many wrong secrets
			t.Run(fmt.Sprintf("%s %s %s %s/%s", request.function, request.method, request.path, request.body, who), func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequestWithContext(t.Context(), request.method, request.path, strings.NewReader(request.body))
				r.RemoteAddr = address
				r.Header.Set("Content-Type", "application/json")
				if secret != "" {
					r.Header.Set("Authorization", "Bearer "+secret)
				}
				if cookie := cookies[who]; cookie != nil {
					r.AddCookie(cookie)
				}
				if who == foreignSession {
					r.Header.Set("Sec-Fetch-Site", "cross-site")
				}
				w := httptest.NewRecorder()
				all[request.function].ServeHTTP(w, r)
				refused := w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden
				if refused == slices.Contains(allowed, who) || w.Code >= http.StatusInternalServerError || w.Code == http.StatusTooManyRequests {
					t.Errorf("got %d %s; allowed are %q", w.Code, w.Body, allowed)
				}
				if strings.HasSuffix(who, " of one site") && strings.Contains(w.Body.String(), "two.example") {
					t.Errorf("the answer names another site: %s", w.Body)
				}
			})
		}
	}
}

// signIn returns the cookie of a new session of the owner.
func signIn(t *testing.T, dashboard http.Handler) *http.Cookie {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/session", strings.NewReader(`{"token":"`+adminToken+`"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	dashboard.ServeHTTP(w, r)
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return cookies[0]
}
