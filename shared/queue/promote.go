package queue

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/redis/go-redis/v9"
)

const (
	// minFlood is the length, in batches, up to which a main stream is read in order
	// whatever it holds: no event waits long in it.
	minFlood = 2
	// scanAhead bounds how far one Read scans a flooded main stream, in batches. It is
	// also how much faster than the flood other sites get past it.
	scanAhead = 20
	// promoteSize is how many entries one script promotes. It blocks Redis for a few
	// milliseconds.
	promoteSize = 500
	// maxPage is how many stream entries one XRANGE reads at most. It blocks Redis, and its
	// reply takes more memory than the entries made from it.
	maxPage = 2000
	// minPage is how many it reads if fewer large ones would fit, so that a batch of small
	// entries needs few commands.
	minPage = 16
)

// Limit bounds how much is read from a shard at once.
type Limit struct {
	Events int // at least 1
	// Bytes bounds the memory of what is read. Redis can't limit a reply by bytes, so up to
	// 16 entries more may be in memory for a moment; and while entries are promoted, half as
	// much again.
	Bytes int
}

// half returns the limit with half of the bytes.
func (l Limit) half() Limit { return Limit{l.Events, l.Bytes / 2} }

// entryOverhead is about how many bytes of memory an Entry takes besides its payload.
const entryOverhead = 64

// memory returns how many bytes of memory the entry takes.
func (entry Entry) memory() int { return len(entry.Payload) + entryOverhead }

// pageSize returns how many stream entries to read if nothing is known of them: so many
// that they fit even if all are as large as an entry can be.
func (l Limit) pageSize() int { return min(l.Events, maxPage, max(l.Bytes/MaxEntry, minPage)) }

// promoteScript moves entries from the main stream (KEYS[1]) to the priority stream
// (KEYS[2]) under the same ids (ARGV, ascending) and returns how many it moved. It skips
// ids that no longer exist. Entries that can't be added, because the priority stream has
// had a greater id or Redis is out of memory, stay in the main stream.
const promoteScript = `
local moved = 0
for _, id in ipairs(ARGV) do
	local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
	if entry then
		local added = redis.pcall('XADD', KEYS[2], id, unpack(entry[2]))
		if not (type(added) == 'table' and added.err) then
			redis.call('XDEL', KEYS[1], id)
			moved = moved + 1
		end
	end
end
return moved`

// shardHead is the beginning of a shard's streams and a summary of the rest.
type shardHead struct {
	main, priority []Entry
	more           bool      // either stream may have more entries
	length         int64     // of the whole main stream, in stream entries
	sites          []redis.Z // the two most recently active sites, with the time of each
	scanned        string    // id up to which the main stream was scanned; "" if never
	full           int       // number of entries of a full batch of the main stream
}

// peek reads the beginning of both streams. The priority stream gets up to half of the bytes,
// and the main stream the others.
func peek(ctx context.Context, client redis.UniversalClient, shard int, limit Limit) (head shardHead, err error) {
	pipe := client.Pipeline()
	length := pipe.XLen(ctx, mainStream(shard))
	sites := pipe.ZRevRangeWithScores(ctx, sitesKey(shard), 0, 1)
	scanned := pipe.Get(ctx, scannedKey(shard)) // last: it may be Nil, and Exec returns the first error
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return shardHead{}, fmt.Errorf("read the queue's shard %d: %w", shard, err)
	}
	head.length, head.sites, head.scanned = length.Val(), sites.Val(), scanned.Val()
	var more bool
	if head.priority, more, err = read(ctx, client, priorityStream(shard), "-", limit.half()); err == nil {
		for _, e := range head.priority {
			limit.Bytes -= e.memory()
		}
		head.main, head.more, err = read(ctx, client, mainStream(shard), "-", limit)
	}
	if err != nil {
		return shardHead{}, fmt.Errorf("read the queue's shard %d: %w", shard, err)
	}
	head.full = full(head.main, head.more, limit)
	head.more = head.more || more
	return head, nil
}

// full returns how many entries fill a batch. Large entries fill it before it has as many
// as the limit allows.
func full(entries []Entry, more bool, limit Limit) int {
	if more {
		return min(len(entries), limit.Events)
	}
	return limit.Events
}

// read returns the entries of a stream from an id on, within a limit, but at least the whole
// first stream entry, and reports whether there may be more.
func read(ctx context.Context, client redis.UniversalClient, stream, from string, limit Limit) (entries []Entry, more bool, err error) {
	left := limit
	for left.Events > 0 && (left.Bytes > 0 || entries == nil) {
		n := left.pageSize()
		page, err := client.XRangeN(ctx, stream, from, "+", int64(n)).Result()
		if err != nil {
			return nil, false, err
		}
		if entries == nil && len(page) == n {
			entries = make([]Entry, 0, min(limit.Events, max(0, limit.Bytes/entryOverhead)))
		}
		for _, m := range page {
			before := len(entries)
			entries = appendEntries(entries, m)
			for _, e := range entries[before:] {
				left.Events--
				left.Bytes -= e.memory()
			}
			if before > 0 && (left.Events < 0 || left.Bytes < 0) {
				return entries[:before], true, nil
			}
		}
		if len(page) < n {
			return entries, false, nil
		}
		if from, err = nextID(page[n-1].ID); err != nil {
			return nil, false, err
		}
	}
	return entries, true, nil
}

