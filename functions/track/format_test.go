package track_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/aggregate"
)

// send sends a request as the browser of 203.0.113.7, and returns the response and its
// body.
func (c *service) send(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", agent)
	request.Header.Set("X-Forwarded-For", "203.0.113.7")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(data)
}

func TestPlausible(t *testing.T) { //nolint:tparallel // see the loop
	t.Parallel()
	c := start(t, localtest.Redis(t))
	const good = `{"n":"pageview","u":"https://example.com/","d":"example.com"}`
	for name, test := range map[string]struct { //nolint:paralleltest // the queued events are counted afterwards
		body    string
		headers []string
		status  int
		answer  string
		dropped string
	}{
		"accepted":               {good, nil, 202, "ok", ""},
		"plain text":             {good, []string{"Content-Type", "text/plain"}, 202, "ok", ""},
		"refused by DNT":         {good, []string{"DNT", "1"}, 202, "ok", "1"},
		"bot":                    {good, []string{"User-Agent", "Googlebot/2.1"}, 202, "ok", "1"},
		"unknown site":           {`{"n":"pageview","u":"https://x.example/","d":"x.example"}`, nil, 202, "ok", "1"},
		"two sites, one unknown": {`{"n":"pageview","u":"https://x.example/","d":"x.example,example.com"}`, nil, 202, "ok", "1"},
		"no site":                {`{"n":"pageview"}`, nil, 400, `{"errors":{"domain":["can't be blank: name one site, or several separated by commas"]}}`, ""},
		"no page":                {`{"n":"pageview","d":"example.com"}`, nil, 400, `{"errors":{"url":["a view and an engagement need the absolute address of the page, e.g. https://example.com/pricing"]}}`, ""},
		"debug":                  {good, []string{"X-Debug-Request", "true"}, 200, `{"events":[{"site":"example.com","type":"view","url":"https://example.com/"}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			response, answer := c.send(t, http.MethodPost, "/api/event", test.body, test.headers...)
			if response.StatusCode != test.status || answer != test.answer || response.Header.Get("X-Plausible-Dropped") != test.dropped {
				t.Errorf("status %d, dropped %q: %s", response.StatusCode, response.Header.Get("X-Plausible-Dropped"), answer)
			}
		})
	}
	if n := len(c.queued(t)); n != 3 {
		t.Errorf("%d events are queued, want 3", n)
	}
}

func TestUmami(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	const good = `{"type":"event","payload":{"website":"s_example.com","hostname":"example.com","url":"/"}}`
	const safe = `{"cache":"none","sessionId":"00000000-0000-0000-0000-000000000000","visitId":"00000000-0000-0000-0000-000000000000"}`
	for name, test := range map[string]struct {
		path, body string
		headers    []string
		status     int
		answer     string
	}{
		"accepted":     {"/api/send", good, []string{"X-Umami-Cache", "none"}, 200, safe},
		"bot":          {"/api/send", good, []string{"User-Agent", "Googlebot/2.1"}, 200, `{"beep":"boop"}`},
		"DNT":          {"/api/send", good, []string{"DNT", "1"}, 200, `{"beep":"boop"}`},
		"unknown site": {"/api/send", `{"type":"event","payload":{"website":"x","url":"https://x.example/"}}`, nil, 400, `{"error":{"code":"unknown_site","message":"payload.website: no such site: use the domain or the public id of a site that was added to this installation","status":400}}`},
		"batch":        {"/api/batch", "[" + good + `,{"type":"x"}]`, nil, 200, `{"cache":"none","details":[{"index":1,"response":{"error":{"code":"wrong_value","message":"type: must be one of event, identify, performance","status":400}}}],"errors":1,"processed":1,"size":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, answer := c.send(t, http.MethodPost, test.path, test.body, test.headers...)
			if response.StatusCode != test.status || answer != test.answer {
				t.Errorf("status %d: %s", response.StatusCode, answer)
			}
		})
	}
}

