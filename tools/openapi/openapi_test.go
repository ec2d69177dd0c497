package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	validator "github.com/pb33f/libopenapi-validator"
)

// document returns a validator for the document that query serves.
func document(t *testing.T) validator.Validator {
	t.Helper()
	text, err := os.ReadFile("../../functions/query/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := newValidator(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestDocument validates the document against OpenAPI's schema.
func TestDocument(t *testing.T) {
	t.Parallel()
	if ok, errs := document(t).ValidateDocument(); !ok {
		t.Error(lines(errs))
	}
}

// TestServe checks the verdicts on requests and responses.
func TestServe(t *testing.T) {
	t.Parallel()
	const query = `{"site_id":"example.com","metrics":["visitors"],"date_range":["2026-03-01","2026-03-31"]}`
	present := exchange{
		Method: http.MethodGet, URL: "/api/v1/stats/realtime/visitors?site_id=example.com", Asked: http.Header{"Authorization": {"Bearer token"}},
		Status: http.StatusOK, Answered: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, Answer: []byte("3"),
	}
	with := func(change func(*exchange)) exchange {
		e := present
		change(&e)
		return e
	}
	for name, test := range map[string]struct {
		exchange        exchange
		request, answer bool // whether it is valid
	}{
		"valid":             {present, true, true},
		"missing header":    {with(func(e *exchange) { e.Answered = http.Header{"Content-Type": {"application/json"}} }), true, false},
		"unknown path":      {with(func(e *exchange) { e.URL = "/api/v1/stats" }), false, false},
		"missing parameter": {with(func(e *exchange) { e.URL = "/api/v1/stats/realtime/visitors" }), false, true},
		"wrong type":        {with(func(e *exchange) { e.Answer = []byte(`"three"`) }), true, false},
		"unknown status":    {with(func(e *exchange) { e.Status = http.StatusTeapot }), true, false},
		"invalid query": {with(func(e *exchange) {
			e.Method, e.URL, e.Status, e.Answered = http.MethodPost, "/api/v2/query", http.StatusTeapot, http.Header{}
			e.Asked = http.Header{"Authorization": {"Bearer token"}, "Content-Type": {"application/json"}}
			e.Request = []byte(strings.Replace(query, "visitors", "people", 1))
		}), false, false},
		"query in the URL": {with(func(e *exchange) {
			e.URL, e.Status = "/api/v2/query?query="+strings.NewReplacer(`"`, "%22", `{`, "%7B", `}`, "%7D", `[`, "%5B", `]`, "%5D").Replace(query), http.StatusTeapot
		}), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := json.Marshal(test.exchange)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := serve(document(t), strings.NewReader(string(in)), &out); err != nil {
				t.Fatal(err)
			}
			var got verdict
			if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
				t.Fatal(err)
			}
			if (got.Request == "") != test.request || (got.Answer == "") != test.answer {
				t.Errorf("request valid: %t, want %t: %s\nresponse valid: %t, want %t: %s",
					got.Request == "", test.request, got.Request, got.Answer == "", test.answer, got.Answer)
			}
		})
	}
}
