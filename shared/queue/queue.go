// Package queue owns the way between track and the record: Redis streams that hold
// exactly the events which are not yet stored.
//
// Events of one visitor are always in one shard, so that one worker a shard sees
// all of a visitor-day. A shard has two lanes, a stream each: the main one, to which
// events are appended, and the express one, to which Read moves the events of other
// sites when one site floods the main lane, so that they needn't wait behind it.
//
// An entry of a stream holds an event, or a pack of them, all of one site, which Redis keeps,
// moves and forgets together. Whoever reads gets them one by one.
//
// An entry leaves its shard only by Trim, which a worker calls after the transaction
// that stored it has been committed; nothing else may ever take one out. When Redis
// runs out of memory it is track that takes no more (see Room).
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

// Shards is the number of streams. It is fixed: it bounds how many workers can
// drain at once, and a setting that two functions could disagree on would lose
// events in streams that nobody drains.
const Shards = 4

// field is the one field of an entry: an event, a pack of them, or a count of dropped ones,
// in MessagePack.
const field = "e"

// stream is the key of a shard's main lane.
func stream(shard int) string { return key(shard, "events") }

// expressStream is the key of a shard's express lane.
func expressStream(shard int) string { return key(shard, "express") }

// lookedKey is the key of the id up to which a shard's main lane was looked through
// for entries to move to the express lane.
func lookedKey(shard int) string { return key(shard, "looked") }

// sitesKey is the key of the sites that events of a shard were appended of, sorted
// by when that was last noted (see Writer), in milliseconds of Redis's clock.
func sitesKey(shard int) string { return key(shard, "sites") }

// key is a key of a shard; the hash tag lets a Redis Cluster spread the shards.
func key(shard int, name string) string { return "analytics:{" + strconv.Itoa(shard) + "}:" + name }

// ShardOf is the shard that an event belongs to.
func ShardOf(e *event.Event) int { return int(uint64(e.Visitor) % Shards) }

// Entry is an event that a shard holds, or a count of dropped ones.
type Entry struct {
	ID      string // of the stream's entry, "milliseconds-sequence"
	Part    int    // which one of a pack it is, from 0
	Payload string // "" when it is not one of ours
	pack    string // all that the stream's entry holds, where that is a pack
}

// whole is all that the stream's entry holds.
func (entry Entry) whole() string { return cmp.Or(entry.pack, entry.Payload) }

// Event is the event of the entry, whose texts are parts of the payload.
func (entry Entry) Event() (*event.Event, error) {
	if entry.Payload == "" {
		return nil, fmt.Errorf("the entry has no field %q", field)
	}
	e := new(event.Event)
	if err := e.Decode(entry.Payload); err != nil {
		return nil, fmt.Errorf("the entry is no event: %w", err)
	}
	return e, nil
}

// site is the site of the entry; 0 when it is no event.
func (entry Entry) site() int32 {
	site, err := event.SiteOf(entry.Payload)
	if err != nil {
		return 0
	}
	return site
}

// Batch is what Read found: of each lane the oldest entries, with none left out.
type Batch struct {
	// Entries are those of the main lane, then those of the express one, each lane in
	// the order of its stream.
	Entries []Entry
	// Main is how many of Entries are in the main lane.
	Main int
	// More tells that there may be more in the shard.
	More bool
}

// Single tells whether the batch is one entry of the stream, so that no less can be read.
func (b Batch) Single() bool { return len(b.Entries) > 0 && packs(b.Entries) == 1 }

// Mark names a batch, by where it ends in each lane and what is there: enough to know
// it again, even if another Redis has taken the place of the one that it was read from.
// The zero Mark names nothing.
type Mark string

// Mark is the batch's.
func (b Batch) Mark() Mark {
	var fields []string
	for _, lane := range [][]Entry{b.Entries[:b.Main], b.Entries[b.Main:]} {
		if len(lane) == 0 {
			fields = append(fields, "-", "-")
			continue
		}
		last := &lane[len(lane)-1]
		fields = append(fields, last.ID, digest(last.whole()))
	}
	return Mark(strings.Join(fields, " "))
}

func digest(payload string) string {
	sum := sha256.Sum256([]byte(payload))
	return hex.EncodeToString(sum[:16])
}

// Settle takes out of a shard the batch that a mark names, if it is still there: it was
// stored, and whoever stored it died before Trim. It must come before Read, which may
// move entries between the lanes.
func Settle(ctx context.Context, client redis.UniversalClient, shard int, mark Mark) error {
	fields := strings.Fields(string(mark))
	for i, stream := range []string{stream(shard), expressStream(shard)} {
		if len(fields) < 2*i+2 || fields[2*i] == "-" {
			continue
		}
		id, want := fields[2*i], fields[2*i+1]
		found, err := client.XRange(ctx, stream, id, id).Result()
		if err != nil {
			return fmt.Errorf("look for stored entries in the queue's shard %d: %w", shard, err)
		}
		if len(found) == 0 || digest(payload(found[0])) != want {
			continue
		}
		next, err := after(id)
		if err != nil {
			return err
		}
		if err := client.XTrimMinID(ctx, stream, next).Err(); err != nil {
			return fmt.Errorf("trim the queue's shard %d: %w", shard, err)
		}
	}
	return nil
}

