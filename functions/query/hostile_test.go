package query_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// hostile is a question of 63 KB whose regular expressions are 650 MB when they are compiled.
func hostile(site string) string {
	pattern := `"` + strings.Repeat("x{1000}", 140) + `"`
	filter := `["matches","event:page",[` + strings.TrimSuffix(strings.Repeat(pattern+",", 16), ",") + `]]`
	return `{"site_id":"` + site + `","metrics":["visitors"],"date_range":"30d","filters":[` + strings.TrimSuffix(strings.Repeat(filter+",", 4), ",") + `]}`
}

// TestStrangersCostLittle asks a question that costs much to compile, with all who may not ask
// it, and with those who may.
func TestStrangersCostLittle(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	i := install(t, localtest.Postgres(t), "QUERY_RATE=1")
	other, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "other.example", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.db.Exec(t.Context(), `UPDATE sites SET public = true WHERE id = $1`, other.ID); err != nil {
		t.Fatal(err)
	}
	_, key, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, []int32{other.ID})
	if err != nil {
		t.Fatal(err)
	}
	_, slow, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, nil)
	if err != nil {
		t.Fatal(err)
	}
	question := hostile("example.com")
	ask := func(method, secret, question string) (status int, body string, allocated uint64) {
		r := httptest.NewRequest(http.MethodPost, "/api/v2/query", strings.NewReader(question))
		if method == http.MethodGet {
			r = httptest.NewRequest(http.MethodGet, "/api/v2/query?query="+url.QueryEscape(question), nil)
		}
		if secret != "" {
			r.Header.Set("Authorization", "Bearer "+secret)
		}
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		i.handler.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		return w.Code, w.Body.String(), after.TotalAlloc - before.TotalAlloc
	}
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		for name, test := range map[string]struct {
			secret, question string
			status           int
		}{
			"nobody":                       {"", question, http.StatusUnauthorized},
			"a wrong key":                  {"ak_nothing", question, http.StatusUnauthorized},
			"a key for another site":       {key, question, http.StatusForbidden},
			"the owner":                    {token, question, http.StatusBadRequest},
			"the owner, about no site":     {token, hostile("no.example"), http.StatusNotFound},
			"the first visitor of a site":  {"", hostile("other.example"), http.StatusBadRequest},
			"the second visitor of a site": {"", hostile("other.example"), http.StatusTooManyRequests},
		} {
			status, body, allocated := ask(method, test.secret, test.question)
			if test.secret == "" && test.status != http.StatusUnauthorized { // the order of the two is random, and one is the first
				if status != http.StatusBadRequest && status != http.StatusTooManyRequests {
					t.Errorf("%s by %s: status %d: %s", name, method, status, body)
				}
			} else if status != test.status {
				t.Errorf("%s by %s: status %d, want %d: %s", name, method, status, test.status, body)
			}
			if status == http.StatusBadRequest && (!strings.Contains(body, `"field":"filters.0.2.0"`) || !strings.Contains(body, "2000 steps")) {
				t.Errorf("%s by %s: %s", name, method, body)
			}
			if most := 40 * uint64(len(question)); allocated > most {
				t.Errorf("%s by %s: a question of %d bytes takes %d bytes of memory", name, method, len(question), allocated)
			}
		}
	}
	for n, want := range []int{http.StatusBadRequest, http.StatusTooManyRequests} {
		if status, body, _ := ask(http.MethodPost, slow, question); status != want {
			t.Errorf("question %d of a key: status %d: %s", n+1, status, body)
		}
	}
}

// TestWrongQuestions checks that who may not ask does not learn what is wrong with a question,
// since nobody has looked at it, and that wrong questions count.
func TestWrongQuestions(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t), "QUERY_RATE=1")
	other, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "other.example", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, []int32{other.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		secret, site string
		status       int
	}{
		{"", "example.com", http.StatusUnauthorized}, {"", "no.example", http.StatusUnauthorized}, {key, "example.com", http.StatusForbidden},
		{token, "no.example", http.StatusNotFound}, {token, "example.com", http.StatusBadRequest},
		{key, "other.example", http.StatusBadRequest}, {key, "other.example", http.StatusTooManyRequests},
	} {
		if status, body := i.ask(t, test.secret, `{"site_id":"`+test.site+`","metrics":["nonsense"]}`); status != test.status {
			t.Errorf("%q about %s: status %d, want %d: %s", test.secret, test.site, status, test.status, body)
		}
	}
}