// shares returns how many entries of each stream go into a batch of count: half of the
// batch, plus what the other stream leaves unused.
//
// If count is too small for the first entries of both streams, a hash of their ids picks
// the stream. So bisecting a batch always reaches the bad entry, in either stream.
func (head shardHead) shares(count int) (main, priority int) {
	m, p := firstSize(head.main), firstSize(head.priority)
	switch {
	case p == 0:
		return Fit(head.main, count), 0
	case m == 0:
		return 0, Fit(head.priority, count)
	case m+p > count && crc32.ChecksumIEEE([]byte(head.main[0].ID+head.priority[0].ID))&1 == 0:
		return Fit(head.main, count), 0
	case m+p > count:
		return 0, Fit(head.priority, count)
	}
	priority = Fit(head.priority, min(count/2, count-m))
	main = Fit(head.main, count-priority)
	return main, Fit(head.priority, count-main)
}

// flood returns the site that floods a main stream: the stream is longer than minFlood
// batches, and events of other sites wait in it. ok is false if no site does.
func (head shardHead) flood() (site int32, ok bool) {
	// Estimate the stream's length in events from the entries at its beginning.
	if head.length*int64(len(head.main)) <= int64(minFlood*head.full*countStreamEntries(head.main)) {
		return 0, false
	}
	site, alone, ok := dominantSite(head.main, head.full)
	if !ok || !alone {
		return site, ok
	}
	// Other sites may wait further back. A site with events behind the stream's first entry
	// was updated after that entry was appended, or at most siteUpdateEvery before.
	first, _, err := parseID(head.main[0].ID)
	return site, err == nil && len(head.sites) == 2 && int64(head.sites[1].Score) >= first-siteUpdateEvery.Milliseconds()
}

// dominantSite returns the site with more than three quarters of a batch of count entries,
// and reports whether all entries are of that site. ok is false if no site dominates.
func dominantSite(entries []Entry, count int) (site int32, alone, ok bool) {
	sites := map[int32]int{}
	for _, e := range entries {
		s := e.site()
		if sites[s]++; 4*sites[s] > 3*count {
			site, ok = s, true
		}
	}
	return site, len(sites) == 1, ok
}

// promote scans a main stream that a site floods, window by window from where the last
// scan ended, and moves the entries of other sites to the priority stream, except those of
// a site that floods a window itself. It returns the number of stream entries it moved.
//
// It does not touch the first batch of the main stream, which this Read or the next
// returns. So the entries that Read returns remain the beginning of the stream, on which
// Trim relies.
func promote(ctx context.Context, client redis.UniversalClient, shard int, site int32, head shardHead, limit Limit) (moved int, err error) {
	scanned := head.main[len(head.main)-1].ID
	if head.scanned != "" {
		if scanned, err = maxID(scanned, head.scanned); err != nil {
			return 0, err
		}
	}
	for range scanAhead {
		if len(head.priority)+moved >= limit.Events { // enough for this batch
			break
		}
		next, err := nextID(scanned)
		if err != nil {
			return moved, err
		}
		window, more, err := read(ctx, client, mainStream(shard), next, limit)
		if err != nil {
			return moved, fmt.Errorf("scan ahead: %w", err)
		}
		flooding, _, ok := dominantSite(window, full(window, more, limit))
		var others []any // ids
		for _, e := range window {
			if s := e.site(); e.Part == 0 && s != site && (!ok || s != flooding) { // batch entries move whole
				others = append(others, e.ID)
			}
		}
		n, err := promoteEntries(ctx, client, shard, others)
		if err != nil {
			return moved, err
		}
		moved += n
		if len(window) > 0 {
			scanned = window[len(window)-1].ID
		}
		if !more || n < len(others) { // the end of the stream, or Redis is out of memory
			break
		}
	}
	// A failure only costs another scan, and a full Redis must still be drained.
	_ = client.Set(ctx, scannedKey(shard), scanned, 0).Err()
	return moved, nil
}

func promoteEntries(ctx context.Context, client redis.UniversalClient, shard int, ids []any) (moved int, err error) {
	script := redis.NewScript(promoteScript)
	for len(ids) > 0 {
		chunk := ids[:min(promoteSize, len(ids))]
		ids = ids[len(chunk):]
		n, err := script.Run(ctx, client, []string{mainStream(shard), priorityStream(shard)}, chunk...).Int()
		if err != nil {
			return moved, fmt.Errorf("move entries to the priority stream: %w", err)
		}
		moved += n
	}
	return moved, nil
}
