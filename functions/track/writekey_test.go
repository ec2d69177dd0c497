package track_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// writeKey creates a write key for sites, or for all if there are none.
func (c *service) writeKey(t *testing.T, ids ...int32) (id int32, secret string) {
	t.Helper()
	key, secret, err := sites.CreateKey(t.Context(), c.db, "server", []sites.Scope{sites.ScopeWrite}, ids)
	if err != nil {
		t.Fatal(err)
	}
	return key.ID, secret
}

const (
	// The requests of tests come from 203.0.113.7 with Firefox. The visitor for whom they may
	// be sent has another address and another browser.
	otherAddress = "198.51.100.9"
	otherAgent   = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
)

// claims are requests of all formats that name another visitor, by format. Those without an
// address in the body name it in the header forwarded.
func claims() map[string]struct{ method, path, body string } {
	visitor := `"ip":"` + otherAddress + `","userAgent":"` + otherAgent + `"`
	return map[string]struct{ method, path, body string }{
		"native":        {http.MethodPost, "/", `{"site":"example.com","type":"view","url":"https://example.com/"}`},
		"native array":  {http.MethodPost, "/", `[{"site":"example.com","type":"view","url":"https://example.com/"}]`},
		"pixel":         {http.MethodGet, "/pixel.gif?site=example.com&url=https%3A%2F%2Fexample.com%2F", ""},
		"Plausible":     {http.MethodPost, "/api/event", `{"n":"pageview","u":"https://example.com/","d":"example.com"}`},
		"Umami":         {http.MethodPost, "/api/send", `{"type":"event","payload":{"website":"example.com","url":"https://example.com/",` + visitor + `}}`},
		"Umami batch":   {http.MethodPost, "/api/batch", `[{"type":"event","payload":{"website":"example.com","url":"https://example.com/",` + visitor + `}}]`},
		"Segment":       {http.MethodPost, "/v1/track", `{"writeKey":"example.com","event":"A","context":{` + visitor + `}}`},
		"Segment batch": {http.MethodPost, "/v1/batch", `{"writeKey":"example.com","context":{` + visitor + `},"batch":[{"type":"track","event":"A"}]}`},
	}
}

// forwarded are headers in which a server forwards the other visitor through the one trusted
// proxy of the tests.
func forwarded() []string {
	return []string{"X-Forwarded-For", otherAddress + ", 203.0.113.7", "User-Agent", otherAgent}
}

// TestStranger checks in every format that a stranger who names the address of a victim does
// not touch the victim's visitor-day, gets the same answer whether there is one or not, and
// can't pass excluded addresses. A server with a write key does all of it.
func TestStranger(t *testing.T) {
	t.Parallel()
	for name, request := range claims() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, localtest.Redis(t))
			_, secret := c.writeKey(t, 1)
			visitors := func() map[int64]int {
				t.Helper()
				n := map[int64]int{}
				for _, e := range c.queued(t) {
					n[e.Visitor]++
				}
				return n
			}
			send := func(headers ...string) (int, string, string) {
				t.Helper()
				if strings.Contains(request.body, otherAddress) {
					headers = append([]string{"User-Agent", agent}, headers...)
				} else {
					headers = append([]string{"X-Forwarded-For", otherAddress + ", 203.0.113.7"}, headers...)
				}
				response, answer := c.send(t, request.method, request.path, request.body, headers...)
				return response.StatusCode, answer, response.Header.Get("X-Analytics-Outcome")
			}
			statusBefore, answerBefore, outcomeBefore := send()
			// The victim visits with the browser that the stranger names, or has.
			victim := agent
			if strings.Contains(request.body, otherAgent) {
				victim = otherAgent
			}
			c.post(t, `{"site":"example.com","type":"view","url":"https://example.com/"}`, "X-Forwarded-For", otherAddress, "User-Agent", victim)
			before := visitors()
			status, answer, outcome := send()
			if len(before) != 2 {
				t.Fatalf("the events of the stranger and of the victim have %d visitors, want 2", len(before))
			}
			if after := visitors(); len(after) != 2 {
				t.Errorf("%d visitors, want 2", len(after))
			}
			if status != statusBefore || answer != answerBefore || outcome != outcomeBefore || status > 202 {
				t.Errorf("the stranger can tell that the victim was here: %d %s %s, before %d %s %s", status, answer, outcome, statusBefore, answerBefore, outcomeBefore)
			}
			if strings.Contains(request.body, otherAddress) && !strings.Contains(answer+outcome, "ip") {
				t.Errorf("the stranger is not told that the address is ignored: %s %s", answer, outcome)
			}

			status, answer, outcome = send("Authorization", "Bearer "+secret)
			if status > 202 || strings.Contains(answer+outcome, "ignored") {
				t.Errorf("with a write key: %d %s %s", status, answer, outcome)
			}
			byCount := map[int]int{}
			for _, n := range visitors() {
				byCount[n]++
			}
			if byCount[2] != 2 || len(byCount) != 1 {
				t.Errorf("with a write key the event is not of the visitor that the server names: %v", visitors())
			}
		})
	}
}

