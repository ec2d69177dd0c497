package schemaguard_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	schemaguard "github.com/analytics-platform/analytics/functions/schema-guard"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// guard is the function with its own database and two sites.
type guard struct {
	handler http.Handler
	db      *pgxpool.Pool
	log     *strings.Builder
}

func install(t *testing.T, deadline string) *guard {
	t.Helper()
	return installWith(t, map[string]string{"SCHEMA_GUARD_DEADLINE": deadline})
}

func installWith(t *testing.T, settings map[string]string) *guard {
	t.Helper()
	g := &guard{log: new(strings.Builder)}
	all := map[string]string{"DATABASE_URL": localtest.Postgres(t), "ADMIN_TOKEN": token, "METRICS_TOKEN": localtest.MetricsToken}
	maps.Copy(all, settings)
	process := host.NewProcess(all, slog.New(slog.NewJSONHandler(g.log, nil)))
	t.Cleanup(process.Close)
	env := process.Env("schema-guard")
	instance, err := host.Build(t.Context(), env, schemaguard.New)
	if err != nil {
		t.Fatal(err)
	}
	g.handler = instance
	if g.db, err = env.Database(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"one.example", "two.example"} {
		if _, err := sites.Create(t.Context(), g.db, sites.Draft{Domain: domain, Timezone: "UTC"}); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// send sends a request and decodes the answer if it is JSON.
func (g *guard) send(t *testing.T, method, path, key, body string) (status int, answer map[string]any, text string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	if strings.Contains(w.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("decode %q: %v", w.Body, err)
		}
	}
	return w.Code, answer, w.Body.String()
}

// addEvent stores an event of a site and everything derived from it.
func (g *guard) addEvent(t *testing.T, site int32, day event.Day) {
	t.Helper()
	g.addPage(t, site, day, int64(day), "/")
}

// addPage stores the only page view of a visitor.
func (g *guard) addPage(t *testing.T, site int32, day event.Day, visitor int64, page string) {
	t.Helper()
	e := event.Event{ID: uuid.New(), Site: site, Time: day.Date().Add(12 * time.Hour), Day: day, Visitor: visitor, Type: event.View, Page: page}
	visits := visit.Fold([]*event.Event{&e})
	rollups := visit.NewRollups()
	rollups.Add(visits)
	if _, err := store.AddEvents(t.Context(), g.db, []*event.Event{&e}); err != nil {
		t.Fatal(err)
	}
	if err := store.ApplyVisits(t.Context(), g.db, store.VisitChanges{Added: []*visit.Visit{&visits[0]}}); err != nil {
		t.Fatal(err)
	}
	if err := store.ApplyRollups(t.Context(), g.db, rollups); err != nil {
		t.Fatal(err)
	}
}

func (g *guard) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := g.db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func TestRecompute(t *testing.T) {
	t.Parallel()
	g := install(t, "1h")
	day, err := event.ParseDay("2026-03-01")
	if err != nil {
		t.Fatal(err)
	}
	g.addEvent(t, 1, day)
	g.addEvent(t, 1, day+1)
	g.exec(t, `DELETE FROM visits WHERE day = $1`, day.Date())

	body := `{"site":"one.example","from":"2026-03-01","to":"2026-03-02"%s}`
	for _, step := range []struct {
		replace           string
		missing, replaced any
	}{{"", 1., false}, {`,"replace":false`, 1., false}, {`,"replace":true`, 1., true}, {`,"replace":true`, 0., false}} {
		status, answer, text := g.send(t, "POST", "/v1/recompute", token, fmt.Sprintf(body, step.replace))
		days, _ := answer["days"].([]any)
		if status != http.StatusOK || len(days) != 2 || answer["next"] != nil {
			t.Fatalf("status %d, %s", status, text)
		}
		first, second := days[0].(map[string]any), days[1].(map[string]any)
		if first["site"] != "one.example" || first["day"] != "2026-03-01" || second["day"] != "2026-03-02" || first["events"] != 1. ||
			first["visits"].(map[string]any)["missing"] != step.missing || first["replaced"] != step.replaced || second["replaced"] != false {
			t.Errorf("%s: %s", step.replace, text)
		}
	}
	oracle.Agrees(t, g.db)
}

func TestRecomputeErrors(t *testing.T) {
	t.Parallel()
	g := install(t, "1h")
	key := func(scope sites.Scope, visible ...int32) string {
		_, secret, err := sites.CreateKey(t.Context(), g.db, "test", []sites.Scope{scope}, visible)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	good := `{"site":"one.example","from":"2026-03-01"}`
	for name, test := range map[string]struct {
		method, key, body string
		status            int
		code              string
		field             any
	}{
		"no credentials":   {"POST", "", good, 401, "unauthorized", nil},
		"query key":        {"POST", key(sites.ScopeQuery), good, 403, "forbidden", nil},
		"key of the site":  {"POST", key(sites.ScopeAdmin, 1), good, 403, "forbidden", nil},
		"wrong method":     {"GET", token, "", 405, "method_not_allowed", nil},
		"no site":          {"POST", token, `{"from":"2026-03-01"}`, 404, "site_unknown", "site"},
		"unknown site":     {"POST", token, `{"site":"no.example","from":"2026-03-01"}`, 404, "site_unknown", "site"},
		"no day":           {"POST", token, `{"site":"one.example"}`, 400, "invalid", "from"},
		"invalid day":      {"POST", token, `{"site":"one.example","from":"2026-02-30"}`, 400, "invalid", "from"},
		"invalid last day": {"POST", token, `{"site":"one.example","from":"2026-03-01","to":"tomorrow"}`, 400, "invalid", "to"},
		"to before from":   {"POST", token, `{"site":"one.example","from":"2026-03-02","to":"2026-03-01"}`, 400, "invalid", "to"},
		"too many days":    {"POST", token, `{"site":"one.example","from":"2026-03-01","to":"2026-04-01"}`, 400, "invalid", "to"},
		"replace as text":  {"POST", token, `{"site":"one.example","from":"2026-03-01","replace":"yes"}`, 400, "invalid", "replace"},
		"unknown field":    {"POST", token, `{"site":"one.example","from":"2026-03-01","dry":true}`, 400, "invalid", "dry"},
		"empty body":       {"POST", token, ``, 400, "invalid", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer, text := g.send(t, test.method, "/v1/recompute", test.key, test.body)
			if status != test.status || answer["code"] != test.code || answer["field"] != test.field {
				t.Errorf("status %d, %s; want %d, %s and field %v", status, text, test.status, test.code, test.field)
			}
		})
	}
	t.Run("admin key", func(t *testing.T) {
		t.Parallel()
		if status, _, text := g.send(t, "POST", "/v1/recompute", key(sites.ScopeAdmin), `{"site":"one.example","from":"2026-03-01","to":"2026-03-31"}`); status != http.StatusOK {
			t.Errorf("status %d, %s", status, text)
		}
	})
}

// TestRecomputeDeadline lets another transaction hold the queue, so that a day that needs a
// repair waits until the deadline.
func TestRecomputeDeadline(t *testing.T) {
	t.Parallel()
	g := install(t, "10s")
	day, err := event.ParseDay("2026-03-01")
	if err != nil {
		t.Fatal(err)
	}
	g.addEvent(t, 1, day)
	g.addEvent(t, 1, day+1)
	g.exec(t, `DELETE FROM visits WHERE day = $1`, (day + 1).Date())
	release := g.holdQueue(t)
	defer release()
	body := `{"site":"one.example","from":"2026-03-0%d","to":"2026-03-03","replace":true}`
	status, answer, text := g.send(t, "POST", "/v1/recompute", token, fmt.Sprintf(body, 1))
	if days, _ := answer["days"].([]any); status != http.StatusOK || len(days) != 1 || answer["next"] != "2026-03-02" {
		t.Errorf("status %d, %s; want the first day, and the second as next", status, text)
	}
	if status, answer, text := g.send(t, "POST", "/v1/recompute", token, fmt.Sprintf(body, 2)); status != http.StatusGatewayTimeout || answer["code"] != "day_too_large" {
		t.Errorf("status %d, %s", status, text)
	}
}

// holdQueue holds all shards, as a worker does, until release is called.
func (g *guard) holdQueue(t *testing.T) (release func()) {
	t.Helper()
	tx, err := g.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.LockShards(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// checks returns the saved results of checks that found differences, oldest day first, as
// "site day differences replaced".
func (g *guard) checks(t *testing.T) []string {
	t.Helper()
	rows, err := g.db.Query(t.Context(), `
SELECT concat_ws(' ', site_id, day, coalesce(differences::text, 'unknown'), CASE WHEN replaced THEN 'replaced' END)
FROM day_checks WHERE differences IS DISTINCT FROM 0 ORDER BY day, site_id`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRunChecksClosedDays(t *testing.T) {
	t.Parallel()
	g := install(t, "1h")
	today := event.DayOf(time.Now().UTC())
	wrong, emptied, old := today-5, today-6, today-60
	for _, day := range []event.Day{today, wrong, emptied, old} {
		g.addEvent(t, 1, day)
	}
	g.exec(t, `DELETE FROM visits WHERE day = ANY($1)`, []time.Time{today.Date(), wrong.Date(), old.Date()})
	g.exec(t, `DELETE FROM events WHERE day = $1`, emptied.Date())

	status, answer, text := g.send(t, "POST", "/", token, "")
	if status != http.StatusOK || answer["days_checked"] != 70. || answer["days_wrong"] != 1. || answer["days_unchecked"] != 0. {
		t.Errorf("status %d, %s; want 35 days of two sites, one of them wrong", status, text)
	}
	if answer["days_kept"] != 3. || answer["days_not_kept"] != 0. {
		t.Errorf("%s; want the three closed days with events archived", text)
	}
	if got := strings.Join(g.checks(t), ", "); got != fmt.Sprintf("1 %s 1 replaced", wrong) {
		t.Errorf("checks = %q", got)
	}
	var visits int
	if err := g.db.QueryRow(t.Context(), `SELECT count(*) FROM visits WHERE day IN ($1, $2)`, wrong.Date(), emptied.Date()).Scan(&visits); err != nil || visits != 2 {
		t.Errorf("%d visits (%v); want the repaired one, and that of the day without events", visits, err)
	}
	if log := g.log.String(); strings.Count(log, `"level":"ERROR"`) != 1 || !strings.Contains(log, wrong.String()) || !strings.Contains(log, `"missing":1`) {
		t.Errorf("log = %s", log)
	}
	if status, answer, text := g.send(t, "POST", "/", token, ""); status != http.StatusOK || answer["days_checked"] != 0. || answer["days_kept"] != 0. {
		t.Errorf("second run: status %d, %s", status, text)
	}
	_, _, metrics := g.send(t, "GET", "/metrics", localtest.MetricsToken, "")
	for _, line := range []string{"analytics_schema_guard_days_checked_total 70\n", "analytics_schema_guard_days_wrong_total 1\n", "analytics_schema_guard_days_kept_total 3\n"} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics do not contain %q", line)
		}
	}
}

// TestDayTooLarge checks that a day that takes longer than a run is saved as such and skipped.
func TestDayTooLarge(t *testing.T) {
	t.Parallel()
	g := install(t, "10s")
	day := event.DayOf(time.Now().UTC()) - 4
	g.addEvent(t, 1, day)
	g.exec(t, `DELETE FROM visits`)
	var checked, unchecked float64
	run := func() {
		status, answer, text := g.send(t, "POST", "/", token, "")
		if status != http.StatusOK || answer["days_wrong"] != 0. {
			t.Fatalf("status %d, %s", status, text)
		}
		checked += answer["days_checked"].(float64)
		unchecked += answer["days_unchecked"].(float64)
	}
	release := g.holdQueue(t)
	for unchecked == 0 {
		run()
	}
	release()
	for checked+unchecked < 70 {
		run()
	}
	if got := strings.Join(g.checks(t), ", "); unchecked != 1 || got != fmt.Sprintf("1 %s unknown", day) {
		t.Errorf("%v days unchecked, checks = %q, want one unknown", unchecked, got)
	}

	// Recomputing the day on request updates its check.
	for _, replace := range []string{"true", "false"} {
		if status, _, text := g.send(t, "POST", "/v1/recompute", token, fmt.Sprintf(`{"site":"one.example","from":%q,"replace":%s}`, day, replace)); status != http.StatusOK {
			t.Errorf("status %d, %s", status, text)
		}
		if got := strings.Join(g.checks(t), ", "); got != fmt.Sprintf("1 %s 1 replaced", day) {
			t.Errorf("checks after recomputing = %q", got)
		}
	}
}