func TestSegment(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	for name, test := range map[string]struct {
		path, body string
		status     int
		answer     map[string]any
	}{
		"track":        {"/v1/track", `{"writeKey":"example.com","event":"A"}`, 200, map[string]any{"success": true, "accepted": 1.0}},
		"short":        {"/v1/p", `{"writeKey":"example.com","context":{"page":{"url":"https://example.com/"}}}`, 200, map[string]any{"success": true, "accepted": 1.0}},
		"identify":     {"/v1/identify", `{"writeKey":"example.com"}`, 200, map[string]any{"success": true, "accepted": 0.0, "dropped": []any{map[string]any{"index": 0.0, "reason": "unsupported"}}}},
		"unknown site": {"/v1/track", `{"writeKey":"x","event":"A"}`, 400, map[string]any{"success": false, "status": 400.0, "code": "unknown_site", "field": "writeKey"}},
		"omitted properties": {"/v1/track", `{"writeKey":"example.com","event":"A","properties":{"products":[{"sku":1}],"email":"x"}}`, 200, map[string]any{"success": true, "accepted": 1.0, "warnings": []any{
			map[string]any{"index": 0.0, "field": "properties.products", "detail": "omitted: must be a string, a number, a boolean, an object, or a list of those but objects"},
			map[string]any{"index": 0.0, "field": "properties.email", "detail": "omitted: its name suggests personal data"},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, body := c.send(t, http.MethodPost, test.path, test.body)
			var answer map[string]any
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatal(err)
			}
			delete(answer, "detail")
			delete(answer, "type")
			delete(answer, "title")
			if diff := cmp.Diff(test.answer, answer); response.StatusCode != test.status || diff != "" {
				t.Errorf("status %d: %s", response.StatusCode, diff)
			}
		})
	}
	if response, _ := c.send(t, http.MethodPost, "/v1/nothing", `{}`); response.StatusCode != http.StatusNotFound {
		t.Errorf("unknown path: status %d, want 404", response.StatusCode)
	}
}

func TestPixel(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	for name, test := range map[string]struct {
		query   string
		headers []string
		outcome string
	}{
		"page from Referer": {"?site=example.com", []string{"Referer", "https://example.com/a"}, "accepted"},
		"refused":           {"?site=example.com", []string{"Sec-GPC", "1"}, "dropped: consent"},
		"no site":           {"?url=https://example.com/", nil, "refused: site: name the site of the event: its domain or its public id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, image := c.send(t, http.MethodGet, "/pixel.gif"+test.query, "", test.headers...)
			if response.StatusCode != http.StatusOK || len(image) != 43 || !strings.HasPrefix(image, "GIF89a") || response.Header.Get("Content-Type") != "image/gif" {
				t.Errorf("status %d, %d bytes", response.StatusCode, len(image))
			}
			if got := response.Header.Get("X-Analytics-Outcome"); got != test.outcome || !strings.Contains(response.Header.Get("Cache-Control"), "no-store") {
				t.Errorf("outcome %q, Cache-Control %q", got, response.Header.Get("Cache-Control"))
			}
		})
	}
}

func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	const good = `{"site":"example.com","type":"click"}`
	compressors := map[string]func(string) string{
		"gzip": func(s string) string {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write([]byte(s))
			_ = w.Close()
			return b.String()
		},
		"zstd": func(s string) string {
			var b bytes.Buffer
			w, err := zstd.NewWriter(&b)
			if err != nil {
				t.Error(err)
				return ""
			}
			_, _ = w.Write([]byte(s))
			_ = w.Close()
			return b.String()
		},
	}
	for encoding, compress := range compressors {
		for name, test := range map[string]struct {
			body   string
			status int
			code   any
		}{
			"good":      {compress(good), 202, nil},
			"bomb":      {compress(good + strings.Repeat(" ", 100<<20)), 413, "body_too_large"},
			"truncated": {compress(good)[:12], 400, "malformed"},
			"plain":     {good, 400, "malformed"},
		} {
			t.Run(encoding+" "+name, func(t *testing.T) {
				t.Parallel()
				status, answer, _ := c.post(t, test.body, "Content-Encoding", encoding)
				if status != test.status || answer["code"] != test.code {
					t.Errorf("status %d, %v", status, answer)
				}
			})
		}
	}
}

