package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/query/language"
)

// maxDocument is the maximum size in bytes of a stored JSON document.
const maxDocument = 16 << 10

// checkFilters returns an error if the filters of a segment are invalid.
func checkFilters(field string, filters jsontext.Value) error {
	if err := checkDocument(field, filters, jsontext.KindBeginArray); err != nil {
		return err
	}
	_, err := language.ParseFilters(filters)
	return err
}

// checkDefinition returns an error if the definition of a funnel is invalid.
func checkDefinition(field string, definition jsontext.Value) error {
	if err := checkDocument(field, definition, jsontext.KindBeginObject); err != nil {
		return err
	}
	err := language.CheckFunnel(definition)
	if invalid, ok := errors.AsType[*validation.Error](err); ok {
		return validation.New(strings.TrimSuffix(field+"."+invalid.Field, "."), invalid.Detail)
	}
	return err
}

// checkDocument returns an error if a document is not of the given kind or can't be stored
// unchanged in a jsonb column.
func checkDocument(field string, document jsontext.Value, kind jsontext.Kind) error {
	if document.Kind() != kind {
		return problem.Invalid(field, "must be "+strictjson.KindName(kind))
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
		case token.Kind() == jsontext.KindString && strings.IndexByte(token.String(), 0) >= 0:
			return problem.Invalid(field, "must not contain a NUL character")
		case token.Kind() == jsontext.KindNumber && strings.ContainsAny(token.String(), "eE"):
			return problem.Invalid(field, "must not contain a number with an exponent") // jsonb would expand it
		}
	}
}
