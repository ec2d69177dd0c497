package schemaguard_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// TestValues checks that a run keeps the most frequent values of a closed day, once, and all
// values of an open one.
func TestValues(t *testing.T) {
	t.Parallel()
	g := installWith(t, map[string]string{"SCHEMA_GUARD_DEADLINE": "1h", "ROLLUP_VALUES": "2"})
	today := event.DayOf(time.Now().UTC())
	closed := today - 3
	for _, day := range []event.Day{closed - 1, closed, today} {
		for i, page := range []string{"/", "/", "/", "/a", "/a", "/b", "/c", "/d"} {
			g.addPage(t, 1, day, int64(i+1), page)
		}
	}
	const pages = `
SELECT string_agg(value || ' ' || visitors || ' ' || events, ', ' ORDER BY value) FROM rollup_day WHERE site_id = 1 AND day = $1 AND dimension = 1`
	const some = "(other) 3 3, / 3 3, /a 2 2"
	const all = "/ 3 3, /a 2 2, /b 1 1, /c 1 1, /d 1 1"
	replace := func(from, to event.Day) map[string]any {
		t.Helper()
		status, answer, text := g.send(t, http.MethodPost, "/v1/recompute", token, fmt.Sprintf(`{"site":"one.example","from":%q,"to":%q,"replace":true}`, from, to))
		if status != http.StatusOK {
			t.Fatalf("status %d, %s", status, text)
		}
		return answer
	}
	replace(closed-1, closed-1) // the owner may be first
	for run := range 2 {
		if status, _, text := g.send(t, http.MethodPost, "/", token, ""); status != http.StatusOK {
			t.Fatalf("status %d, %s", status, text)
		}
		for day, want := range map[event.Day]string{closed - 1: some, closed: some, today: all} {
			var got string
			if err := g.db.QueryRow(t.Context(), pages, day.Date()).Scan(&got); err != nil || got != want {
				t.Errorf("run %d: pages of %s are %s, want %s (%v)", run, day, got, want, err)
			}
		}
	}
	for _, day := range replace(closed, today)["days"].([]any) {
		if day.(map[string]any)["replaced"] != false {
			t.Errorf("report %v", day)
		}
	}
	oracle.Agrees(t, g.db)
}
