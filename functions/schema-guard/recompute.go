package schemaguard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/analytics-platform/analytics/shared/aggregate/recompute"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// maxBody is the maximum size of a request body in bytes.
	maxBody = 64 << 10
	// maxDays is the maximum number of days in a request.
	maxDays = 31
)

// recomputeRequest is the body of a request to recompute days.
type recomputeRequest struct {
	Site    string `json:"site"` // domain or public id
	From    string `json:"from"` // YYYY-MM-DD
	To      string `json:"to"`   // YYYY-MM-DD; by default from
	Replace bool   `json:"replace"`
}

// days returns the first and the last day of the request.
func (r *recomputeRequest) days() (first, last event.Day, err error) {
	if first, last, err = recompute.ParseDays(r.From, r.To); err != nil {
		return first, last, err
	}
	if last-first >= maxDays {
		return first, last, problem.Invalid("to", fmt.Sprintf("a request can recompute at most %d days", maxDays))
	}
	return first, last, nil
}

// recomputeResponse is the answer.
type recomputeResponse struct {
	Days []recompute.Report `json:"days"`
	Next string             `json:"next,omitempty"` // the day to continue from, if time ran out
}

// recompute answers POST /v1/recompute.
func (f *function) recompute(w http.ResponseWriter, r *http.Request) {
	var body recomputeRequest
	answer, err := recomputeResponse{}, jsonhttp.Read(w, r, maxBody, &body)
	if err == nil {
		answer, err = f.recomputeDays(r.Context(), body)
	}
	if err == nil {
		err = jsonhttp.Write(w, http.StatusOK, answer)
	}
	if err != nil {
		jsonhttp.Fail(w, r, f.log, err)
	}
}

// recomputeDays recomputes days until the deadline of a run.
func (f *function) recomputeDays(ctx context.Context, body recomputeRequest) (recomputeResponse, error) {
	answer := recomputeResponse{Days: []recompute.Report{}}
	site, err := access.Site(ctx, f.db, "site", body.Site)
	if err != nil {
		return answer, err
	}
	first, last, err := body.days()
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.deadline)
	defer cancel()
	for day := first; day <= last; day++ {
		if day > first && !f.timeLeft(ctx) {
			answer.Next = day.String()
			return answer, nil
		}
		report, err := recompute.DayOnRequest(ctx, f.db, site, day, body.Replace, f.values, time.Now())
		switch {
		case errors.Is(err, sites.ErrNoSite):
			return answer, problem.New(http.StatusNotFound, "site_unknown", "the site was deleted in the meantime")
		case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && day > first:
			answer.Next = day.String()
			return answer, nil
		case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return answer, problem.New(http.StatusGatewayTimeout, "day_too_large",
				"recomputing the day takes longer than a run (SCHEMA_GUARD_DEADLINE): use the command `analytics recompute`")
		case err != nil:
			return answer, err
		}
		if report.Replaced {
			f.log.InfoContext(ctx, "repaired stored numbers", "site", site.PublicID, "day", report.Day, "visits", report.Visits, "rollups", report.Rollups)
		}
		answer.Days = append(answer.Days, report)
	}
	return answer, nil
}
