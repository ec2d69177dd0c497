package track

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// response is the outcome for the events of a request. An index is the position in the
// request, from 0.
type response struct {
	Accepted int               `json:"accepted"` // queued safely
	Dropped  []droppedEvent    `json:"dropped,omitempty"`
	Errors   []problem.Problem `json:"errors,omitempty"`
	Warnings []warning         `json:"warnings,omitempty"`

	array bool // the events were sent as a list
}

// size returns the number of events in the request.
func (r response) size() int { return r.Accepted + len(r.Dropped) + len(r.Errors) }

// allBad reports whether every event is invalid.
func (r response) allBad() bool { return len(r.Errors) > 0 && r.size() == len(r.Errors) }

// outcome describes the outcome in one line, for formats with room for no more.
func (r response) outcome() string {
	text := "accepted"
	if len(r.Dropped) > 0 {
		text = "dropped: " + string(r.Dropped[0].Reason)
	}
	if len(r.Warnings) > 0 {
		text += "; " + r.Warnings[0].Field + ": " + r.Warnings[0].Detail
	}
	return text
}

type droppedEvent struct {
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
	if err != nil { // a response always encodes
		panic(err)
	}
	write(w, status, body)
}

// write writes a JSON document. The server sets Content-Length.
func write(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only if the client is gone
}

// toProblem returns the problem document for an error.
func toProblem(err error) problem.Problem {
	if errors.Is(err, pipeline.ErrOtherSite) {
		return problem.New(http.StatusForbidden, problem.CodeForbidden, "the write key is for other sites than the one that the event names")
	}
	var bad *validation.Error
	if !errors.As(err, &bad) {
		return problem.Of(err)
	}
	return problem.Problem{Status: http.StatusBadRequest, Code: bad.Code, Field: bad.Field, Detail: bad.Detail}
}

// problem returns the problem document if no event was accepted: that of the only event, or
// for an array the list of all.
func (r response) problem() problem.Problem {
	if !r.array {
		p := r.Errors[0]
		p.Index = nil
		return p
	}
	first := r.Errors[0]
	status, code := first.Status, first.Code
	if status == http.StatusBadRequest || slices.ContainsFunc(r.Errors, func(p problem.Problem) bool { return p.Status != status }) {
		status, code = http.StatusBadRequest, problem.CodeInvalid
	}
	return problem.Problem{
		Status: status, Code: code,
		Detail: "no event was accepted; errors gives the reason for each", Errors: r.Errors,
	}
}