// TestStrangerExcluded checks in every format that an excluded sender can't name another
// address to be counted.
func TestStrangerExcluded(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	if _, err := c.db.Exec(t.Context(), `UPDATE sites SET rules = '{"excluded_addresses":["203.0.113.0/24"]}'`); err != nil {
		t.Fatal(err)
	}
	c.post(t, `{"site":"unknown.example","type":"click"}`) // so that the rules are read
	for name, request := range claims() {
		if response, answer := c.send(t, request.method, request.path, request.body, forwarded()...); response.StatusCode > 202 {
			t.Errorf("%s: %d %s", name, response.StatusCode, answer)
		}
	}
	if n := len(c.queued(t)); n != 0 {
		t.Errorf("%d events of an excluded sender are queued", n)
	}
}

// TestWriteKey checks what a right, a wrong, a revoked and another site's key are answered,
// wherever it is sent.
func TestWriteKey(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	c.addSite(t, "other.example")
	_, right := c.writeKey(t, 1)
	_, ofOther := c.writeKey(t, 2)
	_, ofBoth := c.writeKey(t, 1, 2)
	revokedID, revoked := c.writeKey(t)
	if err := sites.DeleteKey(t.Context(), c.db, revokedID); err != nil {
		t.Fatal(err)
	}
	bearer := func(secret string) []string { return []string{"Authorization", "Bearer " + secret} }
	basic := func(secret string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(secret+":"))}
	}
	const good, page = `{"site":"example.com","type":"click"}`, `"context":{"page":{"url":"https://example.com/"}}`
	wrong := "wk_" + strings.Repeat("x", 43)
	for name, test := range map[string]struct {
		path, body string
		headers    []string
		status     int
		contains   string
	}{
		"right":                         {"/", good, bearer(right), 202, `{"accepted":1}`},
		"right, basic":                  {"/", good, basic(right), 202, `{"accepted":1}`},
		"of two sites":                  {"/", good, bearer(ofBoth), 202, `{"accepted":1}`},
		"no site":                       {"/", `{"type":"click"}`, bearer(right), 202, `{"accepted":1}`},
		"no site, two sites":            {"/", `{"type":"click"}`, bearer(ofBoth), 400, `"field":"site"`},
		"wrong":                         {"/", good, bearer(wrong), 401, "the write key is wrong, or was revoked"},
		"wrong, and no body":            {"/", ``, bearer(wrong), 401, "unauthorized"},
		"revoked":                       {"/", good, bearer(revoked), 401, "the write key is wrong, or was revoked"},
		"other site":                    {"/", good, bearer(ofOther), 403, "the write key is for other sites"},
		"other site, array":             {"/", "[" + good + "," + good + "]", bearer(ofOther), 403, `"code":"forbidden"`},
		"other site among right ones":   {"/", `[` + good + `,{"site":"other.example","type":"click"}]`, bearer(right), 202, `"status":403`},
		"other scheme":                  {"/", good, []string{"Authorization", "Digest " + wrong}, 202, `{"accepted":1}`},
		"token of another kind":         {"/", good, bearer("ak_x"), 202, `{"accepted":1}`},
		"Plausible, wrong":              {"/api/event", `{"n":"pageview","u":"https://example.com/","d":"example.com"}`, bearer(wrong), 401, "unauthorized"},
		"Plausible, other site":         {"/api/event", `{"n":"pageview","u":"https://example.com/","d":"example.com"}`, bearer(ofOther), 403, "forbidden"},
		"Umami, wrong":                  {"/api/send", `{"type":"event","payload":{"website":"example.com","url":"https://example.com/"}}`, bearer(wrong), 401, "unauthorized"},
		"Segment, user":                 {"/v1/page", `{` + page + `}`, basic(right), 200, `"accepted":1`},
		"Segment, user of two sites":    {"/v1/page", `{` + page + `}`, basic(ofBoth), 400, `"field":"writeKey"`},
		"Segment, user and site":        {"/v1/page", `{"writeKey":"example.com",` + page + `}`, basic(ofBoth), 200, `"accepted":1`},
		"Segment, body":                 {"/v1/page", `{"writeKey":"` + right + `",` + page + `}`, nil, 200, `"accepted":1`},
		"Segment, body of a batch":      {"/v1/batch", `{"writeKey":"` + right + `","batch":[{"type":"page",` + page + `}]}`, nil, 200, `"accepted":1`},
		"Segment, wrong in the body":    {"/v1/page", `{"writeKey":"` + wrong + `",` + page + `}`, nil, 401, "unauthorized"},
		"Segment, wrong user":           {"/v1/page", `{` + page + `}`, basic(wrong), 401, "unauthorized"},
		"Segment, wrong in all of them": {"/v1/batch", `{"writeKey":"` + wrong + `","batch":[{"type":"page"},{"type":"page"}]}`, nil, 401, "unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, answer := c.send(t, http.MethodPost, test.path, test.body, test.headers...)
			if response.StatusCode != test.status || !strings.Contains(answer, test.contains) {
				t.Errorf("status %d: %s", response.StatusCode, answer)
			}
			if strings.Contains(answer, "wk_") {
				t.Errorf("the answer has the key: %s", answer)
			}
		})
	}
}

