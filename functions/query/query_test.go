package query_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/functions/query"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const token = "the-owner-of-this-whole-installation"

// installation is the function with a database that has the site example.com, in Paris, and
// its events of the first days of March 2026.
type installation struct {
	handler http.Handler
	db      *pgxpool.Pool
	site    sites.Site
}

func install(t *testing.T, database string, variables ...string) *installation {
	t.Helper()
	return installWith(t, database, patient(), variables...)
}

// patient returns the limits of a large process, but those of time.
func patient() admission.Limits {
	limits := admission.LimitsFor(1<<30, 100)
	limits.Time = time.Hour
	return limits
}

func installWith(t *testing.T, database string, limits admission.Limits, variables ...string) *installation {
	t.Helper()
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	options := address.Query()
	options.Set("pool_max_conns", "1") // a question must not need a second connection
	address.RawQuery = options.Encode()
	environ := append([]string{"DATABASE_URL=" + address.String(), "ADMIN_TOKEN=" + token}, variables...)
	process := host.NewProcess(host.Variables(environ), slog.New(slog.DiscardHandler))
	t.Cleanup(process.Close)
	env := process.Env("query")
	db, err := env.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	site, err := sites.Create(t.Context(), db, sites.Draft{Domain: "example.com", Name: "Example", Timezone: "Europe/Paris"})
	if err != nil {
		t.Fatal(err)
	}
	record(t, db, sampleEvents(t, site.ID))
	instance, err := host.Build(t.Context(), env, query.WithLimits(limits))
	if err != nil {
		t.Fatal(err)
	}
	return &installation{instance, db, site}
}

// sampleEvents are few enough to count by hand:
//
//	2 March  visitor 1  10:00 / from Google in France, 10:05 /pricing, 10:06 signup on /pricing
//	                    15:00 / (another visit, direct)
//	         visitor 2  10:59 / from Google in Germany, 11:09 /docs
//	3 March  visitor 1  00:30 /docs, direct, place unknown
func sampleEvents(t *testing.T, site int32) []event.Event {
	t.Helper()
	location, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour, minute int, visitor int64, page string, a event.Attributes) event.Event {
		local := time.Date(2026, 3, day, hour, minute, 0, 0, location)
		return event.Event{
			ID: uuid.New(), Site: site, Time: local.UTC(), Day: event.DayOf(local), UTCOffset: 60, Visitor: visitor,
			Type: event.View, Page: page, Hostname: "example.com", Attributes: a,
		}
	}
	googleFrance := event.Attributes{Source: "Google", Country: "FR", Device: "Desktop"}
	googleGermany := event.Attributes{Source: "Google", Country: "DE", Device: "Mobile"}
	direct := event.Attributes{Country: "FR", Device: "Desktop"}
	signup := at(2, 10, 6, 1, "/pricing", direct)
	signup.Type, signup.Name = event.Conversion, "signup"
	return []event.Event{
		at(2, 10, 0, 1, "/", googleFrance), at(2, 10, 5, 1, "/pricing", direct), signup, at(2, 15, 0, 1, "/", direct),
		at(2, 10, 59, 2, "/", googleGermany), at(2, 11, 9, 2, "/docs", event.Attributes{}),
		at(3, 0, 30, 1, "/docs", event.Attributes{Device: "Desktop"}),
	}
}

// record stores events as aggregate does.
func record(t *testing.T, db *pgxpool.Pool, events []event.Event) {
	t.Helper()
	days := map[store.VisitorDay][]*event.Event{}
	var all []*event.Event
	for i := range events {
		e := &events[i]
		all = append(all, e)
		days[store.VisitorDayOf(e)] = append(days[store.VisitorDayOf(e)], e)
	}
	rollups := visit.NewRollups()
	var visits []*visit.Visit
	for _, day := range days {
		folded := visit.Fold(day)
		rollups.Add(folded)
		for i := range folded {
			visits = append(visits, &folded[i])
		}
	}
	if _, err := store.AddEvents(t.Context(), db, all); err != nil {
		t.Fatal(err)
	}
	if err := store.ApplyVisits(t.Context(), db, store.VisitChanges{Added: visits}); err != nil {
		t.Fatal(err)
	}
	if err := store.ApplyRollups(t.Context(), db, rollups); err != nil {
		t.Fatal(err)
	}
}

