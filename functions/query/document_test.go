package query_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// contract is the OpenAPI document that a function serves. Requests and answers are checked
// against it.
type contract struct {
	judge    *judge
	handler  http.Handler
	document node
}

// node is an object of the document.
type node map[string]any

// at returns the object with a name, which may be a reference; nil if there is none.
func (n node) at(root node, name string) node {
	part, _ := n[name].(map[string]any)
	for part["$ref"] != nil {
		found := root
		for step := range strings.SplitSeq(strings.TrimPrefix(part["$ref"].(string), "#/"), "/") {
			found = found[step].(map[string]any)
		}
		part = found
	}
	return part
}

func readContract(t *testing.T, handler http.Handler) *contract {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", http.NoBody))
	if written, err := os.ReadFile(document); err != nil || !bytes.Equal(w.Body.Bytes(), written) {
		t.Fatalf("the function serves another document than %s: %v", document, err)
	}
	localtest.Reads(t, validator)
	judge, err := startedJudge()
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{judge: judge, handler: handler}
	if err := json.Unmarshal(w.Body.Bytes(), &c.document); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchange sends a request and checks it and its answer against the document; valid is
// whether the document should allow the request.
func (c *contract) exchange(t *testing.T, name string, request func() *http.Request, valid bool) (*http.Response, []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, request())
	response, answer := w.Result(), w.Body.Bytes()
	found := c.judge.verdict(t, request(), response, answer)
	if (found.Request == "") != valid {
		t.Errorf("%s: the document allows the request: %t, want %t%s", name, !valid, valid, found.Request)
	}
	if found.Answer != "" {
		t.Errorf("%s: the document does not allow the answer: %d %s%s", name, w.Code, answer, found.Answer)
	}
	return response, answer
}

func newRequest(method, path, secret, body string) func() *http.Request {
	return func() *http.Request {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if body == "" {
			r.Body, r.ContentLength = http.NoBody, 0
		} else {
			r.Header.Set("Content-Type", "application/json")
		}
		if secret != "" {
			r.Header.Set("Authorization", "Bearer "+secret)
		}
		return r
	}
}

// laterEvents happen later in March, so that every kind of question has an answer:
//
//	 5 March  visitor 3, subject A  12:00 /, visible for 20 s, 12:01 purchase of 12.50 EUR
//	          visitor 4, subject B  12:00 /docs, 12:01 purchase of 3 USD
//	12 March  visitor 5, subject A  12:00 /
func laterEvents(t *testing.T, i *installation) []event.Event {
	t.Helper()
	location, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, minute int, visitor int64, subject byte, kind event.Type, name, page string) event.Event {
		local := time.Date(2026, 3, day, 12, minute, 0, 0, location)
		return event.Event{
			ID: uuid.New(), Site: i.site.ID, Time: local.UTC(), Day: event.DayOf(local), UTCOffset: 60, Visitor: visitor, Subject: uuid.UUID{subject},
			Type: kind, Name: name, Page: page, Hostname: "example.com", Title: "Example", Attributes: event.Attributes{Country: "FR", Channel: "Direct"},
		}
	}
	looked := at(5, 1, 3, 'A', event.Engagement, "", "/")
	looked.Engaged, looked.Scroll = 20_000, 80
	paid, dollars := at(5, 1, 3, 'A', event.Conversion, "purchase", "/"), at(5, 1, 4, 'B', event.Conversion, "purchase", "/docs")
	paid.Amount, paid.Currency, paid.Props = "12.50", "EUR", map[string]string{"plan": "pro"}
	dollars.Amount, dollars.Currency = "3", "USD"
	return []event.Event{
		at(5, 0, 3, 'A', event.View, "", "/"), looked, paid,
		at(5, 0, 4, 'B', event.View, "", "/docs"), dollars,
		at(12, 0, 5, 'A', event.View, "", "/"),
	}
}

