package sites_test

import (
	"errors"
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
		if err != nil || key.ID != created.ID || len(key.Scopes) != 3 || key.Sites[0] != 7 {
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
