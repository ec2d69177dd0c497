package attack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func queryAttacks() []attack {
	return []attack{
		{"patterns that are large once compiled", largePatterns},
		{"patterns that take long, and callers who hang up", slowPatterns},
		{"answers with many rows", manyRows},
		{"readers that don't read", idleReaders},
		{"questions that are code elsewhere", injectedQuestions},
	}
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // never fails for a string
	return string(quoted)
}

// largePatterns sends patterns that are 650 MB once they are compiled, with each credential.
func largePatterns(t *testing.T, i *installation) {
	t.Helper()
	pattern := `"` + strings.Repeat("x{1000}", 140) + `"`
	filter := `["matches","event:page",[` + strings.TrimSuffix(strings.Repeat(pattern+",", 16), ",") + `]]`
	secrets := []string{"", i.weak, "ak_unknown", "sl_unknown", "wrong"}
	for _, site := range []string{"site0.example", attacked, "no.example"} {
		body := question(site, `"metrics":["visitors"],"date_range":"30d","filters":[`+strings.TrimSuffix(strings.Repeat(filter+",", 4), ",")+`]`)
		statuses := i.flood(t, "query", 50, func(n int) request {
			r := request{method: http.MethodPost, path: "/api/v2/query", secret: secrets[n%len(secrets)], body: []byte(body)}
			if n%2 == 0 {
				r = request{method: http.MethodGet, path: "/api/v2/query?query=" + url.QueryEscape(body[:2000]), secret: r.secret}
			}
			return r
		})
		if statuses[http.StatusOK] > 0 {
			t.Errorf("patterns of unlimited size were accepted: %v", statuses)
		}
	}
}

// slowPatterns asks questions about a public site that would take hours, and hangs up.
func slowPatterns(t *testing.T, i *installation) {
	t.Helper()
	rest := `"date_range":["2026-03-10","2026-03-10"],"filters":[["matches","event:page",[".*(?:x?.?){450}y"]]]`
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	var asking sync.WaitGroup
	for n := range 24 {
		path, more := "/api/v2/query", `"metrics":["visitors"],`
		switch n % 3 {
		case 1:
			path, more = "/v1/journeys", ""
		case 2:
			path, more = "/v1/cohorts", ""
		}
		asking.Go(func() {
			i.sendWith(t, ctx, "query", request{method: http.MethodPost, path: path, body: []byte(question(large, more+rest))})
		})
	}
	// An honest question is answered meanwhile.
	got := i.send(t, "query", request{method: http.MethodPost, path: "/api/v2/query", secret: owner, body: []byte(question("site0.example", `"metrics":["visitors"],"date_range":"7d"`))})
	if got.refused() {
		t.Errorf("an honest question meanwhile: %d %s", got.status, got.body)
	}
	hangUp()
	asking.Wait()
}

// manyRows asks for more rows than fit in the memory of the function.
func manyRows(t *testing.T, i *installation) {
	t.Helper()
	about := `"date_range":["2026-03-10","2026-03-10"],`
	bodies := []request{
		{path: "/api/v2/query", body: []byte(question(large, about+`"metrics":["visitors"],"dimensions":["event:page","visit:entry_page","visit:exit_page"]`))},
		{path: "/api/v2/query?format=csv", body: []byte(question(large, about+`"metrics":["visitors","visits"],"dimensions":["event:page","visit:country"]`))},
		{path: "/v1/journeys", body: []byte(question(large, about+`"depth":10,"breadth":50`))},
		{path: "/v1/cohorts", body: []byte(question(large, about+`"by":"visit:entry_page","limit":1000`))},
		{path: "/v1/visits", secret: owner, body: []byte(question(large, about+`"limit":1000`))},
		{path: "/v1/export?format=parquet", secret: owner, body: []byte(question(large, `"date_range":["2026-03-10","2026-03-10"]`))},
	}
	i.flood(t, "query", 8*len(bodies), func(n int) request {
		r := bodies[n%len(bodies)]
		r.method = http.MethodPost
		r.body = fmt.Appendf(nil, "%s%*s", r.body, n, "") // each differs, so that no answer is cached
		return r
	})
}

// idleReaders ask for large answers, and read nothing.
func idleReaders(t *testing.T, i *installation) {
	t.Helper()
	body := question(large, `"date_range":["2026-03-10","2026-03-10"]`)
	i.dial(t, "query", 30, fmt.Sprintf("POST /v1/export?format=ndjson HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", owner, len(body), body))
}

// injectedQuestions sends each text in each place of a question.
func injectedQuestions(t *testing.T, i *installation) {
	t.Helper()
	var bodies []string
	for _, text := range code() {
		v := quote(text)
		bodies = append(
			bodies,
			question(attacked, `"metrics":["visitors"],"date_range":"7d","dimensions":["event:page"],"filters":[["is","event:page",[`+v+`]],["contains_not","visit:source",[`+v+`]]]`),
			question(attacked, `"metrics":["visitors"],"date_range":"7d","filters":[["matches","event:name",[`+v+`]]]`),
			question(attacked, `"metrics":["visitors"],"date_range":"7d","dimensions":[`+quote("event:props:"+text)+`]`),
			question(attacked, `"metrics":[`+v+`],"date_range":`+v+`,"dimensions":[`+v+`],"order_by":[[`+v+`,`+v+`]]`),
			`{"site_id":`+v+`,"metrics":["visitors"],"date_range":"7d"}`,
			question(attacked, `"metrics":["visitors"],"date_range":"7d","filters":[["is","event:goal",[`+v+`]],["is","segment",[`+v+`]]]`),
		)
	}
	paths := []string{"/api/v2/query", "/api/v2/query?format=csv", "/v1/funnels", "/v1/journeys", "/v1/cohorts"}
	i.flood(t, "query", len(bodies)*len(paths), func(n int) request {
		return request{method: http.MethodPost, path: paths[n%len(paths)], secret: i.weak, body: []byte(bodies[n/len(paths)])}
	})
	for _, text := range code() {
		if got := i.send(t, "query", request{method: http.MethodPost, path: "/api/v2/query", secret: owner, body: []byte(`{"site_id":` + quote(text) + `,"metrics":["visitors"],"date_range":"7d"}`)}); got.status == http.StatusOK {
			t.Errorf("a site named %q was found: %s", text, got.body)
		}
	}
}
