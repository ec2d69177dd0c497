package queue

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/redis/go-redis/v9"
)

const (
	// patience is how long, in batches, a main lane may be that is drained in its order
	// whatever it holds: nobody waits long in it.
	patience = 2
	// lookAhead bounds how far one Read looks into a flooded main lane, in batches: so
	// much faster than the flood itself others get past it.
	lookAhead = 20
	// moveAtOnce is how many entries one script moves: Redis does nothing else
	// meanwhile, for a few milliseconds.
	moveAtOnce = 500
	// readAtOnce is how many entries are read at once: Redis does nothing else meanwhile,
	// and what it answered takes more memory than what is kept of it.
	readAtOnce = 2000
)

// move takes entries out of the main lane (KEYS[1]) and adds them to the express lane
// (KEYS[2]) under the same ids (ARGV), which ascend, and returns how many. Those that
// are gone are left out; those that can't be added, since the express lane has had a
// greater id or Redis is out of memory, stay where they are.
const move = `
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

// found is what a shard's lanes begin with, and what there is to know of the rest.
type found struct {
	main, express []Entry
	more          bool      // there may be more of a lane
	length        int64     // of the whole main lane, in entries of the stream
	noted         []redis.Z // the two sites that were noted last
	looked        string    // the id up to which the main lane was looked through; "" at first
}

func peek(ctx context.Context, client redis.UniversalClient, shard, count int) (f found, err error) {
	pipe := client.Pipeline()
	length := pipe.XLen(ctx, stream(shard))
	noted := pipe.ZRevRangeWithScores(ctx, sitesKey(shard), 0, 1)
	looked := pipe.Get(ctx, lookedKey(shard)) // last, since it may be Nil, and the first error counts
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return found{}, fmt.Errorf("read the queue's shard %d: %w", shard, err)
	}
	f.length, f.noted, f.looked = length.Val(), noted.Val(), looked.Val()
	// The main lane first: what moves in between is then seen twice, not never.
	var more bool
	if f.main, f.more, err = read(ctx, client, stream(shard), "-", count); err == nil {
		f.express, more, err = read(ctx, client, expressStream(shard), "-", count)
	}
	if err != nil {
		return found{}, fmt.Errorf("read the queue's shard %d: %w", shard, err)
	}
	f.more = f.more || more
	return f, nil
}

// read returns the entries of a lane from an id on, count at most but for the first pack,
// and whether there may be more.
func read(ctx context.Context, client redis.UniversalClient, lane, from string, count int) (entries []Entry, more bool, err error) {
	for len(entries) < count {
		n := min(count-len(entries), readAtOnce)
		page, err := client.XRangeN(ctx, lane, from, "+", int64(n)).Result()
		if err != nil {
			return nil, false, err
		}
		if entries == nil && len(page) == n {
			entries = make([]Entry, 0, count)
		}
		for _, m := range page {
			before := len(entries)
			if entries = appendEntries(entries, m); before > 0 && len(entries) > count {
				return entries[:before], true, nil
			}
		}
		if len(page) < n {
			return entries, false, nil
		}
		if from, err = after(page[n-1].ID); err != nil {
			return nil, false, err
		}
	}
	return entries, true, nil
}

// shares is how many of the entries of each lane are in a batch of count: half of it, and
// what the other lane has no use for.
//
// Where count is too small for both lanes, what they begin with decides which one it is
// for. So whoever searches an entry that can't be stored by reading less and less finds it
// sooner or later, whichever lane it is in.
func (f found) shares(count int) (main, express int) {
	m, e := firstPack(f.main), firstPack(f.express)
	switch {
	case e == 0:
		return fit(f.main, count), 0
	case m == 0:
		return 0, fit(f.express, count)
	case m+e > count && crc32.ChecksumIEEE([]byte(f.main[0].ID+f.express[0].ID))&1 == 0:
		return fit(f.main, count), 0
	case m+e > count:
		return 0, fit(f.express, count)
	}
	express = fit(f.express, min(count/2, count-m))
	main = fit(f.main, count-express)
	return main, fit(f.express, count-main)
}

// flood returns the site that floods a main lane, which is longer than a few batches
// and in which others wait; ok is false when there is none.
func (f found) flood(count int) (site int32, ok bool) {
	// As long in events as what it begins with lets expect.
	if f.length*int64(len(f.main)) <= int64(patience*count*packs(f.main)) {
		return 0, false
	}
	site, alone, ok := most(f.main, count)
	if !ok || !alone {
		return site, ok
	}
	// The others may be behind. Whoever appended since the lane's first entry was noted
	// then, or shortly before.
	first, _, err := split(f.main[0].ID)
	return site, err == nil && len(f.noted) == 2 && int64(f.noted[1].Score) >= first-noteEvery.Milliseconds()
}

// most returns the site whose entries fill more than three quarters of a batch of
// count entries, and whether there are only its own; ok is false when there is none.
func most(entries []Entry, count int) (site int32, alone, ok bool) {
	sites := map[int32]int{}
	for _, e := range entries {
		s := e.site()
		if sites[s]++; 4*sites[s] > 3*count {
			site, ok = s, true
		}
	}
	return site, len(sites) == 1, ok
}

// overtake looks through a main lane that a site floods, window by window from where
// the last look ended, and moves the entries of other sites to the express lane, but
// of a site that floods a window itself. It returns how many entries of the stream it moved.
//
// It leaves the first batch of the lane alone, which is read now or next. So what Read
// has of the lane stays its beginning, on which Trim relies.
func overtake(ctx context.Context, client redis.UniversalClient, shard int, site int32, f found, count int) (moved int, err error) {
	looked := f.main[len(f.main)-1].ID
	if f.looked != "" {
		if looked, err = later(looked, f.looked); err != nil {
			return 0, err
		}
	}
	for range lookAhead {
		if len(f.express)+moved >= count { // enough for now
			break
		}
		next, err := after(looked)
		if err != nil {
			return moved, err
		}
		window, more, err := read(ctx, client, stream(shard), next, count)
		if err != nil {
			return moved, fmt.Errorf("look further: %w", err)
		}
		another, _, ok := most(window, count)
		var others []any // ids
		for _, e := range window {
			if s := e.site(); e.Part == 0 && s != site && (!ok || s != another) { // packs go as they are
				others = append(others, e.ID)
			}
		}
		n, err := moveAll(ctx, client, shard, others)
		if err != nil {
			return moved, err
		}
		moved += n
		if len(window) > 0 {
			looked = window[len(window)-1].ID
		}
		if !more || n < len(others) { // the end, or Redis moves no more
			break
		}
	}
	// A failure costs another look, and nothing else: a full Redis must be drained too.
	_ = client.Set(ctx, lookedKey(shard), looked, 0).Err()
	return moved, nil
}

func moveAll(ctx context.Context, client redis.UniversalClient, shard int, ids []any) (moved int, err error) {
	script := redis.NewScript(move)
	for len(ids) > 0 {
		some := ids[:min(moveAtOnce, len(ids))]
		ids = ids[len(some):]
		n, err := script.Run(ctx, client, []string{stream(shard), expressStream(shard)}, some...).Int()
		if err != nil {
			return moved, fmt.Errorf("move entries to the express lane: %w", err)
		}
		moved += n
	}
	return moved, nil
}
