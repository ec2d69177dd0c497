package query

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/sites"
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
	body        *pieces
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
	if err == nil && answer.body.size <= maxCachedAnswer {
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
// It authenticates the client and counts the question before it compiles a regular expression,
// and limits how many questions are answered at once, to bound memory.
func (f *function) answer(w http.ResponseWriter, r *http.Request, k *kind) {
	q := &request{target: target{reports: f.reports, db: f.db}}
	var err error
	if q.format, err = export.Negotiate(r, k.formats...); err != nil {
		f.fail(w, r, err)
		return
	}
	if q.text, err = questionOf(w, r); err != nil {
		f.fail(w, r, err)
		return
	}
	name, err := language.SiteOf(q.text)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	admit, answer := f.turns.Admit, f.serveCached
	if k.streamed && q.format != export.JSON {
		admit, answer = f.turns.AdmitFile, f.stream
	}
	f.admitted(w, r, name, admit, func(r *http.Request, site sites.Site) {
		if err := q.parse(k, site, f.now()); err != nil {
			f.fail(w, r, err)
			return
		}
		answer(w, r, q)
	})
}

// admitted calls fn with a request that may be answered: who sends it may ask about the site,
// and it is their turn.
func (f *function) admitted(w http.ResponseWriter, r *http.Request, name string,
	admit func(context.Context, string) (context.Context, func(), error), fn func(*http.Request, sites.Site),
) {
	site, err := access.Site(r.Context(), f.db, "site_id", name)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	ctx, done, err := admit(r.Context(), access.Client(r.Context(), site))
	if err != nil {
		f.fail(w, r, err)
		return
	}
	defer done()
	fn(r.WithContext(ctx), site)
}

// parse parses a question about a site.
func (q *request) parse(k *kind, site sites.Site, now time.Time) (err error) {
	q.site = site
	if q.question, err = k.parse(q.text); err != nil {
		return err
	}
	location, err := site.LocationAt(now)
	q.now = now.In(location)
	return err
}

// questionOf returns the text of a question: the body of a POST, or the parameter of a GET.
func questionOf(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Method == http.MethodPost {
		return jsonhttp.Body(w, r, language.MaxBody)
	}
	text := r.URL.Query().Get("query")
	switch {
	case text == "":
		return nil, validation.New("query", "must hold the question, the JSON document that a POST has for its body")
	case len(text) > language.MaxBody:
		return nil, validation.New("query", fmt.Sprintf("may have at most %d bytes", language.MaxBody))
	}
	return []byte(text), nil
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
	answer.body.send(r.Context(), w)
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
		body, err := encodeJSON(ctx, document)
		return encodedAnswer{body: body}, err
	}
	t, err := q.Table(ctx, q.target)
	if err != nil {
		return encodedAnswer{}, err
	}
	body := newPieces(ctx)
	if err := q.format.Write(body, t); err != nil {
		return encodedAnswer{}, fmt.Errorf("write an answer as %s: %w", q.format, err)
	}
	return encodedAnswer{body, q.disposition(address, t.DateRange)}, nil
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
