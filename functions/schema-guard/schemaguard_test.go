package schemaguard_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	schemaguard "github.com/analytics-platform/analytics/functions/schema-guard"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const token = "the token of the owner of this installation"

// TestRun checks that the function creates the schema when it starts, and that a run then has
// nothing to migrate and deletes expired salts and sessions.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			process := host.NewProcess(map[string]string{"DATABASE_URL": database.URL, "ADMIN_TOKEN": token, "SCHEMA_GUARD_DEADLINE": "1h"}, slog.New(slog.DiscardHandler))
			t.Cleanup(process.Close)
			guard, err := host.Build(t.Context(), process.Env("schema-guard"), schemaguard.New)
			if err != nil {
				t.Fatal(err)
			}
			db, err := pgxpool.New(t.Context(), database.URL)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(db.Close)
			today := time.Now().UTC()
			for _, day := range []time.Time{today.AddDate(0, 0, -40), today.AddDate(0, 0, -3), today} {
				if _, err := db.Exec(t.Context(), `INSERT INTO salts VALUES ($1, '\x00')`, day); err != nil {
					t.Fatal(err)
				}
			}
			for _, ago := range []time.Duration{0, sites.SessionIdle - time.Minute, sites.SessionIdle, sites.SessionLife} {
				if _, err := sites.CreateSession(t.Context(), db, today.Add(-ago)); err != nil {
					t.Fatal(err)
				}
			}

			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
			request.Header.Set("Authorization", "Bearer "+token)
			recorder := httptest.NewRecorder()
			guard.ServeHTTP(recorder, request)
			var answer struct {
				Version         int      `json:"version"`
				Applied         []string `json:"applied"`
				TimescaleDB     string   `json:"timescaledb"`
				SaltsDestroyed  int      `json:"salts_destroyed"`
				SessionsDeleted int      `json:"sessions_deleted"`
			}
			if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || recorder.Code != http.StatusOK {
				t.Fatalf("status %d, %s, %v", recorder.Code, recorder.Body, err)
			}
			if answer.Version < 1 || len(answer.Applied) != 0 || answer.SaltsDestroyed != 2 || answer.SessionsDeleted != 2 || (answer.TimescaleDB == "") != (database.Name == "plain") {
				t.Errorf("answer = %+v", answer)
			}
			if err := guard.Ready(t.Context()); err != nil {
				t.Errorf("Ready = %v", err)
			}
		})
	}
}
