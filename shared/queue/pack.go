package queue

import (
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/tinylib/msgp/msgp"
)

// What a pack has at most: more events would spare Redis little, and hold up whoever wants
// few. Only a single event may have more bytes.
const (
	maxPackEvents = 16
	maxPackBytes  = 8 << 10
)

// packer packs events that go to Redis together: those of one shard and one site into one
// entry of the stream, which costs Redis and its client hardly more than a single event does.
type packer struct {
	packs  []pack
	open   map[note]int // which pack takes the next event
	events []packed
}

// pack is what becomes one entry of the stream.
type pack struct {
	note
	events      int
	size        int // of these, in bytes
	first, last int // of these, in the packer
}

// packed is an event.
type packed struct {
	form []byte // that it has in the queue
	pack int
	next int // event of the pack
}

func newPacker() *packer { return &packer{open: map[note]int{}} }

// reset makes the packer as good as new.
func (p *packer) reset() {
	clear(p.open)
	clear(p.events)
	p.packs, p.events = p.packs[:0], p.events[:0]
}

// add adds an event, by the form that it has in the queue.
func (p *packer) add(of note, form []byte) {
	n := len(p.events)
	at, ok := p.open[of]
	if ok && p.packs[at].events < maxPackEvents && p.packs[at].size+len(form) <= maxPackBytes {
		p.events[p.packs[at].last].next = n
	} else {
		at = len(p.packs)
		p.open[of] = at
		p.packs = append(p.packs, pack{note: of, first: n})
	}
	p.events = append(p.events, packed{form: form, pack: at})
	one := &p.packs[at]
	one.events, one.size, one.last = one.events+1, one.size+len(form), n
}

// payload is what the entry of a pack holds: of one event its own form; of several an array
// of them as bytes. That is no event, whose form is an array that begins with a number: a
// version that doesn't know of packs must not take one for its first event and lose the
// others.
func (p *packer) payload(of *pack) []byte {
	if of.events == 1 {
		return p.events[of.first].form
	}
	buf := make([]byte, 0, msgp.ArrayHeaderSize+of.size+of.events*msgp.BytesPrefixSize)
	buf = msgp.AppendArrayHeader(buf, uint32(of.events))
	for n, at := 0, of.first; n < of.events; n, at = n+1, p.events[at].next {
		buf = msgp.AppendBytes(buf, p.events[at].form)
	}
	return buf
}

// appendEntries appends what an entry of the stream holds: the events of a pack, or itself.
func appendEntries(entries []Entry, m redis.XMessage) []Entry {
	all := payload(m)
	parts, buf, err := msgp.ReadArrayHeaderBytes(msgp.UnsafeBytes(all)) // nothing here writes to it
	if err != nil || msgp.NextType(buf) != msgp.BinType {
		return append(entries, Entry{ID: m.ID, Payload: all})
	}
	before := len(entries)
	for part := range int(parts) {
		var form []byte
		if form, buf, err = msgp.ReadBytesZC(buf); err != nil {
			break
		}
		entries = append(entries, Entry{ID: m.ID, Part: part, Payload: msgp.UnsafeString(form), pack: all})
	}
	if err != nil || len(buf) > 0 { // junk, which whoever reads it as an event will notice
		return append(entries[:before], Entry{ID: m.ID, Payload: all})
	}
	return entries
}

// Name names the entry among all that its shard ever had.
func (entry Entry) Name() string {
	if entry.Part == 0 {
		return entry.ID
	}
	return entry.ID + "." + strconv.Itoa(entry.Part)
}

// fit is how many of the entries of a lane can be taken when n are wanted: no more, and
// none without the others of its pack, but the first pack at least.
func fit(entries []Entry, n int) int {
	if n >= len(entries) {
		return len(entries)
	}
	for n > 0 && entries[n].Part > 0 {
		n--
	}
	if n <= 0 {
		return firstPack(entries)
	}
	return n
}

// firstPack is how many entries the first pack of a lane has.
func firstPack(entries []Entry) int {
	n := min(1, len(entries))
	for n < len(entries) && entries[n].Part > 0 {
		n++
	}
	return n
}

// packs is how many entries of the stream hold the entries of a lane.
func packs(entries []Entry) (n int) {
	for i := range entries {
		if entries[i].Part == 0 {
			n++
		}
	}
	return n
}
