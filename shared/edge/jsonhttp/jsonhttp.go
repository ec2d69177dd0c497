// Package jsonhttp reads and answers requests in JSON, for the functions that speak it
// over HTTP. Bodies are decoded strictly, see package strictjson. No error repeats a
// value of the request, which may be a secret.
package jsonhttp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/strictjson"
)

// Read reads the body of a request, one JSON object of at most limit bytes, into
// the struct that into points to. What is wrong is an error for Fail.
func Read(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	body, err := Body(w, r, limit)
	if err != nil {
		return err
	}
	return strictjson.Decode(body, into)
}

// Body returns the body of a request, which must be JSON of at most limit bytes.
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
