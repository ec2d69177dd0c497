package query

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"time"
)

// openAPI describes the API of the function. Tests check the function against it, and the
// types of packages/types are generated from it.
//
//go:embed openapi.json
var openAPI []byte

// serveDocument answers with openAPI, without a key: all installations have the same.
func serveDocument() http.Handler {
	sum := sha256.Sum256(openAPI)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "public, max-age=300")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(openAPI))
	})
}
