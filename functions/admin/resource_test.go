package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// withSites returns an installation with the sites one.example and two.example.
func withSites(t *testing.T, database string) *installation {
	t.Helper()
	i := install(t, database)
	for _, domain := range []string{"one.example", "two.example"} {
		i.must(t, 201, token, "POST", "/v1/sites", `{"domain":"`+domain+`","timezone":"UTC"}`)
	}
	return i
}

// without returns a document without some of its members.
func without(document map[string]any, names ...string) map[string]any {
	rest := map[string]any{}
	for name, value := range document {
		rest[name] = value
	}
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}

// TestResources creates, lists, changes and deletes a resource of each kind.
func TestResources(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	tests := map[string]struct {
		create, change   string
		created, changed object
	}{
		"goals": {
			`{"name":"Sign-up","event":"signup","props":{"plan":"pro","a":"b"},"currency":"eur"}`, `{"name":"Paid","props":{"plan":"max"}}`,
			object{"id": 1., "name": "Sign-up", "event": "signup", "props": object{"plan": "pro", "a": "b"}, "currency": "EUR"},
			object{"id": 1., "name": "Paid", "event": "signup", "props": object{"plan": "max"}, "currency": "EUR"},
		},
		"goals, of pages": {
			`{"name":"Blog","page":"/blog/**","props":{"plan":"pro"}}`, `{"page":"","event":"read","props":{}}`,
			object{"id": 1., "name": "Blog", "page": "/blog/**", "props": object{"plan": "pro"}},
			object{"id": 1., "name": "Blog", "event": "read"},
		},
		"segments": {
			`{"name":"Phones","filters":[["is","visit:device",["Mobile"]]]}`, `{"filters":[]}`,
			object{"id": 1., "name": "Phones", "filters": []any{[]any{"is", "visit:device", []any{"Mobile"}}}},
			object{"id": 1., "name": "Phones", "filters": []any{}},
		},
		"funnels": {
			`{"name":"Order","definition":` + definition + `}`, `{"name":"Buy"}`,
			object{"id": 1., "name": "Order", "definition": decoded(definition)},
			object{"id": 1., "name": "Buy", "definition": decoded(definition)},
		},
		"annotations": {
			`{"day":"2026-03-01","text":" Version 2 "}`, `{"day":"2026-03-02"}`,
			object{"id": 1., "day": "2026-03-01", "text": "Version 2"},
			object{"id": 1., "day": "2026-03-02", "text": "Version 2"},
		},
	}
	for name, test := range tests {
		kind, _, _ := strings.Cut(name, ",")
		path := "/v1/sites/one.example/" + kind
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, database := range localtest.Databases(t) {
				t.Run(database.Name, func(t *testing.T) {
					t.Parallel()
					i := withSites(t, database.URL)
					before := time.Now().Truncate(time.Second)
					created := i.must(t, 201, token, "POST", path, test.create)
					if at, err := time.Parse(time.RFC3339, fmt.Sprint(created["created_at"])); err != nil || at.Before(before) || at.After(time.Now()) {
						t.Errorf("created_at is %v", created["created_at"])
					}
					if diff := cmp.Diff(test.created, without(created, "created_at", "updated_at")); diff != "" {
						t.Error(diff)
					}
					if diff := cmp.Diff(object{kind: []any{created}}, i.must(t, 200, token, "GET", path, "")); diff != "" {
						t.Error(diff)
					}
					if diff := cmp.Diff(object{kind: []any{}}, i.must(t, 200, token, "GET", "/v1/sites/two.example/"+kind, "")); diff != "" {
						t.Errorf("another site: %s", diff)
					}
					changed := i.must(t, 200, token, "PATCH", path+"/1", test.change)
					if diff := cmp.Diff(test.changed, without(changed, "created_at", "updated_at")); diff != "" {
						t.Error(diff)
					}
					if diff := cmp.Diff(object{kind: []any{changed}}, i.must(t, 200, token, "GET", path, "")); diff != "" {
						t.Error(diff)
					}
					if diff := cmp.Diff(changed, i.must(t, 200, token, "PATCH", path+"/1", `{}`)); diff != "" && kind != "segments" { // updated_at changes
						t.Errorf("an empty change: %s", diff)
					}
					i.must(t, 404, token, "DELETE", "/v1/sites/two.example/"+kind+"/1", "")
					i.must(t, 204, token, "DELETE", path+"/1", "")
					unknown := strings.TrimSuffix(kind, "s") + "_unknown"
					for _, request := range []string{"DELETE " + path + "/1", "PATCH " + path + "/1", "DELETE " + path + "/one", "PATCH " + path + "/99999999999"} {
						method, path, _ := strings.Cut(request, " ")
						if p := i.must(t, 404, token, method, path, `{}`); p["code"] != unknown {
							t.Errorf("%s: %v", request, p)
						}
					}
				})
			}
		})
	}
}

