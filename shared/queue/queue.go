// Package queue owns the way between track and the record: Redis streams, one a
// shard, that hold exactly the events which are not yet stored.
//
// Events of one visitor are always in one shard, so that one worker a shard sees
// all of a visitor-day. An entry leaves its stream only by Trim, which a worker
// calls after the transaction that stored it has been committed; nothing else may
// ever shorten a stream.
package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/event"
)

// Shards is the number of streams. It is fixed: it bounds how many workers can
// drain at once, and a setting that two functions could disagree on would lose
// events in streams that nobody drains.
const Shards = 4

// field is the one field of an entry: the event in MessagePack.
const field = "e"

// stream is the key of a shard's stream; the hash tag lets a Redis Cluster spread
// the shards.
func stream(shard int) string { return "analytics:{" + strconv.Itoa(shard) + "}:events" }

// ShardOf is the shard that an event belongs to.
func ShardOf(e *event.Event) int { return int(uint64(e.Visitor) % Shards) }

// Entry is one entry of a shard, in the order of the stream.
type Entry struct {
	ID      string // of the stream entry, "milliseconds-sequence"
	Payload []byte
	Event   event.Event // only when Err is nil
	Err     error       // the payload can't be read
}

// Mark names entries that were read together, by where they end in the stream and
// what is there: enough to know them again, even if another Redis has taken the place
// of the one they came from. The zero Mark names nothing.
type Mark string

// MarkOf names the entries that Read returned; "" when there are none.
func MarkOf(entries []Entry) Mark {
	if len(entries) == 0 {
		return ""
	}
	last := &entries[len(entries)-1]
	return Mark(last.ID + " " + digest(last.Payload))
}

func digest(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:16])
}

// Settle takes out of a shard the entries that a mark names, if they are still there:
// they were stored, and whoever stored them died before Trim.
func Settle(ctx context.Context, client redis.UniversalClient, shard int, mark Mark) error {
	id, want, ok := strings.Cut(string(mark), " ")
	if !ok {
		return nil
	}
	messages, err := client.XRange(ctx, stream(shard), id, id).Result()
	if err != nil {
		return fmt.Errorf("look for stored entries in the queue's shard %d: %w", shard, err)
	}
	for _, m := range messages {
		if entry := decode(m); digest(entry.Payload) == want {
			return Trim(ctx, client, shard, id)
		}
	}
	return nil
}

// Read returns the oldest entries of a shard, count at most, and leaves them
// there. Only one worker may work on a shard at a time.
func Read(ctx context.Context, client redis.UniversalClient, shard, count int) ([]Entry, error) {
	messages, err := client.XRangeN(ctx, stream(shard), "-", "+", int64(count)).Result()
	if err != nil {
		return nil, fmt.Errorf("read the queue's shard %d: %w", shard, err)
	}
	entries := make([]Entry, len(messages))
	for i, m := range messages {
		entries[i] = decode(m)
	}
	return entries, nil
}

// Trim takes out of a shard the entry last and all before it. They must have been
// stored.
func Trim(ctx context.Context, client redis.UniversalClient, shard int, last string) error {
	next, err := after(last)
	if err != nil {
		return err
	}
	if err := client.XTrimMinID(ctx, stream(shard), next).Err(); err != nil {
		return fmt.Errorf("trim the queue's shard %d: %w", shard, err)
	}
	return nil
}

// Backlog says how much of a shard waits to be stored.
type Backlog struct {
	Length int64         // entries
	Age    time.Duration // of the oldest entry; 0 when empty
}

// Backlogs returns the backlog of every shard at now.
func Backlogs(ctx context.Context, client redis.UniversalClient, now time.Time) ([Shards]Backlog, error) {
	var out [Shards]Backlog
	pipe := client.Pipeline()
	var lengths [Shards]*redis.IntCmd
	var oldest [Shards]*redis.XMessageSliceCmd
	for shard := range Shards {
		lengths[shard] = pipe.XLen(ctx, stream(shard))
		oldest[shard] = pipe.XRangeN(ctx, stream(shard), "-", "+", 1)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return out, fmt.Errorf("read the queue's backlog: %w", err)
	}
	for shard := range Shards {
		out[shard].Length = lengths[shard].Val()
		if first := oldest[shard].Val(); len(first) > 0 {
			ms, _, err := split(first[0].ID)
			if err != nil {
				return out, err
			}
			out[shard].Age = max(0, now.Sub(time.UnixMilli(ms)))
		}
	}
	return out, nil
}

func decode(m redis.XMessage) Entry {
	entry := Entry{ID: m.ID}
	text, ok := m.Values[field].(string)
	if !ok {
		entry.Err = fmt.Errorf("the entry has no field %q", field)
	}
	entry.Payload = []byte(text)
	if entry.Err != nil {
		return entry
	}
	if _, err := entry.Event.UnmarshalMsg(entry.Payload); err != nil {
		entry.Err = fmt.Errorf("the entry is no event: %w", err)
	}
	entry.Event.Time = entry.Event.Time.UTC()
	return entry
}

// after is the smallest id greater than id.
func after(id string) (string, error) {
	ms, seq, err := split(id)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(ms, 10) + "-" + strconv.FormatUint(seq+1, 10), nil
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
