package queue

import (
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/tinylib/msgp/msgp"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Limits of a batch entry. More events would save Redis little, and would delay readers
// that want few. Only a single event may be larger.
const (
	maxEntryEvents = 16
	maxEntryBytes  = 8 << 10
)

// MaxEntry is the size in bytes of the largest stream entry that Writer appends: a single
// event of event.MaxEvent with everything that the server adds to it.
const MaxEntry = event.MaxEvent + 16<<10

// entryBuilder groups the events of one pipeline into stream entries: events of the same
// shard and site share a batch entry, which costs Redis and its client hardly more than a
// single event does.
type entryBuilder struct {
	entries []batchEntry
	open    map[shardSite]int // index of the entry that takes the next event
	events  []encodedEvent
}

// batchEntry is one stream entry in the making: a linked list of events.
type batchEntry struct {
	shardSite
	events      int // count
	size        int // of the encoded events, in bytes
	first, last int // indexes of events in the builder
}

// encodedEvent is an event in a batchEntry.
type encodedEvent struct {
	encoded []byte
	entry   int // index of its batchEntry
	next    int // index of the entry's next event
}

func newEntryBuilder() *entryBuilder { return &entryBuilder{open: map[shardSite]int{}} }

// reset empties the builder and keeps its memory.
func (b *entryBuilder) reset() {
	clear(b.open)
	clear(b.events)
	b.entries, b.events = b.entries[:0], b.events[:0]
}

// add adds an encoded event.
func (b *entryBuilder) add(of shardSite, encoded []byte) {
	n := len(b.events)
	at, ok := b.open[of]
	if ok && b.entries[at].events < maxEntryEvents && b.entries[at].size+len(encoded) <= maxEntryBytes {
		b.events[b.entries[at].last].next = n
	} else {
		at = len(b.entries)
		b.open[of] = at
		b.entries = append(b.entries, batchEntry{shardSite: of, first: n})
	}
	b.events = append(b.events, encodedEvent{encoded: encoded, entry: at})
	entry := &b.entries[at]
	entry.events, entry.size, entry.last = entry.events+1, entry.size+len(encoded), n
}

// payload returns the payload of a stream entry: an encoded event, or an array of several
// as byte strings. An encoded event is itself an array, but begins with a number. So a
// version that does not know batch entries fails to decode one, instead of taking it for
// its first event and losing the others.
func (b *entryBuilder) payload(entry *batchEntry) []byte {
	if entry.events == 1 {
		return b.events[entry.first].encoded
	}
	buf := make([]byte, 0, msgp.ArrayHeaderSize+entry.size+entry.events*msgp.BytesPrefixSize)
	buf = msgp.AppendArrayHeader(buf, uint32(entry.events))
	for n, at := 0, entry.first; n < entry.events; n, at = n+1, b.events[at].next {
		buf = msgp.AppendBytes(buf, b.events[at].encoded)
	}
	return buf
}

// appendEntries appends the events of a batch entry, or the stream entry itself if it is
// not a batch entry.
func appendEntries(entries []Entry, m redis.XMessage) []Entry {
	all := payload(m)
	parts, buf, err := msgp.ReadArrayHeaderBytes(msgp.UnsafeBytes(all)) // read only
	if err != nil || msgp.NextType(buf) != msgp.BinType {
		return append(entries, Entry{ID: m.ID, Payload: all})
	}
	before := len(entries)
	for part := range int(parts) {
		var encoded []byte
		if encoded, buf, err = msgp.ReadBytesZC(buf); err != nil {
			break
		}
		entries = append(entries, Entry{ID: m.ID, Part: part, Payload: msgp.UnsafeString(encoded), batch: all})
	}
	if err != nil || len(buf) > 0 { // malformed: decoding the whole as an event reports it
		return append(entries[:before], Entry{ID: m.ID, Payload: all})
	}
	return entries
}

// Name returns a name that is unique among all entries that the shard ever had.
func (entry Entry) Name() string {
	if entry.Part == 0 {
		return entry.ID
	}
	return entry.ID + "." + strconv.Itoa(entry.Part)
}

// Fit returns how many of the entries to take if n are wanted: at most n without splitting
// a batch entry, but at least the first stream entry.
func Fit(entries []Entry, n int) int {
	if n >= len(entries) {
		return len(entries)
	}
	for n > 0 && entries[n].Part > 0 {
		n--
	}
	if n <= 0 {
		return firstSize(entries)
	}
	return n
}

// firstSize returns the number of entries in the first stream entry.
func firstSize(entries []Entry) int {
	n := min(1, len(entries))
	for n < len(entries) && entries[n].Part > 0 {
		n++
	}
	return n
}

// countStreamEntries returns the number of stream entries that hold entries.
func countStreamEntries(entries []Entry) (n int) {
	for i := range entries {
		if entries[i].Part == 0 {
			n++
		}
	}
	return n
}
