package jsonhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
)

type document struct {
	Name string `json:"name"`
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ media, encoding, body, want string }{
		"object":             {"application/json", "", `{"name":"a"}`, ""},
		"without a type":     {"", "", `{"name":"a"}`, ""},
		"wrong type":         {"application/json", "", `{"name":1}`, "400 invalid (name): must be a string, not a number"},
		"too large":          {"application/json", "", `{"name":"0123456789"}`, "413 body_too_large: the body may have at most 20 bytes"},
		"another media type": {"text/plain", "", `{}`, "415 unsupported_media_type: send the body with Content-Type: application/json"},
		"compressed":         {"application/json", "gzip", `{}`, "415 unsupported_media_type: send the body without Content-Encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.media)
			r.Header.Set("Content-Encoding", test.encoding)
			var d document
			err := jsonhttp.Read(httptest.NewRecorder(), r, 20, &d)
			if test.want == "" {
				if err != nil || d.Name != "a" {
					t.Errorf("read %+v, %v", d, err)
				}
				return
			}
			if got := problem.Of(err).Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		logged bool
	}{
		"a problem":                {problem.Invalid("name", "must not be empty"), 400, false},
		"a database shutting down": {fmt.Errorf("read: %w", &pgconn.PgError{Code: pgerrcode.AdminShutdown}), 503, true},
		"too many connections":     {&pgconn.PgError{Code: pgerrcode.TooManyConnections}, 503, true},
		"a lost connection":        {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), 503, true},
		"a syntax error":           {&pgconn.PgError{Code: pgerrcode.SyntaxError}, 500, true},
		"an unknown error":         {errors.New("secret of 10.0.0.1"), 500, true},
		"a canceled statement":     {context.Canceled, 500, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			w := httptest.NewRecorder()
			jsonhttp.Fail(w, httptest.NewRequest(http.MethodGet, "/", nil), slog.New(slog.NewTextHandler(&log, nil)), test.err)
			if w.Code != test.status || (log.Len() > 0) != test.logged || (w.Code == 503) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("status %d, logged %q, Retry-After %q", w.Code, &log, w.Header().Get("Retry-After"))
			}
			if strings.Contains(w.Body.String(), "10.0.0.1") {
				t.Errorf("the response reveals the error: %s", w.Body)
			}
		})
	}
}

func TestFailDisconnected(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log strings.Builder
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	jsonhttp.Fail(httptest.NewRecorder(), r, slog.New(slog.NewTextHandler(&log, nil)), context.Canceled)
	if log.Len() > 0 {
		t.Errorf("a disconnected client is logged: %s", &log)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := jsonhttp.Write(w, http.StatusOK, map[string]string{"id": r.PathValue("id")}); err != nil {
			t.Error(err)
		}
	})
	handler := jsonhttp.Routes(mux)
	for request, want := range map[string]struct {
		status             int
		media, body, allow string
	}{
		"GET /things/7":    {200, "application/json", `{"id":"7"}`, ""},
		"DELETE /things/7": {405, "application/problem+json", `"code":"method_not_allowed"`, "GET, HEAD"},
		"GET /other":       {404, "application/problem+json", `"code":"not_found"`, ""},
	} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		h := w.Header()
		if w.Code != want.status || h.Get("Content-Type") != want.media || !strings.Contains(w.Body.String(), want.body) || h.Get("Allow") != want.allow {
			t.Errorf("%s: status %d, %v: %s", request, w.Code, h, w.Body)
		}
	}
}
