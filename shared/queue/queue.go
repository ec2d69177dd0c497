// Package queue holds the events that are not stored yet, in Redis streams, between the
// track function and the database.
//
// Events of a visitor are always in the same shard, so that the one worker of a shard sees
// whole visitor-days. A shard has two streams: the main stream, to which events are
// appended, and the priority stream. When one site floods the main stream, Read promotes
// the events of other sites to the priority stream, so that they need not wait.
//
// A stream entry holds an event, or several events of one site in a batch entry, which
// Redis stores, moves and deletes as a whole. Readers get the events one by one.
//
// Only Trim and TrimMarked remove entries from a shard, after the transaction that stored
// them was committed; nothing else may. When Redis runs out of memory, track refuses new
// events (see MemoryGuard).
package queue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Shards is the number of shards. It limits how many workers can aggregate at once. It is a
// constant because two functions configured with different numbers would leave events in
// shards that nobody reads.
const Shards = 4

// field is the only field of a stream entry. Its value is an event, a batch of events, or a
// count of dropped events, in MessagePack.
const field = "e"

// mainStream returns the key of a shard's main stream.
func mainStream(shard int) string { return key(shard, "events") }

// priorityStream returns the key of a shard's priority stream.
func priorityStream(shard int) string { return key(shard, "express") }

// scannedKey returns the key of the id up to which a shard's main stream was scanned for
// entries to promote.
func scannedKey(shard int) string { return key(shard, "looked") }

// sitesKey returns the key of the sites whose events were appended to a shard, sorted by
// the time of their last update (see Writer), in milliseconds of Redis's clock.
func sitesKey(shard int) string { return key(shard, "sites") }

// key returns a key of a shard. Its hash tag keeps a shard's keys on one node of a Redis
// Cluster, and lets the cluster spread the shards.
func key(shard int, name string) string { return "analytics:{" + strconv.Itoa(shard) + "}:" + name }

// ShardOf returns the shard of an event.
func ShardOf(e *event.Event) int { return int(uint64(e.Visitor) % Shards) }

// Entry is an event in a shard, or a count of dropped events.
type Entry struct {
	ID      string // of the stream entry, "milliseconds-sequence"
	Part    int    // index in the batch entry; 0 outside one
	Payload string // "" if the stream entry was not written by this package
	batch   string // payload of the whole batch entry; "" outside one
}

// streamPayload returns the payload of the whole stream entry.
func (entry Entry) streamPayload() string { return cmp.Or(entry.batch, entry.Payload) }

// Event decodes the entry as an event. The event's strings share memory with Payload.
func (entry Entry) Event() (*event.Event, error) {
	if entry.Payload == "" {
		return nil, fmt.Errorf("the entry has no field %q", field)
	}
	e := new(event.Event)
	if err := e.Decode(entry.Payload); err != nil {
		return nil, fmt.Errorf("the entry is not an event: %w", err)
	}
	return e, nil
}

// site returns the site of the entry, or 0 if it is not an event.
func (entry Entry) site() int32 {
	site, err := event.SiteOf(entry.Payload)
	if err != nil {
		return 0
	}
	return site
}

// Batch is the result of Read: the oldest entries of each stream of a shard, without gaps.
type Batch struct {
	// Entries are the entries of the main stream, then those of the priority stream, each
	// in stream order.
	Entries []Entry
	// Main is the number of Entries from the main stream.
	Main int
	// More reports whether the shard may have more entries.
	More bool
}

// First returns the beginning of the batch with n of its entries. It must not split a batch
// entry.
func (b Batch) First(n int) Batch {
	return Batch{b.Entries[:n], min(n, b.Main), b.More || n < len(b.Entries)}
}

// Single reports whether the batch is a single stream entry, the least that Read returns.
func (b Batch) Single() bool { return len(b.Entries) > 0 && countStreamEntries(b.Entries) == 1 }

// Mark identifies a batch by the last entry of each stream: its id and a digest of its
// payload. The digest distinguishes the entry from another with the same id, which exists if
// Redis lost its data since. The zero Mark identifies no batch.
type Mark string

