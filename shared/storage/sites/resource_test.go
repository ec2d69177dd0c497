package sites_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

func createSite(t *testing.T, db *pgxpool.Pool, domain string) int32 {
	t.Helper()
	created, err := sites.Create(t.Context(), db, sites.Draft{Domain: domain, Name: domain, Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	return created.ID
}

func TestGoals(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db, ctx := localtest.Record(t, database.URL), t.Context()
			one, other := createSite(t, db, "one.example"), createSite(t, db, "other.example")
			drafts := []goal.Goal{
				{Name: "Sign-up", Event: "signup", Props: map[string]string{"plan": "pro"}, Currency: "EUR"},
				{Name: "Blog", Page: "/blog/**"},
			}
			var ids []int32
			for _, draft := range drafts {
				created, err := sites.CreateGoal(ctx, db, one, draft)
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, created.ID)
			}
			if _, err := sites.CreateGoal(ctx, db, other, drafts[0]); err != nil {
				t.Errorf("the same name on another site: %v", err)
			}
			if _, err := sites.CreateGoal(ctx, db, one, drafts[0]); !errors.Is(err, sites.ErrNameTaken) {
				t.Errorf("a second goal of the same name: got %v, want ErrNameTaken", err)
			}
			if _, err := sites.UpdateGoal(ctx, db, one, ids[1], drafts[0]); !errors.Is(err, sites.ErrNameTaken) {
				t.Errorf("update to the same name: got %v, want ErrNameTaken", err)
			}
			if _, err := sites.CreateGoal(ctx, db, 99, drafts[0]); !errors.Is(err, sites.ErrNoSite) {
				t.Errorf("an unknown site: got %v, want ErrNoSite", err)
			}
			drafts[1].Page = "/news/*"
			if _, err := sites.UpdateGoal(ctx, db, one, ids[1], drafts[1]); err != nil {
				t.Error(err)
			}
			goals, err := sites.Goals(ctx, db, one)
			if err != nil || len(goals) != 2 {
				t.Fatalf("got %d goals, %v; want 2", len(goals), err)
			}
			for i, g := range goals {
				if diff := cmp.Diff(drafts[i], g.Goal, cmpopts.EquateEmpty()); diff != "" || g.ID != ids[i] {
					t.Errorf("goal %d: %s", i, diff)
				}
			}

			// Another site can't use the goals of this one.
			_, finding := sites.FindGoal(ctx, db, other, ids[0])
			_, updating := sites.UpdateGoal(ctx, db, other, ids[0], drafts[0])
			for _, err := range []error{finding, updating, sites.DeleteGoal(ctx, db, other, ids[0])} {
				if !errors.Is(err, sites.ErrNotFound) {
					t.Errorf("from another site: got %v, want ErrNotFound", err)
				}
			}
			if err := sites.DeleteGoal(ctx, db, one, ids[0]); err != nil {
				t.Error(err)
			}
			if _, err := sites.FindGoal(ctx, db, one, ids[0]); !errors.Is(err, sites.ErrNotFound) {
				t.Errorf("find a deleted goal: got %v, want ErrNotFound", err)
			}
		})
	}
}