// TestRetry checks in every format with event ids that a retry is no second event, whether
// the first is still queued or already stored.
func TestRetry(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	id := func() string { return uuid.Must(uuid.NewV7()).String() }
	yesterday := time.Now().Add(-20 * time.Hour)
	old := uuid.Must(uuid.NewV7())
	for i := range 6 {
		old[i] = byte(yesterday.UnixMilli() >> (40 - 8*i))
	}
	basic := []string{"Authorization", "Basic ZXhhbXBsZS5jb206"} // example.com:
	requests := []struct {
		method, path, body string
		headers            []string
	}{
		{http.MethodPost, "/", `{"id":"` + id() + `","site":"example.com","type":"click"}`, nil},
		{http.MethodPost, "/", `[{"id":"` + id() + `","site":"example.com","type":"click"}]`, nil},
		{http.MethodPost, "/", `{"id":"` + old.String() + `","site":"example.com","type":"click"}`, nil},
		{http.MethodGet, "/pixel.gif?site=example.com&type=click&id=" + id(), "", nil},
		{http.MethodPost, "/v1/track", `{"event":"A","messageId":"` + id() + `"}`, basic},
		{http.MethodPost, "/v1/track", `{"event":"A","messageId":"node-next-1"}`, basic},
		{http.MethodPost, "/v1/batch", `{"batch":[{"type":"track","event":"A","messageId":"node-next-2","timestamp":"` + yesterday.Format(time.RFC3339Nano) + `"}]}`, basic},
	}
	aggregator := &aggregate.Aggregator{Redis: c.client, Database: c.db}
	var result aggregate.Result
	for try := range 3 {
		for _, r := range requests {
			if response, answer := c.send(t, r.method, r.path, r.body, r.headers...); response.StatusCode > 202 {
				t.Fatalf("%s %s: status %d, %s", r.method, r.path, response.StatusCode, answer)
			}
		}
		if try == 0 {
			continue // the second try meets the first in the queue, the third in the database
		}
		var err error
		if result, err = aggregator.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var events int
	if err := c.db.QueryRow(t.Context(), `SELECT count(*) FROM events`).Scan(&events); err != nil {
		t.Fatal(err)
	}
	if events != len(requests) || result.Events != 0 || result.Duplicates != int64(len(requests)) {
		t.Errorf("%d events after sending %d requests three times; last run %+v", events, len(requests), result)
	}
}

// TestDocumentedCommands runs each command of docs/trackers.md, and checks the pages of the
// queued events.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	document, err := os.ReadFile("../../docs/trackers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, secret := c.writeKey(t, 1)
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(document), -1)
	for _, command := range commands {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", command[1])
		cmd.Env = append(os.Environ(), "TRACK="+c.url, "WRITE_KEY="+secret)
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command[1], err, output)
		}
	}
	var pages []string
	for _, e := range c.queued(t) {
		pages = append(pages, e.Page)
	}
	slices.Sort(pages)
	want := []string{"/array", "/array", "/native", "/pixel", "/plausible", "/segment-batch", "/segment-page", "/segment-track", "/server", "/umami", "/umami-batch"}
	if diff := cmp.Diff(want, pages); diff != "" {
		t.Error(diff)
	}
}