// Mark returns the mark of the batch.
func (b Batch) Mark() Mark {
	var fields []string
	for _, entries := range [][]Entry{b.Entries[:b.Main], b.Entries[b.Main:]} {
		if len(entries) == 0 {
			fields = append(fields, "-", "-")
			continue
		}
		last := &entries[len(entries)-1]
		fields = append(fields, last.ID, digest(last.streamPayload()))
	}
	return Mark(strings.Join(fields, " "))
}

func digest(payload string) string {
	sum := sha256.Sum256([]byte(payload))
	return hex.EncodeToString(sum[:16])
}

// TrimMarked removes the batch that a mark identifies from a shard, if it is still there:
// it was stored by a worker that died before Trim. It must be called before Read, which may
// promote entries.
func TrimMarked(ctx context.Context, client redis.UniversalClient, shard int, mark Mark) error {
	fields := strings.Fields(string(mark))
	for i, stream := range []string{mainStream(shard), priorityStream(shard)} {
		if len(fields) < 2*i+2 || fields[2*i] == "-" {
			continue
		}
		id, want := fields[2*i], fields[2*i+1]
		messages, err := client.XRange(ctx, stream, id, id).Result()
		if err != nil {
			return fmt.Errorf("find stored entries in the queue's shard %d: %w", shard, err)
		}
		if len(messages) == 0 || digest(payload(messages[0])) != want {
			continue
		}
		next, err := nextID(id)
		if err != nil {
			return err
		}
		if err := client.XTrimMinID(ctx, stream, next).Err(); err != nil {
			return fmt.Errorf("trim the queue's shard %d: %w", shard, err)
		}
	}
	return nil
}

// Read returns the oldest entries of a shard, within a limit, and leaves them in the queue.
// Only one worker may work on a shard at a time. Read does not split batch entries: it
// returns fewer entries than the limit, or more if the first batch entry alone is larger.
//
// Each stream gets half of the batch, plus what the other leaves unused. First, Read
// promotes entries if the main stream is flooded: it is longer than two batches, more than
// three quarters of its first batch are of one site, and events of other sites wait.
func Read(ctx context.Context, client redis.UniversalClient, shard int, limit Limit) (Batch, error) {
	head, err := peek(ctx, client, shard, limit)
	if err != nil {
		return Batch{}, err
	}
	if site, ok := head.flood(); ok {
		moved, err := promote(ctx, client, shard, site, head, limit.half())
		if err != nil {
			return Batch{}, fmt.Errorf("promote entries of the queue's shard %d: %w", shard, err)
		}
		if moved > 0 {
			if head.priority, _, err = read(ctx, client, priorityStream(shard), "-", limit.half()); err != nil {
				return Batch{}, fmt.Errorf("read the queue's shard %d: %w", shard, err)
			}
			head.more = true
		}
	}
	main, priority := head.shares(limit.Events)
	more := head.more || main < len(head.main) || priority < len(head.priority)
	return Batch{append(head.main[:main], head.priority[:priority]...), main, more}, nil
}

