// Package jsonhttp reads requests and writes responses in JSON. Bodies are decoded
// strictly, see package strictjson. Errors never contain a value of the request, which may
// be a secret.
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

	"github.com/analytics-platform/analytics/shared/edge/httpbody"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/strictjson"
)

// Read decodes the body of a request, a JSON object of at most limit bytes, into the struct
// to which target points. Its errors are meant for Fail.
func Read(w http.ResponseWriter, r *http.Request, limit int64, target any) error {
	body, err := Body(w, r, limit)
	if err != nil {
		return err
	}
	return strictjson.Decode(body, target)
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
	return httpbody.Plain(w, r, limit)
}

// Write responds with a JSON document that must not be cached. It returns an error only if
// value can't be encoded.
func Write(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode response: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only if the client has disconnected
	return nil
}

// Fail responds with the problem for err and logs errors that are not the client's. The
// status is 503 if the database is unavailable.
func Fail(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	p := problem.Of(err)
	if p.Status == http.StatusInternalServerError {
		if problem.HungUp(r) {
			return
		}
		log.ErrorContext(r.Context(), "handler failed", "route", r.Pattern, "error", err)
		if isUnavailable(err) {
			p = problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "the database is unavailable, try again")
		}
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	problem.Write(w, p)
}

// isUnavailable reports whether an error means that the database is unreachable, is
// shutting down or has no free connections.
func isUnavailable(err error) bool {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		classes := []string{pgerrcode.ConnectionException[:2], pgerrcode.InsufficientResources[:2], pgerrcode.AdminShutdown[:len("57P")]}
		return slices.ContainsFunc(classes, func(class string) bool { return strings.HasPrefix(failure.Code, class) })
	}
	if _, ok := errors.AsType[*json.SemanticError](err); ok { // the response can't be encoded
		return false
	}
	_, unreachable := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return unreachable || network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Routes returns a handler that serves mux, and responds with a problem instead of plain
// text to an unknown path or method.
func Routes(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		recorder := recorder{header: http.Header{}}
		handler.ServeHTTP(&recorder, r)
		if recorder.status == http.StatusMethodNotAllowed {
			allowed := recorder.header.Get("Allow")
			w.Header().Set("Allow", allowed)
			problem.Write(w, problem.New(recorder.status, problem.CodeMethodNotAllowed, "use "+allowed+" here"))
			return
		}
		problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound, "there is no such path"))
	})
}

// recorder records the status and header of a response.
type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }
