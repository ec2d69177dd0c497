package track_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/functions/track"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"

// service is the function with a real Redis and PostgreSQL, and the site example.com.
type service struct {
	url    string
	db     *pgxpool.Pool
	client *goredis.Client
	log    *bytes.Buffer
}

// start starts the function. settings are names and values of further variables in turn.
func start(t *testing.T, redisURL string, settings ...string) *service {
	t.Helper()
	ctx := t.Context()
	database := localtest.Postgres(t)
	db := localtest.Record(t, database)
	c := &service{db: db, log: &bytes.Buffer{}}
	c.addSite(t, "example.com")
	options, err := goredis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	c.client = goredis.NewClient(options)
	t.Cleanup(func() { _ = c.client.Close() })

	environment := map[string]string{
		"DATABASE_URL": database, "REDIS_URL": redisURL, "TRUSTED_PROXY_HOPS": "1", "SUBJECT_KEY": strings.Repeat("k", 32), "SALT_KEY": localtest.SaltKey,
		"METRICS_TOKEN": localtest.MetricsToken,
	}
	for pair := range slices.Chunk(settings, 2) {
		environment[pair[0]] = pair[1]
	}
	process := host.NewProcess(environment, slog.New(slog.NewTextHandler(c.log, nil)))
	t.Cleanup(process.Close)
	instance, err := host.Build(ctx, process.Env("track"), track.New)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(instance)
	t.Cleanup(func() {
		server.Close()
		_ = instance.Close(ctx)
	})
	c.url = server.URL
	return c
}

func (c *service) addSite(t *testing.T, domain string) {
	t.Helper()
	_, err := c.db.Exec(t.Context(), `INSERT INTO sites (public_id, domain, timezone) VALUES ('s_' || $1, $1, 'Europe/Paris')`, domain)
	if err != nil {
		t.Fatal(err)
	}
}

// post posts a body as the browser of 203.0.113.7, with additional headers.
func (c *service) post(t *testing.T, body string, headers ...string) (status int, answer map[string]any, header http.Header) {
	t.Helper()
	response, data := c.send(t, http.MethodPost, "/", body, append([]string{"Content-Type", "text/plain;charset=UTF-8"}, headers...)...)
	if err := json.Unmarshal([]byte(data), &answer); err != nil {
		t.Fatalf("response %q is not JSON: %v", data, err)
	}
	return response.StatusCode, answer, response.Header
}

func (c *service) queued(t *testing.T) (events []event.Event) {
	t.Helper()
	for shard := range queue.Shards {
		err := queue.Peek(t.Context(), c.client, shard, 1000, func(entry queue.Entry) {
			e, err := entry.Event()
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, *e)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return events
}

func TestOneEvent(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	status, answer, header := c.post(t, `{"site":"example.com","type":"view","url":"https://example.com/pricing?email=jane@example.com","referrer":"https://www.google.com/","subject":"jane"}`)
	if diff := cmp.Diff(map[string]any{"accepted": 1.0}, answer); status != http.StatusAccepted || diff != "" {
		t.Errorf("status %d %s", status, diff)
	}
	if header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a page of another origin can't read the response")
	}
	events := c.queued(t)
	if len(events) != 1 || events[0].Page != "/pricing" || events[0].Source != "Google" || events[0].Browser != "Firefox" || events[0].Subject == uuid.Nil {
		t.Fatalf("queued %+v", events)
	}
}

// TestOrigins asks as browsers do. With credentials they want the page's own origin.
func TestOrigins(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	for name, test := range map[string]struct{ method, path, origin, want, credentials string }{
		"preflight":      {http.MethodOptions, "/api/send", "https://one.example", "https://one.example", "true"},
		"event":          {http.MethodPost, "/api/send", "https://one.example", "https://one.example", "true"},
		"opaque origin":  {http.MethodPost, "/", "null", "null", "true"},
		"no browser":     {http.MethodPost, "/", "", "*", ""},
		"script":         {http.MethodGet, "/script.js", "https://one.example", "*", ""},
		"pixel":          {http.MethodGet, "/pixel.gif", "https://one.example", "*", ""},
		"unknown format": {http.MethodPost, "/nothing", "https://one.example", "https://one.example", "true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := http.NewRequestWithContext(t.Context(), test.method, c.url+test.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if test.origin != "" {
				request.Header.Set("Origin", test.origin)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			h := response.Header
			if h.Get("Access-Control-Allow-Origin") != test.want || h.Get("Access-Control-Allow-Credentials") != test.credentials {
				t.Errorf("got %q, %q; want %q, %q", h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Allow-Credentials"), test.want, test.credentials)
			}
			if varies := slices.Contains(h.Values("Vary"), "Origin"); varies != (test.credentials != "") {
				t.Errorf("Vary %q", h.Values("Vary"))
			}
		})
	}
}

func TestNoPersonalData(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	c.post(t, `{"site":"example.com","type":"view","url":"https://example.com/a?mail=jane@example.com","referrer":"https://x.org/?who=jane","subject":"jane-42","props":{"email":"jane@example.com"}}`)
	c.post(t, `{"site":"example.com","type":"view","url":"junk jane-42"}`)
	raw, err := c.client.Eval(t.Context(), `
		local out = {}
		for _, key in ipairs(redis.call('KEYS', '*')) do
			out[#out + 1] = key .. redis.call('DUMP', key)
		end
		return table.concat(out)`, nil).Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"203.0.113.7", "Gecko", "jane"} {
		if strings.Contains(raw, secret) || strings.Contains(c.log.String(), secret) {
			t.Errorf("%q reached Redis or the log", secret)
		}
	}
}

