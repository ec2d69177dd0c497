package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/event"
)

// maxGroup bounds how many events go to Redis in one pipeline.
const maxGroup = 4096

// eventSize is how many bytes an event seldom has more of.
const eventSize = 512

// noteEvery is how often it is noted at most that events of a site are appended to a
// shard.
const noteEvery = 10 * time.Second

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("the queue's writer is closed")

// Writer appends events with group commit: while one pipeline is on its way to
// Redis, the events of all requests that arrive meanwhile gather for the next.
//
// It also notes in Redis of which sites it appends, so that Read knows whether events
// of other sites wait behind those that it sees.
type Writer struct {
	client  redis.UniversalClient
	streams [Shards]string // the keys of the main lanes
	wake    chan struct{}  // holds a token while something waits; closed by Close
	done    chan struct{}  // closed when the loop has ended
	noted   map[note]int64 // when, in milliseconds of Redis's clock; of the loop alone

	mu      sync.Mutex
	waiting []pending
	spare   []pending // what the last batch was, for the next to gather in
	drops   map[dropKey]int64
	due     bool // drops are to be appended
	closed  bool
}

// note is what is noted: that events of the site are appended to the shard.
type note struct {
	shard int
	site  int32
}

type pending struct {
	note
	payload []byte
	group   *group
}

// group is what one Append waits for.
type group struct {
	mu   sync.Mutex
	left int
	err  error
	done chan struct{}
}

func (g *group) finish(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil { // what one event fails for fails the others too
		g.err = err
	}
	if g.left--; g.left == 0 {
		close(g.done)
	}
}

// NewWriter starts a writer. Close ends it.
func NewWriter(client redis.UniversalClient) *Writer {
	w := &Writer{client: client, wake: make(chan struct{}, 1), done: make(chan struct{}), noted: map[note]int64{}, drops: map[dropKey]int64{}}
	for shard := range Shards {
		w.streams[shard] = stream(shard)
	}
	go w.loop()
	return w
}

// Append returns nil once Redis has taken all the events. After an error some of
// them may have been taken: an event that is sent again with the same id is still
// one event.
func (w *Writer) Append(ctx context.Context, events ...*event.Event) error {
	if len(events) == 0 {
		return nil
	}
	g := &group{left: len(events), done: make(chan struct{})}
	batch := make([]pending, len(events))
	for i, e := range events {
		batch[i] = pending{note{ShardOf(e), e.Site}, e.Encode(make([]byte, 0, eventSize)), g}
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	w.waiting = append(w.waiting, batch...)
	w.awake()
	w.mu.Unlock()
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the queue: %w", ctx.Err())
	}
}

// awake wakes the loop. It is called with the lock, before Close.
func (w *Writer) awake() {
	select {
	case w.wake <- struct{}{}:
	default: // it has been woken already
	}
}

// Close waits until all that was appended has been answered for, then ends the
// writer.
func (w *Writer) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.wake)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *Writer) loop() {
	defer close(w.done)
	for range w.wake {
		for w.flush() {
		}
	}
	for w.flush() {
	}
}

// flush sends what waits, and tells whether there was something.
func (w *Writer) flush() bool {
	w.mu.Lock()
	batch := w.waiting
	if len(batch) > maxGroup {
		batch, w.waiting = batch[:maxGroup:maxGroup], batch[maxGroup:]
	} else {
		w.waiting, w.spare = w.spare[:0], nil
	}
	drops := w.takeDrops()
	w.mu.Unlock()
	if len(batch) == 0 && len(drops) == 0 {
		w.reuse(batch)
		return false
	}
	// The callers' contexts end their waiting, not the pipeline that others share;
	// the client's own timeouts bound it.
	ctx := context.Background()
	pipe := w.client.Pipeline()
	commands := make([]*redis.StringCmd, len(batch))
	for i, p := range batch {
		commands[i] = w.xadd(ctx, pipe, p.shard, p.payload)
	}
	counts := make([]*redis.StringCmd, len(drops))
	for i, d := range drops {
		counts[i] = w.xadd(ctx, pipe, int(uint32(d.Site)%Shards), d.encode())
	}
	_, err := pipe.Exec(ctx)
	w.keepDrops(drops, counts)
	w.note(ctx, batch, commands)
	for i, p := range batch {
		failure := commands[i].Err()
		if failure == nil && commands[i].Val() == "" {
			failure = err // never sent
		}
		if failure != nil {
			failure = fmt.Errorf("append to the queue: %w", failure)
		}
		p.group.finish(failure)
	}
	w.reuse(batch)
	return true
}

// xadd is the client's XAdd with a quarter of its memory.
func (w *Writer) xadd(ctx context.Context, pipe redis.Pipeliner, shard int, payload []byte) *redis.StringCmd {
	command := redis.NewStringCmd(ctx, "xadd", w.streams[shard], "*", field, payload)
	_ = pipe.Process(ctx, command) // only gathers it
	return command
}

// reuse lets the next events gather where a batch was.
func (w *Writer) reuse(batch []pending) {
	clear(batch) // the payloads are not to be kept
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spare = batch[:0]
}

// note notes the sites of what was appended. A failure is nobody's error: an entry
// without a note is stored all the same, in its turn.
func (w *Writer) note(ctx context.Context, batch []pending, appended []*redis.StringCmd) {
	pipe := w.client.Pipeline()
	for i, p := range batch {
		ms, _, err := split(appended[i].Val())
		if err != nil || ms-w.noted[p.note] < noteEvery.Milliseconds() {
			continue
		}
		w.noted[p.note] = ms
		pipe.ZAdd(ctx, sitesKey(p.shard), redis.Z{Score: float64(ms), Member: p.site})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		clear(w.noted)
	}
}
