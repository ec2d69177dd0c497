package columns_test

import (
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/internal/columnstest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// FuzzDecode checks that decoding arbitrary pieces neither panics nor exhausts memory.
// With compress set, the pieces are compressed first, so that the fuzzer reaches the code
// behind the decompression.
func FuzzDecode(f *testing.F) {
	two := []byte{1, 1, 1, 1, 2}
	f.Add(two, []byte{4, 1, 1, 'a', 1, 0}, []byte{6, 0, 1}, byte(0), true)
	f.Add(two, []byte{2, 2, 2}, []byte{2, 1}, byte(3), true)
	f.Add([]byte{1, 2, 2, 1, 3, 1, 2, 3}, []byte{3, 20, 30, 1, 2, 3, 4, 5}, []byte{2, 0, 0, 0}, byte(7), true)
	f.Add([]byte{1, 1, 1, 1, 2}, []byte{4, 1, 1, 'a', 1}, []byte{5, 1, 1, 'b', 2}, byte(9), true)
	f.Add([]byte{1, 1, 1, 1, 0x90, 0x4e}, []byte{2}, []byte{}, byte(1), true) // a long visit
	codec := newCodec(f)
	e := event.Event{Time: day.Date(), Day: day, Type: event.View, Page: "/a"}
	b := columns.NewBuilder(day)
	b.Add(visit.Fold([]*event.Event{&e}))
	for _, piece := range encode(f, codec, b.Day()) {
		f.Add(encode(f, codec, b.Day())[columns.Frame], piece, piece, byte(0), false)
	}
	names := columnstest.Columns()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, frame, other, piece []byte, number byte, compress bool) {
		c := names[int(number)%len(names)]
		if compress {
			frame, other, piece = encoder.EncodeAll(frame, nil), encoder.EncodeAll(other, nil), encoder.EncodeAll(piece, nil)
		}
		pieces := map[columns.Column][]byte{}
		for _, needed := range columns.Needed(c) {
			pieces[needed] = other
		}
		pieces[columns.Frame], pieces[c] = frame, piece
		d, err := codec.Decode(day, pieces, c)
		if err == nil && d.Events() < 1000 { // larger days are slow and find nothing new
			columnstest.Show(d, c)
		}
	})
}

// TestDecodeAllocation checks that small malformed pieces do not make Decode allocate much.
func TestDecodeAllocation(t *testing.T) { //nolint:paralleltest // it measures the allocations of the process
	codec := newCodec(t)
	million := make([]byte, 1<<20)
	for name, pieces := range map[string]map[columns.Column][]byte{ //nolint:paralleltest // as above
		"many visits of many events": {columns.Frame: compressed(t, append([]byte{1, 1, 0x90, 0x4e, 0x90, 0x4e}, makeRuns(10_000)...)...)},
		"many visitor-days":          {columns.Frame: compressed(t, append([]byte{1, 0x80, 0x80, 0x40}, million...)...)},
		"many values":                {columns.Frame: compressed(t, 1, 1, 1, 1, 1), columns.Page: compressed(t, append([]byte{4, 0xff, 0xff, 0x3f}, million...)...)},
		"a false size":               {columns.Frame: {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0xf0, 0xff, 0, 0, 0, 1, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := codec.Decode(day, pieces, columns.Page)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 100<<20 {
				t.Errorf("got error %v after allocating %d MB, want an error after at most 100 MB", err, took>>20)
			}
		})
	}
}

// makeRuns returns n varints of 10,000.
func makeRuns(n int) (out []byte) {
	for range n {
		out = append(out, 0x90, 0x4e)
	}
	return out
}