func TestConsent(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	for _, header := range []string{"DNT", "Sec-GPC"} {
		status, answer, _ := c.post(t, `{"site":"example.com","type":"view","url":"https://example.com/"}`, header, "1")
		want := map[string]any{"accepted": 0.0, "dropped": []any{map[string]any{"index": 0.0, "reason": "consent"}}}
		if diff := cmp.Diff(want, answer); status != http.StatusAccepted || diff != "" {
			t.Errorf("%s: status %d %s", header, status, diff)
		}
	}
	if n := len(c.queued(t)); n != 0 {
		t.Errorf("%d events of visitors who refused were queued", n)
	}
}

func TestPartlyInvalidArray(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	status, answer, _ := c.post(t, `[
		{"site":"example.com","type":"view","url":"https://example.com/"},
		{"site":"example.com","type":"vew","url":"https://example.com/"},
		7,
		{"site":"unknown.com","type":"click"},
		{"site":"s_example.com","type":"click","props":{"phone":"1","plan":"pro"}}]`)
	if status != http.StatusAccepted || answer["accepted"] != 2.0 {
		t.Errorf("status %d, %v", status, answer)
	}
	type fieldError struct {
		index       float64
		field, code any
	}
	var got []fieldError
	for _, e := range answer["errors"].([]any) {
		p := e.(map[string]any)
		got = append(got, fieldError{p["index"].(float64), p["field"], p["code"]})
	}
	want := []fieldError{{1, "type", "wrong_value"}, {2, nil, "wrong_type"}, {3, "site", "unknown_site"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(fieldError{})); diff != "" {
		t.Error(diff)
	}
	warning := answer["warnings"].([]any)[0].(map[string]any)
	if warning["field"] != "props.phone" || warning["index"] != 4.0 {
		t.Errorf("warning %v", warning)
	}
	if n := len(c.queued(t)); n != 2 {
		t.Errorf("%d events were queued", n)
	}
}

func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	for name, test := range map[string]struct {
		body    string
		headers []string
		status  int
		field   any
		code    string
	}{
		"no body":       {"", nil, 400, nil, "required"},
		"not JSON":      {"site=example.com", nil, 400, nil, "malformed"},
		"unknown site":  {`{"site":"other.com","type":"click"}`, nil, 400, "site", "unknown_site"},
		"old date":      {`{"site":"example.com","type":"click","timestamp":"2020-01-01T00:00:00Z"}`, nil, 400, "timestamp", "out_of_range"},
		"invalid array": {`[{"site":"example.com"}]`, nil, 400, nil, "invalid"},
		"form":          {"a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, nil, "unsupported_type"},
		"Latin-1":       {"{}", []string{"Content-Type", "application/json; charset=latin1"}, 415, nil, "unsupported_encoding"},
		"compressed":    {"{}", []string{"Content-Encoding", "br"}, 415, nil, "unsupported_encoding"},
		"over 1 MiB":    {`"` + strings.Repeat("x", 1<<20) + `"`, nil, 413, nil, "body_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer, header := c.post(t, test.body, test.headers...)
			if status != test.status || answer["code"] != test.code || answer["field"] != test.field {
				t.Errorf("status %d, %v; want %d, code %s, field %v", status, answer, test.status, test.code, test.field)
			}
			if kind := header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("Content-Type %s, want a problem document", kind)
			}
		})
	}
}

