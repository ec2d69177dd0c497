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
	// maxBody is how many bytes a request may have.
	maxBody = 64 << 10
	// maxDays is how many days one request may name.
	maxDays = 31
)

// wanted is the body of a request to count days again.
type wanted struct {
	Site    string `json:"site"` // domain or public id
	From    string `json:"from"` // YYYY-MM-DD
	To      string `json:"to"`   // YYYY-MM-DD; from, when left out
	Replace bool   `json:"replace"`
}

// days reads which days are wanted.
func (b *wanted) days() (first, last event.Day, err error) {
	if first, last, err = recompute.ParseDays(b.From, b.To); err != nil {
		return first, last, err
	}
	if last-first >= maxDays {
		return first, last, problem.Invalid("to", fmt.Sprintf("at most %d days can be counted again at once", maxDays))
	}
	return first, last, nil
}

// recounted is the answer.
type recounted struct {
	Days []recompute.Report `json:"days"`
	Next string             `json:"next,omitempty"` // the time was up: ask again from this day on
}

// recompute answers POST /v1/recompute.
func (f *function) recompute(w http.ResponseWriter, r *http.Request) {
	var body wanted
	answer, err := recounted{}, jsonhttp.Read(w, r, maxBody, &body)
	if err == nil {
		answer, err = f.recount(r.Context(), body)
	}
	if err == nil {
		err = jsonhttp.Write(w, http.StatusOK, answer)
	}
	if err != nil {
		jsonhttp.Fail(w, r, f.log, err)
	}
}

// recount counts days again for as long as a run may take.
func (f *function) recount(ctx context.Context, body wanted) (recounted, error) {
	answer := recounted{Days: []recompute.Report{}}
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
		if day > first && !f.half(ctx) {
			answer.Next = day.String()
			return answer, nil
		}
		report, err := recompute.DayOnRequest(ctx, f.db, site, day, body.Replace, time.Now())
		switch {
		case errors.Is(err, sites.ErrNoSite):
			return answer, problem.New(http.StatusNotFound, "site_unknown", "the site has been deleted meanwhile")
		case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && day > first:
			answer.Next = day.String()
			return answer, nil
		case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return answer, problem.New(http.StatusGatewayTimeout, "day_too_large",
				"the day takes longer than a run may (SCHEMA_GUARD_DEADLINE): count it again with the command `analytics recompute`")
		case err != nil:
			return answer, err
		}
		if report.Replaced {
			f.log.InfoContext(ctx, "stored numbers were put right", "site", site.PublicID, "day", report.Day, "visits", report.Visits, "rollups", report.Rollups)
		}
		answer.Days = append(answer.Days, report)
	}
	return answer, nil
}
