package demo

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// TestTraffic checks that the traffic has about the requested size and the shape of real
// traffic, and that no event is in the future or outside its day.
func TestTraffic(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 30, 15, 4, 5, 0, time.UTC) // the day after Europe's clock change
	var sites []site
	for i, p := range profiles() {
		location, err := time.LoadLocation(p.timezone)
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, site{p, int32(i + 1), location})
	}
	const total = 50_000
	events, bySite := 0, map[int32]int{}
	visits := map[int64]int{}
	days := map[event.Day]bool{}
	for e := range traffic(rand.New(rand.NewPCG(1, 2)), sites, Days, total, now) {
		location := sites[e.Site-1].location
		if local := e.Time.In(location); e.Time.After(now) || event.DayOf(local) != e.Day || e.ID.Version() != 7 {
			t.Fatalf("event at %s has day %s, id %s", local, e.Day, e.ID)
		}
		events++
		bySite[e.Site]++
		visits[e.Visitor]++
		days[e.Day] = true
	}
	if events < total*9/10 || events > total*11/10 {
		t.Errorf("%d events, want about %d", events, total)
	}
	if mean := float64(events) / float64(len(visits)); mean < eventsPerVisit*0.9 || mean > eventsPerVisit*1.1 {
		t.Errorf("%.2f events per visit, want about %.1f", mean, eventsPerVisit)
	}
	if len(days) < Days {
		t.Errorf("%d days have traffic, want %d", len(days), Days)
	}
	if bySite[1] < bySite[2] || bySite[2] < bySite[3] {
		t.Errorf("events by site: %v", bySite)
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := localtest.Record(t, localtest.Postgres(t))
	client := localtest.Client(t, localtest.Redis(t))

	stored := 0
	if err := Fill(ctx, db, client, time.Now(), 10_000, func(n int) { stored = n }); err != nil {
		t.Fatal(err)
	}
	var events int
	if err := db.QueryRow(ctx, `SELECT sum(events) FROM rollup_month WHERE dimension = $1`, visit.Total).Scan(&events); err != nil || events != stored || events < 9000 {
		t.Errorf("%d events in the rollups, %d stored (%v)", events, stored, err)
	}
	oracle.Agrees(t, db)
	if err := Fill(ctx, db, client, time.Now(), 10_000, func(int) {}); !errors.Is(err, ErrDone) {
		t.Errorf("second Fill: %v, want ErrDone", err)
	}
}