// TestMasked checks that what arrives in any format is masked before it is queued, and that the
// formats that tell the sender of warnings do so.
func TestMasked(t *testing.T) {
	t.Parallel()
	const page = "https://example.com/reset/k3J9x2Lm8Qp4/jane%40example.com"
	for name, test := range map[string]struct {
		method, path, body string
		warnings           []string // fields
	}{
		"native":    {http.MethodPost, "/", `{"site":"example.com","type":"view","url":"` + page + `","title":"jane@example.com"}`, []string{"url", "url", "title"}},
		"Plausible": {http.MethodPost, "/api/event", `{"n":"pageview","u":"` + page + `","d":"example.com","p":{"to":"mailto:jane@example.com"}}`, nil},
		"Umami":     {http.MethodPost, "/api/send", `{"type":"event","payload":{"website":"s_example.com","hostname":"example.com","url":"` + page + `","title":"jane@example.com"}}`, nil},
		"Segment": {http.MethodPost, "/v1/page", `{"writeKey":"example.com","properties":{"url":"` + page + `","to":"jane@example.com"}}`,
			[]string{"properties.to", "properties.url", "properties.url"}},
		"pixel": {http.MethodGet, "/pixel.gif?site=example.com&title=jane@example.com&url=" + url.QueryEscape(page), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, localtest.Redis(t))
			response, body := c.send(t, test.method, test.path, test.body)
			if response.StatusCode >= 300 {
				t.Fatalf("status %d: %s", response.StatusCode, body)
			}
			queued := c.queued(t)
			if len(queued) != 1 || queued[0].Page != "/reset/[token]/[email]" {
				t.Errorf("queued %+v", queued)
			}
			if text := fmt.Sprintf("%+v", queued); strings.Contains(text, "jane") || strings.Contains(text, "k3J9") {
				t.Errorf("the queue holds what should be masked: %s", text)
			}
			var answer struct {
				Warnings []struct{ Field, Detail string } `json:"warnings"`
			}
			if test.warnings != nil {
				if err := json.Unmarshal([]byte(body), &answer); err != nil {
					t.Fatal(err)
				}
			}
			var fields []string
			for _, w := range answer.Warnings {
				fields = append(fields, w.Field)
			}
			if diff := cmp.Diff(test.warnings, fields); diff != "" {
				t.Errorf("%s: %s", body, diff)
			}
		})
	}
}

// TestOtherCurrency sends amounts in a currency that the site does not take, in each format that
// has amounts. The function stores the events without the amounts, and tells the sender.
func TestOtherCurrency(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	if _, err := c.db.Exec(t.Context(), `UPDATE sites SET rules = '{"currencies":["EUR"]}'`); err != nil {
		t.Fatal(err)
	}
	c.post(t, `{"site":"unknown.example","type":"click"}`) // so that the rules are read
	requests := map[string]struct{ path, body, field string }{
		"native":    {"/", `{"site":"example.com","type":"conversion","name":"A","value":{"amount":1,"currency":"USD"}}`, "value.currency"},
		"Plausible": {"/api/event", `{"n":"A","u":"https://example.com/","d":"example.com","$":{"amount":1,"currency":"USD"}}`, "revenue.currency"},
		"Umami":     {"/api/send", `{"type":"event","payload":{"website":"example.com","url":"https://example.com/","name":"A","data":{"revenue":1,"currency":"USD"}}}`, "payload.data.currency"},
		"Segment":   {"/v1/track", `{"writeKey":"example.com","event":"A","properties":{"revenue":1,"currency":"USD"}}`, "properties.currency"},
	}
	for name, request := range requests {
		response, answer := c.send(t, http.MethodPost, request.path, request.body)
		if told := answer + response.Header.Get("X-Analytics-Outcome"); response.StatusCode > 202 || !strings.Contains(told, request.field) || !strings.Contains(told, "the amount is omitted") {
			t.Errorf("%s: status %d, %s", name, response.StatusCode, told)
		}
	}
	queued := c.queued(t)
	for _, e := range queued {
		if e.Name != "A" || e.Amount != "" || e.Currency != "" {
			t.Errorf("queued %+v", e)
		}
	}
	if len(queued) != len(requests) {
		t.Errorf("%d events are queued, want %d", len(queued), len(requests))
	}
}