// TestTooLarge asks questions of each kind that keep too much for an answer.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	const about = `"site_id":"example.com","date_range":["2026-03-10","2026-03-10"]`
	questions := map[string]string{
		"/api/v2/query":   about + `,"metrics":["visitors"],"dimensions":["event:page","visit:country"],"pagination":{"limit":1}`,
		"/api/v2/query?1": about + `,"metrics":["total_revenue"],"dimensions":["event:props:a","event:page"],"pagination":{"limit":1}`,
		"/v1/journeys":    about,
		"/v1/cohorts":     about + `,"by":"visit:entry_page"`,
		"/v1/funnels":     about + `,"breakdown":"event:page","steps":[{"filters":[["contains","event:page",["/"]]]},{"filters":[["contains","event:page",["x"]]]}]`,
	}
	for _, memory := range []int64{8 << 20, 1 << 30} {
		limits := patient()
		limits.Large.Memory = memory
		i := installWith(t, localtest.Postgres(t), limits)
		i.addPages(t, 40_000, 50)
		for path, question := range questions {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{"+question+"}"))
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			i.handler.ServeHTTP(w, r)
			if small := memory < 1<<30; (w.Code == http.StatusOK) == small || small && !strings.Contains(w.Body.String(), "query_too_large") {
				t.Errorf("%s with %d MB: status %d: %.200s", path, memory>>20, w.Code, w.Body)
			}
		}
	}
}

// addPages stores views of pages that differ from each other, and take long to match.
func (i *installation) addPages(t *testing.T, n, length int) {
	t.Helper()
	const day = "2026-03-10"
	if _, err := i.db.Exec(t.Context(), `
INSERT INTO events (site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title, referrer, source, channel, utm_source,
    utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser, browser_version, os, os_version, device, language, screen,
    currency, funnel, funnel_step)
SELECT $1, $2::date + n * interval '1 ms', gen_random_uuid(), $2, 60, n, 1, '', '', '/' || n || repeat('x', $4), 'Title ' || n, '', '', '', '', '', '', '', '', 'FR', '', '',
    '', '', '', '', '', '', '', '', '', 0
FROM generate_series(1, $3) AS n`, i.site.ID, day, n, length); err != nil {
		t.Fatal(err)
	}
	if _, err := i.db.Exec(t.Context(), `INSERT INTO rollup_day VALUES ($1, 0, $2, '', $3, $3, $3, $3, $3, 0, 0)`, i.site.ID, day, n); err != nil {
		t.Fatal(err)
	}
}

// slowMatch is a question that would take hours: each of the pages of addPages takes some ten
// milliseconds to match.
const slowMatch = `{"site_id":"example.com","metrics":["visitors"],"date_range":["2026-03-10","2026-03-10"],"filters":[["matches","event:page",[".*(?:x?.?){450}y"]]]}`

// TestHangUp hangs up while questions are being matched.
func TestHangUp(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t), "METRICS_TOKEN="+token)
	const pages, turns = 8_000, 2
	i.addPages(t, pages, 2000)
	server := httptest.NewServer(i.handler)
	defer server.Close()
	post := func(ctx context.Context, secret, path, question string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader(question))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		return server.Client().Do(r)
	}
	paths := map[string]string{
		"/api/v2/query": slowMatch,
		"/v1/journeys":  strings.Replace(slowMatch, `"metrics":["visitors"],`, "", 1),
		"/v1/cohorts":   strings.Replace(slowMatch, `"metrics":["visitors"],`, "", 1),
		"/v1/funnels":   strings.Replace(slowMatch, `"metrics":["visitors"],`, `"steps":[{"filters":[["is","event:page",["/"]]]},{"filters":[["is","event:page",["/"]]]}],`, 1),
	}
	ctx, hangUp := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for path, question := range paths {
		for range 3 {
			asking.Go(func() {
				answer, err := post(ctx, token, path, question)
				if err == nil {
					t.Errorf("%s: status %d", path, answer.StatusCode)
					_ = answer.Body.Close()
				}
			})
		}
	}
	taken := func() int { return i.turns(t, `kind="large",state="taken"`) }
	localtest.Eventually(t, "questions are matched, and need no connection", func() bool {
		return taken() >= turns && i.turns(t, `kind="large",state="waiting"`) > 0 && i.db.Stat().AcquiredConns() == 0
	})
	_, key, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Neither a question that needs no turn waits, nor that of another client.
	for secret, question := range map[string]string{
		token: `{"site_id":"example.com","metrics":["visitors"],"date_range":"30d"}`,
		key:   `{"site_id":"example.com","metrics":["visitors"],"date_range":["2026-03-02","2026-03-02"],"filters":[["matches","event:page",["^/pricing$"]]]}`,
	} {
		answer, err := post(t.Context(), secret, "/api/v2/query", question)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", question, answer, err)
		}
		_ = answer.Body.Close()
	}
	hangUp()
	asking.Wait()
	localtest.Eventually(t, "no question is matched any more", func() bool {
		return taken() == 0 && i.turns(t, `kind="large",state="waiting"`) == 0 && i.turns(t, `kind="small",state="taken"`) == 0 && i.db.Stat().AcquiredConns() == 0
	})
}

