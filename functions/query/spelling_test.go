package query_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// TestSpellings asks for a page in every spelling, by a filter, a goal and a funnel, and for the
// site by its names.
func TestSpellings(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	at := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	record(t, i.db, []event.Event{{
		ID: uuid.New(), Site: i.site.ID, Time: at, Day: event.DayOf(at), UTCOffset: 60, Visitor: 7, Type: event.View,
		Hostname: "xn--e1afmkfd.xn--p1ai", Page: "/日本/[id]", Attributes: event.Attributes{Referrer: "x.example/café"},
	}})
	for name, page := range map[string]string{"escaped": "/%e6%97%a5%E6%9C%AC/*", "plain": "/日本/[id]", "other": "/%E6%97%A5"} {
		draft, err := goal.Normalize(goal.Goal{Name: name, Page: page})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sites.CreateGoal(t.Context(), i.db, i.site.ID, draft); err != nil {
			t.Fatal(err)
		}
	}
	// As earlier versions stored it.
	if _, err := i.db.Exec(t.Context(), `INSERT INTO goals (site_id, name, event_name, page_pattern) VALUES ($1, 'old', '', '/%E6%97%A5%E6%9C%AC/**')`, i.site.ID); err != nil {
		t.Fatal(err)
	}
	ask := func(site, filter string) int {
		t.Helper()
		body := fmt.Sprintf(`{"site_id":%q,"date_range":["2026-03-05","2026-03-05"],"metrics":["visitors"],"filters":[%s]}`, site, filter)
		status, text := i.ask(t, token, body)
		var answer struct {
			Results []struct{ Metrics []int }
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || len(answer.Results) != 1 {
			t.Fatalf("%s: status %d, %s", body, status, text)
		}
		return answer.Results[0].Metrics[0]
	}
	for filter, want := range map[string]int{
		`["is","event:page",["/日本/[id]"]]`:                             1,
		`["is","event:page",["/%E6%97%A5%e6%9c%ac/%5Bid%5D"]]`:         1,
		`["is_not","event:page",["/%e6%97%a5%e6%9c%ac/%5bid%5d"]]`:     0,
		`["is","event:page",["/日本%2F[id]"]]`:                           0,
		`["is","visit:entry_page",["/%E6%97%A5%E6%9C%AC/[id]"]]`:       1,
		`["is","visit:exit_page",["/日本/%5Bid%5D"]]`:                    1,
		`["contains","event:page",["%E6%9C%AC/["]]`:                    1,
		`["contains","event:page",["本"]]`:                              1,
		`["matches","event:page",["^/%E6%97%A5.+%5Bid%5D$"]]`:          1,
		`["matches","event:page",["^/日本/"]]`:                           1,
		`["matches_not","event:page",["^/%e6%97%a5"]]`:                 0,
		`["is","visit:referrer",["x.example/caf%c3%a9"]]`:              1,
		`["is","visit:referrer",["x.example/café"]]`:                   1,
		`["is","event:hostname",["пример.рф"]]`:                        1,
		`["is","event:hostname",["www.Пример.рф"]]`:                    1,
		`["is","visit:entry_page_hostname",["xn--e1afmkfd.xn--p1ai"]]`: 1,
		`["is","event:goal",["escaped"]]`:                              1,
		`["is","event:goal",["plain"]]`:                                1,
		`["is","event:goal",["old"]]`:                                  1,
		`["is","event:goal",["other"]]`:                                0,
	} {
		if got := ask("example.com", filter); got != want {
			t.Errorf("%s: %d visitors, want %d", filter, got, want)
		}
	}
	for _, site := range []string{"WWW.Example.com.", "https://example.com/", strings.ToUpper(i.site.PublicID)} {
		if got := ask(site, ""); got != 1 {
			t.Errorf("site %s: %d visitors", site, got)
		}
	}
	funnel := `{"site_id":"example.com","date_range":["2026-03-05","2026-03-05"],"steps":[{"filters":[["is","event:page",["/%E6%97%A5%E6%9C%AC/%5Bid%5D"]]]},{"filters":[["is","event:page",["/"]]]}]}`
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, newRequest("POST", "/v1/funnels", token, funnel)())
	if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, `"visitors":1`) {
		t.Errorf("funnel: status %d, %s", w.Code, body)
	}
	status, body := i.ask(t, token, `{"site_id":"example.com","date_range":["2026-03-05","2026-03-05"],"metrics":["visitors"],"dimensions":["event:page"]}`)
	if status != 200 || !strings.Contains(body, `"/日本/[id]"`) {
		t.Errorf("by page: status %d, %s", status, body)
	}
}