// define creates goals, a segment and a funnel.
func define(t *testing.T, i *installation) {
	t.Helper()
	for _, g := range []goal.Goal{
		{Name: "Signup", Event: "signup"}, {Name: "Docs", Page: "/docs**"}, {Name: "Paid", Event: "purchase", Currency: "EUR"},
	} {
		if _, err := sites.CreateGoal(t.Context(), i.db, i.site.ID, g); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sites.CreateSegment(t.Context(), i.db, i.site.ID, "French", []byte(`[["is","visit:country",["FR"]]]`)); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.CreateFunnel(t.Context(), i.db, i.site.ID, "Buy", []byte(
		`{"steps":[{"filters":[["is","event:page",["/"]]]},{"name":"Paid","filters":[["is","event:goal",["Paid"]]]}],"order":"strict"}`)); err != nil {
		t.Fatal(err)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	c := readContract(t, install(t, localtest.Postgres(t)).handler)
	response, _ := c.exchange(t, "a request", newRequest(http.MethodGet, "/openapi.json", "", ""), true)
	again := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/openapi.json", http.NoBody)
		r.Header.Set("If-None-Match", response.Header.Get("ETag"))
		return r
	}
	if response, body := c.exchange(t, "the same again", again, true); response.StatusCode != http.StatusNotModified || len(body) > 0 {
		t.Errorf("the same again: %d, %d bytes", response.StatusCode, len(body))
	}
}

// TestDocumentLists compares the names in the document with those in the code.
func TestDocumentLists(t *testing.T) {
	t.Parallel()
	c := readContract(t, install(t, localtest.Postgres(t)).handler)
	schemas := c.document.at(c.document, "components").at(c.document, "schemas")
	listed := func(schema node) (names []string) {
		if only, ok := schema["const"].(string); ok {
			return []string{only}
		}
		for _, name := range schema["enum"].([]any) {
			names = append(names, name.(string))
		}
		return names
	}
	dimensions := []string{"event:props:KEY"} // a pattern in the document
	for _, kind := range []string{"TimeDimension", "GoalDimension", "EventDimension", "VisitDimension"} {
		dimensions = append(dimensions, listed(schemas.at(c.document, kind))...)
	}
	operators := map[string]bool{}
	for _, form := range schemas.at(c.document, "Filter")["oneOf"].([]any) {
		operator := node{"first": form.(map[string]any)["prefixItems"].([]any)[0]}.at(c.document, "first")
		for _, name := range listed(operator) {
			operators[name] = true
		}
	}
	names := make([]string, 0, len(operators))
	for name := range operators {
		names = append(names, name)
	}
	for name, lists := range map[string][2][]string{
		"metrics":    {listed(schemas.at(c.document, "Metric")), language.MetricNames()},
		"dimensions": {dimensions, language.DimensionNames()},
		"operators":  {names, language.OperatorNames()},
	} {
		for _, list := range lists {
			slices.Sort(list)
		}
		if diff := cmp.Diff(lists[1], lists[0]); diff != "" {
			t.Errorf("%s of the code and of the document:\n%s", name, diff)
		}
	}
}

// TestDocumentClosed checks that every object lists its members, so that an answer with
// another one is invalid.
func TestDocumentClosed(t *testing.T) {
	t.Parallel()
	c := readContract(t, install(t, localtest.Postgres(t)).handler)
	var look func(path string, value any)
	look = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			if extra, ok := value["additionalProperties"]; value["type"] == "object" && (!ok || extra == true) && !strings.HasPrefix(path, "/paths//openapi.json/") {
				t.Errorf("%s allows any members", path)
			}
			for name, part := range value {
				look(path+"/"+name, part)
			}
		case []any:
			for i, part := range value {
				look(fmt.Sprintf("%s/%d", path, i), part)
			}
		}
	}
	look("", map[string]any(c.document))
}

// TestExamples sends the examples of the document.
func TestExamples(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	record(t, i.db, laterEvents(t, i))
	c := readContract(t, i.handler)
	paths := c.document.at(c.document, "paths")
	for path := range paths {
		item := paths.at(c.document, path)
		for method := range item {
			c.tryExamples(t, strings.ToUpper(method), path, item.at(c.document, method))
		}
	}
}

