package dashboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/problem"
)

const (
	indexPage = "index.html"
	// hashedDir is the directory of files whose names contain a hash of their content.
	hashedDir = "static/"

	// gzipSuffix is the suffix of the ETag of a gzipSuffix file.
	gzipSuffix = "-gzip"

	// contentPolicy allows pages to load only what this function serves and to connect only
	// to their own origin.
	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
		"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// files serves the pages of the dashboard from memory.
type files struct {
	byPath map[string]file
}

type file struct {
	content []byte
	etag    string
	media   string
	cache   string
}

// newFiles returns a handler that serves the pages. If there are none, it responds that the
// dashboard is not built.
func newFiles(pages fs.FS) (http.Handler, error) {
	f := &files{byPath: map[string]file{}}
	err := fs.WalkDir(pages, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Base(name)[0] == '.' {
			return err
		}
		content, err := fs.ReadFile(pages, name)
		if err != nil {
			return err
		}
		f.byPath[name] = newFile(name, content)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read dashboard pages: %w", err)
	}
	wrap, err := gzhttp.NewWrapper(gzhttp.SuffixETag(gzipSuffix), gzhttp.EnableZstd(false))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	return wrap(f), nil
}

func newFile(name string, content []byte) file {
	sum := sha256.Sum256(content)
	out := file{content: content, etag: `"` + hex.EncodeToString(sum[:16]) + `"`, cache: "no-cache"}
	if strings.HasPrefix(name, hashedDir) {
		out.cache = "public, max-age=31536000, immutable"
	}
	if out.media = mediaOf(path.Ext(name)); out.media == "" {
		out.media = "application/octet-stream"
	}
	return out
}

// mediaOf returns the media type for a file extension. It uses the system's types only for
// extensions that it does not know, since a wrong type there would break the dashboard.
func mediaOf(extension string) string {
	switch extension {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	default:
		return mime.TypeByExtension(extension)
	}
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = indexPage
	}
	if _, built := f.byPath[indexPage]; !built && name == indexPage {
		notBuilt(w)
		return
	}
	found, ok := f.byPath[name]
	if !ok {
		problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound, "the dashboard has no such file"))
		return
	}
	header := w.Header()
	header.Set("Content-Type", found.media)
	header.Set("Cache-Control", found.cache)
	header.Set("ETag", found.etag)
	http.ServeContent(w, unsuffixed(r), "", time.Time{}, bytes.NewReader(found.content))
}

// unsuffixed returns the request without the suffix of compressed files in If-None-Match.
func unsuffixed(r *http.Request) *http.Request {
	match := r.Header.Get("If-None-Match")
	if !strings.Contains(match, gzipSuffix+`"`) {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Set("If-None-Match", strings.ReplaceAll(match, gzipSuffix+`"`, `"`))
	return r
}

// httpsOnly makes browsers use HTTPS for this host for a year, whatever links say.
const httpsOnly = "max-age=31536000"

// secure adds headers that restrict what pages may do, and who may embed them, to all responses.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // package access needs the address of the page
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if access.OverHTTPS(r) {
			h.Set("Strict-Transport-Security", httpsOnly)
		}
		next.ServeHTTP(w, r)
	})
}

const notBuiltPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The dashboard is not built</title>
<h1>The dashboard is not built</h1>
<p>This program was built without its web pages. Run <code>make build</code> in the project's folder, and start it again.</p>
</html>
`

// notBuilt responds for a program that was built without its pages.
func notBuilt(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(notBuiltPage)) // fails only if the client has disconnected
}
