package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/analytics-platform/analytics/shared/aggregate/deadletter"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// The number of dead letters in a request.
const (
	defaultLetters = 100
	maxLetters     = 1000
)

// replayRequest is the body of a request that replays dead letters.
type replayRequest struct {
	Limit *int64 `json:"limit"` // maximum number; defaults to defaultLetters
}

// replayResult is the document of the response.
type replayResult struct {
	Replayed int   `json:"replayed"` // number that was put back into the queue
	Left     int64 `json:"left"`     // number that is still stored
}

// requireOwner returns a problem if the request uses a key. Dead letters do not belong to a
// site, so that no key may read them.
func requireOwner(ctx context.Context) error {
	if !access.GrantFrom(ctx).Owner() {
		return problem.New(http.StatusForbidden, problem.CodeForbidden, "this request needs the owner's token or session, not a key")
	}
	return nil
}

func (f *function) listDeadLetters(_ http.ResponseWriter, r *http.Request) (response, error) {
	if err := requireOwner(r.Context()); err != nil {
		return response{}, err
	}
	query := r.URL.Query()
	limit, err := parseInt("limit", query.Get("limit"), defaultLetters, 1, maxLetters)
	if err != nil {
		return response{}, err
	}
	after, err := parseInt("after", query.Get("after"), 0, 0, 1<<62)
	if err != nil {
		return response{}, err
	}
	list, err := deadletter.Read(r.Context(), f.db, after, int(limit))
	if err != nil {
		return response{}, err
	}
	return response{http.StatusOK, list}, nil
}

// parseInt parses a query parameter. An empty one has the default value.
func parseInt(name, text string, defaultValue, least, greatest int64) (int64, error) {
	if text == "" {
		return defaultValue, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > greatest {
		return 0, outOfRange(name, least, greatest)
	}
	return n, nil
}

func outOfRange(field string, least, greatest int64) error {
	return problem.Invalid(field, "must be a whole number from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(greatest, 10))
}

func (f *function) replayDeadLetters(w http.ResponseWriter, r *http.Request) (response, error) {
	if err := requireOwner(r.Context()); err != nil {
		return response{}, err
	}
	var body replayRequest
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return response{}, err
	}
	limit := int64(defaultLetters)
	if body.Limit != nil {
		limit = *body.Limit
	}
	if limit < 1 || limit > maxLetters {
		return response{}, outOfRange("limit", 1, maxLetters)
	}
	n, err := deadletter.Replay(r.Context(), f.db, f.redis, int(limit), func(int) {})
	if n > 0 {
		f.log.InfoContext(r.Context(), "dead letters replayed", "letters", n)
	}
	if errors.Is(err, deadletter.ErrQueue) && !problem.HungUp(r) {
		f.log.ErrorContext(r.Context(), "replay dead letters failed", "error", err)
		return response{}, problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "Redis is unavailable or out of memory: try again")
	}
	if err != nil {
		return response{}, err
	}
	list, err := deadletter.Read(r.Context(), f.db, 0, 0)
	if err != nil {
		return response{}, err
	}
	return response{http.StatusOK, replayResult{n, list.Total}}, nil
}
