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

// maxEvents and maxBytes are how many events, and how many bytes of them, one pipeline sends
// to Redis. A larger group is sent whole.
const (
	maxEvents = 4096
	maxBytes  = 4 << 20
)

// maxPooled is the buffer size, in bytes, up to which a group is reused. The events of one
// request seldom need more.
const maxPooled = 64 << 10

// siteUpdateEvery is the minimum time between two updates of a site in a shard's sites.
const siteUpdateEvery = 10 * time.Second

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("the queue's writer is closed")

// Writer appends events with group commit: while one pipeline is on its way to Redis, the
// events of all requests that arrive gather for the next. Events of the same shard and
// site share stream entries.
//
// It also records in Redis which sites it appends events of, so that Read knows whether
// other sites wait behind the entries that it sees.
type Writer struct {
	client  redis.UniversalClient
	streams [Shards]string // keys of the main streams
	wake    chan struct{}  // holds a token while something is pending; closed by Close
	done    chan struct{}  // closed when the loop has ended

	// Used by the loop only.
	updated map[shardSite]int64 // last update, in milliseconds of Redis's clock
	builder *entryBuilder

	groups sync.Pool // of *Group

	mu       sync.Mutex
	pending  []*Group
	spare    []*Group // backing array of the previous batch, for reuse
	drops    map[dropKey]int64
	dropsDue bool // append drops with the next flush
	closed   bool
}

// shardSite is a site in a shard.
type shardSite struct {
	shard int
	site  int32
}

// Group holds the events of one request on their way to the queue. It is not safe for
// concurrent use.
type Group struct {
	events []queuedEvent
	buf    []byte     // the encoded events, one after another
	done   chan error // receives the result once
}

// queuedEvent is an event of a group.
type queuedEvent struct {
	shardSite
	end int // of the encoded event in the group's buf
}

// Add encodes an event into the group. It does not retain e.
func (g *Group) Add(e *event.Event) {
	g.buf = e.Encode(g.buf)
	g.events = append(g.events, queuedEvent{shardSite{ShardOf(e), e.Site}, len(g.buf)})
}

// Len returns the number of events added.
func (g *Group) Len() int { return len(g.events) }

// Size returns the size of the encoded events, in bytes.
func (g *Group) Size() int { return len(g.buf) }

// RemoveLast removes the event that was added last.
func (g *Group) RemoveLast() {
	g.events = g.events[:len(g.events)-1]
	size := 0
	if n := len(g.events); n > 0 {
		size = g.events[n-1].end
	}
	clear(g.buf[size:]) // don't retain personal data
	g.buf = g.buf[:size]
}

