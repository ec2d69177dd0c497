package query

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/shared/query/admission"
)

// TestPieces writes an answer in writes of many sizes, and until it is larger than its request
// may be.
func TestPieces(t *testing.T) {
	t.Parallel()
	one := admission.Share{Memory: 1 << 20, Turns: 1, Each: 1}
	gate := admission.New(admission.Limits{Time: time.Hour, Small: admission.Share{Memory: 1000, Turns: 1, Each: 1}, Large: one, File: one})
	ctx, done, err := gate.Admit(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	body := newPieces(ctx)
	var want []byte
	for i := range 300 {
		part := bytes.Repeat([]byte{byte(i)}, 10*i)
		if n, err := body.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
		want = append(want, part...)
	}
	w := httptest.NewRecorder()
	body.send(ctx, w)
	if body.size != len(want) || !bytes.Equal(w.Body.Bytes(), want) {
		t.Errorf("%d bytes are sent as %d", len(want), w.Body.Len())
	}
	for _, piece := range body.all {
		if len(piece) > pieceSize {
			t.Errorf("a piece has %d bytes", len(piece))
		}
	}
	for range 100 {
		if _, err = body.Write(make([]byte, 10_000)); err != nil {
			break
		}
	}
	if limit, ok := errors.AsType[*admission.Error](err); !ok || limit.Code != admission.CodeTooLarge || body.size > 1<<20 {
		t.Errorf("an answer of %d bytes: %v", body.size, err)
	}
}
