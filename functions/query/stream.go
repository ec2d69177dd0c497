package query

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/query/export"
	"github.com/analytics-platform/analytics/shared/query/table"
)

const (
	// streamTimeout is how long a file may take that is sent while it is made.
	streamTimeout = 15 * time.Minute
	// pageTimeout is how long a client may take to take one page of it.
	pageTimeout = time.Minute
)

// stream answers with a file that is made page by page, of which no more is in memory than
// a page. When something fails after the first page the connection is cut, so that a part
// is not taken for the whole.
func (f *function) stream(w http.ResponseWriter, r *http.Request, asked *asking) {
	if err := host.KeepOpen(w); err != nil {
		f.log.WarnContext(r.Context(), "a file will be cut by the server's time limit", "error", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamTimeout)
	defer cancel()
	t, err := asked.list(ctx, f, asked.site, asked.now)
	if err != nil {
		jsonhttp.Fail(w, r, f.log, err)
		return
	}
	out := &fileStream{w: w, controller: http.NewResponseController(w)}
	for page, err := range t.Pages {
		if err != nil && out.file == nil {
			jsonhttp.Fail(w, r, f.log, err)
			return
		}
		if err == nil && out.file == nil {
			header := w.Header()
			header.Set("Cache-Control", "no-store")
			header.Set("Vary", "Accept")
			header.Set("X-Accel-Buffering", "no") // nginx would hold pages back
			setFile(header, asked.format, asked.fileName(r.URL.Path, t.DateRange))
			if r.Method == http.MethodHead {
				return
			}
			err = out.begin(asked.format, t.Columns)
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

// cut cuts the connection, since the answer can't be whole any more.
func (f *function) cut(r *http.Request, out *fileStream, err error) {
	if r.Context().Err() == nil && !out.gone {
		f.log.ErrorContext(r.Context(), "a file broke off", "route", r.Pattern, "error", err)
	}
	panic(http.ErrAbortHandler)
}

// fileStream sends a file page by page.
type fileStream struct {
	w          io.Writer
	controller *http.ResponseController
	file       export.Writer // nil before it has begun
	gone       bool          // the client does not take any more, which is nobody's error
}

func (s *fileStream) begin(format export.Format, columns []table.Column) (err error) {
	s.file, err = format.NewWriter(s, columns)
	return err
}

// Write is for the file.
func (s *fileStream) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.gone = s.gone || err != nil
	return n, err
}

func (s *fileStream) page(rows [][]table.Cell) error {
	// Where a platform has no deadlines or buffers, there is nothing to set or empty.
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