// Read returns count entries of a shard, or all when it has fewer, and leaves them
// in the queue. Only one worker may work on a shard at a time. No pack is cut: it returns
// fewer, or, where the first pack has more than count, that one alone.
//
// Each lane gets half of the batch, and what the other has no use for. Before, Read
// looks whether entries must be moved to the express lane: that is when a main lane
// longer than two batches begins with one that is for more than three quarters of one
// site, and others wait.
func Read(ctx context.Context, client redis.UniversalClient, shard, count int) (Batch, error) {
	f, err := peek(ctx, client, shard, count)
	if err != nil {
		return Batch{}, err
	}
	if site, ok := f.flood(count); ok {
		moved, err := overtake(ctx, client, shard, site, f, count)
		if err != nil {
			return Batch{}, fmt.Errorf("look through the queue's shard %d: %w", shard, err)
		}
		if moved > 0 {
			if f.express, _, err = read(ctx, client, expressStream(shard), "-", count); err != nil {
				return Batch{}, fmt.Errorf("read the queue's shard %d: %w", shard, err)
			}
			f.more = true
		}
	}
	main, express := f.shares(count)
	more := f.more || main < len(f.main) || express < len(f.express)
	return Batch{append(f.main[:main], f.express[:express]...), main, more}, nil
}

// Peek returns the oldest entries of a shard, count of each lane at most but for its first
// pack. Unlike Read it changes nothing, so anyone may call it at any time.
func Peek(ctx context.Context, client redis.UniversalClient, shard, count int) ([]Entry, error) {
	f, err := peek(ctx, client, shard, count)
	if err != nil {
		return nil, err
	}
	return append(f.main, f.express...), nil
}

// Trim takes a batch out of its shard. It must have been stored.
//
// It takes out of each lane the last entry of the batch and all before it. That is
// the batch and nothing else: of each lane a batch has the beginning, and no entry
// comes into a lane with an id less than one that the lane has had.
func Trim(ctx context.Context, client redis.UniversalClient, shard int, batch Batch) error {
	pipe := client.Pipeline()
	for _, lane := range []struct {
		stream  string
		entries []Entry
	}{{stream(shard), batch.Entries[:batch.Main]}, {expressStream(shard), batch.Entries[batch.Main:]}} {
		if len(lane.entries) == 0 {
			continue
		}
		next, err := after(lane.entries[len(lane.entries)-1].ID)
		if err != nil {
			return err
		}
		pipe.XTrimMinID(ctx, lane.stream, next)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("trim the queue's shard %d: %w", shard, err)
	}
	return nil
}

// Backlog says how much of a shard waits to be stored. A lane of more than countUpTo entries
// of the stream has as many events as the oldest of them let expect.
type Backlog struct {
	Length  int64         // events, of both lanes
	Express int64         // how many of them are in the express lane
	Age     time.Duration // of the oldest entry; 0 when empty
}

// countUpTo is how many entries of a lane are counted event by event.
const countUpTo = 100

// Backlogs returns the backlog of every shard at now.
func Backlogs(ctx context.Context, client redis.UniversalClient, now time.Time) ([Shards]Backlog, error) {
	var out [Shards]Backlog
	type lane struct {
		length *redis.IntCmd
		oldest *redis.XMessageSliceCmd
	}
	var lanes [Shards][2]lane
	pipe := client.Pipeline()
	for shard := range Shards {
		for i, stream := range []string{stream(shard), expressStream(shard)} {
			lanes[shard][i] = lane{pipe.XLen(ctx, stream), pipe.XRangeN(ctx, stream, "-", "+", countUpTo)}
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return out, fmt.Errorf("read the queue's backlog: %w", err)
	}
	for shard := range Shards {
		backlog := &out[shard]
		for i, lane := range lanes[shard] {
			oldest := lane.oldest.Val()
			if len(oldest) == 0 {
				continue
			}
			ms, _, err := split(oldest[0].ID)
			if err != nil {
				return out, err
			}
			backlog.Age = max(backlog.Age, now.Sub(time.UnixMilli(ms)))
			events := lane.length.Val() * int64(countEvents(oldest)) / int64(len(oldest))
			backlog.Length += events
			if i == 1 {
				backlog.Express = events
			}
		}
	}
	return out, nil
}

func countEvents(messages []redis.XMessage) int {
	var events []Entry
	for _, m := range messages {
		events = appendEntries(events, m)
	}
	return len(events)
}

// payload is what a stream entry holds; "" when it is not one of ours.
func payload(m redis.XMessage) string {
	text, _ := m.Values[field].(string)
	return text
}

// after is the smallest id greater than id.
func after(id string) (string, error) {
	ms, seq, err := split(id)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(ms, 10) + "-" + strconv.FormatUint(seq+1, 10), nil
}

// later is the greater of two ids.
func later(a, b string) (string, error) {
	aMS, aSeq, err := split(a)
	if err != nil {
		return "", err
	}
	bMS, bSeq, err := split(b)
	if err != nil {
		return "", err
	}
	if bMS > aMS || bMS == aMS && bSeq > aSeq {
		return b, nil
	}
	return a, nil
}

func split(id string) (ms int64, seq uint64, err error) {
	left, right, _ := strings.Cut(id, "-")
	if ms, err = strconv.ParseInt(left, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("read the stream id %q: %w", id, err)
	}
	if seq, err = strconv.ParseUint(right, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("read the stream id %q: %w", id, err)
	}
	return ms, seq, nil
}
