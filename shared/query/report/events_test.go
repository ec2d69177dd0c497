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
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/table"
)

// TestEventTable lists events in pieces and in small pages, which split visits, and compares
// with an evaluation of each event by itself.
func TestEventTable(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		body := map[string]any{"site_id": "a", "date_range": drawRange(t, w), "filters": drawFilters(t, 0, 2)}
		now := w.drawNow(t)
		limit := rapid.SampledFrom([]int{0, 0, 1, 20}).Draw(t, "limit")
		if limit > 0 {
			body["limit"] = limit
		}
		pageSize := rapid.SampledFrom([]int{8, 20, eventsPerPage}).Draw(t, "page")
		paged := &Reporter{engine: reports.engine, eventsPerPage: pageSize}
		var got [][]table.Cell
		var l *language.EventList
		for {
			l = must(language.ParseEventList(must(json.Marshal(body))))
			piece, err := all(paged.EventTable(context.Background(), db, w.site, now, l))
			if err != nil || limit > 0 && len(piece) > limit {
				t.Fatalf("%v: %d events, %v", body, len(piece), err)
			}
			got = append(got, piece...)
			if limit == 0 || len(piece) < limit {
				break
			}
			body["cursor"] = piece[len(piece)-1][0].Text
		}
		within := w.rangeOf(reports, db, &l.Question, now)
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
			in := e.Day >= within.First && e.Day <= within.Last
			if !within.Whole {
				in = !e.Time.Before(within.From) && e.Time.Before(within.To)
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

// TestVisitTable checks that the table has the visits of all pages of the list.
func TestVisitTable(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *rapid.T, reports *Reporter, db *pgxpool.Pool, w *world) {
		body := map[string]any{"site_id": "a", "date_range": drawRange(t, w), "filters": drawFilters(t, 0, 2)}
		now := w.drawNow(t)
		v := must(language.ParseVisitList(must(json.Marshal(body))))
		got := must(all(reports.VisitTable(context.Background(), db, w.site, now, v)))
		body["limit"] = language.MaxVisits
		v = must(language.ParseVisitList(must(json.Marshal(body))))
		list := must(reports.Visits(context.Background(), db, w.site, now, v))
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

// all returns the rows of a table.
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
