package sites_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

func newDatabase(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return localtest.Record(t, localtest.Postgres(t))
}

func TestUseKey(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	created, secret, err := sites.CreateKey(t.Context(), db, "test", sites.Scopes(), []int32{7})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	// The first use is recorded, then at most one each minute.
	for _, step := range []struct{ at, want time.Duration }{
		{0, 0}, {30 * time.Second, 0}, {59 * time.Second, 0}, {time.Minute, time.Minute}, {90 * time.Second, time.Minute},
	} {
		key, err := sites.UseKey(t.Context(), db, secret, start.Add(step.at))
		if err != nil || key.ID != created.ID || len(key.Scopes) != len(sites.Scopes()) || key.Sites[0] != 7 {
			t.Fatalf("after %s: got key %+v, %v", step.at, key, err)
		}
		keys, err := sites.Keys(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		if used := keys[0].LastUsedAt; used == nil || !used.Equal(start.Add(step.want)) {
			t.Errorf("after %s: last use recorded at %v, want %s", step.at, used, step.want)
		}
	}

	if err := sites.DeleteKey(t.Context(), db, created.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.UseKey(t.Context(), db, secret, start); !errors.Is(err, sites.ErrNoKey) {
		t.Errorf("use a revoked key: got %v, want ErrNoKey", err)
	}
	if err := sites.DeleteKey(t.Context(), db, created.ID); !errors.Is(err, sites.ErrNoKey) {
		t.Errorf("revoke it again: got %v, want ErrNoKey", err)
	}
}

// TestKeyOfDeletedSites checks that a key never becomes valid for all sites because the sites
// that it was for are deleted, one after the other or at the same time.
func TestKeyOfDeletedSites(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		t.Run(fmt.Sprintf("together %t", together), func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t)
			var ids []int32
			for _, domain := range []string{"one.example", "two.example"} {
				site, err := sites.Create(t.Context(), db, sites.Draft{Domain: domain, Name: domain, Timezone: "UTC"})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, site.ID)
			}
			_, secret, err := sites.CreateKey(t.Context(), db, "test", []sites.Scope{sites.ScopeAdmin}, ids)
			if err != nil {
				t.Fatal(err)
			}
			first, err := db.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = first.Rollback(context.Background()) }()
			if err := sites.Delete(t.Context(), first, ids[0]); err != nil {
				t.Fatal(err)
			}
			second := make(chan error, 1)
			if together {
				go func() { second <- sites.Delete(t.Context(), db, ids[1]) }()
				localtest.Eventually(t, "the second deletion waits for the first", func() bool {
					var waiting bool
					const find = `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`
					return db.QueryRow(t.Context(), find).Scan(&waiting) == nil && waiting
				})
			}
			if err := first.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !together {
				second <- sites.Delete(t.Context(), db, ids[1])
			}
			if err := <-second; err != nil {
				t.Fatal(err)
			}
			if key, err := sites.UseKey(t.Context(), db, secret, time.Now()); !errors.Is(err, sites.ErrNoKey) {
				t.Errorf("the key is valid for the sites %v (empty: all), %v; want ErrNoKey", key.Sites, err)
			}
		})
	}
}
