package query_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// TestPlausible checks what clients of Plausible's Stats API v2 rely on: the names of unknown
// values, which events pass a filter, the default order of rows, and what the rates of goals
// are shares of.
func TestPlausible(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	record(t, i.db, laterEvents(t, i))
	define(t, i)
	for name, test := range map[string]struct{ question, results string }{
		"no campaign": {
			`"metrics":["visits"],"dimensions":["visit:utm_source"]`,
			`[{"metrics":[7],"dimensions":["(not set)"]}]`,
		},
		"no referrer": {
			`"metrics":["visits"],"dimensions":["visit:referrer"]`,
			`[{"metrics":[7],"dimensions":["Direct / None"]}]`,
		},
		"no device": {
			`"metrics":["visits"],"dimensions":["visit:device"],"order_by":[["visit:device","desc"]]`,
			`[{"metrics":[1],"dimensions":["Mobile"]},{"metrics":[3],"dimensions":["Desktop"]},{"metrics":[3],"dimensions":["(not set)"]}]`,
		},
		"unknown value by its name":       {`"metrics":["visits"],"filters":[["is","visit:device",["(not set)"]]]`, `[{"metrics":[3],"dimensions":[]}]`},
		"unknown value as empty":          {`"metrics":["visits"],"filters":[["is","visit:device",[""]]]`, `[{"metrics":[3],"dimensions":[]}]`},
		"known values":                    {`"metrics":["visits"],"filters":[["is_not","visit:device",["(not set)"]]]`, `[{"metrics":[4],"dimensions":[]}]`},
		"part of the unknown value":       {`"metrics":["visits"],"filters":[["contains","visit:device",["set"]]]`, `[{"metrics":[0],"dimensions":[]}]`},
		"any known value":                 {`"metrics":["visits"],"filters":[["matches","visit:device",[".+"]]]`, `[{"metrics":[4],"dimensions":[]}]`},
		"not a part of the unknown value": {`"metrics":["visits"],"filters":[["contains_not","visit:device",["e"]]]`, `[{"metrics":[3],"dimensions":[]}]`},
		"another value or none":           {`"metrics":["events"],"filters":[["is_not","event:props:plan",["free"]]]`, `[{"metrics":[12],"dimensions":[]}]`},
		"property without a part":         {`"metrics":["events"],"filters":[["contains_not","event:props:plan",["free"]]]`, `[{"metrics":[1],"dimensions":[]}]`},
		"property that doesn't match":     {`"metrics":["events"],"filters":[["matches_not","event:props:plan",["^f"]]]`, `[{"metrics":[1],"dimensions":[]}]`},
		"order within a day": {
			`"metrics":["visits"],"dimensions":["time:day","visit:source"],"pagination":{"limit":3}`,
			`[{"metrics":[2],"dimensions":["2026-03-02","Google"]},{"metrics":[1],"dimensions":["2026-03-02","Direct / None"]},{"metrics":[1],"dimensions":["2026-03-03","Direct / None"]}]`,
		},
		// One of the 6 visitors paid for the plan. The filter on it does not limit the visitors
		// that the rate is a share of.
		"rates of a goal with a property": {
			`"metrics":["visitors","conversion_rate","group_conversion_rate"],"filters":[["is","event:goal",["Paid"]],["is","event:props:plan",["pro"]]]`,
			`[{"metrics":[1,16.67,16.67],"dimensions":[]}]`,
		},
		"rates of goals": {
			`"metrics":["conversion_rate","group_conversion_rate"],"dimensions":["event:goal"]`,
			`[{"metrics":[50,50],"dimensions":["Docs"]},{"metrics":[33.33,33.33],"dimensions":["Paid"]},{"metrics":[16.67,16.67],"dimensions":["Signup"]}]`,
		},
		// Two of the 6 visitors paid on the 5th, the only ones of that day.
		"rates of a goal by day": {
			`"metrics":["visitors","conversion_rate","group_conversion_rate"],"dimensions":["time:day"],"filters":[["is","event:goal",["Paid"]]]`,
			`[{"metrics":[2,33.33,100],"dimensions":["2026-03-05"]}]`,
		},
	} {
		status, body := i.ask(t, token, `{"site_id":"example.com","date_range":["2026-03-01","2026-03-31"],`+test.question+`}`)
		var answer struct{ Results json.RawMessage }
		if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil {
			t.Errorf("%s: status %d: %s", name, status, body)
		} else if string(answer.Results) != test.results {
			t.Errorf("%s:\n got %s\nwant %s", name, answer.Results, test.results)
		}
	}
}

// TestPlausibleErrors checks that problems have the member error where Plausible has it.
func TestPlausibleErrors(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	for path, want := range map[string]string{"/api/v2/query": "metrics: ", "/v1/funnels": ""} {
		for _, secret := range []string{token, "wrong"} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"site_id":"example.com"}`))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+secret)
			w := httptest.NewRecorder()
			i.handler.ServeHTTP(w, r)
			var p struct{ Error, Detail, Field string }
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			switch {
			case want == "" && p.Error != "":
				t.Errorf("%s: error is %q", path, p.Error)
			case want != "" && secret == token && (p.Error != want+p.Detail || p.Detail == ""):
				t.Errorf("%s: error is %q of %s", path, p.Error, w.Body)
			case want != "" && secret != token && (p.Error != p.Detail || p.Detail == ""):
				t.Errorf("%s: error is %q of %s", path, p.Error, w.Body)
			}
		}
	}
}

// TestPresent counts the visitors of the last five minutes.
func TestPresent(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	location, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for visitor, ago := range []time.Duration{0, time.Minute, 10 * time.Minute} {
		local := time.Now().Add(-ago).In(location)
		_, offset := local.Zone()
		events = append(events, event.Event{
			ID: uuid.New(), Site: i.site.ID, Time: local.UTC(), Day: event.DayOf(local), UTCOffset: int16(offset / 60), Visitor: int64(visitor),
			Type: event.View, Page: "/",
		})
	}
	record(t, i.db, events)
	r := httptest.NewRequest(http.MethodGet, "/api/v1/stats/realtime/visitors?site_id=example.com", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != "2" {
		t.Errorf("status %d: %s, want 2", w.Code, w.Body)
	}
}
