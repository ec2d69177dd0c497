package query

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/table"
)

const (
	// streamTimeout is how long a streamed file may take.
	streamTimeout = 15 * time.Minute
	// pageTimeout is how long a client may take to read a page of it.
	pageTimeout = time.Minute
)

// stream answers with a file that is made page by page, with one page in memory. If it fails
// after the first page it cuts the connection, so that the client can tell that the file is
// incomplete.
func (f *function) stream(w http.ResponseWriter, r *http.Request, q *request) {
	if err := host.KeepOpen(w); err != nil {
		f.log.WarnContext(r.Context(), "files are cut at the time limit of the server", "error", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamTimeout)
	defer cancel()
	t, err := q.Table(ctx, q.target)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	out := &fileStream{w: w, controller: http.NewResponseController(w)}
	for page, err := range t.Pages {
		if err != nil && out.file == nil {
			f.fail(w, r, err)
			return
		}
		if err == nil && out.file == nil {
			header := w.Header()
			header.Set("Cache-Control", "no-store")
			header.Set("Vary", "Accept")
			header.Set("X-Accel-Buffering", "no") // nginx would buffer pages
			setContentHeaders(header, q.format, q.disposition(r.URL.Path, t.DateRange))
			if r.Method == http.MethodHead {
				return
			}
			err = out.begin(q.format, t.Columns)
		}
		if err == nil {
			err = out.page(page)
		}
		if err != nil {
			f.cut(r, out, err)
		}
	}
	if err := out.file.Close(); err != nil {
		f.cut(r, out, err)
	}
}

// cut cuts the connection of an answer that can't be completed.
func (f *function) cut(r *http.Request, out *fileStream, err error) {
	if r.Context().Err() == nil && !out.gone {
		f.log.ErrorContext(r.Context(), "a file was cut", "route", r.Pattern, "error", err)
	}
	panic(http.ErrAbortHandler)
}

// fileStream sends a file page by page.
type fileStream struct {
	w          io.Writer
	controller *http.ResponseController
	file       export.Writer // nil before begin
	gone       bool          // whether the client has gone
}

func (s *fileStream) begin(format export.Format, columns []table.Column) (err error) {
	s.file, err = format.NewWriter(s, columns)
	return err
}

// Write implements io.Writer for the file.
func (s *fileStream) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.gone = s.gone || err != nil
	return n, err
}

func (s *fileStream) page(rows [][]table.Cell) error {
	// Some platforms have no deadlines or buffers.
	if err := s.controller.SetWriteDeadline(time.Now().Add(pageTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, row := range rows {
		if err := s.file.Write(row); err != nil {
			return err
		}
	}
	if err := s.file.Flush(); err != nil {
		return err
	}
	if err := s.controller.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
