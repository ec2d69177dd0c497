package host_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	handler "github.com/openfaas/templates-sdk/go-http"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/host"
)

func TestInvoke(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handle func(handler.Request) (handler.Response, error)
		code   int
		body   string
		log    string
	}{
		"a response": {
			func(r handler.Request) (handler.Response, error) {
				text := strings.Join([]string{r.Method, r.Host, r.QueryString, r.Header.Get("X-In"), string(r.Body)}, " ")
				return handler.Response{StatusCode: 201, Header: http.Header{"X-Out": {"out"}}, Body: []byte(text)}, r.Context().Err()
			}, 201, "POST example.com a=b in body", "",
		},
		"without a status": {
			func(handler.Request) (handler.Response, error) { return handler.Response{}, nil }, 200, "", "",
		},
		"a problem": {
			func(handler.Request) (handler.Response, error) {
				return handler.Response{}, problem.New(409, "busy", "a run is going on")
			}, 409, `"code":"busy"`, "",
		},
		"another error": {
			func(handler.Request) (handler.Response, error) {
				return handler.Response{}, errors.New("disk full")
			}, 500, `"code":"internal"`, `"error":"disk full"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instance, log := build(t, &host.Function{Handler: host.Invoke(test.handle)})
			request := httptest.NewRequest(http.MethodPost, "http://example.com/?a=b", strings.NewReader("body"))
			request.Header.Set("X-In", "in")
			recorder := httptest.NewRecorder()
			instance.ServeHTTP(recorder, request)
			if recorder.Code != test.code || !strings.Contains(recorder.Body.String(), test.body) {
				t.Errorf("%d %s", recorder.Code, recorder.Body)
			}
			if test.code == 201 && recorder.Header().Get("X-Out") != "out" {
				t.Errorf("header %v", recorder.Header())
			}
			if !strings.Contains(log.String(), test.log) {
				t.Errorf("the log lacks %s: %s", test.log, log)
			}
		})
	}
}

func TestInvokeLargeBody(t *testing.T) {
	t.Parallel()
	instance, _ := build(t, &host.Function{BodyLimit: 3, Handler: host.Invoke(func(handler.Request) (handler.Response, error) {
		t.Error("the handler was called")
		return handler.Response{}, nil
	})})
	request := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("body")))
	recorder := httptest.NewRecorder()
	instance.ServeHTTP(recorder, request)
	if recorder.Code != 413 {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}
