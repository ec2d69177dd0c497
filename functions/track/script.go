package track

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
)

//go:embed script.js
var scriptSource []byte

// script serves the browser tracker. Browsers ask for it once an hour at most, and
// get it again only when it has changed.
type script struct{ etag string }

func newScript() script {
	sum := sha256.Sum256(scriptSource)
	return script{`"` + hex.EncodeToString(sum[:8]) + `"`}
}

func (s script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", s.etag)
	h.Set("Cache-Control", "public, max-age=3600, stale-while-revalidate=86400")
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Header.Get("If-None-Match") == s.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(scriptSource) // a client that has gone away is nobody's error
}
