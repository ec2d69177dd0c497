// Package problem defines the HTTP errors of the platform: RFC 9457 problem documents with
// a stable code for programs and a detail for people.
//
// Clients see problems, so a problem must never contain an address, a user agent, a
// secret, SQL or the text of an internal error.
package problem

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// The codes that all functions share. A function may have additional ones. Once released,
// a code never changes its meaning.
const (
	// CodeInternal: the server failed; the same request may succeed later.
	CodeInternal = "internal"
	// CodeBodyTooLarge: the request body is over the function's limit.
	CodeBodyTooLarge = "body_too_large"
	// CodeNotFound: no such path or object.
	CodeNotFound = "not_found"
	// CodeMethodNotAllowed: the path exists, but not for this method.
	CodeMethodNotAllowed = "method_not_allowed"
	// CodeUnauthorized: the request has no valid key, token or session.
	CodeUnauthorized = "unauthorized"
	// CodeForbidden: the key is valid but may not do this.
	CodeForbidden = "forbidden"
	// CodeInvalid: a value is invalid; Field names it.
	CodeInvalid = "invalid"
	// CodeUnavailable: a dependency of the function is unavailable; try again.
	CodeUnavailable = "unavailable"
	// CodeRateLimited: too many requests or events; try again later.
	CodeRateLimited = "rate_limited"
	// CodeOverloaded: memory is short, that of the function or of the queue; try again later.
	CodeOverloaded = "overloaded"
)

// Problem is a problem document. Only Status and Code are required; Write fills in Type and
// Title. A Problem is an error, which Of or errors.As finds in a chain of errors.
type Problem struct { //nolint:errname // it is a document first, and RFC 9457 names it
	// Type is a URI that identifies the type of problem. Write sets it to "about:blank" if
	// it is empty.
	Type string `json:"type"`
	// Title describes the type of problem in a few words. Write sets it to the text of
	// Status if it is empty.
	Title string `json:"title"`
	// Status is the HTTP status, 400 to 599. In an element of Errors it is the status that
	// the error would have on its own.
	Status int `json:"status"`
	// Detail says what is wrong with this request and how to correct it.
	Detail string `json:"detail,omitempty"`
	// Code is the stable name of the problem, in snake_case.
	Code string `json:"code"`
	// Field is the path of the invalid value, such as "date_range" or "props.plan"; empty
	// if there is no single one.
	Field string `json:"field,omitempty"`
	// Index is the position, from 0, of the invalid element of an array.
	Index *int `json:"index,omitempty"`
	// Message combines Field and Detail for clients of another API, which read the member
	// "error". Only an Extender sets it.
	Message string `json:"error,omitempty"`
	// Errors are the single problems if there are several.
	Errors []Problem `json:"errors,omitempty"`
	// RetryAfter is the value of the header Retry-After, in whole seconds; 0 for none.
	RetryAfter time.Duration `json:"-"`
}

// New returns a problem without a field.
func New(status int, code, detail string) Problem {
	return Problem{Status: status, Code: code, Detail: detail}
}

// Invalid returns a problem with status 400 for a field; detail says what it must be.
func Invalid(field, detail string) Problem {
	return Problem{Status: http.StatusBadRequest, Code: CodeInvalid, Field: field, Detail: detail}
}

// Error returns the problem in one line.
func (p Problem) Error() string {
	text := strconv.Itoa(p.Status) + " " + p.Code
	if p.Field != "" {
		text += " (" + p.Field + ")"
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// Of returns the problem for err: the Problem in err's chain, a 400 for a
// validation.Error, a 413 for an http.MaxBytesError, and otherwise a 500 without details.
// The caller should log err if the status is 500.
func Of(err error) Problem {
	if p, ok := errors.AsType[Problem](err); ok {
		return p
	}
	if invalid, ok := errors.AsType[*validation.Error](err); ok {
		return Problem{Status: http.StatusBadRequest, Code: cmp.Or(invalid.Code, CodeInvalid), Field: invalid.Field, Detail: invalid.Detail}
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return New(http.StatusRequestEntityTooLarge, CodeBodyTooLarge,
			"the body may have at most "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes")
	}
	return New(http.StatusInternalServerError, CodeInternal,
		"an internal error occurred and was logged")
}

// StatusHungUp is the status under which a request whose client has hung up is counted. Nobody
// reads it, and it is not a failure of the function.
const StatusHungUp = 499

// HungUp reports whether the client of a request has hung up, so that nobody waits for the
// response. What fails for that reason is no error.
func HungUp(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }

// Extender is an http.ResponseWriter that changes the problems that are written to it.
type Extender interface{ Extend(p *Problem) }

// Write responds with p. A 401 has the required header WWW-Authenticate; all secrets of the
// platform are bearer tokens.
func Write(w http.ResponseWriter, p Problem) {
	if p.Status < 400 || p.Status > 599 {
		p.Status = http.StatusInternalServerError
	}
	if p.Code == "" {
		p.Code = CodeInternal
	}
	if extender, ok := w.(Extender); ok {
		extender.Extend(&p)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // for readability; browsers do not treat it as HTML
	if err := encoder.Encode(complete(p)); err != nil {
		panic(err) // every Problem can be encoded
	}
	header := w.Header()
	if p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="analytics"`)
	}
	if p.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int((p.RetryAfter + time.Second - 1).Seconds())))
	}
	header.Del("Content-Encoding")
	header.Del("Etag")
	header.Del("Last-Modified")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", ContentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(p.Status)
	// Writing fails only if the client has disconnected.
	_, _ = body.WriteTo(w)
}

// complete returns p with Type and Title, also in its Errors.
func complete(p Problem) Problem {
	if p.Type == "" {
		p.Type = "about:blank"
	}
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if len(p.Errors) > 0 {
		errs := make([]Problem, len(p.Errors))
		for i, e := range p.Errors {
			errs[i] = complete(e)
		}
		p.Errors = errs
	}
	return p
}
