package registry_test

import (
	"context"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

func services(t *testing.T) (*pgxpool.Pool, *redis.Client) {
	t.Helper()
	db := localtest.Record(t, localtest.Postgres(t))
	addSite(t, db, "one.example")
	client := localtest.Client(t, localtest.Redis(t))
	return db, client
}

func addSite(t *testing.T, db database.DB, domain string) {
	t.Helper()
	if _, err := sites.Create(t.Context(), db, sites.Draft{Domain: domain, Name: domain, Timezone: "Asia/Kolkata"}); err != nil {
		t.Fatal(err)
	}
}

// TestTheDatabaseIsNotNeeded: once the copy is there, everything is known with the
// database away, and all processes agree on the salts.
func TestTheDatabaseIsNotNeeded(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	now := time.Now()
	first := registry.New(client, db, time.Now)
	if err := first.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.Close()
	second := registry.New(client, db, time.Now)
	if err := second.Load(t.Context()); err != nil {
		t.Fatalf("with the database away: %v", err)
	}
	site, ok := second.Directory().Site("one.example")
	if !ok || site.ID != 1 || site.Location.String() != "Asia/Kolkata" {
		t.Errorf("the site is %+v, %t", site, ok)
	}
	for day, last := privacy.SaltDays(now); day <= last; day++ {
		a, okA := first.Directory().Salt(day)
		b, okB := second.Directory().Salt(day)
		if !okA || !okB || *a != *b || *a == (privacy.Salt{}) {
			t.Errorf("the salts of %s are not one", day)
		}
	}
}

// TestATimezoneThatChanges: the copy knows both zones and when the change is.
func TestATimezoneThatChanges(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	draft := sites.Draft{Domain: "one.example", Name: "one", Timezone: "Europe/Paris"}
	if _, err := sites.Update(t.Context(), db, 1, draft, now); err != nil {
		t.Fatal(err)
	}
	if err := registry.Publish(t.Context(), client, db, now); err != nil {
		t.Fatal(err)
	}
	r := registry.New(client, db, time.Now)
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	site, ok := r.Directory().Site("one.example")
	midnight := time.Date(2026, 3, 10, 18, 30, 0, 0, time.UTC)
	before, after := site.LocationAt(midnight.Add(-1)).String(), site.LocationAt(midnight).String()
	if !ok || before != "Asia/Kolkata" || after != "Europe/Paris" {
		t.Errorf("the zone is %s before midnight, %s from then on (%t)", before, after, ok)
	}
}

func TestAskFindsANewSite(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	now := time.Now()
	r := registry.New(client, db, func() time.Time { return now })
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	known := func(name string) bool { _, ok := r.Directory().Site(name); return ok }
	ask := func() {
		t.Helper()
		if err := r.Ask(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	addSite(t, db, "two.example")
	if ask(); !known("two.example") {
		t.Error("a new site is not known after Ask")
	}
	addSite(t, db, "three.example")
	if ask(); known("three.example") {
		t.Error("the record was asked twice within a second")
	}
	now = now.Add(2 * time.Second)
	if ask(); !known("three.example") {
		t.Error("a new site is not known after Ask a second later")
	}
	other := registry.New(client, db, time.Now)
	if err := other.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := other.Directory().Site("three.example"); !ok {
		t.Error("what one process learned was not published to the others")
	}
}

// TestSaltsAreDestroyed: of a day that is over nothing is left, in the record or in
// the copy.
func TestSaltsAreDestroyed(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	ctx := t.Context()
	now := time.Now()
	if err := registry.Publish(ctx, client, db, now); err != nil {
		t.Fatal(err)
	}
	day := event.DayOf(now.UTC())
	later := day.Date().Add(48 * time.Hour) // the first moment at which its salt is gone
	if n, err := store.DestroySalts(ctx, db, later.Add(-time.Second)); err != nil {
		t.Fatal(n, err)
	}
	if !saltIsThere(ctx, t, db, day) {
		t.Error("the salt was destroyed while its day can receive events")
	}
	if _, err := store.DestroySalts(ctx, db, later); err != nil {
		t.Fatal(err)
	}
	if saltIsThere(ctx, t, db, day) {
		t.Error("the salt outlived its day")
	}
	if err := registry.Publish(ctx, client, db, later); err != nil {
		t.Fatal(err)
	}
	r := registry.New(client, db, time.Now)
	if err := r.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Directory().Salt(day); ok {
		t.Error("the copy in Redis still has the salt")
	}
}

func saltIsThere(ctx context.Context, t *testing.T, db database.DB, day event.Day) (there bool) {
	t.Helper()
	if err := db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM salts WHERE day = $1)`, day.Date()).Scan(&there); err != nil {
		t.Fatal(err)
	}
	return there
}