func (c *contract) tryExamples(t *testing.T, method, path string, operation node) {
	t.Helper()
	ok := operation.at(c.document, "responses").at(c.document, "200")
	answers := ok.at(c.document, "content").at(c.document, "application/json").at(c.document, "examples")
	questions := operation.at(c.document, "requestBody").at(c.document, "content").at(c.document, "application/json").at(c.document, "examples")
	parameters, _ := operation["parameters"].([]any)
	address, values := path, url.Values{}
	for _, p := range parameters {
		parameter := node{"one": p}.at(c.document, "one")
		name := parameter["name"].(string)
		switch {
		case name == "query":
			questions = parameter.at(c.document, "content").at(c.document, "application/json").at(c.document, "examples")
		case parameter["in"] == "query" && parameter["required"] == true:
			values.Set(name, parameter["example"].(string))
		case parameter["in"] == "path":
			address = strings.ReplaceAll(address, "{"+name+"}", parameter["example"].(string))
		}
	}
	asked := answers
	if _, ok := ok.at(c.document, "content")["application/json"]; !ok { // answers are files
		asked = questions
	}
	if len(asked) == 0 {
		t.Errorf("%s %s has no example", method, path)
	}
	for name := range asked {
		var body string
		if questions != nil {
			question, err := json.Marshal(questions.at(c.document, name)["value"])
			if err != nil {
				t.Fatal(err)
			}
			body = string(question)
			if method == http.MethodGet {
				values.Set("query", body)
				body = ""
			}
		}
		request := newRequest(method, address+"?"+values.Encode(), token, body)
		response, got := c.exchange(t, method+" "+path, request, true)
		if answers == nil {
			continue
		}
		example := answers.at(c.document, name)["value"]
		written, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		if found := c.judge.verdict(t, request(), response, written); found.Answer != "" {
			t.Errorf("%s %s: the example of the answer %s is none%s", method, path, name, found.Answer)
		}
		if strings.Contains(path, "/realtime") || path == "/openapi.json" { // these differ each time, or are long
			continue
		}
		var want any
		if err := json.Unmarshal(got, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, example); diff != "" {
			t.Errorf("%s %s: the answer %s and its example:\n%s\n%s", method, path, name, diff, got)
		}
	}
}

