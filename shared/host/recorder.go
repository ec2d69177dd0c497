package host

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/httpbody"
)

// recorder is a ResponseWriter that records the status. It supports what the server's
// writer supports: flushing, hijacking and deadlines.
type recorder struct {
	http.ResponseWriter
	status int   // 0 until the header is sent
	err    error // cause of a failure, for the log
	body   httpbody.Body
}

func (r *recorder) WriteHeader(status int) {
	// Informational headers precede the final one, except for 101.
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.headerSent()
	return r.ResponseWriter.Write(p)
}

// ReadFrom lets io.Copy use the server's buffers.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	r.headerSent()
	return io.Copy(r.ResponseWriter, src)
}

// Unwrap returns the server's writer for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush implements http.Flusher, which returns no error.
func (r *recorder) Flush() { _ = r.FlushError() }

// FlushError sends buffered data.
func (r *recorder) FlushError() error {
	err := http.NewResponseController(r.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		r.headerSent()
	}
	return err
}

// Hijack takes over the connection.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil && r.status == 0 {
		r.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// headerSent records that the header was sent, with status 200 if no other was set.
func (r *recorder) headerSent() {
	if r.status == 0 {
		r.status = http.StatusOK
	}
}

// fail records the cause of the failure that is written to w, for the log.
func fail(w http.ResponseWriter, err error) {
	for {
		switch writer := w.(type) {
		case *recorder:
			writer.err = err
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = writer.Unwrap()
		default:
			return
		}
	}
}

// KeepOpen removes the server's time limits from a request whose response is a stream. It
// does nothing on platforms that have no such limits or do not allow removing them.
func KeepOpen(w http.ResponseWriter) error {
	controller := http.NewResponseController(w)
	for _, set := range []func(time.Time) error{controller.SetReadDeadline, controller.SetWriteDeadline} {
		if err := set(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	return nil
}
