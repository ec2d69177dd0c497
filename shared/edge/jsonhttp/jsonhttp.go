// Package jsonhttp is how the functions that speak JSON over HTTP read a body,
// answer, and say that there is nothing at an address.
//
// It reads strictly: an unknown or repeated field, a wrong type or anything after
// the document is a problem that names the field. It must never repeat a value of
// the request: it may be a secret.
package jsonhttp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// Read reads the body of a request, one JSON object of at most limit bytes, into
// the struct that into points to. What is wrong is a problem.
func Read(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	body, err := Body(w, r, limit)
	if err != nil {
		return err
	}
	return Decode(body, into)
}

// Body reads the body of a request that is JSON and of at most limit bytes. What
// is wrong is a problem.
func Body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if given := r.Header.Get("Content-Type"); given != "" {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != "application/json" {
			return nil, problem.New(http.StatusUnsupportedMediaType, "unsupported_media_type", "send the body with Content-Type: application/json")
		}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, problem.New(http.StatusUnsupportedMediaType, "unsupported_media_type", "send the body without Content-Encoding")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, err
		}
		return nil, problem.New(http.StatusBadRequest, "body_cut", "the body ended early")
	}
	return body, nil
}

// Decode reads one JSON object into the struct that into points to. What is wrong
// is a problem.
func Decode(body []byte, into any) error {
	if strings.TrimSpace(string(body)) == "" {
		return problem.Invalid("", "the body is empty: send a JSON object")
	}
	err := json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		name := fieldOf(semantic.JSONPointer)
		switch {
		case errors.Is(err, json.ErrUnknownName):
			return problem.Invalid(name, "is not a known field; known are "+strings.Join(members(into, semantic.JSONPointer.Parent()), ", "))
		case name == "":
			return problem.Invalid("", "the body must be a JSON object")
		default:
			return problem.Invalid(name, "must be "+expected(semantic.GoType)+", not "+KindName(semantic.JSONKind))
		}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		name := fieldOf(syntactic.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return problem.Invalid(name, "appears twice")
		}
		return problem.Invalid(name, "the body is not valid JSON at byte "+strconv.FormatInt(syntactic.ByteOffset, 10))
	}
	return problem.Invalid("", "the body ends in the middle of the JSON")
}

// fieldOf turns a JSON pointer into the dotted path that problems use, with the
// client's own names kept short.
func fieldOf(p jsontext.Pointer) string {
	const most = 100
	var parts []string
	for token := range p.Tokens() {
		if len(token) > most {
			token = token[:most] + "..."
		}
		parts = append(parts, strings.ToValidUTF8(token, "?"))
	}
	return strings.Join(parts, ".")
}

// members are the names that the object at a pointer may have.
func members(into any, at jsontext.Pointer) []string {
	t := reflect.TypeOf(into).Elem()
	for token := range at.Tokens() {
		if t.Kind() != reflect.Slice { // of which all elements are alike
			field, ok := fieldNamed(t, token)
			if !ok {
				return nil
			}
			t = field.Type
		} else {
			t = t.Elem()
		}
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if !f.Anonymous { // the fields of those are there themselves
			names = append(names, nameOf(f))
		}
	}
	return names
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	return t.FieldByNameFunc(func(field string) bool {
		f, _ := t.FieldByName(field)
		return nameOf(f) == name
	})
}

func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func expected(t reflect.Type) string {
	if t == nil {
		return "something else"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return expected(t.Elem())
	default:
		return "something else"
	}
}

// KindName is what a person calls a kind of JSON value.
func KindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindBeginArray:
		return "an array"
	default:
		return "that"
	}
}

// Write answers with a JSON document that no cache may keep. Only a value that
// can't be JSON is an error.
func Write(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone away is nobody's error
	return nil
}

// Fail answers with the problem that err is, and logs what is not the client's
// fault. A database that can't be reached is a 503.
func Fail(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	p := problem.Of(err)
	if p.Status == http.StatusInternalServerError {
		if r.Context().Err() != nil {
			return // nobody waits for the answer
		}
		log.ErrorContext(r.Context(), "can't answer", "route", r.Pattern, "error", err)
		if isAway(err) {
			p = problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "the database can't be reached right now, try again")
		}
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	problem.Write(w, p)
}

// isAway tells whether an error comes of a database that is not there, is going,
// or has no connection left.
func isAway(err error) bool {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		classes := []string{pgerrcode.ConnectionException[:2], pgerrcode.InsufficientResources[:2], pgerrcode.AdminShutdown[:len("57P")]}
		return slices.ContainsFunc(classes, func(class string) bool { return strings.HasPrefix(refused.Code, class) })
	}
	if _, ours := errors.AsType[*json.SemanticError](err); ours { // of an answer that can't be written
		return false
	}
	_, unreachable := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return unreachable || network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Routes serves a mux, with problems in place of its plain texts for an address
// or a method that it does not know.
func Routes(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		verdict := verdict{header: http.Header{}}
		handler.ServeHTTP(&verdict, r)
		if verdict.status == http.StatusMethodNotAllowed {
			allowed := verdict.header.Get("Allow")
			w.Header().Set("Allow", allowed)
			problem.Write(w, problem.New(verdict.status, problem.CodeMethodNotAllowed, "use "+allowed+" here"))
			return
		}
		problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound, "there is nothing at this address"))
	})
}

// verdict keeps what a mux's own handler for an unknown address would say.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) Write(p []byte) (int, error) { return len(p), nil }
func (v *verdict) WriteHeader(status int)      { v.status = status }
