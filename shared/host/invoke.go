package host

import (
	"net/http"

	handler "github.com/openfaas/templates-sdk/go-http"

	"github.com/analytics-platform/analytics/shared/edge/httpbody"
	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// Invoke converts a handler of OpenFaaS's go-http template to an http.Handler. After an
// error it responds with problem.Of and logs the error.
func Invoke(handle func(handler.Request) (handler.Response, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := httpbody.Plain(w, r, DefaultBodyLimit)
		if err != nil {
			fail(w, err)
			problem.Write(w, problem.Of(err))
			return
		}
		request := handler.Request{
			Body:        body,
			Header:      r.Header,
			QueryString: r.URL.RawQuery,
			Method:      r.Method,
			Host:        r.Host,
		}
		request.WithContext(r.Context())
		response, err := handle(request)
		if err != nil {
			fail(w, err)
			problem.Write(w, problem.Of(err))
			return
		}
		for name, values := range response.Header {
			w.Header()[name] = values
		}
		if response.StatusCode == 0 {
			response.StatusCode = http.StatusOK
		}
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(response.Body) // fails only if the client has disconnected
	})
}
