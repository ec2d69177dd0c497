package httpbody_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/httpbody"
	"github.com/analytics-platform/analytics/shared/edge/problem"
)

const limit = 1 << 20

// request returns a request with a body.
func request(encoding, kind string, body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.Header = http.Header{"Content-Encoding": {encoding}, "Content-Type": {kind}}
	return r
}

// FuzzRead checks that no more is read than the limit allows, whatever a compressed body
// promises.
func FuzzRead(f *testing.F) {
	f.Add("gzip", "application/json", zip(f, []byte(`{"site":"s_1","type":"view"}`)))
	f.Add("zstd", "text/plain;charset=UTF-8", pack(f, make([]byte, 2<<20)))
	f.Add("", "", []byte("{}"))
	memory := httpbody.NewMemory(128 << 20)
	f.Fuzz(func(t *testing.T, encoding, kind string, packed []byte) {
		var body httpbody.Body
		r := request(encoding, kind, bytes.NewReader(packed))
		body.Begin(memory, httptest.NewRecorder(), r, limit)
		defer body.End()
		read, err := httpbody.Read(r, limit)
		if _, ok := errors.AsType[problem.Problem](err); err != nil && !ok {
			t.Fatalf("got %v, want a problem", err)
		}
		if len(read) > limit && len(read) > len(packed) {
			t.Fatalf("unpacked %d bytes", len(read))
		}
	})
}

func zip(tb testing.TB, text []byte) []byte {
	tb.Helper()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return zipped.Bytes()
}

// pack compresses with zstd and a window of 8 MB.
func pack(tb testing.TB, text []byte) []byte {
	tb.Helper()
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithWindowSize(8<<20), zstd.WithSingleSegment(false))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := z.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return packed.Bytes()
}

// TestCompressed checks that compressed bodies of all sizes up to the limit are read, and larger
// ones are not.
func TestCompressed(t *testing.T) {
	t.Parallel()
	memory := httpbody.NewMemory(128 << 20)
	for encoding, compress := range map[string]func(testing.TB, []byte) []byte{"gzip": zip, "zstd": pack} {
		for _, size := range []int{0, 1, 4 << 10, 4<<10 + 1, 100_000, 300_001, limit - 1, limit, limit + 1, 3 * limit} {
			text := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
			var body httpbody.Body
			r := request(encoding, "", bytes.NewReader(compress(t, text)))
			body.Begin(memory, httptest.NewRecorder(), r, limit)
			got, err := httpbody.Read(r, limit)
			body.End()
			if size <= limit && (err != nil || !bytes.Equal(got, text)) {
				t.Errorf("%s, %d bytes: read %d, %v", encoding, size, len(got), err)
			}
			if size > limit && problem.Of(err).Status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, %d bytes: read %d, %v, want a 413", encoding, size, len(got), err)
			}
		}
	}
	if !memory.Idle() {
		t.Error("memory is reserved after all bodies ended")
	}
}

// TestWindow checks that a frame that declares the largest allowed window is unpacked without
// memory for it.
func TestWindow(t *testing.T) { //nolint:paralleltest // it measures what the process allocates
	frame := pack(t, []byte(`{"site":"s_1"}`))
	memory := httpbody.NewMemory(128 << 20)
	read := func() {
		var body httpbody.Body
		r := request("zstd", "", bytes.NewReader(frame))
		body.Begin(memory, httptest.NewRecorder(), r, limit)
		defer body.End()
		if got, err := httpbody.Read(r, limit); err != nil || string(got) != `{"site":"s_1"}` {
			t.Fatalf("read %s, %v", got, err)
		}
	}
	read() // creates the decoder
	const bodies, most = 100, 256 << 10
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range bodies {
		read()
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / bodies; each > most {
		t.Errorf("a small body takes %d bytes of memory, want at most %d", each, most)
	}
}

// TestMemoryIsShared checks that bodies wait for memory that others hold, and that those that
// wait in vain are refused with the time to retry, while small ones never wait.
func TestMemoryIsShared(t *testing.T) {
	t.Parallel()
	memory := httpbody.NewMemory(8 << 20) // for half a megabyte that arrives
	begin := func(size int) (*http.Request, *httpbody.Body) {
		body := new(httpbody.Body)
		r := request("", "", io.LimitReader(endless{}, int64(size)))
		body.Begin(memory, httptest.NewRecorder(), r, limit)
		return r, body
	}
	slow, held := begin(limit)
	if _, err := io.CopyN(io.Discard, slow.Body, 500_000); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, body := begin(100_000)
		if _, err := httpbody.Read(r, limit); problem.Of(err).Code != problem.CodeOverloaded || problem.Of(err).RetryAfter == 0 {
			t.Errorf("without memory: %v, want a problem with Retry-After", err)
		}
		body.End()
		r, body = begin(4000)
		if text, err := httpbody.Read(r, limit); err != nil || len(text) != 4000 {
			t.Errorf("a small body: %d bytes, %v", len(text), err)
		}
		body.End()
	}
	freed := time.AfterFunc(100*time.Millisecond, held.End)
	defer freed.Stop()
	r, body := begin(100_000)
	if text, err := httpbody.Read(r, limit); err != nil || len(text) != 100_000 {
		t.Errorf("after memory was freed: %d bytes, %v", len(text), err)
	}
	// What was read is worked on, which takes most of two megabytes.
	other, waiting := begin(100_000)
	if _, err := httpbody.Read(other, limit); problem.Of(err).Code != problem.CodeOverloaded {
		t.Errorf("while another body is worked on: %v, want a problem", err)
	}
	waiting.End()
	if err := httpbody.Reserve(r, 2<<20); problem.Of(err).Code != problem.CodeOverloaded {
		t.Errorf("more memory than there is: %v, want a problem", err)
	}
	body.End()
	if !memory.Idle() {
		t.Error("memory is reserved after all bodies ended")
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestSlow checks that a body that stops arriving is refused, and that the time for a body does
// not count for the work on it, nor for the next request on the connection.
func TestSlow(t *testing.T) {
	t.Parallel()
	memory := httpbody.NewMemory(128 << 20)
	memory.SetTimeout(300 * time.Millisecond)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body httpbody.Body
		body.Begin(memory, w, r, limit)
		defer body.End()
		text, err := httpbody.Read(r, limit)
		if err != nil {
			problem.Write(w, problem.Of(err))
			return
		}
		select {
		case <-r.Context().Done():
			t.Error("the request was canceled while it was worked on")
		case <-time.After(500 * time.Millisecond):
		}
		_, _ = w.Write(text[:10])
	}))
	t.Cleanup(server.Close)
	post := func(body io.Reader) (status int, text string) {
		response, err := server.Client().Post(server.URL, "", body)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer func() { _ = response.Body.Close() }()
		answer, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(answer)
	}
	for range 2 {
		if status, text := post(strings.NewReader(strings.Repeat("x", 100_000))); status != http.StatusOK || text != "xxxxxxxxxx" {
			t.Errorf("status %d: %s", status, text)
		}
	}
	reader, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	go func() { _, _ = writer.Write([]byte("half")) }()
	if status, text := post(reader); status != http.StatusRequestTimeout || !strings.Contains(text, "body_timeout") {
		t.Errorf("half a body: status %d: %s", status, text)
	}
	localtest.Eventually(t, "its memory is free", memory.Idle)
}
