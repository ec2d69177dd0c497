package query

import (
	"errors"
	"net/http"

	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/report"
)

// fail answers a request with an error.
func (f *function) fail(w http.ResponseWriter, r *http.Request, err error) {
	jsonhttp.Fail(w, r, f.log, toProblem(err))
}

// toProblem turns the errors of the packages that answer questions into problem documents,
// except for what problem.Of knows itself.
func toProblem(err error) error {
	if limit, ok := errors.AsType[*admission.Error](err); ok {
		if limit.Code == admission.CodeBusy {
			return problem.New(http.StatusServiceUnavailable, problem.CodeOverloaded, limit.Detail)
		}
		return problem.New(http.StatusUnprocessableEntity, limit.Code, limit.Detail)
	}
	if refused, ok := errors.AsType[*export.NotAcceptableError](err); ok {
		p := problem.New(http.StatusNotAcceptable, "not_acceptable", refused.Detail)
		p.Field = "Accept"
		return p
	}
	if errors.Is(err, report.ErrNoVisit) {
		p := problem.New(http.StatusNotFound, problem.CodeNotFound, "there is no such visit of this site, or it has other events by now: list them again")
		p.Field = "id"
		return p
	}
	return err
}
