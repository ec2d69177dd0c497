package track_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// message is a request in one of the formats.
type message struct{ method, path, body string }

// views returns a view of a page in each format.
func views(site, page, referrer string) map[string]message {
	s, u, r := strconv.Quote(site), strconv.Quote(page), strconv.Quote(referrer)
	native := fmt.Sprintf(`{"site":%s,"type":"view","url":%s,"referrer":%s}`, s, u, r)
	umami := fmt.Sprintf(`{"type":"event","payload":{"website":%s,"hostname":"example.com","url":%s,"referrer":%s}}`, s, u, r)
	return map[string]message{
		"native":    {http.MethodPost, "/", native},
		"array":     {http.MethodPost, "/", "[" + native + "]"},
		"pixel":     {http.MethodGet, "/pixel.gif?" + url.Values{"site": {site}, "url": {page}, "referrer": {referrer}}.Encode(), ""},
		"Plausible": {http.MethodPost, "/api/event", fmt.Sprintf(`{"n":"pageview","d":%s,"u":%s,"r":%s}`, s, u, r)},
		"Umami":     {http.MethodPost, "/api/send", umami},
		"batch":     {http.MethodPost, "/api/batch", "[" + umami + "]"},
		"Segment":   {http.MethodPost, "/v1/page", fmt.Sprintf(`{"writeKey":%s,"properties":{"url":%s,"referrer":%s}}`, s, u, r)},
	}
}

// sendAll sends messages, and returns what is queued after it.
func (c *service) sendAll(t *testing.T, messages map[string]message) []event.Event {
	t.Helper()
	for format, m := range messages {
		if response, body := c.send(t, m.method, m.path, m.body); response.StatusCode >= 300 || strings.HasPrefix(response.Header.Get("X-Analytics-Outcome"), "refused") {
			t.Errorf("%s: status %d, %s%v", format, response.StatusCode, body, response.Header)
		}
	}
	return c.queued(t)
}

