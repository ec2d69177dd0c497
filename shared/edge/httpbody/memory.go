package httpbody

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

const (
	// Timeout is how long the body of a request may take to arrive.
	Timeout = 10 * time.Second

	// free is how many bytes of each body are not counted: as many as a connection needs
	// anyway. So most requests never wait for others.
	free = 4 << 10
	// step is how many bytes are reserved at a time.
	step = 64 << 10
	// readCost is how many bytes of memory a byte of a body takes while it is read, because
	// buffers grow by copying.
	readCost = 2
	// workCost is how many bytes of memory a byte of a body takes after it was decoded: a
	// property of six bytes becomes an entry of a map, with two strings.
	workCost = 12
	// gzipCost is the memory of a gzip reader.
	gzipCost = 48 << 10
	// wait is how long a request waits for memory that others have reserved, in all.
	wait = time.Second
	// retryAfter is when a client should retry that waited in vain.
	retryAfter = 5 * time.Second

	// Of the memory limit, bodies that arrive may take an eighth and bodies that are worked on
	// a quarter. The rest is for what is not counted, and for garbage.
	readShare = 8
	workShare = 4
)

// Memory bounds the memory that the bodies of all requests of a process take, while they
// arrive and while their requests are worked on. So neither many large bodies, nor bodies that
// unpack to more than they seem, nor bodies that never end exhaust the memory.
type Memory struct {
	reading, working *pool
	timeout          time.Duration // for a body to arrive
	zstd             func() (*zstd.Decoder, error)
}

// NewMemory returns a Memory for a process that may use limit bytes in all.
func NewMemory(limit int64) *Memory {
	return &Memory{
		reading: newPool(limit / readShare), working: newPool(limit / workShare), timeout: Timeout, zstd: newZstd(),
	}
}

// pool is a number of bytes that requests share. A request reserves what it needs.
type pool struct {
	size int64
	free *semaphore.Weighted
}

func newPool(size int64) *pool { return &pool{size, semaphore.NewWeighted(size)} }

// errOverloaded is the problem of a request that finds no free memory.
var errOverloaded = problem.Problem{
	Status: http.StatusServiceUnavailable, Code: problem.CodeOverloaded, RetryAfter: retryAfter,
	Detail: "the server is busy with the bodies of other requests: retry later, with a smaller body",
}

// Body is the body of a request, whose memory is bounded by a Memory. The zero Body is none.
type Body struct {
	memory  *Memory
	request *http.Request
	from    io.ReadCloser
	writer  http.ResponseWriter

	timed            bool      // the read deadline is set
	patience         time.Time // until when it waits for memory; zero before it waits
	read             int64     // bytes, unpacked ones included
	reading, working int64     // bytes reserved
}

// Begin makes b the body of a request, which has at most limit bytes. The caller must call
// End. w must be the server's own writer.
func (b *Body) Begin(m *Memory, w http.ResponseWriter, r *http.Request, limit int64) {
	*b = Body{memory: m, request: r, from: http.MaxBytesReader(w, r.Body, limit), writer: w}
	r.Body = b
}

// End frees the memory that is reserved for the body and the work on it.
func (b *Body) End() {
	if b.reading > 0 {
		b.memory.reading.free.Release(b.reading)
	}
	if b.working > 0 {
		b.memory.working.free.Release(b.working)
	}
	b.reading, b.working = 0, 0
}

// Read implements io.Reader. Its errors are a problem.Problem if the body is too slow or there
// is no memory for it, and an *http.MaxBytesError if it is too large.
func (b *Body) Read(p []byte) (n int, err error) {
	// A small body has nearly always arrived with the header. One that has not holds no more
	// memory than an idle connection.
	if !b.timed && (b.read > 0 || b.request.ContentLength < 0 || b.request.ContentLength > free) {
		b.timed = true
		// This fails only on platforms without connections. The server lifts it at the end of
		// the body.
		_ = http.NewResponseController(b.writer).SetReadDeadline(time.Now().Add(b.memory.timeout))
	}
	n, err = b.from.Read(p)
	if grown := b.grow(n); grown != nil {
		return 0, grown
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = problem.New(http.StatusRequestTimeout, "body_timeout", fmt.Sprintf("the body must arrive within %d seconds: send a smaller one", int(Timeout.Seconds())))
	}
	return n, err
}

// Close implements io.Closer.
func (b *Body) Close() error { return b.from.Close() }

// reserve reserves n bytes of a pool, or all of it if that is less, and waits a little for them.
func (b *Body) reserve(p *pool, n int64) (int64, error) {
	n = min(n, p.size)
	if p.free.TryAcquire(n) {
		return n, nil
	}
	if b.patience.IsZero() {
		b.patience = time.Now().Add(wait)
	}
	ctx, cancel := context.WithDeadline(b.request.Context(), b.patience)
	defer cancel()
	if err := p.free.Acquire(ctx, n); err != nil {
		return 0, errOverloaded
	}
	return n, nil
}

// bodyOf returns the body of a request, or nil if Begin was not called for it. A nil Body
// reserves nothing.
func bodyOf(r *http.Request) *Body {
	b, _ := r.Body.(*Body)
	return b
}

// grow reserves memory for n more bytes that are read or unpacked.
func (b *Body) grow(n int) error {
	if b == nil {
		return nil
	}
	b.read += int64(n)
	for (b.read-free)*readCost > b.reading {
		reserved, err := b.reserve(b.memory.reading, step)
		if err != nil {
			return err
		}
		b.reading += reserved
	}
	return nil
}

// work reserves n bytes of memory for the work on the request.
func (b *Body) work(n int) error {
	if b == nil {
		return nil
	}
	reserved, err := b.reserve(b.memory.working, int64(n))
	b.working += reserved
	return err
}

// arrived reserves memory for decoding n bytes, in place of the memory that reading them took.
func (b *Body) arrived(n int) error {
	if b == nil || n <= free {
		return nil
	}
	if err := b.work(workCost * n); err != nil {
		return err
	}
	b.memory.reading.free.Release(b.reading)
	b.reading = 0
	return nil
}

// decoder returns the decoder of zstd.
func (b *Body) decoder() (*zstd.Decoder, error) {
	if b == nil {
		return newZstd()()
	}
	return b.memory.zstd()
}

// Reserve reserves n more bytes of memory for the work on a request, until it ends. The error
// is a problem.Problem.
func Reserve(r *http.Request, n int) error { return bodyOf(r).work(n) }
