// Package httpbody reads the bodies of requests from strangers. A body may be compressed. No
// more of it is read or unpacked than a limit allows, for no longer than Timeout, and only
// while there is memory for it.
package httpbody

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

const codeUnsupportedEncoding = "unsupported_encoding"

// Read reads the body of a request, which holds JSON: limit bytes at most after unpacking. A
// wrong body is a problem.Problem.
func Read(r *http.Request, limit int) ([]byte, error) {
	encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	switch encoding {
	case "", "identity", "gzip", "zstd":
	default:
		return nil, problem.New(http.StatusUnsupportedMediaType, codeUnsupportedEncoding, "the body may be compressed with gzip or zstd, or not at all")
	}
	if err := checkType(r.Header); err != nil {
		return nil, err
	}
	packed, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, problemOf(err, malformed("the body could not be read to its end"))
	}
	b, body := bodyOf(r), packed
	switch encoding {
	case "gzip":
		body, err = unzip(b, packed, limit)
	case "zstd":
		body, err = unzstd(b, packed, limit)
	}
	if err != nil {
		return nil, err
	}
	return body, b.arrived(len(body))
}

// Plain reads the body of a request, which is not compressed: limit bytes at most. A wrong body
// is a problem.Problem.
func Plain(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, problemOf(err, problem.New(http.StatusBadRequest, "body_cut", "the body is incomplete"))
	}
	return body, bodyOf(r).arrived(len(body))
}

// problemOf returns the problem for an error of reading a body: otherwise, if the error has
// none of its own.
func problemOf(err error, otherwise problem.Problem) error {
	if p, ok := errors.AsType[problem.Problem](err); ok {
		return p
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.Of(err)
	}
	return otherwise
}

func malformed(detail string) problem.Problem {
	return problem.New(http.StatusBadRequest, validation.CodeMalformed, detail)
}

func notCompressed(encoding string) problem.Problem {
	return malformed("the body is not " + encoding + ", as Content-Encoding says, or ends early")
}

// unzip unpacks a body of gzip.
func unzip(b *Body, packed []byte, limit int) ([]byte, error) {
	if err := b.work(gzipCost); err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, problemOf(err, notCompressed("gzip"))
	}
	body, err := io.ReadAll(io.LimitReader(&growing{reader, b}, int64(limit)+1))
	if len(body) > limit {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, problemOf(err, notCompressed("gzip"))
	}
	return body, nil
}

// growing reserves memory for what is read.
type growing struct {
	from io.Reader
	body *Body
}

func (g *growing) Read(p []byte) (int, error) {
	n, err := g.from.Read(p)
	if grown := g.body.grow(n); grown != nil {
		return 0, grown
	}
	return n, err
}

const (
	// maxWindow is the window, in bytes, that RFC 8878 recommends every decoder to support.
	maxWindow = 8 << 20
	// maxBlock is the most that a block unpacks to, in bytes.
	maxBlock = 128 << 10
)

// newZstd returns a function that returns the decoder of a process. It unpacks into a buffer of
// the caller, which serves as the window too, so a frame that declares a large window takes no
// more memory than what comes out of it.
func newZstd() func() (*zstd.Decoder, error) {
	return sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
	})
}

// unzstd unpacks a body of zstd. How much comes out is not known before, so it begins with a
// small buffer, and begins again with a larger one if a block does not fit any more.
func unzstd(b *Body, packed []byte, limit int) ([]byte, error) {
	decoder, err := b.decoder()
	if err != nil {
		return nil, fmt.Errorf("create a zstd decoder: %w", err)
	}
	most := limit + maxBlock
	for size := min(4*len(packed)+maxBlock, most); ; size = min(4*size, most) {
		if err := b.work(size); err != nil {
			return nil, err
		}
		body, err := decoder.DecodeAll(packed, make([]byte, 0, size))
		switch full := len(body)+maxBlock > size; {
		case len(body) > limit, err != nil && full && size == most:
			return nil, tooLarge(limit)
		case err == nil:
			return body, nil
		case !full:
			return nil, notCompressed("zstd")
		}
	}
}

func tooLarge(limit int) error {
	return problem.New(http.StatusRequestEntityTooLarge, problem.CodeBodyTooLarge,
		fmt.Sprintf("the body may have at most %d bytes, before it is compressed too", limit))
}

// checkType checks that the body can be JSON. Browsers send text/plain to avoid a
// preflight request.
func checkType(h http.Header) error {
	content := h.Get("Content-Type")
	switch content {
	case "", "application/json", "text/plain", "text/plain;charset=UTF-8": // the most frequent ones
		return nil
	}
	kind, params, err := mime.ParseMediaType(content)
	if err != nil || kind != "application/json" && kind != "text/plain" {
		return problem.New(http.StatusUnsupportedMediaType, "unsupported_type", "the body must be application/json or text/plain, holding JSON")
	}
	switch params["charset"] {
	case "", "utf-8", "UTF-8":
		return nil
	default:
		return problem.New(http.StatusUnsupportedMediaType, codeUnsupportedEncoding, "the body must be UTF-8")
	}
}
