package query

import (
	"net/http"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// likePlausible has problems say what is wrong where clients of Plausible's API look for
// it, too: in the member error.
func likePlausible(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(plausibleWriter{w}, r) })
}

type plausibleWriter struct{ http.ResponseWriter }

// Extend is for problem.Write.
func (plausibleWriter) Extend(p *problem.Problem) {
	p.Message = p.Detail
	if p.Field != "" {
		p.Message = p.Field + ": " + p.Detail
	}
}

// Unwrap is for http.ResponseController.
func (w plausibleWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
