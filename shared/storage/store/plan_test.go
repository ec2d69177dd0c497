package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestVisitorDaysPlan checks that VisitorDays uses the index for each visitor even with
// outdated statistics: on a table that was last analyzed when it held the first of two
// days, and on one that was never analyzed.
func TestVisitorDaysPlan(t *testing.T) {
	t.Parallel()
	const perDay = 3000
	first := time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)
	for _, analyzed := range []bool{false, true} {
		for _, database := range localtest.Databases(t) {
			t.Run(fmt.Sprintf("%s/analyzed=%t", database.Name, analyzed), func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				db := localtest.Record(t, database.URL)
				var visitors []int64
				for day := range 2 {
					var events []*event.Event
					for i := range perDay {
						at := first.AddDate(0, 0, day).Add(time.Duration(i) * time.Second)
						visitors = append(visitors, int64(day*perDay+i))
						events = append(events, &event.Event{
							ID: uuid.New(), Site: 1, Time: at, Day: event.DayOf(at), Visitor: visitors[len(visitors)-1], Type: event.View, Page: "/",
						})
					}
					if _, err := store.AddEvents(ctx, db, events); err != nil {
						t.Fatal(err)
					}
					if day == 0 && analyzed {
						if _, err := db.Exec(ctx, `ANALYZE events`); err != nil {
							t.Fatal(err)
						}
					}
				}
				today := slices.Repeat([]time.Time{first.AddDate(0, 0, 1)}, perDay)
				rows, err := db.Query(ctx, `EXPLAIN `+store.SelectVisitorDays, today, visitors[perDay:], today[0].Add(-14*time.Hour), today[0].Add(36*time.Hour), 100_000)
				if err != nil {
					t.Fatal(err)
				}
				lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					t.Fatal(err)
				}
				plan := strings.Join(lines, "\n")
				outer, inner := strings.Index(plan, "Function Scan on"), strings.Index(plan, "events_visitor_day on")
				if outer < 0 || inner < outer || strings.Contains(plan, "Join Filter") || strings.Contains(plan, "Seq Scan") {
					t.Errorf("the plan is not a nested loop over the index:\n%s", plan)
				}
			})
		}
	}
}
