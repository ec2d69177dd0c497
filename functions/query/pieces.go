package query

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/analytics-platform/analytics/shared/query/admission"
)

const (
	// pieceSize is how much of an answer is in one piece. An answer that grows must not be
	// copied.
	pieceSize = 64 << 10
	// sendTimeout is how long a client may take to read an answer.
	sendTimeout = 30 * time.Second
)

// pieces is the body of an answer. Its bytes count as memory of the request that it answers.
type pieces struct {
	all  [][]byte
	size int
	use  func(bytes int64) error
}

func newPieces(ctx context.Context) *pieces {
	return &pieces{use: func(bytes int64) error { return admission.Use(ctx, bytes) }}
}

// encodeJSON encodes a document.
func encodeJSON(ctx context.Context, document any) (*pieces, error) {
	body := newPieces(ctx)
	if err := json.MarshalWrite(body, document, json.Deterministic(true)); err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return body, nil
}

// Write implements io.Writer.
func (p *pieces) Write(data []byte) (n int, err error) {
	if err := p.use(int64(len(data))); err != nil {
		return 0, err
	}
	for n < len(data) {
		last := len(p.all) - 1
		if last < 0 || len(p.all[last]) == pieceSize {
			p.all = append(p.all, nil)
			continue
		}
		now := min(len(data)-n, pieceSize-len(p.all[last]))
		p.all[last] = append(p.all[last], data[n:n+now]...)
		n += now
	}
	p.size += n
	return n, nil
}

// send sends the body, in time.
func (p *pieces) send(ctx context.Context, w http.ResponseWriter) {
	admission.Settle(ctx, int64(p.size))
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout)) // some platforms have none
	w.Header().Set("Content-Length", strconv.Itoa(p.size))
	for _, piece := range p.all {
		if _, err := w.Write(piece); err != nil { // the client has gone
			return
		}
	}
}
