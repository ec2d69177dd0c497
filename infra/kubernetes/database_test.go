package kubernetes_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/functions/query"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestCloudNativePG uses a database as CloudNativePG creates it: its owner has no other
// privileges, and replicas are read-only.
func TestCloudNativePG(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			super, err := pgxpool.New(t.Context(), database.URL)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(super.Close)
			at, err := url.Parse(database.URL)
			if err != nil {
				t.Fatal(err)
			}
			name, role := strings.TrimPrefix(at.Path, "/"), "owner_of_"+strings.TrimPrefix(at.Path, "/")
			statements := []string{
				`CREATE ROLE ` + role + ` LOGIN PASSWORD 'secret'`, `ALTER DATABASE ` + name + ` OWNER TO ` + role, `ALTER SCHEMA public OWNER TO ` + role,
			}
			for _, statement := range statements {
				if _, err := super.Exec(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			t.Cleanup(func() {
				for _, statement := range []string{`REASSIGN OWNED BY ` + role + ` TO CURRENT_USER`, `DROP OWNED BY ` + role, `DROP ROLE ` + role} {
					if _, err := super.Exec(context.Background(), statement); err != nil {
						t.Errorf("%s: %v", statement, err)
					}
				}
			})
			at.User = url.UserPassword(role, "secret")

			db := localtest.Record(t, at.String())
			site, err := sites.Create(t.Context(), db, sites.Draft{Domain: "example.com", Timezone: "UTC"})
			if err != nil {
				t.Fatal(err)
			}
			var events []*event.Event
			for n := range 100 {
				at := time.Date(2026, 3, 2, 0, n, 0, 0, time.UTC)
				events = append(events, &event.Event{ID: uuid.New(), Site: site.ID, Time: at, Day: event.DayOf(at), Visitor: int64(n), Type: event.View, Page: "/", Hostname: "example.com"})
			}
			record(t, db, events)
			n, err := store.Compress(t.Context(), db, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
			if err != nil || (n > 0) != (database.Name != "plain") {
				t.Errorf("compressed %d chunks, error %v", n, err)
			}
			if report, err := schema.Migrate(t.Context(), db); err != nil || len(report.Applied) > 0 || (report.TimescaleDB != "") != (database.Name != "plain") {
				t.Errorf("second migration: %+v, %v", report, err)
			}

			_, key, err := sites.CreateKey(t.Context(), db, "test", []sites.Scope{sites.ScopeQuery}, nil)
			if err != nil {
				t.Fatal(err)
			}
			at.RawQuery = "default_transaction_read_only=on"
			queryReplica(t, at.String(), key)
		})
	}
}

// record stores events, each of a different visitor, as aggregate does.
func record(t *testing.T, db *pgxpool.Pool, events []*event.Event) {
	t.Helper()
	rollups, changes := visit.NewRollups(), store.VisitChanges{}
	for _, e := range events {
		folded := visit.Fold([]*event.Event{e})
		rollups.Add(folded)
		changes.Added = append(changes.Added, &folded[0])
	}
	_, err := store.AddEvents(t.Context(), db, events)
	if err = errors.Join(err, store.ApplyVisits(t.Context(), db, changes), store.ApplyRollups(t.Context(), db, rollups)); err != nil {
		t.Fatal(err)
	}
}

// queryReplica runs a query that reads events, since no rollup can answer it.
func queryReplica(t *testing.T, database, key string) {
	t.Helper()
	process := host.NewProcess(map[string]string{"DATABASE_URL": database, "ADMIN_TOKEN": "token-of-the-owner-of-this-installation"}, slog.New(slog.DiscardHandler))
	defer process.Close()
	instance, err := host.Build(t.Context(), process.Env("query"), query.New)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/api/v2/query",
		strings.NewReader(`{"site_id":"example.com","metrics":["events"],"date_range":["2026-03-02","2026-03-02"],"filters":[["contains","event:page",["/"]]]}`))
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response := httptest.NewRecorder()
	instance.ServeHTTP(response, request)
	if response.Code != http.StatusOK || !strings.Contains(response.Body.String(), `"metrics":[100]`) {
		t.Errorf("query on a replica: %d %s", response.Code, response.Body)
	}
}