// TestQuestions asks valid and invalid questions of all kinds.
func TestQuestions(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	record(t, i.db, laterEvents(t, i))
	define(t, i)
	c := readContract(t, i.handler)
	const (
		some    = `"metrics":["visitors"],"date_range":["2026-03-01","2026-03-31"]`
		march   = `"date_range":["2026-03-01","2026-03-31"]`
		nothing = `"date_range":["2026-02-01","2026-02-28"]`
		steps   = `"steps":[{"filters":[["is","event:page",["/"]]]},{"name":"Docs","filters":[["contains","event:page",["docs"]]]}]`
	)
	type question struct {
		path, body string
		status     int
		valid      bool // by the document
	}
	tests := map[string]question{}
	good := func(path string, bodies ...string) {
		for _, body := range bodies {
			tests[path+" "+body] = question{path, `{"site_id":"example.com",` + body + `}`, http.StatusOK, true}
		}
	}
	// The document can't describe errors that depend on the site or on several members.
	bad := func(valid bool, path string, bodies ...string) {
		for _, body := range bodies {
			tests[path+" "+body] = question{path, `{"site_id":"example.com",` + body + `}`, http.StatusBadRequest, valid}
		}
	}
	for _, name := range language.DimensionNames() {
		good("/api/v2/query", some+`,"dimensions":["`+strings.ReplaceAll(name, "KEY", "plan")+`"]`)
	}
	for _, name := range language.MetricNames() {
		good("/api/v2/query", march+`,"metrics":["`+name+`"],"dimensions":["event:goal","event:page"],"order_by":[["`+name+`","desc"]],"include":{"comparisons":{"mode":"previous_period"}}`)
	}
	for _, r := range []string{`"day"`, `"24h"`, `"7d"`, `"5000d"`, `"12mo"`, `"100mo"`, `"month"`, `"year"`, `"all"`, `["2026-03-02T10:00:00+01:00","2026-03-02T11:00:00Z"]`, `["0001-01-01","9999-12-31"]`} {
		good("/api/v2/query", `"metrics":["visitors"],"date_range":`+r)
	}
	for _, filter := range []string{
		`["is","visit:country",["FR","DE"]]`, `["is_not","event:page",[""],{"case_sensitive":false}]`, `["contains","event:props:plan",["pro"],{}]`,
		`["contains_not","visit:source",["goo"],{"case_sensitive":true}]`, `["matches","event:page",["^/d"]]`, `["matches_not","event:name",[".*"]]`,
		`["is","event:goal",["Signup","Paid"]]`, `["is","segment",["French"]]`, `["is_not","segment",[1,"1"]]`,
		`["and",[["is","visit:os",[""]],["or",[["not",["is","event:goal",["Paid"]]],["has_done",["is","event:name",["signup"]]]]]]]`,
		`["has_not_done",["is","event:page",["/"]]]`,
	} {
		good("/api/v2/query", some+`,"filters":[`+filter+`]`)
	}
	good("/api/v2/query",
		`"metrics":`+allMetrics+`,"date_range":"all","dimensions":["time","visit:source"],"order_by":[["time","desc"],["visitors","asc"]]`,
		`"metrics":["total_revenue","average_revenue"],`+march,
		`"metrics":["revenue_by_currency"],`+march,
		`"metrics":["total_revenue","average_revenue"],"dimensions":["event:currency"],`+march,
		some+`,"dimensions":["time:week"],"include":{"time_labels":true,"total_rows":true,"imports":true,"comparisons":{"mode":"year_over_year","match_day_of_week":true}}`,
		some+`,"dimensions":["time:day"],"include":{"time_labels":true,"comparisons":{"mode":"custom","date_range":["2026-02-01","2026-02-05"]}},"pagination":{"limit":3,"offset":1}`,
		some+`,"dimensions":["event:page"],"order_by":[],"filters":[],"include":{},"pagination":{}`)
	good("/v1/funnels",
		march+`,`+steps, nothing+`,`+steps, march+`,`+steps+`,"order":"any","window":60,"breakdown":"visit:country","limit":1`,
		nothing+`,`+steps+`,"breakdown":"event:page"`, march+`,"funnel":"Buy","breakdown":"event:props:plan"`)
	good("/v1/cohorts",
		march, nothing, march+`,"by":"visit:country","did":[{"filters":[["is","event:goal",["Paid"]]]}],"interval":"month","limit":1000`,
		march+`,"kind":"retention","interval":"day","first":[["is","event:page",["/"]]],"again":[]`, march+`,"kind":"return","filters":[["is","segment",["French"]]]`)
	good("/v1/journeys", march, nothing, march+`,"to":[["is","event:name",["purchase"]]],"depth":10,"breadth":1`, march+`,"from":[]`, march+`,"to":[]`)
	good("/v1/visits", march, nothing, march+`,"limit":2`, `"date_range":["2026-03-02T10:00:00+01:00","2026-03-05T12:00:30+01:00"],"filters":[["is","visit:country",["FR"]]]`)
	bad(false, "/api/v2/query",
		``, march, `"metrics":["visitors"]`, `"metrics":[],`+march, `"metrics":["people"],`+march, `"metrics":["visitors","visitors"],`+march,
		some+`,"unknown":1`, `"metrics":["visitors"],"date_range":"yesterday"`, `"metrics":["visitors"],"date_range":"0d"`, `"metrics":["visitors"],"date_range":"5001d"`,
		`"metrics":["visitors"],"date_range":["2026-02-30","2026-03-01"]`, `"metrics":["visitors"],"date_range":["2026-02-01"]`, `"metrics":["visitors"],"date_range":{}`,
		some+`,"dimensions":["event:props:"]`, some+`,"dimensions":["visit:shoe_size"]`, some+`,"filters":[["is","time:day",["2026-03-01"]]]`, some+`,"filters":{}`,
		some+`,"filters":[["is","event:page"]]`, some+`,"filters":[["is","event:page",[]]]`, some+`,"filters":[["is","event:page",["a\u0000"]]]`, some+`,"filters":[["and",[]]]`,
		some+`,"filters":[["contains","segment",["French"]]]`, some+`,"filters":[["is","segment",["French"],{}]]`, some+`,"filters":[["not",["is","a",["b"]]]]`,
		some+`,"order_by":[["visitors"]]`, some+`,"order_by":[["visitors","down"]]`, some+`,"pagination":{"limit":0}`, some+`,"pagination":{"limit":10001}`, some+`,"pagination":{"offset":-1}`,
		some+`,"include":{"all":true}`, some+`,"include":{"comparisons":{}}`, some+`,"include":{"comparisons":{"mode":"custom"}}`,
		some+`,"include":{"comparisons":{"mode":"previous_period","date_range":["2026-01-01","2026-01-02"]}}`)
	bad(true, "/api/v2/query",
		`"metrics":["percentage"],`+march, `"metrics":["conversion_rate"],`+march, `"metrics":["scroll_depth"],`+march, some+`,"dimensions":["time:day","time:week"]`,
		some+`,"order_by":[["visits","asc"]]`, some+`,"include":{"time_labels":true}`, `"metrics":["visitors"],"date_range":["2026-03-02","2026-03-01"]`,
		some+`,"filters":[["is","event:goal",["None"]]]`, some+`,"filters":[["is","segment",["None"]]]`, some+`,"filters":[["matches","event:page",["("]]]`)
	bad(false, "/v1/funnels", march, march+`,"steps":[]`, march+`,`+steps+`,"funnel":"Buy"`, march+`,`+steps+`,"order":"none"`, march+`,`+steps+`,"window":86401`,
		march+`,`+steps+`,"breakdown":"event:goal"`, march+`,`+steps+`,"limit":101`, march+`,"steps":[{},{}]`)
	bad(true, "/v1/funnels", march+`,"funnel":"None"`)
	bad(false, "/v1/cohorts", march+`,"kind":"other"`, march+`,"interval":"year"`, march+`,"first":[]`, march+`,"kind":"return","by":"visit:source"`, march+`,"by":"event:page"`, march+`,"limit":1001`)
	bad(false, "/v1/cohorts", march+`,"kind":"retention","limit":3`)
	bad(true, "/v1/cohorts", `"date_range":"24h"`, `"date_range":["2020-01-01","2026-03-01"],"kind":"retention","interval":"day"`)
	bad(false, "/v1/journeys", march+`,"from":[],"to":[]`, march+`,"depth":11`, march+`,"breadth":0`)
	bad(false, "/v1/visits", march+`,"limit":1001`, march+`,"cursor":"a"`)
	bad(true, "/v1/visits", march+`,"cursor":"`+"f"+strings.Repeat("_", 21)+`"`)
	for name, q := range tests {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			request := newRequest(method, q.path, token, q.body)
			if method == http.MethodGet {
				request = newRequest(method, q.path+"?query="+url.QueryEscape(q.body), token, "")
			}
			if response, body := c.exchange(t, method+" "+name, request, q.valid); response.StatusCode != q.status {
				t.Errorf("%s %s: status %d: %s", method, name, response.StatusCode, body)
			}
		}
	}
}

