package query

import (
	"net/http"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// likePlausible repeats the detail of problems where clients of Plausible's API look for it,
// in the member error.
func likePlausible(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(plausibleWriter{w}, r) })
}

type plausibleWriter struct{ http.ResponseWriter }

// Extend implements problem.Extender.
func (plausibleWriter) Extend(p *problem.Problem) {
	p.Message = p.Detail
	if p.Field != "" {
		p.Message = p.Field + ": " + p.Detail
	}
}

// Unwrap returns the inner writer, for http.ResponseController.
func (w plausibleWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
