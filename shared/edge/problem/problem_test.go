package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		problem problem.Problem
		status  int
		body    string
	}{
		"without type and title": {
			problem.New(404, "site_unknown", "no site example.com"), 404,
			`{"type":"about:blank","title":"Not Found","status":404,"detail":"no site example.com","code":"site_unknown"}`,
		},
		"with a field": {
			problem.Invalid("date_range", "use day, 7d or 30d"), 400,
			`{"type":"about:blank","title":"Bad Request","status":400,"detail":"use day, 7d or 30d","code":"invalid","field":"date_range"}`,
		},
		"with errors and index 0": {
			problem.Problem{
				Status: 422, Code: "events_rejected",
				Errors: []problem.Problem{{Status: 400, Code: "invalid", Field: "url", Index: new(0)}},
			}, 422,
			`{"type":"about:blank","title":"Unprocessable Entity","status":422,"code":"events_rejected",` +
				`"errors":[{"type":"about:blank","title":"Bad Request","status":400,"code":"invalid","field":"url","index":0}]}`,
		},
		"without a status": {
			problem.Problem{}, 500,
			`{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal"}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			recorder.Header().Set("Content-Encoding", "gzip")
			recorder.Header().Set("Retry-After", "1")
			problem.Write(recorder, test.problem)
			if recorder.Code != test.status {
				t.Errorf("status %d, want %d", recorder.Code, test.status)
			}
			if diff := cmp.Diff(test.body+"\n", recorder.Body.String()); diff != "" {
				t.Error(diff)
			}
			want := http.Header{
				"Cache-Control":          {"no-store"},
				"Content-Length":         {strconv.Itoa(len(test.body) + 1)},
				"Content-Type":           {"application/problem+json"},
				"Retry-After":            {"1"},
				"X-Content-Type-Options": {"nosniff"},
			}
			if diff := cmp.Diff(want, recorder.Header()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWriteKeepsErrors(t *testing.T) {
	t.Parallel()
	p := problem.Problem{Status: 400, Code: "invalid", Errors: []problem.Problem{{Status: 400, Code: "invalid"}}}
	problem.Write(httptest.NewRecorder(), p)
	if p.Errors[0].Title != "" {
		t.Errorf("Write changed its argument: %+v", p)
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	unknown := problem.New(404, "site_unknown", "no such site")
	_, tooLarge := io.ReadAll(http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(strings.NewReader("12345")), 4))
	tests := map[string]struct {
		err  error
		want problem.Problem
	}{
		"a problem":         {unknown, unknown},
		"a wrapped problem": {fmt.Errorf("load site: %w", unknown), unknown},
		"a validation error": {
			fmt.Errorf("read the goal: %w", validation.New("props.plan", "must be a string")),
			problem.Invalid("props.plan", "must be a string"),
		},
		"a validation error with a code": {
			&validation.Error{Field: "name", Code: "too_long", Detail: "at most 5 bytes"},
			problem.Problem{Status: 400, Code: "too_long", Field: "name", Detail: "at most 5 bytes"},
		},
		"a body over the limit": {
			fmt.Errorf("read body: %w", tooLarge),
			problem.New(413, "body_too_large", "the body may have at most 4 bytes"),
		},
		"any other error": {
			errors.New("password of 10.0.0.1"),
			problem.New(500, "internal", "an internal error occurred and was logged"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, problem.Of(test.err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	var err error = problem.Invalid("limit", "1 to 1000")
	if got, want := err.Error(), "400 invalid (limit): 1 to 1000"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	problem.Write(recorder, problem.Invalid("site", "a domain or public id"))
	var got problem.Problem
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := problem.Problem{
		Type: "about:blank", Title: "Bad Request", Status: 400,
		Code: "invalid", Field: "site", Detail: "a domain or public id",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