// TestEmptyAnswers asks questions without visitors, and about unknown values.
func TestEmptyAnswers(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	for name, test := range map[string]struct{ path, question, part string }{
		"breakdown without visitors": {
			"/v1/funnels", `"date_range":["2026-02-01","2026-02-28"],"breakdown":"visit:source","steps":[{"filters":[["is","event:page",["/"]]]},{"filters":[["is","event:page",["/"]]]}]`,
			`"breakdown":[]`,
		},
		"cohort of the unknown value": {"/v1/cohorts", `"date_range":["2026-03-03","2026-03-03"],"by":"visit:country"`, `"value":""`},
	} {
		w := httptest.NewRecorder()
		i.handler.ServeHTTP(w, newRequest(http.MethodPost, test.path, token, `{"site_id":"example.com",`+test.question+`}`)())
		if !strings.Contains(w.Body.String(), test.part) {
			t.Errorf("%s: got %s, want it to contain %s", name, w.Body, test.part)
		}
	}
}

// TestTimelines checks the events of each visit.
func TestTimelines(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	record(t, i.db, laterEvents(t, i))
	c := readContract(t, i.handler)
	_, body := c.exchange(t, "a request", newRequest(http.MethodPost, "/v1/visits", token, `{"site_id":"example.com","date_range":"all"}`), true)
	var list struct{ Visits []struct{ ID string } }
	if err := json.Unmarshal(body, &list); err != nil || len(list.Visits) != 7 {
		t.Fatalf("%v: %s", err, body)
	}
	members := map[string]int{}
	for _, visit := range list.Visits {
		response, body := c.exchange(t, "a request", newRequest(http.MethodGet, "/v1/visits/"+visit.ID+"?site_id=example.com", token, ""), true)
		var timeline struct{ Events []map[string]any }
		if err := json.Unmarshal(body, &timeline); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d: %s", visit.ID, response.StatusCode, body)
		}
		for _, event := range timeline.Events {
			for name := range event {
				members[name]++
			}
		}
	}
	want := map[string]int{"time": 13, "type": 13, "page": 13, "hostname": 13, "title": 6, "name": 3, "props": 1, "amount": 2, "currency": 2, "engaged": 1, "scroll": 1}
	if diff := cmp.Diff(want, members); diff != "" {
		t.Error(diff)
	}
}