// TestClockAhead checks that an event from a clock that is ahead gets the time of arrival,
// and that the metric counts it.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	before := time.Now().Truncate(time.Millisecond)
	for _, at := range []time.Time{before, before.Add(time.Hour), before.Add(-time.Hour)} {
		body := `{"site":"example.com","type":"click","name":"` + at.Sub(before).String() + `","timestamp":"` + at.Format(time.RFC3339Nano) + `"}`
		if status, answer, _ := c.post(t, body); status != http.StatusAccepted {
			t.Fatalf("status %d, %v", status, answer)
		}
	}
	elapsed := time.Since(before)
	events := c.queued(t)
	if len(events) != 3 {
		t.Fatalf("%d events are queued, want 3", len(events))
	}
	for _, e := range events {
		switch late := e.Time.Sub(before); {
		case e.Name == "1h0m0s" && (late < 0 || late > elapsed):
			t.Errorf("event from the future: stored %s after arrival", late)
		case e.Name != "1h0m0s" && e.Name != late.String():
			t.Errorf("event %s: stored with offset %s", e.Name, late)
		}
	}
	if got := localtest.Metrics(t, c.url)["analytics_track_skewed_events_total"]; got != "1" {
		t.Errorf("the metrics count %q events of wrong clocks, want 1", got)
	}
}

func TestNewSite(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	c.addSite(t, "new.example")
	if status, answer, _ := c.post(t, `{"site":"new.example","type":"click"}`); status != http.StatusAccepted {
		t.Errorf("status %d, %v", status, answer)
	}
}

func TestVisitors(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	body := `{"site":"example.com","type":"view","url":"https://example.com/"}`
	c.post(t, body)
	c.post(t, body, "X-Forwarded-For", "198.51.100.1, 203.0.113.7") // an address that the client sends itself is ignored
	c.post(t, body, "X-Forwarded-For", "203.0.113.8")
	visitors := map[int64]int{}
	for _, e := range c.queued(t) {
		visitors[e.Visitor]++
	}
	if len(visitors) != 2 {
		t.Errorf("%d visitors, want 2", len(visitors))
	}
}

// TestRedisOutage checks that events are rejected with Retry-After while Redis is down and
// accepted when it is back, and that no accepted event is lost.
func TestRedisOutage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := redis.Start(t.Context(), dir, redis.Fsync(redis.FsyncAlways))
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, server.URL())
	body := `{"site":"example.com","type":"click"}`
	if status, answer, _ := c.post(t, body); status != http.StatusAccepted {
		t.Fatalf("status %d, %v", status, answer)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	status, answer, header := c.post(t, body)
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(header.Get("Access-Control-Expose-Headers"), "Retry-After") || answer["code"] != "unavailable" {
		t.Errorf("without Redis: status %d, %v", status, answer)
	}
	server, err = redis.Start(t.Context(), dir, redis.Fsync(redis.FsyncAlways), redis.Port(server.Port()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Kill() })
	localtest.Eventually(t, "an event is accepted when Redis is back", func() bool {
		status, _, _ := c.post(t, body)
		return status == http.StatusAccepted
	})
	if n := len(c.queued(t)); n != 2 {
		t.Errorf("%d events are queued, 2 were accepted", n)
	}
}

