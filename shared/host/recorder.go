package host

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// recorder is a ResponseWriter that remembers the status. What the server's own
// writer can do, it can do too: flush, hijack, set deadlines.
type recorder struct {
	http.ResponseWriter
	status int   // 0 until the head is sent
	err    error // why the answer is a failure, for the log
}

func (r *recorder) WriteHeader(status int) {
	// Informational heads come before the real one, except for the switch.
	if r.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.sent()
	return r.ResponseWriter.Write(p)
}

// ReadFrom lets io.Copy use the server's own buffers.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	r.sent()
	return io.Copy(r.ResponseWriter, src)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush is for those who don't know http.ResponseController.
func (r *recorder) Flush() { _ = r.FlushError() } // as http.Flusher can't tell

// FlushError sends what was written so far.
func (r *recorder) FlushError() error {
	err := http.NewResponseController(r.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		r.sent()
	}
	return err
}

// Hijack takes the connection over.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil && r.status == 0 {
		r.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// sent notes that the head has gone, with the status 200 if no other was given.
func (r *recorder) sent() {
	if r.status == 0 {
		r.status = http.StatusOK
	}
}

// fail notes, for the log, why the answer that is written to w is a failure.
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

// KeepOpen lifts the server's time limits from a request that is answered with a
// stream. Where a platform has no such limits, or none that can be lifted, it does
// nothing.
func KeepOpen(w http.ResponseWriter) error {
	controller := http.NewResponseController(w)
	for _, set := range []func(time.Time) error{controller.SetReadDeadline, controller.SetWriteDeadline} {
		if err := set(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	return nil
}
