package query_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// TestDocs stores the events of docs/query.md and asks each of its questions. The answers in
// the document, which were counted by hand, must be part of the real ones.
func TestDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/query.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			i := install(t, database.URL)
			site, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "shop.example", Timezone: "UTC"})
			if err != nil {
				t.Fatal(err)
			}
			events := regexp.MustCompile("(?s)```events\n(.*?)```").FindSubmatch(text)
			record(t, i.db, readEvents(t, site.ID, string(events[1])))
			for _, g := range []goal.Goal{{Name: "Signup", Event: "signup"}, {Name: "Purchase", Event: "purchase", Currency: "EUR"}, {Name: "Read docs", Page: "/docs**"}} {
				if _, err := sites.CreateGoal(t.Context(), i.db, site.ID, g); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := sites.CreateSegment(t.Context(), i.db, site.ID, "Phones", []byte(`[["is","visit:device",["Mobile"]]]`)); err != nil {
				t.Fatal(err)
			}
			if _, err := sites.CreateAnnotation(t.Context(), i.db, site.ID, time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC), "Version 2"); err != nil {
				t.Fatal(err)
			}
			examples := regexp.MustCompile("(?s)```json\nPOST (\\S+)\n(.*?)```\\s+```(json|csv)\n(.*?)```").FindAllSubmatch(text, -1)
			asked := map[string]bool{}
			for _, example := range examples {
				path, question := string(example[1]), string(example[2])
				address, _, _ := strings.Cut(path, "?")
				asked[address] = true
				r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(question))
				r.Header.Set("Authorization", "Bearer "+token)
				w := httptest.NewRecorder()
				i.handler.ServeHTTP(w, r)
				if string(example[3]) == "csv" {
					if got := w.Body.String(); w.Code != http.StatusOK || columnsOf(t, got, string(example[4])) != string(example[4]) {
						t.Errorf("%s%s: status %d: %s", path, question, w.Code, got)
					}
					continue
				}
				var want, got any
				if err := json.Unmarshal(example[4], &want); err != nil {
					t.Fatalf("%s the answer is not JSON: %v", question, err)
				}
				if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
					t.Errorf("%s: status %d: %s", question, w.Code, w.Body)
					continue
				}
				if diff := cmp.Diff(want, partOf(got, want)); diff != "" {
					t.Errorf("%s%s: -document +answer\n%s", path, question, diff)
				}
			}
			i.checkVisits(t)
			for _, path := range []string{"/api/v2/query", "/v1/funnels", "/v1/cohorts", "/v1/journeys", "/v1/visits", "/v1/export"} {
				if !asked[path] {
					t.Errorf("the document has no example of %s", path)
				}
			}
		})
	}
}

// checkVisits checks the list of visits, the oldest visit, and the last half hour.
func (i *installation) checkVisits(t *testing.T) {
	t.Helper()
	ask := func(method, path, body string, into any) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		i.handler.ServeHTTP(w, r)
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", path, w.Code, w.Body)
		}
	}
	var list struct{ Visits []struct{ ID string } }
	ask(http.MethodPost, "/v1/visits", `{"site_id":"shop.example","date_range":"all"}`, &list)
	if len(list.Visits) != 5 {
		t.Fatalf("%d visits", len(list.Visits))
	}
	var one struct{ Events []struct{ Type, Name string } }
	ask(http.MethodGet, "/v1/visits/"+list.Visits[4].ID+"?site_id=shop.example", "", &one)
	var happened []string
	for _, e := range one.Events {
		happened = append(happened, strings.TrimSpace(e.Type+" "+e.Name))
	}
	if got := strings.Join(happened, ", "); got != "view, engagement, view, engagement, conversion signup, conversion purchase" {
		t.Errorf("the events of the first visit are %s", got)
	}
	var now struct {
		Visitors int
		Minutes  []any
	}
	ask(http.MethodGet, "/v1/realtime?site_id=shop.example", "", &now)
	if now.Visitors != 0 || len(now.Minutes) != 30 {
		t.Errorf("the last half hour is %+v", now)
	}
}

// columnsOf reduces an answer in CSV to the columns of the wanted one, in its order.
func columnsOf(t *testing.T, got, want string) string {
	t.Helper()
	head, _, _ := strings.Cut(want, "\n")
	lines, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || len(lines) == 0 {
		return got
	}
	var out strings.Builder
	file := csv.NewWriter(&out)
	for _, line := range lines {
		var fields []string
		for name := range strings.SplitSeq(head, ",") {
			if at := slices.Index(lines[0], name); at >= 0 {
				fields = append(fields, line[at])
			}
		}
		_ = file.Write(fields)
	}
	file.Flush()
	return out.String()
}

// partOf reduces an answer to the members of the wanted one.
func partOf(got, want any) any {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return got
		}
		part := map[string]any{}
		for name := range want {
			if value, ok := got[name]; ok {
				part[name] = partOf(value, want[name])
			}
		}
		return part
	case []any:
		got, ok := got.([]any)
		if !ok {
			return got
		}
		part := slices.Clone(got)
		for i := range part {
			if i < len(want) {
				part[i] = partOf(got[i], want[i])
			}
		}
		return part
	default:
		return got
	}
}

// readEvents parses the events of the document.
func readEvents(t *testing.T, site int32, text string) []event.Event {
	t.Helper()
	var events []event.Event
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		at, err := time.Parse(time.DateTime, fields[0]+" "+fields[1])
		kind, ok := event.ParseType(fields[3])
		if err != nil || !ok {
			t.Fatalf("%q is not an event: %v", line, err)
		}
		e := event.Event{
			ID: uuid.New(), Site: site, Time: at, Day: event.DayOf(at), Visitor: int64(fields[2][0]), Type: kind,
			Hostname: "shop.example", Page: fields[4],
		}
		for _, more := range fields[5:] {
			name, value, _ := strings.Cut(more, "=")
			switch name {
			case "source":
				e.Source = value
			case "campaign":
				e.UTMCampaign = value
			case "country":
				e.Country = value
			case "device":
				e.Device = value
			case "subject":
				e.Subject = uuid.NewSHA1(uuid.Nil, []byte(value))
			case "name":
				e.Name = value
			case "amount":
				e.Amount = value
			case "currency":
				e.Currency = value
			case "engaged", "scroll":
				n, err := strconv.ParseInt(value, 10, 16)
				if err != nil {
					t.Fatal(err)
				}
				if name == "scroll" {
					e.Scroll = int16(n)
				} else {
					e.Engaged = int32(n) * 1000
				}
			default:
				e.Props = map[string]string{name: value}
			}
		}
		events = append(events, e)
	}
	return events
}
