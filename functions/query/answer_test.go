package query_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestCache checks that answers are cached until something changes that they depend on: the
// data of the site, its goals, segments and funnels, or its settings.
func TestCache(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			i := install(t, database.URL)
			get := func(question, tag string) (int, string) {
				t.Helper()
				r := httptest.NewRequest(http.MethodGet, "/api/v2/query?query="+url.QueryEscape(question), nil)
				r.Header.Set("Authorization", "Bearer "+token)
				if tag != "" {
					r.Header.Set("If-None-Match", tag)
				}
				w := httptest.NewRecorder()
				i.handler.ServeHTTP(w, r)
				if w.Code == http.StatusNotModified && w.Body.Len() > 0 {
					t.Error("304 with a body")
				}
				return w.Code, w.Header().Get("ETag")
			}
			const question = `{"site_id":"example.com","metrics":["visitors"],"date_range":["2026-03-01","2026-03-31"]}`
			status, tag := get(question, "")
			if status != http.StatusOK || tag == "" {
				t.Fatalf("status %d with the tag %q", status, tag)
			}
			if _, other := get(`{"site_id":"example.com","metrics":["visits"],"date_range":["2026-03-01","2026-03-31"]}`, ""); other == tag {
				t.Error("another question has the same tag")
			}
			location, err := time.LoadLocation("Europe/Paris")
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 3, 5, 10, 0, 0, 0, location)
			e := event.Event{ID: uuid.New(), Site: i.site.ID, Time: at.UTC(), Day: event.DayOf(at), UTCOffset: 60, Visitor: 9, Type: event.View, Page: "/new"}
			for _, change := range []struct {
				what string
				fn   func() error
			}{
				{"an event", func() error { record(t, i.db, []event.Event{e}); return nil }},
				{"a goal", func() error {
					_, err := sites.CreateGoal(t.Context(), i.db, i.site.ID, goal.Goal{Name: "Signup", Event: "signup"})
					return err
				}},
				{"a goal that is updated", func() error {
					_, err := sites.UpdateGoal(t.Context(), i.db, i.site.ID, 1, goal.Goal{Name: "Signup", Event: "sign up"})
					return err
				}},
				{"a goal that is deleted", func() error { return sites.DeleteGoal(t.Context(), i.db, i.site.ID, 1) }},
				{"a segment", func() error {
					_, err := sites.CreateSegment(t.Context(), i.db, i.site.ID, "All", []byte(`[]`))
					return err
				}},
				{"a day that is corrected", func() error {
					return store.AddDayCheck(t.Context(), i.db, store.DayCheck{Site: i.site.ID, Day: event.DayOf(at), At: at, Differences: new(int64(1)), Replaced: true})
				}},
				{"another time zone", func() error {
					_, err := i.db.Exec(t.Context(), `UPDATE sites SET timezone = 'UTC' WHERE id = $1`, i.site.ID)
					return err
				}},
			} {
				if status, same := get(question, `"x", `+tag); status != http.StatusNotModified || same != tag {
					t.Errorf("before %s: status %d, tag %s", change.what, status, same)
				}
				if err := change.fn(); err != nil {
					t.Fatal(err)
				}
				status, other := get(question, tag)
				if status != http.StatusOK || other == tag {
					t.Errorf("after %s: status %d, tag %s", change.what, status, other)
				}
				tag = other
			}
		})
	}
}
