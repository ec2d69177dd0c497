package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/jsonhttp"
	"github.com/analytics-platform/analytics/shared/problem"
)

// What a document that is kept for the reports may be at most.
const (
	maxDocument = 16 << 10 // bytes
	maxDepth    = 10       // arrays and objects in one another
)

// check says what is wrong with a document that is kept for the reports, as a problem of
// its field.
type check func(field string, document jsontext.Value) error

// bounded checks that a document is of a kind and that the record can hold it.
func bounded(kind jsontext.Kind) check {
	return func(field string, document jsontext.Value) error {
		if document.Kind() != kind {
			return problem.Invalid(field, "must be "+jsonhttp.KindName(kind))
		}
		if len(document) > maxDocument {
			return problem.Invalid(field, fmt.Sprintf("may have at most %d bytes", maxDocument))
		}
		tokens := jsontext.NewDecoder(bytes.NewReader(document))
		for {
			token, err := tokens.ReadToken()
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return problem.Invalid(field, "is not valid JSON")
			case tokens.StackDepth() > maxDepth:
				return problem.Invalid(field, fmt.Sprintf("may have at most %d arrays and objects in one another", maxDepth))
			case token.Kind() == jsontext.KindString && strings.IndexByte(token.String(), 0) >= 0:
				return problem.Invalid(field, "must not hold a NUL character")
			case token.Kind() == jsontext.KindNumber && strings.ContainsAny(token.String(), "eE"):
				return problem.Invalid(field, "must write its numbers without an exponent") // the record would write them out
			}
		}
	}
}
