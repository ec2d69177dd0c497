package admin_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/functions/admin"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/model/writekey"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const token = "the-owner-of-this-whole-installation"

// installation is the function with its own database.
type installation struct {
	handler http.Handler
	db      *pgxpool.Pool
}

// install returns an installation whose Redis is unavailable.
func install(t *testing.T, database string) *installation {
	t.Helper()
	return installWith(t, database, "redis://127.0.0.1:1/0")
}

func installWith(t *testing.T, database, redisURL string) *installation {
	t.Helper()
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	options := address.Query()
	options.Set("pool_max_conns", "1") // no request may need a second connection while it holds one
	address.RawQuery = options.Encode()
	process := host.NewProcess(map[string]string{"DATABASE_URL": address.String(), "REDIS_URL": redisURL, "ADMIN_TOKEN": token}, slog.New(slog.DiscardHandler))
	t.Cleanup(process.Close)
	env := process.Env("admin")
	db, err := env.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	instance, err := host.Build(t.Context(), env, admin.New)
	if err != nil {
		t.Fatal(err)
	}
	return &installation{instance, db}
}

// send sends a request with a token or key and returns the status and document of the
// response.
func (i *installation) send(t *testing.T, secret, method, path, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret)
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, r)
	var document map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
			t.Fatalf("%s %s: %v in %q", method, path, err, w.Body)
		}
	}
	return w.Code, document
}

// must sends a request, fails the test if the response has another status, and returns
// its document.
func (i *installation) must(t *testing.T, status int, secret, method, path, body string) map[string]any {
	t.Helper()
	got, document := i.send(t, secret, method, path, body)
	if got != status {
		t.Fatalf("%s %s: status %d, want %d: %v", method, path, got, status, document)
	}
	return document
}

func TestSites(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))

	before := time.Now().Truncate(time.Second)
	created := i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"https://Example.com/path","name":" Example ","timezone":"Europe/Paris"}`)
	id, _ := created["id"].(string)
	if !regexp.MustCompile(`^s_[a-z2-7]{16}$`).MatchString(id) {
		t.Errorf("got public id %q", id)
	}
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(created["created_at"])); err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("created_at is %v", created["created_at"])
	}
	want := map[string]any{"id": id, "domain": "example.com", "name": "Example", "timezone": "Europe/Paris", "created_at": created["created_at"], "rules": map[string]any{}, "public": false}
	if diff := cmp.Diff(want, created); diff != "" {
		t.Error(diff)
	}
	i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"bücher.example","timezone":"UTC"}`)

	for _, name := range []string{"example.com", "EXAMPLE.com", id, strings.ToUpper(id)} {
		if diff := cmp.Diff(want, i.must(t, 200, token, "GET", "/v1/sites/"+name, "")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	list := i.must(t, 200, token, "GET", "/v1/sites", "")["sites"].([]any)
	if len(list) != 2 || !cmp.Equal(list[0], any(want)) || list[1].(map[string]any)["name"] != "xn--bcher-kva.example" {
		t.Errorf("got list %v", list)
	}

	// A new time zone takes effect on the next day of the one in force.
	changed := i.must(t, 200, token, "PATCH", "/v1/sites/example.com", `{"timezone":"Asia/Tokyo"}`)
	want["timezone"], want["previous_timezone"], want["timezone_since"] = "Asia/Tokyo", "Europe/Paris", changed["timezone_since"]
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Error(diff)
	}
	since, err := time.Parse(time.RFC3339, fmt.Sprint(changed["timezone_since"]))
	paris, loading := time.LoadLocation("Europe/Paris")
	if err != nil || loading != nil || since.In(paris).Format(time.TimeOnly) != "00:00:00" || time.Until(since) < 0 || time.Until(since) > 26*time.Hour {
		t.Errorf("the change takes effect at %v (%v, %v)", changed["timezone_since"], err, loading)
	}
	if diff := cmp.Diff(want, i.must(t, 200, token, "PATCH", "/v1/sites/example.com", `{"name":"Example"}`)); diff != "" {
		t.Errorf("change the name: %s", diff)
	}
	// The change can be undone, and is no longer shown once it has taken effect.
	delete(want, "previous_timezone")
	delete(want, "timezone_since")
	want["timezone"] = "Europe/Paris"
	if diff := cmp.Diff(want, i.must(t, 200, token, "PATCH", "/v1/sites/example.com", `{"timezone":"Europe/Paris"}`)); diff != "" {
		t.Error(diff)
	}
	i.must(t, 200, token, "PATCH", "/v1/sites/example.com", `{"timezone":"Asia/Tokyo"}`)
	if _, err := i.db.Exec(t.Context(), `UPDATE sites SET timezone_since = timezone_since - interval '2 days' WHERE domain = 'example.com'`); err != nil {
		t.Fatal(err)
	}
	want["timezone"] = "Asia/Tokyo"
	if diff := cmp.Diff(want, i.must(t, 200, token, "GET", "/v1/sites/example.com", "")); diff != "" {
		t.Error(diff)
	}
	// Other changes leave a public site public.
	want["public"] = true
	for _, change := range []string{`{"public":true}`, `{"name":"Example"}`} {
		if diff := cmp.Diff(want, i.must(t, 200, token, "PATCH", "/v1/sites/example.com", change)); diff != "" {
			t.Errorf("%s: %s", change, diff)
		}
	}
	want["public"] = false
	if diff := cmp.Diff(want, i.must(t, 200, token, "PATCH", "/v1/sites/example.com", `{"public":false}`)); diff != "" {
		t.Error(diff)
	}
	if p := i.must(t, 400, token, "PATCH", "/v1/sites/example.com", `{"timezone":"Mars/Olympus"}`); p["field"] != "timezone" {
		t.Errorf("an unknown time zone: %v", p)
	}
	if p := i.must(t, 409, token, "PATCH", "/v1/sites/xn--bcher-kva.example", `{"domain":"example.com"}`); p["code"] != "site_exists" || p["field"] != "domain" {
		t.Errorf("a domain of another site: %v", p)
	}
}