// TestLimits checks that concurrent creations do not exceed the limits.
func TestLimits(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	one := createSite(t, db, "one.example")
	for name, kind := range map[string]struct {
		limit  int
		create func(context.Context, int) error
	}{
		"goals": {sites.MaxGoals, func(ctx context.Context, i int) error {
			_, err := sites.CreateGoal(ctx, db, one, goal.Goal{Name: strconv.Itoa(i), Event: "a"})
			return err
		}},
		"segments": {sites.MaxSegments, func(ctx context.Context, i int) error {
			_, err := sites.CreateSegment(ctx, db, one, strconv.Itoa(i), jsontext.Value(`[]`))
			return err
		}},
		"funnels": {sites.MaxFunnels, func(ctx context.Context, i int) error {
			_, err := sites.CreateFunnel(ctx, db, one, strconv.Itoa(i), jsontext.Value(`{}`))
			return err
		}},
		"annotations": {sites.MaxAnnotations, func(ctx context.Context, i int) error {
			_, err := sites.CreateAnnotation(ctx, db, one, time.Unix(0, 0).UTC(), strconv.Itoa(i))
			return err
		}},
		"share links": {sites.MaxShareLinks, func(ctx context.Context, i int) error {
			_, _, err := sites.CreateShareLink(ctx, db, one, strconv.Itoa(i), nil)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range kind.limit - 3 {
				if err := kind.create(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			results := make(chan error, 8)
			var running sync.WaitGroup
			for i := range cap(results) {
				running.Go(func() { results <- kind.create(t.Context(), kind.limit+i) })
			}
			running.Wait()
			close(results)
			created := 0
			for err := range results {
				switch {
				case err == nil:
					created++
				case !errors.Is(err, sites.ErrLimitReached):
					t.Error(err)
				}
			}
			if created != 3 {
				t.Errorf("%d were created, want 3", created)
			}
		})
	}
}

func TestUseShareLink(t *testing.T) {
	t.Parallel()
	db, ctx := newDatabase(t), t.Context()
	one := createSite(t, db, "one.example")
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ends := start.Add(time.Hour)
	created, secret, err := sites.CreateShareLink(ctx, db, one, "for the board", &ends)
	if err != nil {
		t.Fatal(err)
	}
	link, err := sites.UseShareLink(ctx, db, secret, start)
	if err != nil || link.ID != created.ID || link.Site != one || !link.ExpiresAt.Equal(ends) {
		t.Errorf("got link %+v, %v", link, err)
	}
	if links, err := sites.ShareLinks(ctx, db, one); err != nil || len(links) != 1 || !links[0].LastUsedAt.Equal(start) {
		t.Errorf("got links %+v, %v", links, err)
	}
	for name, use := range map[string]struct {
		secret string
		at     time.Time
	}{
		"when it expires": {secret, ends}, "later": {secret, ends.Add(time.Hour)}, "another secret": {secret + "x", start},
	} {
		if _, err := sites.UseShareLink(ctx, db, use.secret, use.at); !errors.Is(err, sites.ErrNoKey) {
			t.Errorf("%s: got %v, want ErrNoKey", name, err)
		}
	}
	if err := sites.DeleteShareLink(ctx, db, one, created.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.UseShareLink(ctx, db, secret, start); !errors.Is(err, sites.ErrNoKey) {
		t.Errorf("use a revoked link: got %v, want ErrNoKey", err)
	}
}

// TestFind checks under which names a site is found.
func TestFind(t *testing.T) {
	t.Parallel()
	db, ctx := localtest.Record(t, localtest.Postgres(t)), t.Context()
	for _, domain := range []string{"one.example", "two.example", "www.two.example", "xn--e1afmkfd.xn--p1ai"} {
		createSite(t, db, domain)
	}
	for name, want := range map[string]string{
		"one.example": "one.example", "\tWWW.One.Example.\n": "one.example", "https://www.one.example/a?b": "one.example",
		"two.example": "two.example", "www.two.example": "www.two.example", "пример.рф": "xn--e1afmkfd.xn--p1ai", "www.Пример.рф": "xn--e1afmkfd.xn--p1ai",
	} {
		site, err := sites.Find(ctx, db, name)
		if err != nil || site.Domain != want {
			t.Errorf("%q: got %q, %v; want %q", name, site.Domain, err, want)
		}
		if again, err := sites.Find(ctx, db, strings.ToUpper(site.PublicID)); err != nil || again.ID != site.ID {
			t.Errorf("%q: got %+v, %v", site.PublicID, again, err)
		}
	}
	for _, name := range []string{"", "three.example", "sub.one.example", "s_", "s_\x00", "s_\xff", "a b"} {
		if site, err := sites.Find(ctx, db, name); !errors.Is(err, sites.ErrNoSite) {
			t.Errorf("%q: got %+v, %v; want no site", name, site, err)
		}
	}
}