// TestOddAddresses checks that no format loses an event for an address that browsers accept.
func TestOddAddresses(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	type page struct{ Hostname, Page, Referrer string }
	want := map[page]int{}
	for address, is := range map[string]page{
		"https://example.com/100%":                               {"example.com", "/100%", "x.example/100%"},
		"https://example.com/%E0%A4%A":                           {"example.com", "/%E0%A4%A", "x.example/%E0%A4%A"},
		"https://example.com/fragment#100%":                      {"example.com", "/fragment", "x.example/fragment"},
		"https://example.com:8443\\back\\..\\a/./b":              {"example.com", "/a/b", "x.example/a/b"},
		"https://example.com/long?q=" + strings.Repeat("x", 3e3): {"example.com", "/long", "x.example/long"},
	} {
		want[is] += len(views("", "", ""))
		c.sendAll(t, views("example.com", address, strings.Replace(address, "example.com", "x.example", 1)))
	}
	app := page{"localhost", "/login", ""} // not a site that sends visitors
	want[app] = len(views("", "", ""))
	c.sendAll(t, views("example.com", "app://localhost/login", "app://localhost/"))
	got := map[page]int{}
	for _, e := range c.queued(t) {
		got[page{e.Hostname, e.Page, e.Referrer}]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOneForm checks that every format stores all spellings of a page as one.
func TestOneForm(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	want := map[string]int{}
	for form, spellings := range map[string][]string{
		"/café":    {"/caf%c3%a9", "/caf%C3%A9", "/café"},
		"/cafe":    {"/%63afe", "/cafe"},
		"/a%2Fb":   {"/a%2fb", "/a%2Fb"},
		"/[id]":    {"/[id]", "/%5Bid%5d"},
		"/a \"b\"": {"/a%20%22b%22", "/a \"b\""},
		"/100%":    {"/100%", "/100%25"},
		"/日本":      {"/日本", "/%E6%97%A5%E6%9C%AC"},
	} {
		want[form] = 2 * len(spellings) * len(views("", "", ""))
		for _, spelling := range spellings {
			c.sendAll(t, views("example.com", "https://example.com"+spelling, "https://x.example"+spelling))
		}
	}
	got := map[string]int{}
	for _, e := range c.queued(t) {
		got[e.Page]++
		got[strings.TrimPrefix(e.Referrer, "x.example")]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSiteNames checks that every format knows a site by all its names, and that a name with
// "www." is first that of a site that has it.
func TestSiteNames(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	for _, domain := range []string{"two.example", "www.two.example", "xn--e1afmkfd.xn--p1ai"} {
		c.addSite(t, domain)
	}
	want := map[int32]int{}
	for name, site := range map[string]int32{
		"example.com": 1, "WWW.Example.com": 1, "example.com.": 1, "https://www.example.com/": 1, "S_Example.com": 1, "\texample.com\n": 1,
		"two.example": 2, "www.two.example": 3, "WWW.two.Example.": 3,
		"пример.рф": 4, "www.ПРИМЕР.рф": 4, "xn--e1afmkfd.xn--p1ai": 4,
	} {
		want[site] += len(views("", "", ""))
		c.sendAll(t, views(name, "https://example.com/", ""))
	}
	got := map[int32]int{}
	for _, e := range c.queued(t) {
		got[e.Site]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events of sites: %s", diff)
	}
}

// TestOneEventOfSites checks that a site has an event of Plausible's form once, by however many of
// its names.
func TestOneEventOfSites(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	c.addSite(t, "two.example")
	c.addSite(t, "www.two.example")
	for _, e := range c.sendAll(t, map[string]message{"Plausible": {http.MethodPost, "/api/event", `{"n":"pageview","u":"https://example.com/","d":"www.example.com,example.com,EXAMPLE.com.,two.example,www.two.example,s_two.example"}`}}) {
		if !slices.Contains([]int32{1, 2, 3}, e.Site) {
			t.Errorf("an event of site %d", e.Site)
		}
	}
	if got := len(c.queued(t)); got != 3 {
		t.Errorf("%d events of 3 sites", got)
	}
}

// TestOddFields checks that no format loses an event for a field, and what is left of each.
func TestOddFields(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	const (
		data  = `"plan":null,"user":{"plan":"pro"},"n":1,"broken":"\ud83d","long":"` // and a value
		title = `"title":"a\ud83d b"`
	)
	long := strings.Repeat("é", 2001)
	props := data + long + `"`
	c.sendAll(t, map[string]message{
		"native":    {http.MethodPost, "/", `{"site":"example.com","type":"conversion","name":"Order","unknown":1,` + title + `,"screen":"big","props":{` + props + `},"value":{"amount":3.3000000000000003,"currency":"eur"}}`},
		"Plausible": {http.MethodPost, "/api/event", `{"n":"Order","d":"example.com","u":"https://example.com/","p":{` + props + `},"$":{"amount":3.3000000000000003,"currency":"eur"}}`},
		"Umami":     {http.MethodPost, "/api/send", `{"type":"event","payload":{"website":"example.com","hostname":"example.com","url":"/","name":"Order","screen":"big",` + title + `,"data":{` + props + `,"revenue":3.3000000000000003,"currency":"eur"}}}`},
		"Segment":   {http.MethodPost, "/v1/track", `{"writeKey":"example.com","event":"Order","properties":{` + props + `,"revenue":3.3000000000000003,"currency":"eur"},"context":{"page":{` + title + `}}}`},
	})
	events := c.queued(t)
	if len(events) != 4 {
		t.Fatalf("%d events, want 4", len(events))
	}
	want := map[string]string{"user.plan": "pro", "n": "1", "broken": "\uFFFD", "long": strings.Repeat("é", 2000)}
	for _, e := range events {
		if diff := cmp.Diff(want, e.Props); diff != "" || e.Amount != "3.30" || e.Currency != "EUR" || e.Name != "Order" {
			t.Errorf("%s %s, %s", e.Amount, e.Currency, diff)
		}
		if e.Title != "" && e.Title != "a\uFFFD b" {
			t.Errorf("title %q", e.Title)
		}
	}
}

// TestFlawsInAnswers checks that the answer lists the fields that are left out or shortened, and that
// they are counted.
func TestFlawsInAnswers(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	status, answer, _ := c.post(t, `{"site":"example.com","type":"click","screen":"big","title":"`+strings.Repeat("t", 501)+`"}`)
	want := map[string]any{"accepted": 1.0, "warnings": []any{
		map[string]any{"index": 0.0, "field": "title", "detail": "shortened: at most 500 bytes"},
		map[string]any{"index": 0.0, "field": "screen", "detail": "omitted: must be WIDTHxHEIGHT in pixels, e.g. 1920x1080"},
	}}
	if diff := cmp.Diff(want, answer); diff != "" || status != http.StatusAccepted {
		t.Errorf("status %d: %s", status, diff)
	}
	for path, body := range map[string]string{
		"/api/event": `{"n":"a","d":"example.com","u":"https://example.com/","$":{"amount":"much","currency":"EUR"}}`,
		"/api/send":  `{"type":"event","payload":{"website":"example.com","url":"https://example.com/","language":"?"}}`,
		"/v1/track":  `{"writeKey":"example.com","event":"a","messageId":[]}`,
	} {
		response, text := c.send(t, http.MethodPost, path, body)
		if told := response.Header.Get("X-Analytics-Outcome") + text; !strings.Contains(told, "omitted: must be") {
			t.Errorf("%s: told %s", path, told)
		}
	}
	metrics := localtest.Metrics(t, c.url)
	for reason, want := range map[string]string{"omitted": "4", "shortened": "1"} {
		if got := metrics[`analytics_track_changed_events_total{reason="`+reason+`",site="s_example.com"}`]; got != want {
			t.Errorf("%s: %s events are counted, want %s", reason, got, want)
		}
	}
}