// TestRules checks that rules are returned as they are stored, replaced as a whole, and
// published to track immediately.
func TestRules(t *testing.T) {
	t.Parallel()
	cache := localtest.Redis(t)
	i := installWith(t, localtest.Postgres(t), cache)
	client := localtest.Client(t, cache)
	var keys privacy.SaltKeys
	if err := keys.UnmarshalText([]byte(localtest.SaltKey)); err != nil {
		t.Fatal(err)
	}
	published := registry.New(client, i.db, &keys, time.Now)
	accepts := func(host string) bool {
		t.Helper()
		if err := published.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		site, ok := published.Directory().Site("example.com")
		return ok && site.Rules.AllowsHostname(host)
	}
	created := i.must(t, http.StatusCreated, token, "POST", "/v1/sites", `{"domain":"example.com","timezone":"UTC","rules":{"hostnames":["Example.com"],"props":[]}}`)
	if diff := cmp.Diff(map[string]any{"hostnames": []any{"example.com"}, "props": []any{}}, created["rules"]); diff != "" {
		t.Error(diff)
	}
	if !accepts("example.com") || accepts("example.org") {
		t.Error("the rules of the new site are not published")
	}
	renamed := i.must(t, http.StatusOK, token, "PATCH", "/v1/sites/example.com", `{"name":"Other"}`)
	if diff := cmp.Diff(created["rules"], renamed["rules"]); diff != "" {
		t.Error(diff)
	}
	changed := i.must(t, http.StatusOK, token, "PATCH", "/v1/sites/example.com", `{"rules":{"excluded_countries":["fr"]}}`)
	if diff := cmp.Diff(map[string]any{"excluded_countries": []any{"FR"}}, changed["rules"]); diff != "" {
		t.Error(diff)
	}
	if !accepts("example.org") {
		t.Error("the changed rules are not published")
	}
	masks := func() bool {
		t.Helper()
		if err := published.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		site, _ := published.Directory().Site("example.com")
		return site.Rules.Masks()
	}
	if !masks() {
		t.Error("a site without the rule mask does not mask")
	}
	unmasked := i.must(t, http.StatusOK, token, "PATCH", "/v1/sites/example.com", `{"rules":{"mask":false}}`)
	if diff := cmp.Diff(map[string]any{"mask": false}, unmasked["rules"]); diff != "" || masks() {
		t.Errorf("masks %t after the rule was set to false: %s", masks(), diff)
	}
	masked := i.must(t, http.StatusOK, token, "PATCH", "/v1/sites/example.com", `{"rules":{"mask":true}}`)
	if diff := cmp.Diff(map[string]any{}, masked["rules"]); diff != "" || !masks() {
		t.Errorf("masks %t after the rule was set to true: %s", masks(), diff)
	}
	for body, field := range map[string]string{
		`{"rules":{"excluded_addresses":["1.2.3.4","x"]}}`: "rules.excluded_addresses[1]",
		`{"rules":{"sample":"ten"}}`:                       "rules.sample",
		`{"rules":{"currencies":["EUR","euro"]}}`:          "rules.currencies[1]",
		`{"rules":{"mask":"no"}}`:                          "rules.mask",
		`{"rules":{"hosts":[]}}`:                           "rules.hosts",
	} {
		if p := i.must(t, http.StatusBadRequest, token, "PATCH", "/v1/sites/example.com", body); p["field"] != field {
			t.Errorf("%s: %v", body, p)
		}
	}
	i.must(t, http.StatusNoContent, token, "DELETE", "/v1/sites/example.com?confirm=example.com", "")
	if accepts("example.org") {
		t.Error("the deletion of the site is not published")
	}
}

