package query

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const (
	// cachedAnswers and maxCachedAnswer bound the memory of the cache: 32 MB.
	cachedAnswers   = 512
	maxCachedAnswer = 64 << 10 // bytes
)

// cache holds answers. A key contains the version of the site's data, goals and segments, so
// entries never become wrong: when the data changes, nobody asks for them any more.
type cache struct {
	answers *lru.Cache[[sha256.Size]byte, encodedAnswer]
}

// encodedAnswer is an answer in a format.
type encodedAnswer struct {
	body        []byte
	disposition string // the header of a file, see export.Format.FileName; "" for a document
}

func newCache() (*cache, error) {
	answers, err := lru.New[[sha256.Size]byte, encodedAnswer](cachedAnswers)
	if err != nil {
		return nil, fmt.Errorf("create the cache: %w", err)
	}
	return &cache{answers}, nil
}

// get returns the answer with a key. If it is not cached, create makes it.
func (c *cache) get(key [sha256.Size]byte, create func() (encodedAnswer, error)) (encodedAnswer, error) {
	if cached, ok := c.answers.Get(key); ok {
		return cached, nil
	}
	answer, err := create()
	if err == nil && len(answer.body) <= maxCachedAnswer {
		c.answers.Add(key, answer)
	}
	return answer, err
}

// request is a question with its target and the format of the answer.
type request struct {
	question
	target
	text   []byte // of the question
	format export.Format
}

// answer answers a question of a kind: the body of a POST, or the parameter query of a GET.
func (f *function) answer(w http.ResponseWriter, r *http.Request, k *kind) {
	q, err := f.parse(w, r, k)
	switch {
	case err != nil:
		f.fail(w, r, err)
	case k.streamed && q.format != export.JSON:
		f.stream(w, r, q)
	default:
		f.serveCached(w, r, q)
	}
}

// parse parses a request and finds its site.
func (f *function) parse(w http.ResponseWriter, r *http.Request, k *kind) (q *request, err error) {
	q = &request{text: []byte(r.URL.Query().Get("query")), target: target{reports: f.reports, db: f.db}}
	if q.format, err = export.Negotiate(r, k.formats...); err != nil {
		return nil, err
	}
	if r.Method == http.MethodPost {
		q.text, err = jsonhttp.Body(w, r, language.MaxBody)
	} else if len(q.text) == 0 {
		err = validation.New("query", "must hold the question, the JSON document that a POST has for its body")
	}
	if err != nil {
		return nil, err
	}
	if q.question, err = k.parse(q.text); err != nil {
		return nil, err
	}
	if q.site, err = access.Site(r.Context(), f.db, "site_id", q.Site()); err != nil {
		return nil, err
	}
	now := f.now()
	location, err := q.site.LocationAt(now)
	if err != nil {
		return nil, err
	}
	q.now = now.In(location)
	return q, nil
}

// serveCached answers a request from the cache, or with an answer that may be cached.
func (f *function) serveCached(w http.ResponseWriter, r *http.Request, q *request) {
	answer, etag, err := f.find(r, q)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	header := w.Header()
	header.Set("ETag", etag)
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Vary", "Accept, Authorization, Cookie")
	if r.Method == http.MethodGet && etagMatches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	setContentHeaders(header, q.format, answer.disposition)
	_, _ = w.Write(answer.body) // fails only if the client has gone
}

// find returns the answer to a request, and its entity tag.
func (f *function) find(r *http.Request, q *request) (answer encodedAnswer, etag string, err error) {
	version, err := store.SiteVersion(r.Context(), f.db, q.site.ID)
	if err != nil {
		return encodedAnswer{}, "", err
	}
	parts := []string{r.URL.Path, string(q.format), q.RangeKey(q.now), version, ""}
	key := sha256.Sum256(slices.Concat([]byte(strings.Join(parts, "\x00")), q.text))
	answer, err = f.cache.get(key, func() (encodedAnswer, error) { return q.encode(r.Context(), r.URL.Path) })
	return answer, `"` + base64.RawURLEncoding.EncodeToString(key[:18]) + `"`, err
}

// encode answers a request in its format.
func (q *request) encode(ctx context.Context, address string) (encodedAnswer, error) {
	if q.format == export.JSON {
		document, err := q.Answer(ctx, q.target)
		if err != nil {
			return encodedAnswer{}, err
		}
		body, err := json.Marshal(document, json.Deterministic(true))
		return encodedAnswer{body: body}, err
	}
	t, err := q.Table(ctx, q.target)
	if err != nil {
		return encodedAnswer{}, err
	}
	var body bytes.Buffer
	if err := q.format.Write(&body, t); err != nil {
		return encodedAnswer{}, fmt.Errorf("write an answer as %s: %w", q.format, err)
	}
	return encodedAnswer{body.Bytes(), q.disposition(address, t.DateRange)}, nil
}

// disposition names a file by its site, its kind and its days.
func (q *request) disposition(address string, dateRange [2]string) string {
	const day = len(time.DateOnly)
	return q.format.FileName(q.site.Domain, path.Base(address), dateRange[0][:day], dateRange[1][:day])
}

// setContentHeaders describes the content of an answer.
func setContentHeaders(header http.Header, format export.Format, disposition string) {
	media := format.Media()
	if format == export.CSV {
		media += "; charset=utf-8"
	}
	header.Set("Content-Type", media)
	header.Set("X-Content-Type-Options", "nosniff")
	if disposition != "" {
		header.Set("Content-Disposition", disposition)
	}
}

// etagMatches reports whether a list of entity tags contains a tag. http.ServeContent does
// this too, but would also serve ranges of an answer, and the next answer may differ.
func etagMatches(list, etag string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(one string) bool {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		return one == etag || one == "*"
	})
}
