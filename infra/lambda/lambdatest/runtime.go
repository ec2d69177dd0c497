// Package lambdatest provides a stand-in for AWS Lambda's Runtime API, for tests.
package lambdatest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// Runtime is the Runtime API for one function, which handles one invocation at a time.
type Runtime struct {
	// Address is the value of AWS_LAMBDA_RUNTIME_API.
	Address string

	tb          testing.TB
	last        atomic.Int64
	invocations chan invocation
	answers     chan *Answer
}

type invocation struct {
	event    any
	deadline time.Time
}

// Answer is a function's response to an invocation.
type Answer struct {
	StatusCode int
	Headers    map[string]string
	Cookies    []string
	// Body ends with an error if the function reports one after the start of the response.
	Body io.Reader `json:"-"`
	// Failure is the error that the function reports for the invocation. If it is set, the
	// other fields are empty.
	Failure string `json:"-"`
}

// Text returns the complete body.
func (a *Answer) Text(tb testing.TB) string {
	tb.Helper()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// New starts a Runtime API that is stopped when the test ends.
func New(tb testing.TB) *Runtime {
	tb.Helper()
	r := &Runtime{tb: tb, invocations: make(chan invocation), answers: make(chan *Answer)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", r.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", r.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", r.failure)
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "extension-1")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	r.Address = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Invoke calls the function with an event and Lambda's maximum timeout. It returns when the
// response begins.
func (r *Runtime) Invoke(event any) *Answer { return r.InvokeFor(15*time.Minute, event) }

// InvokeFor calls the function with an event and a timeout. The body of the previous answer
// must have been read.
func (r *Runtime) InvokeFor(limit time.Duration, event any) *Answer {
	r.tb.Helper()
	select {
	case r.invocations <- invocation{event, time.Now().Add(limit)}:
	case <-r.tb.Context().Done():
		r.tb.Fatal("the function does not request an invocation")
	}
	select {
	case answer := <-r.answers:
		return answer
	case <-r.tb.Context().Done():
		r.tb.Fatal("the function does not respond to the invocation")
		return nil
	}
}

// Request returns the event of a request to a function URL. headers are names and values in
// turn.
func Request(method, address, body string, headers ...string) *events.LambdaFunctionURLRequest {
	path, query, _ := strings.Cut(address, "?")
	event := &events.LambdaFunctionURLRequest{Version: "2.0", RawPath: path, RawQueryString: query, Body: body, Headers: map[string]string{"x-forwarded-proto": "https"}}
	for i := 0; i < len(headers); i += 2 {
		event.Headers[strings.ToLower(headers[i])] = headers[i+1]
	}
	event.RequestContext.DomainName = "x.lambda-url.example"
	event.RequestContext.HTTP.Method = method
	event.RequestContext.HTTP.Path = path
	event.RequestContext.HTTP.SourceIP = "192.0.2.1"
	return event
}

func (r *Runtime) next(w http.ResponseWriter, request *http.Request) {
	select {
	case i := <-r.invocations:
		body, err := json.Marshal(i.event)
		if err != nil {
			r.tb.Errorf("encode an event: %v", err)
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", strconv.FormatInt(r.last.Add(1), 10))
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		_, _ = w.Write(body)
	case <-request.Context().Done():
	}
}

// separator separates the metadata of a streamed response from its body.
const separator = "\x00\x00\x00\x00\x00\x00\x00\x00"

func (r *Runtime) response(w http.ResponseWriter, request *http.Request) {
	r.checkID(request)
	if got := request.Header.Get("Content-Type"); got != "application/vnd.awslambda.http-integration-response" {
		r.tb.Errorf("Content-Type %q, want that of a streamed response", got)
	}
	answer := new(Answer)
	decoder := json.NewDecoder(request.Body)
	if err := decoder.Decode(answer); err != nil {
		r.tb.Errorf("decode the metadata of a response: %v", err)
	}
	body := io.MultiReader(decoder.Buffered(), request.Body)
	between := make([]byte, len(separator))
	if _, err := io.ReadFull(body, between); err != nil || !bytes.Equal(between, []byte(separator)) {
		r.tb.Errorf("the separator is %q, want eight zeros", between)
	}
	reader, writer := io.Pipe()
	answer.Body = reader
	// A body that a test does not read to its end must not block the end of the test.
	defer context.AfterFunc(r.tb.Context(), func() { _ = reader.Close() })()
	r.answer(answer)
	_, err := io.Copy(writer, body)
	if kind := request.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		text, decoding := base64.StdEncoding.DecodeString(request.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
		err = errors.Join(err, fmt.Errorf("%s: %s", kind, text), decoding)
	}
	_ = writer.CloseWithError(err)
	w.WriteHeader(http.StatusAccepted)
}

func (r *Runtime) failure(w http.ResponseWriter, request *http.Request) {
	r.checkID(request)
	text, err := io.ReadAll(request.Body)
	if err != nil {
		r.tb.Errorf("read the error of an invocation: %v", err)
	}
	r.answer(&Answer{Body: http.NoBody, Failure: string(text)})
	w.WriteHeader(http.StatusAccepted)
}

func (r *Runtime) answer(a *Answer) {
	select {
	case r.answers <- a:
	case <-r.tb.Context().Done():
	}
}

func (r *Runtime) checkID(request *http.Request) {
	if got, want := request.PathValue("id"), strconv.FormatInt(r.last.Load(), 10); got != want {
		r.tb.Errorf("response to invocation %s, want %s", got, want)
	}
}