// turns reads the number of turns from the function's metrics.
func (i *installation) turns(t *testing.T, labels string) int {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	i.handler.ServeHTTP(w, r)
	lines := bufio.NewScanner(w.Body)
	for lines.Scan() {
		if number, ok := strings.CutPrefix(lines.Text(), "analytics_query_turns{"+labels+"} "); ok {
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no metric with %s", labels)
	return 0
}

// TestMemoryLimit starts the program with the memory that stack.yml gives it, and asks many
// questions at once. Each question needs more memory than that.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	megabytes, err := strconv.ParseInt(strings.TrimSuffix(platformtest.ReadStack(t).Functions["query"].Limits.Memory, "Mi"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	limit := megabytes << 20
	database := localtest.Postgres(t)
	i := install(t, database)
	const pages = 50_000
	i.addPages(t, pages, 1900)
	program := filepath.Join(t.TempDir(), "query")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	port := localtest.FreePort(t)
	process := exec.CommandContext(t.Context(), program)
	process.Env = append(os.Environ(), "DATABASE_URL="+database, "ADMIN_TOKEN="+token, "PORT="+port, fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", megabytes))
	var stderr strings.Builder
	process.Stderr = &stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = process.Wait() }()
	defer func() { _ = process.Process.Kill() }()
	address := "http://127.0.0.1:" + port
	localtest.Eventually(t, "the function is ready", func() bool {
		answer, err := http.Get(address + "/_/ready")
		if err != nil {
			return false
		}
		defer func() { _ = answer.Body.Close() }()
		return answer.StatusCode == http.StatusOK
	})
	const about = `"site_id":"example.com","date_range":["2026-03-10","2026-03-10"]`
	questions := map[string]string{
		"/api/v2/query":            about + `,"metrics":["visitors"],"dimensions":["event:page","visit:entry_page","visit:exit_page"]`,
		"/api/v2/query?format=csv": about + `,"metrics":["visitors","visits"],"dimensions":["event:page","visit:country"]`,
		"/api/v2/query?a=1":        about + `,"metrics":["visitors","percentage"],"dimensions":["event:page"],"include":{"comparisons":{"mode":"previous_period"}},"filters":[["is","visit:country",["FR"]]]`,
		// These fit, just.
		"/api/v2/query?b=1":            about + `,"metrics":["visitors","visits"],"dimensions":["event:page","visit:country"],"filters":[["contains","event:page",["7x"]]]`,
		"/api/v2/query?format=csv&b=1": about + `,"metrics":["visitors"],"dimensions":["visit:entry_page"],"filters":[["contains","event:page",["8x"]]]`,
		"/v1/journeys?b=1":             about + `,"filters":[["contains","event:page",["9x"]]]`,

		"/v1/journeys":              about + `,"depth":10,"breadth":50`,
		"/v1/cohorts":               about + `,"by":"visit:entry_page","limit":1000`,
		"/v1/funnels":               about + `,"breakdown":"event:page","steps":[{"filters":[["contains","event:page",["/"]]]},{"filters":[["contains","event:page",["x"]]]}]`,
		"/v1/visits":                about + `,"limit":1000,"filters":[["contains","event:page",["x"]]]`,
		"/v1/visits?format=csv":     about + `,"filters":[["contains","event:page",["x"]]]`,
		"/v1/export?format=ndjson":  about + `,"filters":[["contains","event:page",["x"]]]`,
		"/v1/export?format=parquet": about,
	}
	codec, err := columns.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	var mu sync.Mutex
	answers := map[string]map[string]int{} // how many of each kind
	for round := range 4 {
		if round == 2 { // from now on the day is archived
			asking.Wait()
			day, err := event.ParseDay("2026-03-10")
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := archive.Day(t.Context(), i.db, codec, store.SiteDay{Site: i.site.ID, Day: day}, archive.PartEvents); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		for path, question := range questions {
			asking.Go(func() {
				// Each question differs, so that no answer is cached.
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+path, strings.NewReader(fmt.Sprintf("{%s%*s}", question, round, "")))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Errorf("%s: %v", path, err)
					return
				}
				defer func() { _ = answer.Body.Close() }()
				became := answer.Status
				if answer.StatusCode == http.StatusOK {
					_, err = io.Copy(io.Discard, answer.Body)
				} else {
					var p problem.Problem
					err = json.UnmarshalRead(answer.Body, &p)
					became = p.Code
				}
				if err != nil {
					t.Errorf("%s: %v", path, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if answers[path] == nil {
					answers[path] = map[string]int{}
				}
				answers[path][became]++
			})
		}
	}
	asking.Wait()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.Process.Pid))
	if err != nil {
		t.Fatalf("the function has died: %v: %s", err, stderr.String())
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(after)
	most, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("at most %d of %d MB; answers: %v", most>>10, limit>>20, answers)
	if most<<10 >= limit {
		t.Errorf("the function needs %d MB, and has %d", most>>10, limit>>20)
	}
	for path, counts := range answers {
		for became := range counts {
			switch became {
			case "200 OK", "query_too_slow", "overloaded": // the last two on a slow machine
			case "query_too_large":
				if strings.HasSuffix(path, "b=1") {
					t.Errorf("%s is too large", path)
				}
			default:
				t.Errorf("%s: %s", path, became)
			}
		}
	}
}

// TestManyDays scans more days than are read at once, with next to no memory.
func TestManyDays(t *testing.T) {
	t.Parallel()
	limits := patient()
	limits.Large.Memory = 100 << 10
	i := installWith(t, localtest.Postgres(t), limits)
	const days = 450
	for _, statement := range []string{`
INSERT INTO events (site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title, referrer, source, channel, utm_source,
    utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser, browser_version, os, os_version, device, language, screen,
    currency, funnel, funnel_step)
SELECT $1, day + interval '12 hours', gen_random_uuid(), day, 60, n, 1, '', '', '/', '', '', '', '', '', '', '', '', '', 'FR', '', '', '', '', '', '', '', '', '', '', '', 0
FROM generate_series(1, $2) AS n, LATERAL (SELECT ('2027-01-01'::date + n) AS day) AS d`, `
INSERT INTO rollup_day SELECT $1, 0, '2027-01-01'::date + n, '', 1, 1, 1, 1, 1, 0, 0 FROM generate_series(1, $2) AS n`} {
		if _, err := i.db.Exec(t.Context(), statement, i.site.ID, days); err != nil {
			t.Fatal(err)
		}
	}
	codec, err := columns.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	first, err := event.ParseDay("2027-01-02")
	if err != nil {
		t.Fatal(err)
	}
	for day := first; day < first+days; day++ {
		if (day-first)%22 == 3 { // some days between are not archived
			continue
		}
		if ok, err := archive.Day(t.Context(), i.db, codec, store.SiteDay{Site: i.site.ID, Day: day}, archive.PartEvents); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	status, body := i.ask(t, token, `{"site_id":"example.com","metrics":["visitors"],"date_range":["2027-01-01","2028-12-31"],"filters":[["is","visit:country",["FR"]],["contains","event:page",["/"]]]}`)
	if status != http.StatusOK || !strings.Contains(body, fmt.Sprintf(`"metrics":[%d]`, days)) {
		t.Errorf("status %d: %s", status, body)
	}
}
