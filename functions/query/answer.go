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
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/report"
	"github.com/analytics-platform/analytics/shared/storage/store"
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
	known *lru.Cache[[sha256.Size]byte, encoded]
}

// encoded is an answer in a format.
type encoded struct {
	body []byte
	file string // how a file is named, see export.Format.FileName; "" of a document
}

func newAnswers() (*answers, error) {
	known, err := lru.New[[sha256.Size]byte, encoded](answersHeld)
	if err != nil {
		return nil, fmt.Errorf("make room for answers: %w", err)
	}
	return &answers{known}, nil
}

// of is the answer with a key, found by find when it is not known.
func (a *answers) of(key [sha256.Size]byte, find func() (encoded, error)) (encoded, error) {
	if found, ok := a.known.Get(key); ok {
		return found, nil
	}
	found, err := find()
	if err == nil && len(found.body) <= answerHeld {
		a.known.Add(key, found)
	}
	return found, err
}

// asking is a question that was asked: of a site, at a time, for an answer in a format.
type asking struct {
	question
	text   []byte // of the question
	format export.Format
	site   store.Site
	now    time.Time // in the time zone of the site
}

// answer answers a question of a kind, which is the body or, of a GET, the parameter
// query.
func (f *function) answer(w http.ResponseWriter, r *http.Request, k *kind) {
	asked, err := f.read(w, r, k)
	switch {
	case err != nil:
		jsonhttp.Fail(w, r, f.log, err)
	case asked.list != nil && asked.format != export.JSON:
		f.stream(w, r, asked)
	default:
		f.remembered(w, r, asked)
	}
}

// read finds out what is asked, and of which site.
func (f *function) read(w http.ResponseWriter, r *http.Request, k *kind) (asked *asking, err error) {
	asked = &asking{text: []byte(r.URL.Query().Get("query"))}
	if asked.format, err = export.Asked(r, k.formats...); err != nil {
		return nil, err
	}
	if r.Method == http.MethodPost {
		asked.text, err = jsonhttp.Body(w, r, report.MaxBody)
	} else if len(asked.text) == 0 {
		err = problem.Invalid("query", "must hold the question, the JSON document that a POST has for its body")
	}
	if err != nil {
		return nil, err
	}
	if asked.question, err = k.read(asked.text); err != nil {
		return nil, err
	}
	if asked.site, err = access.Site(r.Context(), f.db, "site_id", asked.question.site); err != nil {
		return nil, err
	}
	now := f.now()
	location, err := asked.site.LocationAt(now)
	if err != nil {
		return nil, err
	}
	asked.now = now.In(location)
	return asked, nil
}

// remembered answers with an answer that is known, or that is from now on.
func (f *function) remembered(w http.ResponseWriter, r *http.Request, asked *asking) {
	found, etag, err := f.find(r, asked)
	if err != nil {
		jsonhttp.Fail(w, r, f.log, err)
		return
	}
	header := w.Header()
	header.Set("ETag", etag)
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Vary", "Accept, Authorization, Cookie")
	if r.Method == http.MethodGet && matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	setFile(header, asked.format, found.file)
	_, _ = w.Write(found.body) // a client that has gone away is nobody's error
}

// find finds the answer to a question, and its entity tag.
func (f *function) find(r *http.Request, asked *asking) (found encoded, etag string, err error) {
	version, err := store.SiteVersion(r.Context(), f.db, asked.site.ID)
	if err != nil {
		return encoded{}, "", err
	}
	parts := []string{r.URL.Path, string(asked.format), asked.span(asked.now), version, ""}
	key := sha256.Sum256(slices.Concat([]byte(strings.Join(parts, "\x00")), asked.text))
	found, err = f.answers.of(key, func() (encoded, error) { return f.encode(r.Context(), r.URL.Path, asked) })
	return found, `"` + base64.RawURLEncoding.EncodeToString(key[:18]) + `"`, err
}

// encode finds an answer and writes it in the format that is asked for.
func (f *function) encode(ctx context.Context, address string, asked *asking) (encoded, error) {
	a, err := asked.ask(ctx, f, asked.site, asked.now)
	if err != nil {
		return encoded{}, err
	}
	if asked.format == export.JSON {
		body, err := json.Marshal(a.document, json.Deterministic(true))
		return encoded{body: body}, err
	}
	t := a.table()
	var body bytes.Buffer
	if err := asked.format.Write(&body, t); err != nil {
		return encoded{}, fmt.Errorf("write an answer as %s: %w", asked.format, err)
	}
	return encoded{body.Bytes(), asked.fileName(address, t.DateRange)}, nil
}

// fileName says of which site a file is, what it is, and of which days.
func (a *asking) fileName(address string, dateRange [2]string) string {
	const day = len(time.DateOnly)
	return a.format.FileName(a.site.Domain, path.Base(address), dateRange[0][:day], dateRange[1][:day])
}

// setFile says what an answer is.
func setFile(header http.Header, format export.Format, name string) {
	media := format.Media()
	if format == export.CSV {
		media += "; charset=utf-8"
	}
	header.Set("Content-Type", media)
	header.Set("X-Content-Type-Options", "nosniff")
	if name != "" {
		header.Set("Content-Disposition", name)
	}
}

// matches tells whether a list of entity tags has a tag. http.ServeContent knows this too,
// but would also answer with a part of an answer, which the next one may not fit.
func matches(list, etag string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(one string) bool {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		return one == etag || one == "*"
	})
}
