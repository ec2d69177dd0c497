package report

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/language"
)

// TestVisits lists visits page by page, with the timeline of each.
func TestVisits(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		body := map[string]any{
			"site_id": "a", "date_range": drawRange(t, w), "filters": drawFilters(t, 0, 2), "limit": rapid.SampledFrom([]int{1, 2, 3, 1000}).Draw(t, "limit"),
		}
		now := w.drawNow(t)
		var got []VisitSummary
		var within language.Range
		for {
			v := must(language.ParseVisitList(must(json.Marshal(body))))
			within = w.rangeOf(reports, db, &v.Question, now)
			answer, err := reports.Visits(context.Background(), db, w.site, now, v)
			if err != nil || len(answer.Visits) > v.Limit {
				t.Fatalf("%v: %d visits, %v", body, len(answer.Visits), err)
			}
			got = append(got, answer.Visits...)
			if answer.Next == "" {
				break
			}
			if len(answer.Visits) == 0 {
				t.Fatalf("%v: an empty page with a next one", body)
			}
			body["cursor"] = answer.Next
		}
		q := must(language.ParseVisitList(must(json.Marshal(body))))
		_ = must(reports.prepare(context.Background(), db, w.site, now, q, &q.Question)) // resolves names
		want := map[*visit.Visit]bool{}
		for _, day := range w.days(&q.Question, within) {
			for _, e := range day {
				want[e.visit] = true
			}
		}
		sorted := slices.SortedFunc(maps.Keys(want), func(a, b *visit.Visit) int {
			if c := b.Start.Compare(a.Start); c != 0 {
				return c
			}
			return int(b.Visitor - a.Visitor)
		})
		if len(got) != len(sorted) {
			t.Fatalf("%v: %d visits, want %d", body, len(got), len(sorted))
		}
		for i, v := range sorted {
			one := got[i]
			if one.ID != (language.VisitID{Start: v.Start, Visitor: v.Visitor}).String() || one.StartedAt != v.Start.In(within.From.Location()).Format(time.RFC3339) ||
				one.Events != v.Events || one.Pageviews != v.Pageviews || one.Duration != v.Duration || one.Bounce != v.Bounce || one.Source != v.Source ||
				one.Engaged != v.Engaged/1000 || one.ExitPage != v.ExitPage || one.Screen != v.Screen {
				t.Fatalf("%v: got %+v, want %+v", body, one, v)
			}
			timeline, err := reports.Timeline(context.Background(), db, w.site, now, must(language.ParseVisitID(one.ID)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(one, timeline.Visit); diff != "" || len(timeline.Events) != len(v.Sequence()) {
				t.Fatalf("%d events, want %d; %s", len(timeline.Events), len(v.Sequence()), diff)
			}
			for n, e := range v.Sequence() {
				if diff := gocmp.Diff(timelineEvent(e, within.From.Location()), timeline.Events[n]); diff != "" {
					t.Fatal(diff)
				}
			}
		}
	})
}

func TestTimelineWithoutVisit(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		_, err := reports.Timeline(context.Background(), db, w.site, w.drawNow(t), language.VisitID{Start: w.base, Visitor: rapid.Int64Range(7, 9).Draw(t, "visitor")})
		if !errors.Is(err, ErrNoVisit) {
			t.Fatalf("got %v, want ErrNoVisit", err)
		}
	})
}
