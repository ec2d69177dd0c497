package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// maxEvents is how many events go to Redis in one pipeline; more only when they are of
// one group.
const maxEvents = 4096

// maxKept is how many bytes a group may have that is kept for the next request: more than
// the events of one need but seldom.
const maxKept = 64 << 10

// noteEvery is how often it is noted at most that events of a site are appended to a
// shard.
const noteEvery = 10 * time.Second

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("the queue's writer is closed")

// Writer appends events with group commit: while one pipeline is on its way to
// Redis, the events of all requests that arrive meanwhile gather for the next. Those of
// one shard and one site become one entry of the stream.
//
// It also notes in Redis of which sites it appends, so that Read knows whether events
// of other sites wait behind those that it sees.
type Writer struct {
	client  redis.UniversalClient
	streams [Shards]string // the keys of the main lanes
	wake    chan struct{}  // holds a token while something waits; closed by Close
	done    chan struct{}  // closed when the loop has ended
	noted   map[note]int64 // when, in milliseconds of Redis's clock; of the loop alone
	packer  *packer        // of the loop alone

	groups sync.Pool // of *Group

	mu      sync.Mutex
	waiting []*Group
	spare   []*Group // what the last batch was, for the next to gather in
	drops   map[dropKey]int64
	due     bool // drops are to be appended
	closed  bool
}

// note is what is noted: that events of the site are appended to the shard.
type note struct {
	shard int
	site  int32
}

// Group is the events of one request, on their way to the queue. It is for one goroutine.
type Group struct {
	events []waiting
	buf    []byte     // the forms that the events have in the queue, one behind the other
	done   chan error // what became of it, once
}

// waiting is an event of a group.
type waiting struct {
	note
	end int // of its form in the group's
}

// Add adds an event, of which it keeps nothing but the form that it has in the queue.
func (g *Group) Add(e *event.Event) {
	g.buf = e.Encode(g.buf)
	g.events = append(g.events, waiting{note{ShardOf(e), e.Site}, len(g.buf)})
}

// Len is how many events were added.
func (g *Group) Len() int { return len(g.events) }

// NewWriter starts a writer. Close ends it.
func NewWriter(client redis.UniversalClient) *Writer {
	w := &Writer{client: client, wake: make(chan struct{}, 1), done: make(chan struct{}), noted: map[note]int64{}, packer: newPacker(), drops: map[dropKey]int64{}}
	for shard := range Shards {
		w.streams[shard] = stream(shard)
	}
	go w.loop()
	return w
}

// Group returns an empty group.
func (w *Writer) Group() *Group {
	if g, ok := w.groups.Get().(*Group); ok {
		return g
	}
	return &Group{done: make(chan error, 1)}
}

