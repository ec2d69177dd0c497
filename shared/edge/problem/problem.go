// Package problem is how an HTTP error looks everywhere in the platform: an
// RFC 9457 problem document with a stable code that programs may test, and a
// detail that tells a person what would be right.
//
// A problem is shown to whoever made the request, so it must never carry an
// address, a user agent, a secret, SQL or an internal error's text.
package problem

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// The codes that every function shares. A function adds its own beside them;
// once released, a code never changes its meaning.
const (
	// CodeInternal: the fault is the server's, the same request may succeed later.
	CodeInternal = "internal"
	// CodeBodyTooLarge: the request body is over the function's limit.
	CodeBodyTooLarge = "body_too_large"
	// CodeNotFound: no such address or thing.
	CodeNotFound = "not_found"
	// CodeMethodNotAllowed: the address exists, for other methods.
	CodeMethodNotAllowed = "method_not_allowed"
	// CodeUnauthorized: no valid key, token or session came with the request.
	CodeUnauthorized = "unauthorized"
	// CodeForbidden: the key is valid, and not allowed to do this.
	CodeForbidden = "forbidden"
	// CodeInvalid: a value is wrong; Field names it.
	CodeInvalid = "invalid"
	// CodeUnavailable: something the function needs is away; try again.
	CodeUnavailable = "unavailable"
	// CodeRateLimited: too much was asked for or sent; try again later.
	CodeRateLimited = "rate_limited"
)

// Problem is one problem document. Only Status and Code are needed: Write fills
// in Type and Title. It is an error, so it can be returned and found again with
// errors.As or Of.
type Problem struct { //nolint:errname // it is a document first, and RFC 9457 names it
	// Type is a URI that identifies the kind of problem; "about:blank" when
	// empty, which says that Code tells all there is to know.
	Type string `json:"type"`
	// Title is the kind of problem in a few words; the phrase that HTTP has for
	// Status when empty.
	Title string `json:"title"`
	// Status is the HTTP status, 400 to 599. In an element of Errors it is the
	// status that this one error would have had on its own.
	Status int `json:"status"`
	// Detail says what is wrong with this request and what would be right.
	Detail string `json:"detail,omitempty"`
	// Code is the stable name of the problem, in snake_case.
	Code string `json:"code"`
	// Field is the path of the value to blame, such as "date_range" or
	// "props.plan"; empty when no single one is.
	Field string `json:"field,omitempty"`
	// Index is the position, from 0, of the bad element of an array.
	Index *int `json:"index,omitempty"`
	// Message is Field and Detail in one, where clients of another API look for what is
	// wrong; empty unless an Extender sets it.
	Message string `json:"error,omitempty"`
	// Errors are the single problems when there are several.
	Errors []Problem `json:"errors,omitempty"`
	// RetryAfter is how soon it is worth trying again, which Write says in the header of
	// that name; 0 says nothing.
	RetryAfter time.Duration `json:"-"`
}

// New returns a problem with no field to blame.
func New(status int, code, detail string) Problem {
	return Problem{Status: status, Code: code, Detail: detail}
}

// Invalid returns a 400 that blames field; detail says what would be right.
func Invalid(field, detail string) Problem {
	return Problem{Status: http.StatusBadRequest, Code: CodeInvalid, Field: field, Detail: detail}
}

// Error is the problem in one line, for logs and tests.
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

// Of returns the problem document to answer for err: the Problem in err's chain,
// a 400 for a validation.Error, a 413 for a body over its limit, and for anything else a 500 that gives
// nothing away. The caller logs err itself when the status is 500.
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
		"something went wrong on our side; it has been logged")
}

// Extender is a ResponseWriter that has more to say about the problems that are written
// to it.
type Extender interface{ Extend(p *Problem) }

// Write answers a request with p. A 401 says, as it must, how to come with a secret:
// all of the platform's are bearer tokens.
func Write(w http.ResponseWriter, p Problem) {
	if p.Status < 400 || p.Status > 599 {
		p.Status = http.StatusInternalServerError
	}
	if p.Code == "" {
		p.Code = CodeInternal
	}
	if more, ok := w.(Extender); ok {
		more.Extend(&p)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // people read it, and no browser takes it for HTML
	if err := encoder.Encode(complete(p)); err != nil {
		panic(err) // no field of a Problem can fail to encode
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
	// A client that has gone away is nobody's error.
	_, _ = body.WriteTo(w)
}

// complete fills in what RFC 9457 wants and the caller left out.
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