// TestKeySecret checks that write keys reach neither Redis nor the log.
func TestKeySecret(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	_, secret := c.writeKey(t)
	c.send(t, http.MethodPost, "/v1/page", `{"writeKey":"`+secret+`"}`)
	c.post(t, `{"site":"example.com","type":"view","url":"https://example.com/?key=`+secret+`","title":"`+secret+`"}`, "Authorization", "Bearer "+secret)
	c.post(t, `{"site":"`+secret+`","type":"click"}`)
	raw, err := c.client.Eval(t.Context(), `
		local out = {}
		for _, key in ipairs(redis.call('KEYS', '*')) do
			out[#out + 1] = key .. redis.call('DUMP', key)
		end
		return table.concat(out)`, nil).Text()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(raw+c.log.String(), secret[3:]) {
		t.Error("the write key reached Redis or the log")
	}
}

// TestRateOfServer checks that a server with a write key, which sends for many visitors, has
// no limit of its address.
func TestRateOfServer(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t), "RATE_LIMIT", "1")
	_, secret := c.writeKey(t)
	const two = `[{"site":"example.com","type":"click"},{"site":"example.com","type":"click"}]`
	// A minute may end between two requests, but not between the events of one.
	if _, answer, _ := c.post(t, two, "Authorization", "Bearer "+secret); answer["accepted"] != 2.0 {
		t.Errorf("with a write key: %v", answer)
	}
	if _, answer, _ := c.post(t, two); answer["accepted"] == 2.0 {
		t.Errorf("without: %v", answer)
	}
}