// NewWriter starts a writer. The caller must Close it.
func NewWriter(client redis.UniversalClient) *Writer {
	w := &Writer{
		client: client, wake: make(chan struct{}, 1), done: make(chan struct{}),
		updated: map[shardSite]int64{}, builder: newEntryBuilder(), drops: map[dropKey]int64{},
	}
	for shard := range Shards {
		w.streams[shard] = mainStream(shard)
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

// Append appends events, as AppendGroup does.
func (w *Writer) Append(ctx context.Context, events ...*event.Event) error {
	for chunk := range slices.Chunk(events, maxEvents) {
		g := w.Group()
		for _, e := range chunk {
			g.Add(e)
		}
		if err := w.AppendGroup(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// AppendGroup returns nil once Redis has appended all events of a group. The group must not
// be used afterwards. After an error some events may have been appended; it is safe to
// append them again, because events with the same id are stored once.
func (w *Writer) AppendGroup(ctx context.Context, g *Group) error {
	if g.Len() == 0 {
		w.recycle(g)
		return nil
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	w.pending = append(w.pending, g)
	w.wakeLoop()
	w.mu.Unlock()
	select {
	case err := <-g.done:
		w.recycle(g)
		return err
	case <-ctx.Done(): // the loop still uses the group: don't recycle it
		return fmt.Errorf("wait for the queue: %w", ctx.Err())
	}
}

// recycle makes a group available to another request.
func (w *Writer) recycle(g *Group) {
	if cap(g.buf) > maxPooled {
		return
	}
	clear(g.buf) // don't retain personal data
	g.buf, g.events = g.buf[:0], g.events[:0]
	w.groups.Put(g)
}

// wakeLoop wakes the loop. The caller holds mu and has checked closed.
func (w *Writer) wakeLoop() {
	select {
	case w.wake <- struct{}{}:
	default: // already awake
	}
}

// Close sends everything that is pending, waits for the results, and ends the writer.
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

// flush sends what is pending, and reports whether there was anything.
func (w *Writer) flush() bool {
	// Let other goroutines append first: a fuller pipeline costs less per event.
	runtime.Gosched()
	w.mu.Lock()
	groups := w.takeGroups()
	drops := w.takeDrops()
	w.mu.Unlock()
	if len(groups) == 0 && len(drops) == 0 {
		w.recycleSlice(groups)
		return false
	}
	// Many callers share the pipeline, so none of their contexts may cancel it. The
	// client's own timeouts bound it.
	ctx := context.Background()
	pipe := w.client.Pipeline()
	w.build(groups)
	commands := make([]*redis.StringCmd, len(w.builder.entries))
	for i := range w.builder.entries {
		entry := &w.builder.entries[i]
		commands[i] = w.xadd(ctx, pipe, entry.shard, w.builder.payload(entry))
	}
	counts := make([]*redis.StringCmd, len(drops))
	for i, d := range drops {
		counts[i] = w.xadd(ctx, pipe, int(uint32(d.Site)%Shards), d.encode())
	}
	_, err := pipe.Exec(ctx)
	w.restoreDrops(drops, counts)
	w.updateSites(ctx, commands)
	events := w.builder.events
	for _, g := range groups {
		own := events[:g.Len()]
		events = events[g.Len():]
		g.done <- appendError(commands, own, err) // hands the group back: don't use it any more
	}
	w.builder.reset()
	w.recycleSlice(groups)
	return true
}

// build makes stream entries of the events of groups.
func (w *Writer) build(groups []*Group) {
	for _, g := range groups {
		start := 0
		for _, e := range g.events {
			w.builder.add(e.shardSite, g.buf[start:e.end])
			start = e.end
		}
	}
}

// appendError returns the first error among the commands that append a group's events, or
// nil. Each stream entry has its command; pipeErr is the result of the whole pipeline.
func appendError(commands []*redis.StringCmd, events []encodedEvent, pipeErr error) error {
	for i := range events {
		command := commands[events[i].entry]
		err := command.Err()
		if err == nil && command.Val() == "" {
			err = pipeErr // the command was never executed
		}
		if err != nil {
			return fmt.Errorf("append to the queue: %w", err)
		}
	}
	return nil
}

// xadd is the client's XAdd with a quarter of the allocations.
func (w *Writer) xadd(ctx context.Context, pipe redis.Pipeliner, shard int, payload []byte) *redis.StringCmd {
	command := redis.NewStringCmd(ctx, "xadd", w.streams[shard], "*", field, payload)
	_ = pipe.Process(ctx, command) // only queues the command
	return command
}

// takeGroups returns the groups to send now. The caller holds mu.
func (w *Writer) takeGroups() []*Group {
	taken, events, bytes := 0, 0, 0
	for taken < len(w.pending) && events < maxEvents && bytes < maxBytes {
		events += w.pending[taken].Len()
		bytes += w.pending[taken].Size()
		taken++
	}
	groups := w.pending[:taken:taken]
	if taken < len(w.pending) {
		w.pending = w.pending[taken:]
	} else {
		w.pending, w.spare = w.spare[:0], nil
	}
	return groups
}

// recycleSlice makes the slice of groups available to takeGroups.
func (w *Writer) recycleSlice(groups []*Group) {
	clear(groups) // their callers own them now
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spare = groups[:0]
}

// updateSites records the sites of the appended entries. It ignores errors: an entry whose
// site is not recorded is still stored, in its turn.
func (w *Writer) updateSites(ctx context.Context, appended []*redis.StringCmd) {
	var pipe redis.Pipeliner
	for i := range w.builder.entries {
		entry := &w.builder.entries[i]
		ms, _, err := parseID(appended[i].Val())
		if err != nil || ms-w.updated[entry.shardSite] < siteUpdateEvery.Milliseconds() {
			continue
		}
		w.updated[entry.shardSite] = ms
		if pipe == nil { // rare
			pipe = w.client.Pipeline()
		}
		pipe.ZAdd(ctx, sitesKey(entry.shard), redis.Z{Score: float64(ms), Member: entry.site})
	}
	if pipe == nil {
		return
	}
	if _, err := pipe.Exec(ctx); err != nil {
		clear(w.updated)
	}
}