// Peek calls fn with the oldest entries of a shard: up to count of each stream, but at least
// the whole first stream entry. Unlike Read it changes nothing and is safe to call at any
// time. It holds few entries in memory at a time.
func Peek(ctx context.Context, client redis.UniversalClient, shard, count int, fn func(Entry)) error {
	// The main stream first: an entry promoted in between is then seen twice, not never.
	for _, stream := range []string{mainStream(shard), priorityStream(shard)} {
		from := "-"
		for left := count; left > 0; {
			entries, more, err := read(ctx, client, stream, from, Limit{left, peekBytes})
			if err != nil {
				return fmt.Errorf("read the queue's shard %d: %w", shard, err)
			}
			for _, entry := range entries {
				fn(entry)
			}
			if !more {
				break
			}
			left -= len(entries)
			if from, err = nextID(entries[len(entries)-1].ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// peekBytes is how many bytes of entries Peek holds in memory.
const peekBytes = 4 << 20

// Trim removes a stored batch from its shard.
//
// It removes the batch's last entry of each stream and everything before it. That is
// exactly the batch: a batch is the beginning of each stream, and ids in a stream only grow.
func Trim(ctx context.Context, client redis.UniversalClient, shard int, batch Batch) error {
	pipe := client.Pipeline()
	for _, part := range []struct {
		stream  string
		entries []Entry
	}{{mainStream(shard), batch.Entries[:batch.Main]}, {priorityStream(shard), batch.Entries[batch.Main:]}} {
		if len(part.entries) == 0 {
			continue
		}
		next, err := nextID(part.entries[len(part.entries)-1].ID)
		if err != nil {
			return err
		}
		pipe.XTrimMinID(ctx, part.stream, next)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("trim the queue's shard %d: %w", shard, err)
	}
	return nil
}

// Backlog is the number and age of a shard's events that wait to be stored. If a stream has
// more than countUpTo entries, its number of events is extrapolated from the oldest ones.
type Backlog struct {
	Length   int64         // events in both streams
	Priority int64         // events in the priority stream
	Age      time.Duration // of the oldest entry; 0 if there is none
}

// countUpTo is how many entries of a stream are counted event by event. Even if all are as
// large as an entry can be, those of a shard take only 10 MB.
const countUpTo = 100

// Backlogs returns the backlog of every shard at now.
func Backlogs(ctx context.Context, client redis.UniversalClient, now time.Time) (backlogs [Shards]Backlog, err error) {
	for shard := range Shards {
		if backlogs[shard], err = measure(ctx, client, shard, now); err != nil {
			return backlogs, fmt.Errorf("read the queue's backlog: %w", err)
		}
	}
	return backlogs, nil
}

// measure returns the backlog of a shard at now.
func measure(ctx context.Context, client redis.UniversalClient, shard int, now time.Time) (backlog Backlog, err error) {
	type replies struct {
		length *redis.IntCmd
		oldest *redis.XMessageSliceCmd
	}
	var streams [2]replies
	pipe := client.Pipeline()
	for i, stream := range []string{mainStream(shard), priorityStream(shard)} {
		streams[i] = replies{pipe.XLen(ctx, stream), pipe.XRangeN(ctx, stream, "-", "+", countUpTo)}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return backlog, err
	}
	for i, stream := range streams {
		oldest := stream.oldest.Val()
		if len(oldest) == 0 {
			continue
		}
		ms, _, err := parseID(oldest[0].ID)
		if err != nil {
			return backlog, err
		}
		backlog.Age = max(backlog.Age, now.Sub(time.UnixMilli(ms)))
		events := stream.length.Val() * int64(countEvents(oldest)) / int64(len(oldest))
		backlog.Length += events
		if i == 1 {
			backlog.Priority = events
		}
	}
	return backlog, nil
}

func countEvents(messages []redis.XMessage) int {
	var events []Entry
	for _, m := range messages {
		events = appendEntries(events, m)
	}
	return len(events)
}

// payload returns the payload of a stream entry, or "" if this package did not write it.
func payload(m redis.XMessage) string {
	text, _ := m.Values[field].(string)
	return text
}

// nextID returns the smallest id greater than id.
func nextID(id string) (string, error) {
	ms, seq, err := parseID(id)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(ms, 10) + "-" + strconv.FormatUint(seq+1, 10), nil
}

// maxID returns the greater of two ids.
func maxID(a, b string) (string, error) {
	aMS, aSeq, err := parseID(a)
	if err != nil {
		return "", err
	}
	bMS, bSeq, err := parseID(b)
	if err != nil {
		return "", err
	}
	if bMS > aMS || bMS == aMS && bSeq > aSeq {
		return b, nil
	}
	return a, nil
}

// parseID parses the id of a stream entry.
func parseID(id string) (ms int64, seq uint64, err error) {
	left, right, _ := strings.Cut(id, "-")
	if ms, err = strconv.ParseInt(left, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("parse the stream id %q: %w", id, err)
	}
	if seq, err = strconv.ParseUint(right, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("parse the stream id %q: %w", id, err)
	}
	return ms, seq, nil
}