// Append is AppendGroup for events that are at hand.
func (w *Writer) Append(ctx context.Context, events ...*event.Event) error {
	for some := range slices.Chunk(events, maxEvents) {
		g := w.Group()
		for _, e := range some {
			g.Add(e)
		}
		if err := w.AppendGroup(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// AppendGroup returns nil once Redis has taken all the events of a group, which must not
// be used afterwards. After an error some of them may have been taken: an event that is
// sent again with the same id is still one event.
func (w *Writer) AppendGroup(ctx context.Context, g *Group) error {
	if g.Len() == 0 {
		w.keep(g)
		return nil
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	w.waiting = append(w.waiting, g)
	w.awake()
	w.mu.Unlock()
	select {
	case err := <-g.done:
		w.keep(g)
		return err
	case <-ctx.Done(): // and the loop still has the group
		return fmt.Errorf("wait for the queue: %w", ctx.Err())
	}
}

// keep keeps a group for another request.
func (w *Writer) keep(g *Group) {
	if cap(g.buf) > maxKept {
		return
	}
	clear(g.buf) // what is there of people is not kept
	g.buf, g.events = g.buf[:0], g.events[:0]
	w.groups.Put(g)
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
	// Those first that can append now: the more there are in a pipeline the less each costs.
	runtime.Gosched()
	w.mu.Lock()
	groups := w.takeGroups()
	drops := w.takeDrops()
	w.mu.Unlock()
	if len(groups) == 0 && len(drops) == 0 {
		w.reuse(groups)
		return false
	}
	// The callers' contexts end their waiting, not the pipeline that others share;
	// the client's own timeouts bound it.
	ctx := context.Background()
	pipe := w.client.Pipeline()
	w.pack(groups)
	commands := make([]*redis.StringCmd, len(w.packer.packs))
	for i := range w.packer.packs {
		p := &w.packer.packs[i]
		commands[i] = w.xadd(ctx, pipe, p.shard, w.packer.payload(p))
	}
	counts := make([]*redis.StringCmd, len(drops))
	for i, d := range drops {
		counts[i] = w.xadd(ctx, pipe, int(uint32(d.Site)%Shards), d.encode())
	}
	_, err := pipe.Exec(ctx)
	w.keepDrops(drops, counts)
	w.note(ctx, commands)
	events := w.packer.events
	for _, g := range groups {
		own := events[:g.Len()]
		events = events[g.Len():]
		g.done <- failure(commands, own, err) // and now the group is another's
	}
	w.packer.reset()
	w.reuse(groups)
	return true
}

// pack packs the events of groups.
func (w *Writer) pack(groups []*Group) {
	for _, g := range groups {
		start := 0
		for _, e := range g.events {
			w.packer.add(e.note, g.buf[start:e.end])
			start = e.end
		}
	}
}

// failure is why Redis did not take all the events of a group, if it did not: what one fails
// for fails the others too. Each pack has its command, and sent is what became of all.
func failure(commands []*redis.StringCmd, events []packed, sent error) error {
	for i := range events {
		command := commands[events[i].pack]
		err := command.Err()
		if err == nil && command.Val() == "" {
			err = sent // the command never was
		}
		if err != nil {
			return fmt.Errorf("append to the queue: %w", err)
		}
	}
	return nil
}

// xadd is the client's XAdd with a quarter of its memory.
func (w *Writer) xadd(ctx context.Context, pipe redis.Pipeliner, shard int, payload []byte) *redis.StringCmd {
	command := redis.NewStringCmd(ctx, "xadd", w.streams[shard], "*", field, payload)
	_ = pipe.Process(ctx, command) // only gathers it
	return command
}

// takeGroups is called with the lock. It returns the groups that are to be sent now.
func (w *Writer) takeGroups() []*Group {
	taken, events := 0, 0
	for taken < len(w.waiting) && events < maxEvents {
		events += w.waiting[taken].Len()
		taken++
	}
	groups := w.waiting[:taken:taken]
	if taken < len(w.waiting) {
		w.waiting = w.waiting[taken:]
	} else {
		w.waiting, w.spare = w.spare[:0], nil
	}
	return groups
}

// reuse lets the next groups gather where some were.
func (w *Writer) reuse(groups []*Group) {
	clear(groups) // who waits for them has them now
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spare = groups[:0]
}

// note notes the sites of what was appended. A failure is nobody's error: an entry
// without a note is stored all the same, in its turn.
func (w *Writer) note(ctx context.Context, appended []*redis.StringCmd) {
	var pipe redis.Pipeliner
	for i := range w.packer.packs {
		p := &w.packer.packs[i]
		ms, _, err := split(appended[i].Val())
		if err != nil || ms-w.noted[p.note] < noteEvery.Milliseconds() {
			continue
		}
		w.noted[p.note] = ms
		if pipe == nil { // seldom
			pipe = w.client.Pipeline()
		}
		pipe.ZAdd(ctx, sitesKey(p.shard), redis.Z{Score: float64(ms), Member: p.site})
	}
	if pipe == nil {
		return
	}
	if _, err := pipe.Exec(ctx); err != nil {
		clear(w.noted)
	}
}
