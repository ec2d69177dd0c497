package wire

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
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

const codeUnsupportedEncoding = "unsupported_encoding"

// ReadBody reads the body of a request with the headers h, of at most event.MaxBody bytes,
// and as many again before they were compressed: no more is ever unpacked. What is wrong
// is a problem.
func ReadBody(h http.Header, from io.Reader) ([]byte, error) {
	encoding := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding")))
	switch encoding {
	case "", "identity", "gzip", "zstd":
	default:
		return nil, problem.New(http.StatusUnsupportedMediaType, codeUnsupportedEncoding, "the body may be compressed with gzip or zstd, or not at all")
	}
	if err := readable(h); err != nil {
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
		return unpack(encoding, reader)
	case "zstd":
		// The window is bounded with the output: a frame may ask for more than it fills.
		reader, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("make a reader of zstd: %w", err)
		}
		defer reader.Close()
		return unpack(encoding, reader)
	default:
		return body, nil
	}
}

// maxWindow is in bytes: what RFC 8878 says that every reader should support.
const maxWindow = 8 << 20

// unpack reads to the end of a compressed body, or to the limit.
func unpack(encoding string, reader io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(reader, event.MaxBody+1))
	switch {
	case len(body) > event.MaxBody:
		return nil, problem.New(http.StatusRequestEntityTooLarge, problem.CodeBodyTooLarge,
			fmt.Sprintf("the body may have at most %d bytes, before it is compressed too", event.MaxBody))
	case err != nil:
		return nil, notCompressed(encoding)
	default:
		return body, nil
	}
}

func notCompressed(encoding string) problem.Problem {
	return problem.New(http.StatusBadRequest, validation.CodeMalformed, "the body is not "+encoding+", as Content-Encoding says, or ends early")
}

// readable tells whether the body is of a kind that can be read. Browsers send
// text/plain to spare the preflight request.
func readable(h http.Header) error {
	content := h.Get("Content-Type")
	switch content {
	case "", "application/json", "text/plain", "text/plain;charset=UTF-8": // what nearly all send
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