// TestShortOfMemory checks that events are rejected with Retry-After before Redis is full
// and accepted again when the queue is drained, and that no accepted event is lost.
func TestShortOfMemory(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t), "RATE_LIMIT", "0")
	ctx := t.Context()
	if err := c.client.ConfigSet(ctx, "maxmemory", "8mb").Err(); err != nil {
		t.Fatal(err)
	}
	accepted := map[uuid.UUID]bool{}
	// post sends 100 events and returns the status, code and header of the response.
	post := func() (int, any, http.Header) {
		ids, events := make([]uuid.UUID, 100), make([]string, 100)
		for i := range ids {
			ids[i] = uuid.Must(uuid.NewV7())
			events[i] = fmt.Sprintf(`{"id":%q,"site":"example.com","type":"view","url":"https://example.com/%s"}`, ids[i], strings.Repeat("x", 500))
		}
		status, answer, header := c.post(t, "["+strings.Join(events, ",")+"]")
		if status == http.StatusAccepted {
			if answer["accepted"] != 100.0 {
				t.Fatalf("got %v", answer)
			}
			for _, id := range ids {
				accepted[id] = true
			}
		}
		return status, answer["code"], header
	}
	until := func(what string, wanted func(status int, code any, header http.Header) bool) {
		localtest.Eventually(t, what, func() bool { return wanted(post()) })
	}
	until("refused", func(status int, code any, header http.Header) bool {
		return status == http.StatusServiceUnavailable && code == "overloaded" && header.Get("Retry-After") == "5"
	})
	metrics := localtest.Metrics(t, c.url)
	if metrics["analytics_track_shed_total"] != "1" || metrics["analytics_queue_memory_ratio"] < "0.8" || metrics["analytics_queue_may_evict"] != "0" {
		t.Errorf("metrics: %v", metrics)
	}

	drain := func() {
		for shard := range queue.Shards {
			batch, err := queue.Read(ctx, c.client, shard, queue.Limit{Events: 100_000, Bytes: 64 << 20})
			if err != nil {
				t.Fatal(err)
			}
			if err := queue.Trim(ctx, c.client, shard, batch); err != nil {
				t.Fatal(err)
			}
			for _, entry := range batch.Entries {
				e, err := entry.Event()
				if err != nil {
					t.Fatal(err)
				}
				delete(accepted, e.ID)
			}
		}
	}
	drain()
	if len(accepted) > 0 {
		t.Errorf("%d accepted events are not in the queue", len(accepted))
	}
	until("accepted again", func(status int, _ any, _ http.Header) bool { return status == http.StatusAccepted })
	if drain(); len(accepted) > 0 {
		t.Errorf("%d events accepted afterwards are not in the queue", len(accepted))
	}
}