// ask sends a question with a secret, if any, and returns the status and the body.
func (i *installation) ask(t *testing.T, secret, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/v2/query", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const allMetrics = `["visitors","visits","pageviews","events","bounce_rate","visit_duration","views_per_visit"]`

// TestDefinitions compares with numbers that were counted by hand.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		question string
		results  string
	}{
		// Visits: 360 s with 3 events, 0 s with 1, 600 s with 2, and on the 3rd 0 s with 1.
		// Visitor 1 counts on both days.
		"all": {
			`"metrics":` + allMetrics + `,"date_range":["2026-03-01","2026-03-31"]`,
			`[{"metrics":[3,4,6,7,50,240,1.5],"dimensions":[]}]`,
		},
		"a day": {
			`"metrics":` + allMetrics + `,"date_range":["2026-03-02","2026-03-02"]`,
			`[{"metrics":[2,3,5,6,33,320,1.67],"dimensions":[]}]`,
		},
		"no events": {
			`"metrics":` + allMetrics + `,"date_range":["2026-02-01","2026-02-28"]`,
			`[{"metrics":[0,0,0,0,0,0,0],"dimensions":[]}]`,
		},
		"no events by day": {
			`"metrics":["visitors"],"date_range":["2026-02-01","2026-02-28"],"dimensions":["time:day"]`,
			`[]`,
		},
		"by day": {
			`"metrics":["visitors","visits","pageviews"],"date_range":["2026-03-01","2026-03-31"],"dimensions":["time:day"]`,
			`[{"metrics":[2,3,5],"dimensions":["2026-03-02"]},{"metrics":[1,1,1],"dimensions":["2026-03-03"]}]`,
		},
		// A visit counts in the hour in which it began, visitors and events in theirs.
		"by hour": {
			`"metrics":["visitors","visits","pageviews","bounce_rate"],"date_range":["2026-03-02","2026-03-02"],"dimensions":["time:hour"]`,
			`[{"metrics":[2,2,3,0],"dimensions":["2026-03-02 10:00:00"]},` +
				`{"metrics":[1,0,1,0],"dimensions":["2026-03-02 11:00:00"]},` +
				`{"metrics":[1,1,1,100],"dimensions":["2026-03-02 15:00:00"]}]`,
		},
		"by month": {
			`"metrics":["events"],"date_range":"all","dimensions":["time:month"]`,
			`[{"metrics":[7],"dimensions":["2026-03-01"]}]`,
		},
		// The visits that have a view of the page; bounces are those of visits that began there.
		"by page": {
			`"metrics":["visitors","visits","pageviews","events","bounce_rate","visit_duration"],"date_range":["2026-03-02","2026-03-02"],"dimensions":["event:page"]`,
			`[{"metrics":[2,3,3,3,33,320],"dimensions":["/"]},` +
				`{"metrics":[1,1,1,1,null,600],"dimensions":["/docs"]},` +
				`{"metrics":[1,1,1,2,null,360],"dimensions":["/pricing"]}]`,
		},
		"of a page": {
			`"metrics":["visits","bounce_rate"],"date_range":["2026-03-02","2026-03-02"],"filters":[["is","event:page",["/"]]]`,
			`[{"metrics":[3,33],"dimensions":[]}]`,
		},
		"of a page on which no visit began": {
			`"metrics":["visits","bounce_rate"],"date_range":["2026-03-02","2026-03-02"],"filters":[["or",[["is","event:page",["/docs"]],["is","event:page",["/pricing"]]]]]`,
			`[{"metrics":[2,null],"dimensions":[]}]`,
		},
		"by name": {
			`"metrics":["visitors","events"],"date_range":["2026-03-01","2026-03-31"],"dimensions":["event:name"]`,
			`[{"metrics":[3,6],"dimensions":["pageview"]},{"metrics":[1,1],"dimensions":["signup"]}]`,
		},
		"by name without views, as Plausible's clients ask": {
			`"metrics":["visitors","events"],"date_range":["2026-03-01","2026-03-31"],"dimensions":["event:name"],"filters":[["is_not","event:name",["pageview"]]]`,
			`[{"metrics":[1,1],"dimensions":["signup"]}]`,
		},
		"views of a page by name": {
			`"metrics":["visitors","pageviews","events"],"date_range":["2026-03-01","2026-03-31"],"filters":[["is","event:name",["pageview"]],["is","event:page",["/docs"]]]`,
			`[{"metrics":[2,2,2],"dimensions":[]}]`,
		},
		// All events of a visit have the source of its first event.
		"by source": {
			`"metrics":["visitors","events"],"date_range":["2026-03-01","2026-03-31"],"dimensions":["visit:source"]`,
			`[{"metrics":[2,2],"dimensions":["Direct / None"]},{"metrics":[2,5],"dimensions":["Google"]}]`,
		},
		"by country, with the unknown": {
			`"metrics":["visits"],"date_range":["2026-03-01","2026-03-31"],"dimensions":["visit:country"],"order_by":[["visits","desc"],["visit:country","asc"]]`,
			`[{"metrics":[2],"dimensions":["FR"]},{"metrics":[1],"dimensions":[""]},{"metrics":[1],"dimensions":["DE"]}]`,
		},
		"by exit page": {
			`"metrics":["visits"],"date_range":["2026-03-02","2026-03-02"],"dimensions":["visit:exit_page"],"order_by":[["visit:exit_page","desc"]]`,
			`[{"metrics":[1],"dimensions":["/pricing"]},{"metrics":[1],"dimensions":["/docs"]},{"metrics":[1],"dimensions":["/"]}]`,
		},
		"by two dimensions": {
			`"metrics":["visits"],"date_range":["2026-03-02","2026-03-02"],"dimensions":["visit:device","visit:source"],"order_by":[["visit:source","asc"]]`,
			`[{"metrics":[1],"dimensions":["Desktop","Direct / None"]},{"metrics":[1],"dimensions":["Desktop","Google"]},{"metrics":[1],"dimensions":["Mobile","Google"]}]`,
		},
		"a page, of visits from a source": {
			`"metrics":["visitors","pageviews"],"date_range":["2026-03-02","2026-03-02"],"dimensions":["event:page"],"filters":[["is","visit:source",["Google"]]]`,
			`[{"metrics":[2,2],"dimensions":["/"]},{"metrics":[1,1],"dimensions":["/docs"]},{"metrics":[1,1],"dimensions":["/pricing"]}]`,
		},
		"sources of the visitors of a page": {
			`"metrics":["visitors","visits","pageviews"],"date_range":["2026-03-02","2026-03-02"],"dimensions":["visit:source"],"filters":[["contains","event:page",["docs"]]]`,
			`[{"metrics":[1,1,1],"dimensions":["Google"]}]`,
		},
		"unknown source": {
			`"metrics":["visits"],"date_range":["2026-03-01","2026-03-31"],"filters":[["is","visit:source",["Direct / None"]]]`,
			`[{"metrics":[2],"dimensions":[]}]`,
		},
		// From 10:05:30 on: only later events count, and the next visit began at 10:59.
		"part of a day": {
			`"metrics":["visitors","visits","pageviews","events"],"date_range":["2026-03-02T10:05:30+01:00","2026-03-02T11:00:00+01:00"]`,
			`[{"metrics":[2,1,1,2],"dimensions":[]}]`,
		},
		"pagination": {
			`"metrics":["pageviews"],"date_range":["2026-03-02","2026-03-02"],"dimensions":["event:page"],"pagination":{"limit":1,"offset":1}`,
			`[{"metrics":[1],"dimensions":["/docs"]}]`,
		},
	}
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			i := install(t, database.URL)
			for name, test := range tests {
				status, body := i.ask(t, token, `{"site_id":"example.com",`+test.question+`}`)
				var answer struct{ Results json.RawMessage }
				if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil {
					t.Errorf("%s: status %d: %s", name, status, body)
				} else if string(answer.Results) != test.results {
					t.Errorf("%s:\n got %s\nwant %s", name, answer.Results, test.results)
				}
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	status, body := i.ask(t, token, `{"site_id":"`+i.site.PublicID+`","metrics":["visitors"],"date_range":["2026-03-02","2026-03-03"],
		"dimensions":["time","event:page"],"filters":[["is_not","event:page",["/docs"]]],"order_by":[["time","desc"]],
		"include":{"time_labels":true,"total_rows":true,"imports":true},"pagination":{"limit":1}}`)
	if status != 200 {
		t.Fatal(body)
	}
	var got, want any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	var labels []string
	for hour := range 48 {
		labels = append(labels, fmt.Sprintf(`"2026-03-0%d %02d:00:00"`, 2+hour/24, hour%24))
	}
	if err := json.Unmarshal([]byte(`{
		"results": [{"metrics":[1],"dimensions":["2026-03-02 15:00:00","/"]}],
		"meta": {"time_labels":[`+strings.Join(labels, ",")+`],"total_rows":3,"imports_included":false},
		"query": {
			"site_id":"example.com","metrics":["visitors"],
			"date_range":["2026-03-02T00:00:00+01:00","2026-03-03T23:59:59+01:00"],
			"dimensions":["time:hour","event:page"],"filters":[["is_not","event:page",["/docs"]]],"order_by":[["time:hour","desc"]],
			"include":{"time_labels":true,"total_rows":true,"imports":true},"pagination":{"limit":1,"offset":0}
		}}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	other, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "other.example", Name: "Other", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	key := func(scope sites.Scope, visible ...int32) string {
		_, secret, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{scope}, visible)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	if _, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "public.example", Name: "Public", Timezone: "UTC", Public: true}); err != nil {
		t.Fatal(err)
	}
	link := func(ends *time.Time) string {
		_, secret, err := sites.CreateShareLink(t.Context(), i.db, other.ID, "test", ends)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	for name, test := range map[string]struct {
		secret, site string
		status       int
		code         string
	}{
		"a share link":                            {link(nil), "other.example", 200, ""},
		"a share link that will expire":           {link(new(time.Now().Add(time.Hour))), "other.example", 200, ""},
		"a share link that has expired":           {link(new(time.Now())), "other.example", 401, "unauthorized"},
		"a share link, another site":              {link(nil), "example.com", 403, "forbidden"},
		"a share link, a public site":             {link(nil), "public.example", 403, "forbidden"},
		"a share link, an unknown site":           {link(nil), "no.example", 403, "forbidden"},
		"an unknown share link":                   {"sl_nothing", "other.example", 401, "unauthorized"},
		"no secret, a public site":                {"", "public.example", 200, ""},
		"no secret, another site":                 {"", "other.example", 401, "unauthorized"},
		"no secret, an unknown site":              {"", "no.example", 401, "unauthorized"},
		"a wrong token, a public site":            {"wrong", "public.example", 401, "unauthorized"},
		"a wrong key, a public site":              {"ak_nothing", "public.example", 401, "unauthorized"},
		"the owner":                               {token, "other.example", 200, ""},
		"a key":                                   {key(sites.ScopeQuery), "other.example", 200, ""},
		"a key for the site":                      {key(sites.ScopeQuery, other.ID), other.PublicID, 200, ""},
		"a key for another site":                  {key(sites.ScopeQuery, other.ID), "example.com", 403, "forbidden"},
		"a key for another site, an unknown site": {key(sites.ScopeQuery, other.ID), "no.example", 403, "forbidden"},
		"a key with another scope":                {key(sites.ScopeLive), "example.com", 403, "forbidden"},
		"an unknown key":                          {"ak_nothing", "example.com", 401, "unauthorized"},
		"the owner, an unknown site":              {token, "no.example", 404, "site_unknown"},
		"the owner, an impossible site":           {token, `a\u0000`, 404, "site_unknown"},
		"the owner, an injection":                 {token, `' OR true --`, 404, "site_unknown"},
	} {
		status, body := i.ask(t, test.secret, `{"site_id":"`+test.site+`","metrics":["visitors"],"date_range":"30d"}`)
		var p struct{ Code string }
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != test.status || p.Code != test.code {
			t.Errorf("%s: status %d: %s", name, status, body)
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t), "QUERY_RATE=1")
	_, secret, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.db.Exec(t.Context(), `UPDATE sites SET public = true`); err != nil {
		t.Fatal(err)
	}
	const question = `{"site_id":"example.com","metrics":["visitors"],"date_range":"30d"}`
	for n, want := range []int{200, 429} {
		if status, body := i.ask(t, secret, question); status != want {
			t.Errorf("question %d of a key: status %d: %s", n+1, status, body)
		}
		if status, body := i.ask(t, "", question); status != want {
			t.Errorf("question %d without a key: status %d: %s", n+1, status, body)
		}
		if status, body := i.ask(t, token, question); status != 200 {
			t.Errorf("question %d of the owner: status %d: %s", n+1, status, body)
		}
	}
}

func TestBadRate(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"-1", "many", "1.5"} {
		process := host.NewProcess(map[string]string{"DATABASE_URL": "postgres://127.0.0.1:1/none", "ADMIN_TOKEN": token, "QUERY_RATE": value}, slog.New(slog.DiscardHandler))
		t.Cleanup(process.Close)
		if _, err := host.Build(t.Context(), process.Env("query"), query.New); err == nil || !strings.Contains(err.Error(), "QUERY_RATE") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line about QUERY_RATE", value, err)
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	const good = `{"site_id":"example.com","metrics":["visitors"],"date_range":"30d"}`
	for name, test := range map[string]struct {
		method, path, body string
		headers            map[string]string
		status             int
	}{
		"a form":              {"POST", "/api/v2/query", "site_id=example.com", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		"compressed":          {"POST", "/api/v2/query", good, map[string]string{"Content-Encoding": "gzip"}, 415},
		"too long":            {"POST", "/api/v2/query", strings.Repeat(" ", 70_000) + good, nil, 413},
		"an invalid question": {"POST", "/api/v2/query", `{"site_id":"example.com"}`, nil, 400},
		"another method":      {"PUT", "/api/v2/query", good, nil, 405},
		"no question":         {"GET", "/api/v2/query", "", nil, 400},
		"a preflight":         {"OPTIONS", "/api/v2/query", "", map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}, 405},
		"another address":     {"POST", "/api/v1/stats", good, nil, 404},
		"no content type":     {"POST", "/api/v2/query", good, nil, 200},
		"charset":             {"POST", "/api/v2/query", good, map[string]string{"Content-Type": "application/json; charset=utf-8"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			r.Header.Set("Authorization", "Bearer "+token)
			for name, value := range test.headers {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			i.handler.ServeHTTP(w, r)
			if w.Code != test.status || (w.Code != 200) != (w.Header().Get("Content-Type") == "application/problem+json") {
				t.Errorf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			for header := range w.Header() {
				if strings.HasPrefix(header, "Access-Control-") {
					t.Errorf("the answer has %s", header)
				}
			}
		})
	}
}

// TestReadReplica checks that the function works on a read-only database.
func TestReadReplica(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	_, secret, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.db.Exec(t.Context(), `SET default_transaction_read_only = on`); err != nil { // for the only connection of the pool
		t.Fatal(err)
	}
	if status, body := i.ask(t, secret, `{"site_id":"example.com","metrics":["visitors"],"date_range":"all"}`); status != 200 {
		t.Errorf("status %d: %s", status, body)
	}
}

// TestDatabaseDown stops the database while the function runs.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	server, err := postgres.Start(t.Context(), t.TempDir(), postgres.Plain(), postgres.WithoutSync())
	if err != nil {
		t.Fatal(err)
	}
	i := install(t, server.URL())
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	status, body := i.ask(t, token, `{"site_id":"example.com","metrics":["visitors"],"date_range":"30d"}`)
	if status != 503 || !strings.Contains(body, `"unavailable"`) || strings.Contains(body, "127.0.0.1") {
		t.Errorf("status %d: %s", status, body)
	}
}
