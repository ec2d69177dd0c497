// Command openapi validates requests and responses against an OpenAPI document:
//
//	openapi DOCUMENT
//
// It reads a stream of JSON exchanges from standard input, and writes a JSON verdict for each
// to standard output.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	problems "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi/datamodel/high/base"
)

// exchange is a request and its response.
type exchange struct {
	Method, URL string
	Asked       http.Header
	Request     []byte // the body
	Status      int
	Answered    http.Header
	Answer      []byte // the body
}

// verdict has the violations in the request and in the response of an exchange; "" for none.
type verdict struct{ Request, Answer string }

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: openapi DOCUMENT")
	}
	text, err := os.ReadFile(os.Args[1]) //nolint:gosec // the user chooses the file
	if err != nil {
		log.Fatal(err)
	}
	v, err := newValidator(text)
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(v, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func newValidator(document []byte) (validator.Validator, error) {
	parsed, err := libopenapi.NewDocument(document)
	if err != nil {
		return nil, fmt.Errorf("parse the document: %w", err)
	}
	v, errs := validator.NewValidator(parsed, config.WithFormatAssertions(), config.WithContentParameterDecoder(readContent))
	if len(errs) > 0 {
		return nil, fmt.Errorf("parse the document: %w", errors.Join(errs...))
	}
	return v, nil
}

// readContent decodes a parameter that is a JSON document.
func readContent(_ context.Context, in *config.ContentParameterInput) (value any, schema *base.Schema, err error) {
	err = json.Unmarshal([]byte(in.RawValues[0]), &value)
	return value, in.DefaultSchema, err
}

// serve writes a verdict for each exchange in in.
func serve(v validator.Validator, in io.Reader, out io.Writer) error {
	exchanges, verdicts := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var e exchange
		err := exchanges.Decode(&e)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read an exchange: %w", err)
		}
		result, err := judge(v, e)
		if err != nil {
			return err
		}
		if err := verdicts.Encode(result); err != nil {
			return fmt.Errorf("write a verdict: %w", err)
		}
	}
}

func judge(v validator.Validator, e exchange) (result verdict, err error) {
	request := func() *http.Request {
		var r *http.Request
		if r, err = http.NewRequestWithContext(context.Background(), e.Method, e.URL, bytes.NewReader(e.Request)); err == nil {
			r.Header = e.Asked
		}
		return r
	}
	asked, again := request(), request()
	if err != nil {
		return verdict{}, fmt.Errorf("make a request: %w", err)
	}
	if ok, errs := v.ValidateHttpRequest(asked); !ok {
		result.Request = lines(errs)
	}
	response := &http.Response{
		StatusCode: e.Status, Header: e.Answered, Body: io.NopCloser(bytes.NewReader(e.Answer)), ContentLength: int64(len(e.Answer)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: again,
	}
	defer func() { _ = response.Body.Close() }()
	if ok, errs := v.ValidateHttpResponse(again, response); !ok {
		result.Answer = lines(errs)
	}
	return result, nil
}

func lines(errs []*problems.ValidationError) string {
	var b strings.Builder
	for _, err := range errs {
		fmt.Fprintf(&b, "\n%s: %s", err.Message, err.Reason)
		for _, cause := range err.SchemaValidationErrors {
			fmt.Fprintf(&b, "\n\t%s: %s", cause.FieldPath, cause.Reason)
		}
	}
	return b.String()
}