// TestEvictingRedis checks that the function does not start with a Redis that may delete
// events.
func TestEvictingRedis(t *testing.T) {
	t.Parallel()
	url := localtest.Redis(t)
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	for parameter, value := range map[string]string{"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"} {
		if err := client.ConfigSet(t.Context(), parameter, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	process := host.NewProcess(map[string]string{"DATABASE_URL": localtest.Postgres(t), "REDIS_URL": url, "SALT_KEY": localtest.SaltKey}, slog.New(slog.DiscardHandler))
	t.Cleanup(process.Close)
	_, err = host.Build(t.Context(), process.Env("track"), track.New)
	if err == nil || !strings.Contains(err.Error(), "REDIS_URL") || !strings.Contains(err.Error(), "set it to noeviction") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v; want one line that says what to set", err)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, c.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNoContent || !strings.Contains(response.Header.Get("Access-Control-Allow-Headers"), "Content-Type, X-Debug-Request, X-Umami-Cache") {
		t.Errorf("status %d, %v", response.StatusCode, response.Header)
	}
}

// TestDropsCounted checks that the database counts every dropped and every masked event by site
// and reason.
func TestDropsCounted(t *testing.T) {
	t.Parallel()
	networks := filepath.Join(t.TempDir(), "networks.txt")
	if err := os.WriteFile(networks, []byte("198.51.100.0/24 # a provider\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, localtest.Redis(t), "DATACENTER_NETWORKS", networks)
	c.addSite(t, "ruled.example")
	if _, err := c.db.Exec(t.Context(), `UPDATE sites SET rules = '{"excluded_paths":["/admin/**"]}' WHERE domain = 'ruled.example'`); err != nil {
		t.Fatal(err)
	}
	const excluded = `{"site":"ruled.example","type":"view","url":"https://ruled.example/admin/x"}`
	c.post(t, excluded)
	c.post(t, `[{"site":"ruled.example","type":"view"},{"site":"unknown.example","type":"click"},`+excluded+`]`)
	c.post(t, excluded, "DNT", "1")
	const good = `{"site":"ruled.example","type":"view","url":"https://ruled.example/"}`
	c.post(t, good, "Sec-Purpose", "prefetch;prerender")
	c.post(t, good, "Sec-CH-UA", `"HeadlessChrome";v="131"`)
	c.post(t, good, "User-Agent", "GPTBot/1.2")
	c.post(t, good, "User-Agent", "Dart/3.3 (dart:io)")
	c.post(t, good, "X-Forwarded-For", "198.51.100.7")
	c.post(t, `{`)
	c.post(t, `{"site":"ruled.example","type":"view","url":"https://ruled.example/a@b.example","title":"c@d.example","referrer":"https://x.example/4111111111111111","props":{"phone":"1","a":"?token=x"}}`)
	aggregator := &aggregate.Aggregator{Redis: c.client, Database: c.db}
	want := "0 invalid 1, 0 unknown_site 1, 2 bot_datacenter 1, 2 bot_headless 1, 2 bot_prefetch 1, 2 bot_unknown 1, 2 bot_user_agent 1, 2 consent 1, 2 excluded_path 2, 2 invalid 1, 2 masked_card 1, 2 masked_email 1, 2 masked_property 1, 2 masked_token 1"
	localtest.Eventually(t, "the drops are "+want, func() bool {
		if _, err := aggregator.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := c.db.QueryRow(t.Context(), `SELECT coalesce(string_agg(concat_ws(' ', site_id, reason, events), ', ' ORDER BY site_id, reason), '') FROM drops`).Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got == want
	})
}

// TestRateLimit checks that a sender over the rate limit is asked to retry later, that
// other senders are not affected, and that the dropped events are counted.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	batch := "[" + strings.TrimSuffix(strings.Repeat(`{"site":"example.com","type":"click"},`, 1000), ",") + "]"
	for sent := 0; ; sent++ {
		status, answer, header := c.post(t, batch)
		if status == http.StatusTooManyRequests {
			// Pages of other sites can read exposed headers only.
			if answer["code"] != "rate_limited" || header.Get("Retry-After") == "" || header.Get("Access-Control-Expose-Headers") != "Retry-After" {
				t.Errorf("%v, %v", answer, header)
			}
			if sent < 6 {
				t.Errorf("limited after %d thousand events", sent)
			}
			break
		}
		if sent > 200 { // the limit is 6000 per minute, and this takes few minutes
			t.Fatalf("%d thousand events were accepted from one address (%d, %v)", sent, status, answer["accepted"])
		}
	}
	if status, answer, _ := c.post(t, `{"site":"example.com","type":"click"}`, "X-Forwarded-For", "203.0.113.8"); status != http.StatusAccepted {
		t.Errorf("another address is limited: %v", answer)
	}
	if !strings.Contains(c.log.String(), "TRUSTED_PROXY_HOPS") || strings.Contains(c.log.String(), "203.0.113") {
		t.Errorf("log: %s", c.log)
	}
	if got := localtest.Metrics(t, c.url)[`analytics_track_dropped_events_total{reason="rate",site="s_example.com"}`]; got == "" || got == "0" {
		t.Error("the dropped events are not counted")
	}
}
