package registry_test

import (
	"context"
	"errors"
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
	"github.com/analytics-platform/analytics/shared/storage/salts"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

func services(t *testing.T) (*pgxpool.Pool, *redis.Client) {
	t.Helper()
	db := localtest.Record(t, localtest.Postgres(t))
	addSite(t, db, "one.example")
	client := localtest.Client(t, localtest.Redis(t))
	return db, client
}

func saltKeys(t *testing.T, text string) *privacy.SaltKeys {
	t.Helper()
	var keys privacy.SaltKeys
	if err := keys.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return &keys
}

func addSite(t *testing.T, db database.DB, domain string) {
	t.Helper()
	if _, err := sites.Create(t.Context(), db, sites.Draft{Domain: domain, Name: domain, Timezone: "Asia/Kolkata"}); err != nil {
		t.Fatal(err)
	}
}

// TestLoadWithoutDatabase checks that a published copy suffices without the database, and
// that all processes have the same salts.
func TestLoadWithoutDatabase(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	now := time.Now()
	first := registry.New(client, db, saltKeys(t, localtest.SaltKey), time.Now)
	if err := first.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.Close()
	second := registry.New(client, db, saltKeys(t, localtest.SaltKey), time.Now)
	if err := second.Load(t.Context()); err != nil {
		t.Fatalf("without the database: %v", err)
	}
	site, ok := second.Directory().Site("one.example")
	if !ok || site.ID != 1 || site.Location.String() != "Asia/Kolkata" {
		t.Errorf("site: got %+v, %t", site, ok)
	}
	for day, last := privacy.SaltDays(now); day <= last; day++ {
		a, okA := first.Directory().Salt(day)
		b, okB := second.Directory().Salt(day)
		if !okA || !okB || *a != *b || *a == (privacy.Salt{}) {
			t.Errorf("the salts of %s differ", day)
		}
	}
}

// TestTimezoneChange checks that the copy has both time zones and the time of the change.
func TestTimezoneChange(t *testing.T) {
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
	r := registry.New(client, db, saltKeys(t, localtest.SaltKey), time.Now)
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	site, ok := r.Directory().Site("one.example")
	midnight := time.Date(2026, 3, 10, 18, 30, 0, 0, time.UTC)
	before, after := site.LocationAt(midnight.Add(-1)).String(), site.LocationAt(midnight).String()
	if !ok || before != "Asia/Kolkata" || after != "Europe/Paris" {
		t.Errorf("time zone %s before the change, %s after it (%t)", before, after, ok)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	now := time.Now()
	r := registry.New(client, db, saltKeys(t, localtest.SaltKey), func() time.Time { return now })
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	known := func(name string) bool { _, ok := r.Directory().Site(name); return ok }
	refresh := func() {
		t.Helper()
		if err := r.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	addSite(t, db, "two.example")
	if refresh(); !known("two.example") {
		t.Error("a new site is not known after Refresh")
	}
	addSite(t, db, "three.example")
	if refresh(); known("three.example") {
		t.Error("the database was queried twice within a second")
	}
	now = now.Add(2 * time.Second)
	if refresh(); !known("three.example") {
		t.Error("a new site is not known after Refresh two seconds later")
	}
	other := registry.New(client, db, saltKeys(t, localtest.SaltKey), time.Now)
	if err := other.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := other.Directory().Site("three.example"); !ok {
		t.Error("Refresh did not publish the new site")
	}
}

// TestDestroySalts checks that the salt of a closed day is deleted from the database and
// from the copy.
func TestDestroySalts(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	ctx := t.Context()
	now := time.Now()
	keys := saltKeys(t, localtest.SaltKey)
	publish := func(now time.Time) {
		t.Helper()
		if err := errors.Join(salts.Create(ctx, db, keys, now), registry.Publish(ctx, client, db, now)); err != nil {
			t.Fatal(err)
		}
	}
	publish(now)
	day := event.DayOf(now.UTC())
	later := day.Date().Add(48 * time.Hour) // the first moment without its salt
	if n, err := salts.Destroy(ctx, db, later.Add(-time.Second)); err != nil {
		t.Fatal(n, err)
	}
	if !saltExists(ctx, t, db, day) {
		t.Error("the salt was deleted while its day is open")
	}
	if _, err := salts.Destroy(ctx, db, later); err != nil {
		t.Fatal(err)
	}
	if saltExists(ctx, t, db, day) {
		t.Error("the salt of a closed day still exists")
	}
	publish(later)
	r := registry.New(client, db, keys, time.Now)
	if err := r.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Directory().Salt(day); ok {
		t.Error("the copy in Redis still has the salt")
	}
}

func saltExists(ctx context.Context, t *testing.T, db database.DB, day event.Day) (exists bool) {
	t.Helper()
	if err := db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM salts WHERE day = $1)`, day.Date()).Scan(&exists); err != nil {
		t.Fatal(err)
	}
	return exists
}

// TestRefreshAfterHangUp checks that a caller who hangs up does not stop the query, which
// would take away the only one of that second.
func TestRefreshAfterHangUp(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	r := registry.New(client, db, saltKeys(t, localtest.SaltKey), time.Now)
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	addSite(t, db, "new.example")
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if err := r.Refresh(gone); err != nil {
		t.Errorf("Refresh = %v", err)
	}
	if _, ok := r.Directory().Site("new.example"); !ok {
		t.Error("the new site is not known")
	}
}
