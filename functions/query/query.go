// Package query is the function that answers questions about sites. It only reads,
// so its database may be a read replica.
//
// It holds the HTTP surface: what a question is, and what the numbers mean, is in
// shared/report. No page of another site may ask: there is no CORS.
package query

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/shared/access"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/jsonhttp"
	"github.com/analytics-platform/analytics/shared/report"
	"github.com/analytics-platform/analytics/shared/store"
)

// Config is what the function can be told.
type Config struct {
	AdminToken string `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token, at least 16 characters"`
	Rate       int    `env:"QUERY_RATE" envDefault:"600" envDoc:"how many questions a minute are answered with one key, with one share link, and without either about one public site; 0 for no limit"`
}

type function struct {
	db  *pgxpool.Pool
	log *slog.Logger
	now func() time.Time
}

// New makes the function.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	if config.Rate < 0 {
		return nil, errors.New("QUERY_RATE must be 0 or more")
	}
	db, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	gate, err := access.New(config.AdminToken, access.Keys(db, time.Now), env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	questions, err := access.NewRate(config.Rate, time.Now)
	if err != nil {
		return nil, err
	}
	f := &function{db: db, log: env.Logger(), now: time.Now}
	mux := http.NewServeMux()
	mux.Handle("POST /api/v2/query", gate.RequireOrPublic(store.ScopeQuery, questions.Limit(http.HandlerFunc(f.query))))
	return &host.Function{Handler: jsonhttp.Routes(mux), BodyLimit: report.MaxBody, Ready: db.Ping}, nil
}

func (f *function) query(w http.ResponseWriter, r *http.Request) {
	answer, err := f.answer(w, r)
	if err == nil {
		err = jsonhttp.Write(w, http.StatusOK, answer)
	}
	if err != nil {
		jsonhttp.Fail(w, r, f.log, err)
	}
}

func (f *function) answer(w http.ResponseWriter, r *http.Request) (report.Answer, error) {
	body, err := jsonhttp.Body(w, r, report.MaxBody)
	if err != nil {
		return report.Answer{}, err
	}
	question, err := report.Parse(body)
	if err != nil {
		return report.Answer{}, err
	}
	site, err := access.Site(r.Context(), f.db, "site_id", question.SiteID)
	if err != nil {
		return report.Answer{}, err
	}
	return question.Answer(r.Context(), f.db, site, f.now())
}