func TestCreateSiteErrors(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"taken.example","timezone":"UTC"}`)
	tests := map[string]struct {
		body   string
		status int
		code   string
		field  any
	}{
		"no domain":          {`{"timezone":"UTC"}`, 400, "invalid", "domain"},
		"a domain with port": {`{"domain":"localhost:3000","timezone":"UTC"}`, 400, "invalid", "domain"},
		"not a domain":       {`{"domain":"not a domain","timezone":"UTC"}`, 400, "invalid", "domain"},
		"a long domain":      {`{"domain":"` + strings.Repeat("a", 64) + `.com","timezone":"UTC"}`, 400, "invalid", "domain"},
		"a NUL in a domain":  {`{"domain":"a\u0000.com","timezone":"UTC"}`, 400, "invalid", "domain"},
		"no time zone":       {`{"domain":"a.example"}`, 400, "invalid", "timezone"},
		"the local zone":     {`{"domain":"a.example","timezone":"Local"}`, 400, "invalid", "timezone"},
		"an unknown zone":    {`{"domain":"a.example","timezone":"Mars/Olympus"}`, 400, "invalid", "timezone"},
		"a path for a zone":  {`{"domain":"a.example","timezone":"../../etc/passwd"}`, 400, "invalid", "timezone"},
		"a long name":        {`{"domain":"a.example","timezone":"UTC","name":"` + strings.Repeat("n", 121) + `"}`, 400, "invalid", "name"},
		"a NUL in a name":    {`{"domain":"a.example","timezone":"UTC","name":"\u0000"}`, 400, "invalid", "name"},
		"a taken domain":     {`{"domain":"TAKEN.example","timezone":"UTC"}`, 409, "site_exists", "domain"},
		"an unknown field":   {`{"domain":"a.example","timezone":"UTC","colour":"red"}`, 400, "invalid", "colour"},
		"a repeated field":   {`{"domain":"a.example","domain":"b.example"}`, 400, "invalid", "domain"},
		"a wrong type":       {`{"domain":7}`, 400, "invalid", "domain"},
		"an array":           {`[]`, 400, "invalid", nil},
		"truncated JSON":     {`{"domain":"a.ex`, 400, "invalid", "domain"},
		"not JSON":           {`domain=a.example`, 400, "invalid", nil},
		"an empty body":      {``, 400, "invalid", nil},
		"two documents":      {`{} {}`, 400, "invalid", nil},
		"a large body":       {`{"name":"` + strings.Repeat("n", 70_000) + `"}`, 413, "body_too_large", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := i.must(t, test.status, token, "POST", "/v1/sites", test.body)
			if p["code"] != test.code || p["field"] != test.field || p["detail"] == nil {
				t.Errorf("got %v, want code %s and field %v", p, test.code, test.field)
			}
		})
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	for request, want := range map[string]struct {
		status int
		code   string
	}{
		"GET /":                       {404, "not_found"},
		"GET /v2/sites":               {404, "not_found"},
		"PUT /v1/sites":               {405, "method_not_allowed"},
		"POST /v1/status":             {405, "method_not_allowed"},
		"GET /v1/sites/no.example":    {404, "site_unknown"},
		"DELETE /v1/sites/no.example": {404, "site_unknown"},
		"GET /v1/sites/s_0000":        {404, "site_unknown"},
		"GET /v1/sites/a%00b":         {404, "site_unknown"},
		"GET /v1/sites/s_%00":         {404, "site_unknown"},
		"DELETE /v1/keys/7":           {404, "key_unknown"},
		"DELETE /v1/keys/seven":       {404, "key_unknown"},
	} {
		method, path, _ := strings.Cut(request, " ")
		if p := i.must(t, want.status, token, method, path, ""); p["code"] != want.code {
			t.Errorf("%s: %v, want code %s", request, p, want.code)
		}
	}
}

