package report

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/table"
)

// TestEventTable lists events, in pieces and in pages of a few events, so that visits are cut
// by them, and compares with the plainest evaluation of what the type's comment says.
func TestEventTable(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		body := map[string]any{"site_id": "a", "date_range": drawRange(t, w), "filters": drawFilters(t, 0, 2)}
		now := w.asking(t)
		limit := rapid.SampledFrom([]int{0, 0, 1, 20}).Draw(t, "limit")
		if limit > 0 {
			body["limit"] = limit
		}
		pageSize := rapid.SampledFrom([]int{8, 20, eventsAtOnce}).Draw(t, "page")
		var got [][]table.Cell
		var l EventList
		for {
			l = must(ParseEventList(must(json.Marshal(body))))
			l.atOnce = pageSize
			piece, err := all(reports.EventTable(context.Background(), db, w.site, now, &l))
			if err != nil || limit > 0 && len(piece) > limit {
				t.Fatalf("%v: %d events, %v", body, len(piece), err)
			}
			got = append(got, piece...)
			if limit == 0 || len(piece) < limit {
				break
			}
			body["cursor"] = piece[len(piece)-1][0].Text
		}
		s := must(l.span(context.Background(), db, w.site, now))
		var events []*event.Event
		for i := range w.oracle.events {
			if e := &w.oracle.events[i]; w.oracle.matches(l.Filters, e) {
				events = append(events, e.Event)
			}
		}
		if len(l.Filters) == 0 {
			events = nil
			for i := range w.events {
				events = append(events, &w.events[i])
			}
		}
		slices.SortFunc(events, visit.Compare)
		want := [][]table.Cell{}
		for _, e := range events {
			in := e.Day >= s.first && e.Day <= s.last
			if !s.whole {
				in = !e.Time.Before(s.from) && e.Time.Before(s.to)
			}
			if in {
				want = append(want, must(eventCells(e)))
			}
		}
		if diff := gocmp.Diff(want, append([][]table.Cell{}, got...)); diff != "" {
			t.Fatalf("%v: -want +got\n%s", body, diff)
		}
	})
}

// TestVisitTable lists visits as a table, which are those of all pages of the list.
func TestVisitTable(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		body := map[string]any{"site_id": "a", "date_range": drawRange(t, w), "filters": drawFilters(t, 0, 2)}
		now := w.asking(t)
		v := must(ParseVisitList(must(json.Marshal(body))))
		got := must(all(reports.VisitTable(context.Background(), db, w.site, now, &v)))
		body["limit"] = maxVisits
		v = must(ParseVisitList(must(json.Marshal(body))))
		list := must(reports.Visits(context.Background(), db, w.site, now, &v))
		if len(got) != len(list.Visits) {
			t.Fatalf("%v: %d visits, want %d", body, len(got), len(list.Visits))
		}
		for i := range list.Visits {
			one := &list.Visits[i]
			if row := got[i]; row[0].Text != one.ID || row[2].Text != one.StartedAt || row[len(row)-1].Text != string(one.Revenue) {
				t.Fatalf("%v: got %v, want %v", body, row, one)
			}
		}
	})
}

// all are the rows of a table.
func all(t table.Table, err error) (rows [][]table.Cell, _ error) {
	if err != nil {
		return nil, err
	}
	for page, err := range t.Pages {
		if err != nil {
			return nil, err
		}
		rows = append(rows, page...)
	}
	return rows, nil
}

func FuzzEventID(f *testing.F) {
	for _, seed := range []string{
		"", "AAABlbwRyAAAAAAAAAAAAAAAAAAAAAAA", "AAABnLKl7ABQnh_kqE9HeZ0-9X0YqzBP", "_______________________________w",
		"________________________________", "AAABlbwRyAAAAAAAAAAAAAAAAAAAAAA=", "' OR 1=1 --", "é", "___000000000000\r00000000000000000",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseEventID(text); err == nil && id.String() != text {
			t.Errorf("%q is read as %v", text, id)
		}
	})
}