// TestErrorAnswers provokes the other answers of the document.
func TestErrorAnswers(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t), "QUERY_RATE=1")
	other, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "other.example", Name: "Other", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, []int32{i.site.ID})
	if err != nil {
		t.Fatal(err)
	}
	c := readContract(t, i.handler)
	with := func(request func() *http.Request, name, value string) func() *http.Request {
		return func() *http.Request {
			r := request()
			r.Header.Set(name, value)
			return r
		}
	}
	const march = `"date_range":["2026-03-01","2026-03-31"]`
	bodies := map[string]string{
		"/api/v2/query": `,"metrics":["visitors"],` + march, "/v1/cohorts": `,` + march, "/v1/journeys": `,` + march, "/v1/visits": `,` + march,
		"/v1/funnels": `,"steps":[{"filters":[["is","event:page",["/"]]]},{"filters":[["is","event:page",["/"]]]}],` + march,
	}
	type answer struct {
		name    string
		request func() *http.Request
		status  int
		valid   bool
	}
	var tests []answer
	for path, body := range bodies {
		post := func(secret, site string) func() *http.Request {
			return newRequest(http.MethodPost, path, secret, `{"site_id":"`+site+`"`+body+`}`)
		}
		tests = append(tests,
			answer{path + " without a key", post("", "example.com"), http.StatusUnauthorized, true},
			answer{path + " with a wrong key", post("ak_nothing", "example.com"), http.StatusUnauthorized, true},
			answer{path + " with a key for another site", post(key, other.Domain), http.StatusForbidden, true},
			answer{path + " about an unknown site", post(token, "no.example"), http.StatusNotFound, true},
			answer{path + " as text", with(post(token, "example.com"), "Content-Type", "text/plain"), http.StatusUnsupportedMediaType, false},
			answer{path + " compressed", with(post(token, "example.com"), "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType, true},
			answer{path + " too long", post(token, strings.Repeat("a", 70_000)), http.StatusRequestEntityTooLarge, true},
			answer{path + " without a question", newRequest(http.MethodGet, path, token, ""), http.StatusBadRequest, false})
	}
	get := func(address, secret string) func() *http.Request {
		return newRequest(http.MethodGet, address, secret, "")
	}
	const visit = "/v1/visits/AAZMB2dhCAAAAAAAAAAAAg"
	for _, path := range []string{"/v1/realtime", "/api/v1/stats/realtime/visitors", visit} {
		tests = append(tests,
			answer{path + " without a site", get(path, token), http.StatusBadRequest, false},
			answer{path + " without a key", get(path+"?site_id=example.com", ""), http.StatusUnauthorized, true},
			answer{path + " with a key for another site", get(path+"?site_id=other.example", key), http.StatusForbidden, true},
			answer{path + " about an unknown site", get(path+"?site_id=no.example", token), http.StatusNotFound, true})
	}
	tests = append(tests,
		answer{"realtime", get("/v1/realtime?site_id=example.com", token), http.StatusOK, true},
		answer{"present", get("/api/v1/stats/realtime/visitors?site_id=example.com", token), http.StatusOK, true},
		answer{"unknown visit", get(visit+"?site_id=example.com", token), http.StatusNotFound, true},
		answer{"malformed id", get("/v1/visits/a?site_id=example.com", token), http.StatusBadRequest, false},
		answer{"first question of a minute", get("/v1/realtime?site_id=example.com", key), http.StatusOK, true},
		answer{"second question", get("/v1/realtime?site_id=example.com", key), http.StatusTooManyRequests, true})
	for _, test := range tests {
		if response, body := c.exchange(t, test.name, test.request, test.valid); response.StatusCode != test.status {
			t.Errorf("%s: status %d: %s", test.name, response.StatusCode, body)
		}
	}
	const brokenRollups = `
CREATE FUNCTION broken() RETURNS SETOF rollup_day LANGUAGE plpgsql AS $$ BEGIN RAISE %s; END $$;
ALTER TABLE rollup_day RENAME TO rollup_day_%[1]s;
CREATE VIEW rollup_day AS SELECT * FROM broken();`
	for condition, status := range map[string]int{"query_canceled": http.StatusUnprocessableEntity, "division_by_zero": http.StatusInternalServerError} {
		if _, err := i.db.Exec(t.Context(), fmt.Sprintf(brokenRollups, condition)); err != nil {
			t.Fatal(err)
		}
		question := newRequest(http.MethodPost, "/api/v2/query", token, `{"site_id":"example.com","metrics":["visitors"],`+march+`}`)
		if response, body := c.exchange(t, condition, question, true); response.StatusCode != status {
			t.Errorf("%s: status %d: %s", condition, response.StatusCode, body)
		}
		if _, err := i.db.Exec(t.Context(), `DROP VIEW rollup_day; DROP FUNCTION broken; ALTER TABLE rollup_day_`+condition+` RENAME TO rollup_day`); err != nil {
			t.Fatal(err)
		}
	}
}

// expectProblem checks that a request is answered with a problem.
func (c *contract) expectProblem(t *testing.T, status int, code string, valid bool, request func() *http.Request) {
	t.Helper()
	if response, body := c.exchange(t, code, request, valid); response.StatusCode != status || !bytes.Contains(body, []byte(`"`+code+`"`)) {
		t.Errorf("%s: status %d: %s", code, response.StatusCode, body)
	}
}

// TestRareAnswers provokes answers that take more than one request.
func TestRareAnswers(t *testing.T) {
	t.Parallel()
	limits := patient()
	limits.Large.Memory = 2 << 20
	i := installWith(t, localtest.Postgres(t), limits)
	c := readContract(t, i.handler)
	const countries = `{"site_id":"example.com","metrics":["visitors"],"date_range":["2026-03-01","2026-03-30"],"dimensions":["visit:country_name"]}`
	question := func() *http.Request {
		return newRequest(http.MethodGet, "/api/v2/query?query="+url.QueryEscape(countries), token, "")()
	}
	first, _ := c.exchange(t, "a question", question, true)
	again, body := c.exchange(t, "the same again", func() *http.Request {
		r := question()
		r.Header.Set("If-None-Match", first.Header.Get("ETag"))
		return r
	}, true)
	if again.StatusCode != http.StatusNotModified || len(body) > 0 {
		t.Errorf("the same again: status %d: %s", again.StatusCode, body)
	}
	c.expectProblem(t, http.StatusBadRequest, "body_cut", false, func() *http.Request {
		r := newRequest(http.MethodPost, "/api/v2/query", token, countries)()
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(countries[:40]), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return r
	})
	if _, err := i.db.Exec(t.Context(), `
ALTER TABLE rollup_day RENAME TO rollup_day_true;
CREATE VIEW rollup_day AS
SELECT site_id, dimension, day, n::text AS value, visitors, visits, pageviews, events, bounces, seconds, engaged
FROM rollup_day_true, generate_series(1, 10000) AS n WHERE value = 'FR'`); err != nil {
		t.Fatal(err)
	}
	// The answer was remembered, and no data have come since: it takes another question.
	c.expectProblem(t, http.StatusUnprocessableEntity, "query_too_large", true,
		newRequest(http.MethodPost, "/api/v2/query", token, strings.Replace(countries, "visitors", "visits", 1)))
	limits.Time, limits.Small.Turns = time.Millisecond, 0
	busy := readContract(t, installWith(t, localtest.Postgres(t), limits).handler)
	busy.expectProblem(t, http.StatusServiceUnavailable, "overloaded", true, newRequest(http.MethodPost, "/api/v2/query", token, countries))
	guess := newRequest(http.MethodPost, "/api/v2/query", "a wrong token", countries)
	localtest.Eventually(t, "guesses come too fast", func() bool {
		for range 100 {
			i.handler.ServeHTTP(httptest.NewRecorder(), guess())
		}
		response, body := c.exchange(t, "a guess", guess, true)
		return response.StatusCode == http.StatusTooManyRequests && bytes.Contains(body, []byte(`"too_many_attempts"`))
	})
}

// TestUnavailable asks without a database.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	server, err := postgres.Start(t.Context(), t.TempDir(), postgres.Plain(), postgres.WithoutSync())
	if err != nil {
		t.Fatal(err)
	}
	c := readContract(t, install(t, server.URL()).handler)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, "ak_nothing"} {
		if response, body := c.exchange(t, "a request", newRequest(http.MethodGet, "/v1/realtime?site_id=example.com", secret, ""), true); response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d %s", response.StatusCode, body)
		}
	}
}