func TestUnauthorized(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	for _, request := range []string{
		"GET /v1/sites", "POST /v1/sites", "GET /v1/sites/x", "PATCH /v1/sites/x", "DELETE /v1/sites/x",
		"GET /v1/keys", "POST /v1/keys", "DELETE /v1/keys/1", "GET /v1/status",
		"GET /v1/sites/x/goals", "POST /v1/sites/x/segments", "PATCH /v1/sites/x/funnels/1", "DELETE /v1/sites/x/annotations/1", "GET /v1/sites/x/share-links",
	} {
		method, path, _ := strings.Cut(request, " ")
		i.must(t, 401, "wrong", method, path, `{}`)
	}
}

// TestWriteKeys checks that a write key is published to track until it is revoked, and opens
// nothing here.
func TestWriteKeys(t *testing.T) {
	t.Parallel()
	cache := localtest.Redis(t)
	i := installWith(t, localtest.Postgres(t), cache)
	published := registry.New(localtest.Client(t, cache), i.db, &privacy.SaltKeys{}, time.Now)
	i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"one.example","timezone":"UTC"}`)
	created := i.must(t, 201, token, "POST", "/v1/keys", `{"name":"shop","scopes":["write"],"sites":["one.example"]}`)
	secret, _ := created["key"].(string)
	if !regexp.MustCompile(`^wk_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
		t.Errorf("got key %q", secret)
	}
	known := func() bool {
		t.Helper()
		if err := published.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		key, ok := published.WriteKey(writekey.HashOf(secret))
		if ok && (!key.Covers(1) || key.Covers(2) || !strings.HasPrefix(key.Only, "s_")) {
			t.Errorf("published %+v", key)
		}
		return ok
	}
	if !known() {
		t.Error("the key is not published")
	}
	if p := i.must(t, 403, secret, "GET", "/v1/sites", ""); p["code"] != "forbidden" {
		t.Errorf("a write key lists sites: %v", p)
	}
	i.must(t, 204, token, "DELETE", "/v1/keys/1", "")
	if known() {
		t.Error("the revoked key is still published")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"one.example","timezone":"UTC"}`)
	i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"two.example","timezone":"UTC"}`)

	created := i.must(t, 201, token, "POST", "/v1/keys", `{"name":"ops","scopes":["admin","query"],"sites":["one.example"]}`)
	secret, _ := created["key"].(string)
	if !regexp.MustCompile(`^ak_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
		t.Errorf("got key %q", secret)
	}
	delete(created, "key")
	want := map[string]any{
		"id": 1., "name": "ops", "scopes": []any{"admin", "query"}, "sites": []any{"one.example"},
		"created_at": created["created_at"], "last_used_at": nil,
	}
	if diff := cmp.Diff(want, created); diff != "" {
		t.Error(diff)
	}
	var plaintext int
	if err := i.db.QueryRow(t.Context(), `SELECT count(*) FROM api_keys WHERE position($1 in api_keys::text) > 0`, secret).Scan(&plaintext); err != nil || plaintext > 0 {
		t.Errorf("the database contains the key in plain text (%v)", err)
	}

	// The key administers its site and nothing else.
	sites := i.must(t, 200, secret, "GET", "/v1/sites", "")["sites"].([]any)
	if len(sites) != 1 || sites[0].(map[string]any)["domain"] != "one.example" {
		t.Errorf("a key for one.example lists %v", sites)
	}
	i.must(t, 200, secret, "PATCH", "/v1/sites/one.example", `{"name":"One"}`)
	for _, request := range []string{
		"GET /v1/sites/two.example", "GET /v1/sites/no.example", "DELETE /v1/sites/two.example?confirm=two.example",
		"POST /v1/sites", "GET /v1/keys", "POST /v1/keys", "DELETE /v1/keys/1", "GET /v1/status",
	} {
		method, path, _ := strings.Cut(request, " ")
		i.must(t, 403, secret, method, path, `{}`)
	}

	listed := i.must(t, 200, token, "GET", "/v1/keys", "")["keys"].([]any)
	if used := listed[0].(map[string]any)["last_used_at"]; len(listed) != 1 || used == nil {
		t.Errorf("got list %v", listed)
	}
	i.must(t, 204, token, "DELETE", "/v1/keys/1", "")
	if left := i.must(t, 200, token, "GET", "/v1/keys", "")["keys"].([]any); len(left) != 0 {
		t.Errorf("got list %v, want it empty", left)
	}
}

func TestCreateKeyErrors(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	for body, field := range map[string]string{
		`{"scopes":["query"]}`:                                 "name",
		`{"name":"a\tb","scopes":["query"]}`:                   "name",
		`{"name":"a","scopes":["write","query"]}`:              "scopes.0",
		`{"name":"a"}`:                                         "scopes",
		`{"name":"a","scopes":["query","root"]}`:               "scopes.1",
		`{"name":"a","scopes":["query","query"]}`:              "scopes.1",
		`{"name":"a","scopes":["query"],"sites":"a"}`:          "sites",
		`{"name":"a","scopes":["query"],"sites":["a.b",7]}`:    "sites.1",
		`{"name":"a","scopes":["query"],"expires":"tomorrow"}`: "expires",
	} {
		if p := i.must(t, 400, token, "POST", "/v1/keys", body); p["field"] != field {
			t.Errorf("%s: %v, want field %s", body, p, field)
		}
	}
	if p := i.must(t, 404, token, "POST", "/v1/keys", `{"name":"a","scopes":["query"],"sites":["no.example"]}`); p["field"] != "sites.0" {
		t.Errorf("an unknown site: %v", p)
	}
}

func TestDeleteSite(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			i := install(t, database.URL)
			for _, domain := range []string{"deleted.example", "other.example"} {
				i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"`+domain+`","timezone":"UTC"}`)
				site, err := sites.Find(t.Context(), i.db, domain)
				if err != nil {
					t.Fatal(err)
				}
				record(t, i.db, site.ID, time.Now())
				if _, err := i.db.Exec(t.Context(), `INSERT INTO rollup_kept VALUES ($1, '2026-03-01', 1, '')`, site.ID); err != nil {
					t.Fatal(err)
				}
				for kind, body := range map[string]string{
					"goals": `{"name":"a","event":"a"}`, "segments": `{"name":"a","filters":[]}`, "funnels": `{"name":"a","definition":` + definition + `}`,
					"annotations": `{"day":"2026-03-01","text":"a"}`, "share-links": `{"name":"a"}`,
				} {
					i.must(t, 201, token, "POST", "/v1/sites/"+domain+"/"+kind, body)
				}
			}
			i.must(t, 201, token, "POST", "/v1/keys", `{"name":"of one","scopes":["query"],"sites":["deleted.example"]}`)
			i.must(t, 201, token, "POST", "/v1/keys", `{"name":"of two","scopes":["query"],"sites":["deleted.example","other.example"]}`)
			i.must(t, 201, token, "POST", "/v1/keys", `{"name":"of all","scopes":["query"]}`)

			for _, confirm := range []string{"", "?confirm=other.example", "?confirm=yes"} {
				if p := i.must(t, 400, token, "DELETE", "/v1/sites/deleted.example"+confirm, ""); p["field"] != "confirm" {
					t.Errorf("%q: %v", confirm, p)
				}
			}
			i.must(t, 204, token, "DELETE", "/v1/sites/deleted.example?confirm=deleted.example", "")
			i.must(t, 404, token, "GET", "/v1/sites/deleted.example", "")
			for _, table := range []string{
				"events", "visits", "rollup_hour", "rollup_day", "rollup_month", "rollup_kept", "drops", "day_checks",
				"goals", "segments", "funnels", "annotations", "share_links",
			} {
				var deleted, other int
				err := i.db.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE site_id = 1), count(*) FILTER (WHERE site_id = 2) FROM `+table).Scan(&deleted, &other)
				if err != nil || deleted != 0 || other == 0 {
					t.Errorf("%s has %d rows of the deleted site and %d of the other one (%v)", table, deleted, other, err)
				}
			}
			// A key for the deleted site alone must not become one for all sites.
			var left []string
			for _, key := range i.must(t, 200, token, "GET", "/v1/keys", "")["keys"].([]any) {
				k := key.(map[string]any)
				left = append(left, fmt.Sprint(k["name"], k["sites"]))
			}
			if diff := cmp.Diff([]string{"of two[other.example]", "of all[]"}, left); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			i := install(t, database.URL)
			busy := i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"busy.example","timezone":"UTC"}`)
			quiet := i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"quiet.example","timezone":"UTC"}`)
			now := time.Now().UTC().Truncate(time.Millisecond)
			record(t, i.db, 1, now)
			record(t, i.db, 1, now.AddDate(0, 0, -1))
			if _, err := i.db.Exec(t.Context(), `
