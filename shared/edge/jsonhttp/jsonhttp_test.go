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
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Inner inner    `json:"inner"`
	Many  []inner  `json:"many"`
}

type inner struct {
	Count *int `json:"count"`
	Open  bool `json:"open"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	var d document
	if err := jsonhttp.Decode([]byte(` {"name":"a","tags":["b"],"inner":{"count":3,"open":true}} `), &d); err != nil {
		t.Fatal(err)
	}
	if d.Name != "a" || d.Tags[0] != "b" || *d.Inner.Count != 3 || !d.Inner.Open {
		t.Errorf("read as %+v", d)
	}
	for body, want := range map[string]string{
		``:                            `400 invalid: the body is empty: send a JSON object`,
		`[]`:                          `400 invalid: the body must be a JSON object`,
		`{"name":"a"`:                 `400 invalid: the body is not valid JSON at byte 11`,
		`{"name":"a"}x`:               `400 invalid: the body is not valid JSON at byte 12`,
		`{"name":1}`:                  `400 invalid (name): must be a string, not a number`,
		`{"tags":["a",{}]}`:           `400 invalid (tags.1): must be a string, not an object`,
		`{"inner":[]}`:                `400 invalid (inner): must be an object, not an array`,
		`{"inner":{"count":1.5}}`:     `400 invalid (inner.count): must be a whole number, not a number`,
		`{"inner":{"open":"yes"}}`:    `400 invalid (inner.open): must be true or false, not a string`,
		`{"inner":{"shut":1}}`:        `400 invalid (inner.shut): is not a known field; known are count, open`,
		`{"many":[{},{"shut":1}]}`:    `400 invalid (many.1.shut): is not a known field; known are count, open`,
		`{"secret":"x","name":"a"}`:   `400 invalid (secret): is not a known field; known are name, tags, inner, many`,
		`{"name":"a","name":"b"}`:     `400 invalid (name): appears twice`,
		`{"` + longName() + `":true}`: `400 invalid (` + longName()[:100] + `...): is not a known field; known are name, tags, inner, many`,
	} {
		if err := jsonhttp.Decode([]byte(body), new(document)); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", body, err, want)
		}
	}
}

func longName() string { return strings.Repeat("n", 200) }

func TestFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		logged bool
	}{
		"a problem":                     {problem.Invalid("name", "say one"), 400, false},
		"a database that is going":      {fmt.Errorf("read: %w", &pgconn.PgError{Code: pgerrcode.AdminShutdown}), 503, true},
		"a database without room":       {&pgconn.PgError{Code: pgerrcode.TooManyConnections}, 503, true},
		"a connection that was cut":     {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), 503, true},
		"a statement that is wrong":     {&pgconn.PgError{Code: pgerrcode.SyntaxError}, 500, true},
		"something nobody thought of":   {errors.New("secret of 10.0.0.1"), 500, true},
		"a statement that was canceled": {context.Canceled, 500, true},
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
				t.Errorf("the answer tells of the inside: %s", w.Body)
			}
		})
	}
}

func TestFailWithoutAListener(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log strings.Builder
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	jsonhttp.Fail(httptest.NewRecorder(), r, slog.New(slog.NewTextHandler(&log, nil)), context.Canceled)
	if log.Len() > 0 {
		t.Errorf("a client that has gone away is logged: %s", &log)
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
