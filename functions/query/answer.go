package query

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/analytics-platform/analytics/shared/access"
	"github.com/analytics-platform/analytics/shared/jsonhttp"
	"github.com/analytics-platform/analytics/shared/problem"
	"github.com/analytics-platform/analytics/shared/report"
	"github.com/analytics-platform/analytics/shared/store"
)

const (
	// answersHeld and answerHeld bound what is remembered: 32 MB.
	answersHeld = 512
	answerHeld  = 64 << 10 // bytes of an answer; a longer one is not remembered
)

// answers remembers answers. The same question about a site whose data, goals and
// segments are the same has the same answer, so nothing has to be thrown away: an answer
// that is no longer right is not asked for any more.
type answers struct {
	known *lru.Cache[[sha256.Size]byte, []byte]
}

func newAnswers() (*answers, error) {
	known, err := lru.New[[sha256.Size]byte, []byte](answersHeld)
	if err != nil {
		return nil, fmt.Errorf("make room for answers: %w", err)
	}
	return &answers{known}, nil
}

// of is the answer with a key, found by find when it is not known.
func (a *answers) of(key [sha256.Size]byte, find func() ([]byte, error)) ([]byte, error) {
	if body, ok := a.known.Get(key); ok {
		return body, nil
	}
	body, err := find()
	if err == nil && len(body) <= answerHeld {
		a.known.Add(key, body)
	}
	return body, err
}

// answer answers a question of a kind, which is the body or, of a GET, the parameter
// query.
func (f *function) answer(w http.ResponseWriter, r *http.Request, read kind) {
	body, etag, err := f.find(w, r, read)
	if err != nil {
		jsonhttp.Fail(w, r, f.log, err)
		return
	}
	header := w.Header()
	header.Set("ETag", etag)
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Vary", "Authorization, Cookie")
	if r.Method == http.MethodGet && matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", "application/json")
	_, _ = w.Write(body) //nolint:gosec // JSON, and told so
}

// find finds the answer to a question, and its entity tag.
func (f *function) find(w http.ResponseWriter, r *http.Request, read kind) (body []byte, etag string, err error) {
	asked := []byte(r.URL.Query().Get("query"))
	if r.Method == http.MethodPost {
		asked, err = jsonhttp.Body(w, r, report.MaxBody)
	} else if len(asked) == 0 {
		err = problem.Invalid("query", "must hold the question, the JSON document that a POST has for its body")
	}
	if err != nil {
		return nil, "", err
	}
	q, err := read(asked)
	if err != nil {
		return nil, "", err
	}
	site, err := access.Site(r.Context(), f.db, "site_id", q.site)
	if err != nil {
		return nil, "", err
	}
	now := f.now()
	location, err := site.LocationAt(now)
	if err != nil {
		return nil, "", err
	}
	version, err := store.SiteVersion(r.Context(), f.db, site.ID)
	if err != nil {
		return nil, "", err
	}
	key := sha256.Sum256(slices.Concat([]byte(strings.Join([]string{r.URL.Path, q.span(now.In(location)), version, ""}, "\x00")), asked))
	body, err = f.answers.of(key, func() ([]byte, error) {
		document, err := q.ask(r.Context(), f, site, now)
		if err != nil {
			return nil, err
		}
		return json.Marshal(document, json.Deterministic(true))
	})
	return body, `"` + base64.RawURLEncoding.EncodeToString(key[:18]) + `"`, err
}

// matches tells whether a list of entity tags has a tag.
func matches(list, etag string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(one string) bool {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		return one == etag || one == "*"
	})
}