INSERT INTO day_checks SELECT 1, $1::date - age, $1, differences, coalesce(differences > 0, false)
FROM (VALUES (2, 0), (3, 7), (4, NULL), (40, 9)) AS c (age, differences)`, now); err != nil {
				t.Fatal(err)
			}

			got := i.must(t, 200, token, "GET", "/v1/status", "")
			facts, _ := got["database"].(map[string]any)
			var timescale string
			if err := i.db.QueryRow(t.Context(), `SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), '')`).Scan(&timescale); err != nil {
				t.Fatal(err)
			}
			if facts["timescaledb"] != timescale || facts["postgresql"] == "" || facts["schema"].(float64) < 1 {
				t.Errorf("got database %v, want TimescaleDB %q", facts, timescale)
			}
			delete(got, "database")
			want := map[string]any{
				"sites": []any{
					map[string]any{"id": busy["id"], "domain": "busy.example", "events_today": 1., "last_event_at": now.Format(time.RFC3339Nano)},
					map[string]any{"id": quiet["id"], "domain": "quiet.example", "events_today": 0., "last_event_at": nil},
				},
				"dead_letters": 0.,
				"drops":        []any{map[string]any{"site": "busy.example", "reason": "machine", "events": 6.}},
				"days_checked": 2., "days_wrong": 1., "days_unchecked": 3., // one, and two of record
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// record stores an event of a site, an unfinished check of its day and three drops.
func record(t *testing.T, db *pgxpool.Pool, site int32, at time.Time) {
	t.Helper()
	at = at.UTC().Truncate(time.Millisecond)
	e := event.Event{ID: uuid.New(), Site: site, Time: at, Day: event.DayOf(at), Visitor: 1, Type: event.View, Page: "/"}
	visits := visit.Fold([]*event.Event{&e})
	rollups := visit.NewRollups()
	rollups.Add(visits)
	if _, err := store.AddEvents(t.Context(), db, []*event.Event{&e}); err != nil {
		t.Fatal(err)
	}
	if err := store.ApplyVisits(t.Context(), db, store.VisitChanges{Added: []*visit.Visit{&visits[0]}}); err != nil {
		t.Fatal(err)
	}
	if err := store.ApplyRollups(t.Context(), db, rollups); err != nil {
		t.Fatal(err)
	}
	if err := store.AddDayCheck(t.Context(), db, store.DayCheck{Site: site, Day: e.Day, At: at}); err != nil {
		t.Fatal(err)
	}
	if err := store.AddDrops(t.Context(), db, map[store.DropKey]int64{{Site: site, Day: e.Day, Reason: "machine"}: 3}); err != nil {
		t.Fatal(err)
	}
}
