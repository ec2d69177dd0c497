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

// How many dead letters one request is for.
const (
	someLetters = 100 // unless it says otherwise
	maxLetters  = 1000
)

// replay is the body that has dead letters tried again.
type replay struct {
	Limit *int64 `json:"limit"` // how many at most; someLetters, when left out
}

// replayed is what came of it.
type replayed struct {
	Replayed int   `json:"replayed"` // put back into the queue
	Left     int64 `json:"left"`     // in the record
}

// ownerOnly refuses every key: dead letters are of all sites, and of none.
func ownerOnly(ctx context.Context) error {
	if !access.Of(ctx).Owner() {
		return problem.New(http.StatusForbidden, problem.CodeForbidden, "this takes the owner's token or session, not a key")
	}
	return nil
}

func (f *function) listDeadLetters(_ http.ResponseWriter, r *http.Request) (answer, error) {
	if err := ownerOnly(r.Context()); err != nil {
		return answer{}, err
	}
	query := r.URL.Query()
	limit, err := wholeNumber("limit", query.Get("limit"), someLetters, 1, maxLetters)
	if err != nil {
		return answer{}, err
	}
	after, err := wholeNumber("after", query.Get("after"), 0, 0, 1<<62)
	if err != nil {
		return answer{}, err
	}
	list, err := deadletter.Read(r.Context(), f.db, after, int(limit))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, list}, nil
}

// wholeNumber reads a parameter of an address.
func wholeNumber(name, text string, missing, least, most int64) (int64, error) {
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, between(name, least, most)
	}
	return n, nil
}

func between(field string, least, most int64) error {
	return problem.Invalid(field, "must be a whole number from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10))
}

func (f *function) replayDeadLetters(w http.ResponseWriter, r *http.Request) (answer, error) {
	if err := ownerOnly(r.Context()); err != nil {
		return answer{}, err
	}
	var body replay
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return answer{}, err
	}
	limit := int64(someLetters)
	if body.Limit != nil {
		limit = *body.Limit
	}
	if limit < 1 || limit > maxLetters {
		return answer{}, between("limit", 1, maxLetters)
	}
	n, err := deadletter.Replay(r.Context(), f.db, f.redis, int(limit), func(int) {})
	if n > 0 {
		f.log.InfoContext(r.Context(), "dead letters were put back into the queue", "letters", n)
	}
	if errors.Is(err, deadletter.ErrQueue) {
		f.log.ErrorContext(r.Context(), "can't replay dead letters", "error", err)
		return answer{}, problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "Redis is away or short of memory: try again")
	}
	if err != nil {
		return answer{}, err
	}
	list, err := deadletter.Read(r.Context(), f.db, 0, 0)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, replayed{n, list.Total}}, nil
}
