package track

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/js"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// sources holds core.js, and a file for each extension.
//
//go:embed script
var sources embed.FS

const (
	scriptPrefix = "script"
	scriptSuffix = ".js"
	coreScript   = "core"

	// A browser revalidates an unversioned script at most once an hour, and never a script
	// with a version.
	scriptCache    = "public, max-age=3600, stale-while-revalidate=86400"
	versionedCache = "public, max-age=31536000, immutable"
)

// scripts serves the browser tracker and its extensions:
//
//   - script.js: the core.
//   - script.outbound.forms.js: the core with extensions, in any order.
//   - script.outbound.forms.0123456789abcdef.js: the same with a version, which browsers
//     cache forever. With another version, the current script is served as unversioned, so
//     that pages made before an update keep counting.
type scripts struct {
	parts      map[string][]byte // sources, by name
	extensions []string          // names, in order

	mu    sync.Mutex
	built map[string]*script // by extensions; there are few combinations
}

// script is the core with extensions.
type script struct {
	content []byte
	version string // hash of the content
}

// newScripts reads and checks the sources and returns the handler that serves them, minified
// and compressed if the client accepts it.
func newScripts() (http.Handler, error) {
	s := &scripts{parts: map[string][]byte{}, built: map[string]*script{}}
	files, err := fs.Glob(sources, "script/*.js")
	if err != nil {
		return nil, fmt.Errorf("list the scripts: %w", err)
	}
	for _, path := range files {
		source, err := sources.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read a script: %w", err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(path, "script/"), scriptSuffix)
		s.parts[name] = source
		if name != coreScript {
			s.extensions = append(s.extensions, name)
		}
	}
	if _, err := s.build(slices.Clone(s.extensions)); err != nil {
		return nil, err
	}
	wrap, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(gzip.BestCompression), gzhttp.MinSize(0), gzhttp.EnableZstd(false))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	return wrap(s), nil
}

func (s *scripts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	names, version, ok := parseScriptPath(r.URL.Path)
	if !ok {
		notFound(w)
		return
	}
	for _, name := range names {
		if !slices.Contains(s.extensions, name) {
			problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound,
				"no such extension of the script; the extensions are "+strings.Join(s.extensions, ", ")))
			return
		}
	}
	built, err := s.build(names)
	if err != nil { // newScripts has minified each part
		panic(err)
	}
	h := w.Header()
	h.Set("Cache-Control", scriptCache)
	if version == built.version {
		h.Set("Cache-Control", versionedCache)
	}
	h.Set("ETag", `W/"`+built.version+`"`) // weak, since the compressed form has the same tag
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(built.content))
}

// build returns the core with extensions, which must exist.
//
// All parts are the body of one function, so that an extension belongs to its own core if
// there are two on a page, and short names are given to what the parts share. A script that
// is loaded again starts only the extensions that are new to its core, and an extension
// that fails does not keep the others from starting.
func (s *scripts) build(names []string) (*script, error) {
	slices.Sort(names)
	names = slices.Compact(names)
	key := strings.Join(names, ".")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.built[key] == nil {
		var source, out bytes.Buffer
		fmt.Fprintf(&source, "(() => {%s", s.parts[coreScript])
		for _, name := range names {
			fmt.Fprintf(&source, "if (!send[%q]) { send[%[1]q] = 1; safe(() => {%s})(); }", name, s.parts[name])
		}
		source.WriteString("})();")
		if err := (&js.Minifier{}).Minify(minify.New(), &out, &source, nil); err != nil {
			return nil, fmt.Errorf("minify the script with the extensions %q: %w", key, err)
		}
		sum := sha256.Sum256(out.Bytes())
		s.built[key] = &script{out.Bytes(), hex.EncodeToString(sum[:versionSize])}
	}
	return s.built[key], nil
}

// versionSize is the length of a version in bytes.
const versionSize = 8

// parseScriptPath parses the path of a script, such as /script.forms.0123456789abcdef.js,
// into the names of the extensions and the version, "" if absent.
func parseScriptPath(path string) (names []string, version string, ok bool) {
	rest, hasPrefix := strings.CutPrefix(strings.TrimPrefix(path, "/"), scriptPrefix)
	rest, hasSuffix := strings.CutSuffix(rest, scriptSuffix)
	if !hasPrefix || !hasSuffix {
		return nil, "", false
	}
	if rest == "" {
		return nil, "", true
	}
	names = strings.Split(rest, ".")
	if names[0] != "" { // script-something.js
		return nil, "", false
	}
	names = names[1:]
	last := names[len(names)-1]
	if raw, err := hex.DecodeString(last); err == nil && len(raw) == versionSize {
		return names[:len(names)-1], last, true
	}
	return names, "", true
}
