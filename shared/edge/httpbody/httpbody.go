// Package httpbody reads the body of a request from a stranger: it may be compressed, and no
// more of it is read or unpacked than a limit allows.
package httpbody

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

const codeUnsupportedEncoding = "unsupported_encoding"

// Read reads a body that holds JSON, from a request with the headers h: limit bytes at most
// after unpacking. The caller limits the bytes of from. A wrong body is a problem.Problem.
func Read(h http.Header, from io.Reader, limit int) ([]byte, error) {
	encoding := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding")))
	switch encoding {
	case "", "identity", "gzip", "zstd":
	default:
		return nil, problem.New(http.StatusUnsupportedMediaType, codeUnsupportedEncoding, "the body may be compressed with gzip or zstd, or not at all")
	}
	if err := checkType(h); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(from)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, problem.Of(err)
	}
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, validation.CodeMalformed, "the body could not be read to its end")
	}
	switch encoding {
	case "gzip":
		reader, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, notCompressed(encoding)
		}
		return unpack(encoding, reader, limit)
	case "zstd":
		// A frame may ask for a larger window than it fills, so the window is limited too.
		reader, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("create a zstd reader: %w", err)
		}
		defer reader.Close()
		return unpack(encoding, reader, limit)
	default:
		return body, nil
	}
}

// maxWindow is the window, in bytes, that RFC 8878 recommends every decoder to support.
const maxWindow = 8 << 20

// unpack reads a compressed body to its end, or to the limit.
func unpack(encoding string, reader io.Reader, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(reader, int64(limit)+1))
	switch {
	case len(body) > limit:
		return nil, problem.New(http.StatusRequestEntityTooLarge, problem.CodeBodyTooLarge,
			fmt.Sprintf("the body may have at most %d bytes, before it is compressed too", limit))
	case err != nil:
		return nil, notCompressed(encoding)
	default:
		return body, nil
	}
}

func notCompressed(encoding string) problem.Problem {
	return problem.New(http.StatusBadRequest, validation.CodeMalformed, "the body is not "+encoding+", as Content-Encoding says, or ends early")
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
