package track

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// answer says what became of the events of a request. Index counts from 0 in the
// order in which they were sent.
type answer struct {
	Accepted int               `json:"accepted"` // queued, safe
	Dropped  []dropped         `json:"dropped,omitempty"`
	Errors   []problem.Problem `json:"errors,omitempty"`
	Warnings []warning         `json:"warnings,omitempty"`

	array bool // the events were sent as a list
}

// size is how many events were sent.
func (a answer) size() int { return a.Accepted + len(a.Dropped) + len(a.Errors) }

// allBad tells whether no event could be read.
func (a answer) allBad() bool { return len(a.Errors) > 0 && a.size() == len(a.Errors) }

type dropped struct {
	Index  int             `json:"index"`
	Reason pipeline.Reason `json:"reason"`
}

type warning struct {
	Index  int    `json:"index"`
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // nothing in an answer can fail to encode
		panic(err)
	}
	write(w, status, body)
}

// write writes a JSON document. The server says its length.
func write(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone away is nobody's error
}

// asProblem turns what is wrong with an event into a problem document.
func asProblem(err error) problem.Problem {
	var bad *validation.Error
	if !errors.As(err, &bad) {
		return problem.Of(err)
	}
	return problem.Problem{Status: http.StatusBadRequest, Code: bad.Code, Field: bad.Field, Detail: bad.Detail}
}

// problem is what to say when no event could be taken: of one event its own problem,
// of an array the list.
func (a answer) problem() problem.Problem {
	if !a.array {
		p := a.Errors[0]
		p.Index = nil
		return p
	}
	return problem.Problem{
		Status: http.StatusBadRequest, Code: problem.CodeInvalid,
		Detail: "none of the events could be taken; errors says why for each", Errors: a.Errors,
	}
}