func TestNameTaken(t *testing.T) {
	t.Parallel()
	i := withSites(t, localtest.Postgres(t))
	for kind, rest := range map[string]string{"goals": `"event":"a"`, "segments": `"filters":[]`, "funnels": `"definition":` + definition} {
		path := "/v1/sites/one.example/" + kind
		i.must(t, 201, token, "POST", path, `{"name":"a",`+rest+`}`)
		second := i.must(t, 201, token, "POST", path, `{"name":"b",`+rest+`}`)
		i.must(t, 201, token, "POST", "/v1/sites/two.example/"+kind, `{"name":"a",`+rest+`}`)
		for _, request := range []string{"POST " + path, fmt.Sprint("PATCH ", path, "/", second["id"])} {
			method, path, _ := strings.Cut(request, " ")
			if p := i.must(t, 409, token, method, path, `{"name":" a ",`+rest+`}`); p["code"] != strings.TrimSuffix(kind, "s")+"_exists" || p["field"] != "name" {
				t.Errorf("%s: %v", request, p)
			}
		}
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	i := withSites(t, localtest.Postgres(t))
	if _, err := i.db.Exec(t.Context(), `INSERT INTO funnels (site_id, name, definition) SELECT 1, n, '{}' FROM generate_series(1, $1) AS n`, sites.MaxFunnels); err != nil {
		t.Fatal(err)
	}
	if p := i.must(t, 409, token, "POST", "/v1/sites/one.example/funnels", `{"name":"a","definition":`+definition+`}`); p["code"] != "too_many" || !strings.Contains(fmt.Sprint(p["detail"]), "50") {
		t.Errorf("got %v", p)
	}
	i.must(t, 204, token, "DELETE", "/v1/sites/one.example/funnels/7", "")
	i.must(t, 201, token, "POST", "/v1/sites/one.example/funnels", `{"name":"a","definition":`+definition+`}`)
}

func TestResourceErrors(t *testing.T) {
	t.Parallel()
	i := withSites(t, localtest.Postgres(t))
	for request, field := range map[string]any{
		`goals {"event":"a"}`:                               "name",
		`goals {"name":"a"}`:                                "event",
		`goals {"name":"a","event":"a","page":"/"}`:         "page",
		`goals {"name":"a","page":"blog"}`:                  "page",
		`goals {"name":"a","page":"/","currency":"EUR"}`:    "currency",
		`goals {"name":"a","event":"a","props":{"plan":7}}`: "props.plan",
		`goals {"name":"a","event":"a","props":["plan"]}`:   "props",
		`goals {"name":"a","event":"a","id":7}`:             "id",
		`segments {"name":"a"}`:                             "filters",
		`segments {"filters":[]}`:                           "name",
		`segments {"name":"a","filters":null}`:              "filters",
		`segments {"name":"a","filters":{}}`:                "filters",
		`segments {"name":"a","filters":[["matches","event:page",["x{1000}","x{1000}","x{9}"]]]}`:                                                        "filters.0.2.2",
		`funnels {"name":"a","definition":{"steps":[{"filters":[["matches","event:page",["(?:xyz){1000}"]]]},{"filters":[["is","event:page",["/"]]]}]}}`: "definition.steps.0.filters.0.2.0",
		`goals {"name":"a","page":"/*/*/*/*/*/*/*/*/*/*/*"}`:                                                                                             "page",
		`segments {"name":"a","filters":["a\u0000"]}`:                                                                                                    "filters",
		`segments {"name":"a","filters":[1e400000]}`:                                                                                                     "filters",
		`segments {"name":"a","filters":[{"a":1,"a":2}]}`:                                                                                                "filters.0.a",
		`segments {"name":"a","filters":["` + long(16<<10) + `"]}`:                                                                                       "filters",
		`funnels {"name":"a","definition":[]}`:                                                                                                           "definition",
		`funnels {"name":"a","definition":{"\u0000":1}}`:                                                                                                 "definition",
		`funnels {"name":"a","definition":{}}`:                                                                                                           "definition.steps",
		`funnels {"name":"a","definition":{"steps":[{"goal":1}]}}`:                                                                                       "definition.steps.0.goal",
		`segments {"name":"a","filters":[["is","event:page",[]]]}`:                                                                                       "filters.0.2",
		`funnels {"name":"` + long(101) + `","definition":` + definition + `}`:                                                                           "name",
		`annotations {"text":"a"}`:                                                                                                                       "day",
		`annotations {"day":"2026-02-30","text":"a"}`:                                                                                                    "day",
		`annotations {"day":"2026-03-01"}`:                                                                                                               "text",
		`annotations {"day":"2026-03-01","text":"` + long(501) + `"}`:                                                                                    "text",
		`annotations {"day":"2026-03-01","text":"a\u0000b"}`:                                                                                             "text",
		`share-links {"expires_at":"2126-03-01T00:00:00Z"}`:                                                                                              "name",
		`share-links {"name":"a","expires_at":"2026-03-01T00:00:00Z"}`:                                                                                   "expires_at",
		`share-links {"name":"a","expires_at":"tomorrow"}`:                                                                                               "expires_at",
		`share-links {"name":"a","sites":["two.example"]}`:                                                                                               "sites",
		`annotations `: nil,
	} {
		kind, body, _ := strings.Cut(request, " ")
		if p := i.must(t, 400, token, "POST", "/v1/sites/one.example/"+kind, body); p["field"] != field || p["code"] != "invalid" {
			t.Errorf("%.80s: %v, want field %v", request, p, field)
		}
	}
	// Values at the limits are accepted.
	for _, request := range []string{
		`segments {"name":"b","filters":[["is","event:page",["` + long(16<<10-26) + `"]]]}`,
		`annotations {"day":"0001-01-01","text":"a"}`, `annotations {"day":"9999-12-31","text":"a"}`,
	} {
		kind, body, _ := strings.Cut(request, " ")
		i.must(t, 201, token, "POST", "/v1/sites/one.example/"+kind, body)
	}
}

func long(n int) string { return strings.Repeat("a", n) }

// TestResourceAccess checks that reading needs the scope query or admin, that changes need
// admin, and that the key must be valid for the site.
func TestResourceAccess(t *testing.T) {
	t.Parallel()
	i := withSites(t, localtest.Postgres(t))
	secret := func(kind, body string) string {
		document := i.must(t, 201, token, "POST", kind, body)
		if secret, ok := document["secret"].(string); ok {
			return secret
		}
		return document["key"].(string)
	}
	admin := secret("/v1/keys", `{"name":"a","scopes":["admin"],"sites":["one.example"]}`)
	query := secret("/v1/keys", `{"name":"a","scopes":["query"],"sites":["one.example"]}`)
	live := secret("/v1/keys", `{"name":"a","scopes":["live"],"sites":["one.example"]}`)
	link := secret("/v1/sites/one.example/share-links", `{"name":"a"}`)
	i.must(t, 200, token, "PATCH", "/v1/sites/one.example", `{"public":true}`)

	bodies := map[string]string{
		"goals": `{"name":"a","event":"a"}`, "segments": `{"name":"a","filters":[]}`, "funnels": `{"name":"a","definition":` + definition + `}`,
		"annotations": `{"day":"2026-03-01","text":"a"}`, "share-links": `{"name":"a"}`,
	}
	for kind, body := range bodies {
		reading, own := 200, "/v1/sites/one.example/"+kind
		if kind == "share-links" {
			reading = 403
		}
		for _, reader := range []string{query, link} {
			i.must(t, reading, reader, "GET", own, "")
			i.must(t, 403, reader, "GET", "/v1/sites/two.example/"+kind, "")
			i.must(t, 403, reader, "GET", "/v1/sites/no.example/"+kind, "")
			i.must(t, 403, reader, "POST", own, body)
			i.must(t, 403, reader, "DELETE", own+"/1", "")
		}
		i.must(t, 200, admin, "GET", own, "")
		i.must(t, 201, admin, "POST", own, body)
		for _, other := range []string{"two.example", "no.example"} {
			i.must(t, 403, admin, "GET", "/v1/sites/"+other+"/"+kind, "")
			i.must(t, 403, admin, "POST", "/v1/sites/"+other+"/"+kind, body)
			i.must(t, 403, admin, "DELETE", "/v1/sites/"+other+"/"+kind+"/1", "")
		}
		i.must(t, 403, live, "GET", own, "")
		i.must(t, 401, "sl_nothing", "GET", own, "")
		i.must(t, 404, token, "GET", "/v1/sites/no.example/"+kind, "")
	}
	i.must(t, 403, link, "GET", "/v1/sites", "")
	i.must(t, 403, link, "PATCH", "/v1/sites/one.example", `{"public":false}`)
}

func TestShareLinks(t *testing.T) {
	t.Parallel()
	i := withSites(t, localtest.Postgres(t))
	const path = "/v1/sites/one.example/share-links"
	created := i.must(t, 201, token, "POST", path, `{"name":" Board ","expires_at":"2126-03-01T01:00:00+01:00"}`)
	secret, _ := created["secret"].(string)
	if !regexp.MustCompile(`^sl_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
		t.Errorf("got secret %q", secret)
	}
	want := map[string]any{"id": 1., "name": "Board", "created_at": created["created_at"], "expires_at": "2126-03-01T00:00:00Z", "last_used_at": nil}
	if diff := cmp.Diff(want, without(created, "secret")); diff != "" {
		t.Error(diff)
	}
	var plaintext int
	if err := i.db.QueryRow(t.Context(), `SELECT count(*) FROM share_links WHERE position($1 in share_links::text) > 0`, secret).Scan(&plaintext); err != nil || plaintext > 0 {
		t.Errorf("the database contains the secret in plain text (%v)", err)
	}
	i.must(t, 200, secret, "GET", "/v1/sites/one.example/goals", "")
	listed := i.must(t, 200, token, "GET", path, "")["share_links"].([]any)
	if len(listed) != 1 || listed[0].(map[string]any)["last_used_at"] == nil {
		t.Fatalf("got list %v", listed)
	}
	if diff := cmp.Diff(without(want, "last_used_at"), without(listed[0].(map[string]any), "last_used_at")); diff != "" {
		t.Error(diff)
	}
	if p := i.must(t, 405, token, "PATCH", path+"/1", `{}`); p["code"] != "method_not_allowed" {
		t.Errorf("change a link: %v", p)
	}
	i.must(t, http.StatusNoContent, token, "DELETE", path+"/1", "")
	if p := i.must(t, 404, token, "DELETE", path+"/1", ""); p["code"] != "share_link_unknown" {
		t.Errorf("revoke it again: %v", p)
	}
}

// definition is the definition of a funnel.
const definition = `{"steps":[{"name":"In","filters":[["is","event:page",["/"]]]},{"filters":[["is","event:name",["a"]]]}]}`

func decoded(document string) (value any) {
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		panic(err)
	}
	return value
}
