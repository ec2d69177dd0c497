package sites_test

import (
	"context"
	"errors"
	"strconv"
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

func site(t *testing.T, db *pgxpool.Pool, domain string) int32 {
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
			one, other := site(t, db, "one.example"), site(t, db, "other.example")
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
				t.Errorf("another site can't have a goal of that name: %v", err)
			}
			if _, err := sites.CreateGoal(ctx, db, one, drafts[0]); !errors.Is(err, sites.ErrNameTaken) {
				t.Errorf("a second of the same name: %v", err)
			}
			if _, err := sites.UpdateGoal(ctx, db, one, ids[1], drafts[0]); !errors.Is(err, sites.ErrNameTaken) {
				t.Errorf("changed to the same name: %v", err)
			}
			if _, err := sites.CreateGoal(ctx, db, 99, drafts[0]); !errors.Is(err, sites.ErrNoSite) {
				t.Errorf("of no site: %v", err)
			}
			drafts[1].Page = "/news/*"
			if _, err := sites.UpdateGoal(ctx, db, one, ids[1], drafts[1]); err != nil {
				t.Error(err)
			}
			goals, err := sites.Goals(ctx, db, one)
			if err != nil || len(goals) != 2 {
				t.Fatalf("%d goals: %v", len(goals), err)
			}
			for i, g := range goals {
				if diff := cmp.Diff(drafts[i], g.Goal, cmpopts.EquateEmpty()); diff != "" || g.ID != ids[i] {
					t.Errorf("goal %d: %s", i, diff)
				}
			}

			// The goals of one site are no other's.
			_, finding := sites.FindGoal(ctx, db, other, ids[0])
			_, updating := sites.UpdateGoal(ctx, db, other, ids[0], drafts[0])
			for _, err := range []error{finding, updating, sites.DeleteGoal(ctx, db, other, ids[0])} {
				if !errors.Is(err, sites.ErrNotFound) {
					t.Errorf("by another site: %v", err)
				}
			}
			if err := sites.DeleteGoal(ctx, db, one, ids[0]); err != nil {
				t.Error(err)
			}
			if _, err := sites.FindGoal(ctx, db, one, ids[0]); !errors.Is(err, sites.ErrNotFound) {
				t.Errorf("once deleted: %v", err)
			}
		})
	}
}

// TestFull has many add at once to a site that has room for a few.
func TestFull(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	one := site(t, db, "one.example")
	for name, kind := range map[string]struct {
		most int
		add  func(context.Context, int) error
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
			for i := range kind.most - 3 {
				if err := kind.add(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			results := make(chan error, 8)
			var adding sync.WaitGroup
			for i := range cap(results) {
				adding.Go(func() { results <- kind.add(t.Context(), kind.most+i) })
			}
			adding.Wait()
			close(results)
			added := 0
			for err := range results {
				switch {
				case err == nil:
					added++
				case !errors.Is(err, sites.ErrLimitReached):
					t.Error(err)
				}
			}
			if added != 3 {
				t.Errorf("%d were added where 3 had room", added)
			}
		})
	}
}

func TestUseShareLink(t *testing.T) {
	t.Parallel()
	db, ctx := migrated(t), t.Context()
	one := site(t, db, "one.example")
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ends := start.Add(time.Hour)
	created, secret, err := sites.CreateShareLink(ctx, db, one, "for the board", &ends)
	if err != nil {
		t.Fatal(err)
	}
	link, err := sites.UseShareLink(ctx, db, secret, start)
	if err != nil || link.ID != created.ID || link.Site != one || !link.ExpiresAt.Equal(ends) {
		t.Errorf("the link is %+v (%v)", link, err)
	}
	if links, err := sites.ShareLinks(ctx, db, one); err != nil || len(links) != 1 || !links[0].LastUsedAt.Equal(start) {
		t.Errorf("the links are %+v (%v)", links, err)
	}
	for name, use := range map[string]struct {
		secret string
		at     time.Time
	}{
		"at its end": {secret, ends}, "later": {secret, ends.Add(time.Hour)}, "another secret": {secret + "x", start},
	} {
		if _, err := sites.UseShareLink(ctx, db, use.secret, use.at); !errors.Is(err, sites.ErrNoKey) {
			t.Errorf("%s: %v, want ErrNoKey", name, err)
		}
	}
	if err := sites.DeleteShareLink(ctx, db, one, created.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.UseShareLink(ctx, db, secret, start); !errors.Is(err, sites.ErrNoKey) {
		t.Errorf("once revoked: %v, want ErrNoKey", err)
	}
}
