package httpbody_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/shared/edge/httpbody"
	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// FuzzRead checks that no more is read than the limit allows, whatever a compressed body
// promises.
func FuzzRead(f *testing.F) {
	const limit = 1 << 20
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"site":"s_1","type":"view"}`))
	_ = z.Close()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("gzip", "application/json", zipped.Bytes())
	f.Add("zstd", "text/plain;charset=UTF-8", encoder.EncodeAll(make([]byte, 2<<20), nil))
	f.Add("", "", []byte("{}"))
	f.Fuzz(func(t *testing.T, encoding, kind string, body []byte) {
		read, err := httpbody.Read(http.Header{"Content-Encoding": {encoding}, "Content-Type": {kind}}, bytes.NewReader(body), limit)
		if _, ok := errors.AsType[problem.Problem](err); err != nil && !ok {
			t.Fatalf("got %v, want a problem", err)
		}
		if len(read) > limit && len(read) > len(body) {
			t.Fatalf("unpacked %d bytes", len(read))
		}
	})
}
