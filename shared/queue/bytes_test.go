package queue_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

// largeEvents returns n events of a site of about 20 KB each, all in shard 0.
func largeEvents(site int32, n int) []*event.Event {
	events := siteEvents(site, n)
	for _, e := range events {
		e.Props = map[string]string{}
		for i := range 20 {
			e.Props[strconv.Itoa(i)] = strings.Repeat("x", 1000)
		}
	}
	return events
}

// size returns the bytes of the payloads of entries.
func size(entries []queue.Entry) (bytes int) {
	for _, e := range entries {
		bytes += len(e.Payload)
	}
	return bytes
}

// TestReadBytes checks that a batch has at most the bytes of its limit, that bytes limit only
// large entries, and that everything is read.
func TestReadBytes(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	const large, small, most = 100, 2000, 400 << 10
	if err := writer.Append(t.Context(), append(siteEvents(1, small), largeEvents(2, large)...)...); err != nil {
		t.Fatal(err)
	}
	read := 0
	for more := true; more; {
		batch, err := queue.Read(t.Context(), client, 0, queue.Limit{Events: 1000, Bytes: most})
		if err != nil {
			t.Fatal(err)
		}
		if n := size(batch.Entries); n > most {
			t.Errorf("a batch of %d entries has %d bytes, want at most %d", len(batch.Entries), n, most)
		}
		if n := len(batch.Entries); read == 0 && n < 900 {
			t.Errorf("the first batch has %d small entries, want about 1000", n)
		}
		if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
			t.Fatal(err)
		}
		read, more = read+len(batch.Entries), batch.More
	}
	if read != large+small {
		t.Errorf("read %d entries, want %d", read, large+small)
	}
}

// TestReadTooLarge checks that Read returns a stream entry that is larger than the limit, alone.
func TestReadTooLarge(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), largeEvents(1, 3)...); err != nil {
		t.Fatal(err)
	}
	batch, err := queue.Read(t.Context(), client, 0, queue.Limit{Events: 10, Bytes: 1000})
	if err != nil || !batch.Single() || !batch.More {
		t.Errorf("Read = %d entries, more %t, %v, want one of three", len(batch.Entries), batch.More, err)
	}
}

// TestReadFloodOfLargeEvents checks that other sites get past a flood whose bytes, not whose
// number of events, fill batches.
func TestReadFloodOfLargeEvents(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	for _, events := range [][]*event.Event{largeEvents(1, 300), siteEvents(2, 10)} {
		if err := writer.Append(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
	}
	limit := queue.Limit{Events: 1000, Bytes: 1 << 20} // about 25 events of each stream
	for batches := 1; ; batches++ {
		batch, err := queue.Read(t.Context(), client, 0, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Entries) > batch.Main {
			break
		}
		if batches == 3 {
			t.Fatal("three batches have no event of the other site")
		}
		if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
			t.Fatal(err)
		}
	}
}

// largestReply is a hook that measures the entries that a command, or a pipeline, returns.
type largestReply struct{ bytes atomic.Int64 }

func (*largestReply) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *largestReply) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		l.measure(cmd)
		return err
	}
}

func (l *largestReply) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		l.measure(cmds...)
		return err
	}
}

func (l *largestReply) measure(cmds ...redis.Cmder) {
	bytes := 0
	add := func(messages []redis.XMessage) {
		for _, m := range messages {
			bytes += len(m.Values["e"].(string))
		}
	}
	for _, cmd := range cmds {
		switch cmd := cmd.(type) {
		case *redis.XMessageSliceCmd:
			add(cmd.Val())
		case *redis.XStreamSliceCmd:
			for _, stream := range cmd.Val() {
				add(stream.Messages)
			}
		}
	}
	l.bytes.Store(max(l.bytes.Load(), int64(bytes)))
}

// TestReplies checks that no reply of Redis takes more memory than is meant, however large the
// entries are.
func TestReplies(t *testing.T) {
	t.Parallel()
	url := localtest.Redis(t)
	writer := queue.NewWriter(connectTo(t, url))
	t.Cleanup(writer.Close)
	const n = 1500
	if err := writer.Append(t.Context(), append(largeEvents(1, n), siteEvents(2, 1)...)...); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		most int64
		read func(context.Context, *redis.Client) error
	}{
		"Read, with a flood": {1 << 20, func(ctx context.Context, client *redis.Client) error {
			_, err := queue.Read(ctx, client, 0, queue.Limit{Events: 1000, Bytes: 1 << 20})
			return err
		}},
		"Peek": {4 << 20, func(ctx context.Context, client *redis.Client) error {
			seen := 0
			err := queue.Peek(ctx, client, 0, 10_000, func(queue.Entry) { seen++ })
			if err == nil && seen <= n { // more if Read promotes an entry meanwhile
				err = fmt.Errorf("passed %d of %d entries", seen, n+1)
			}
			return err
		}},
		"Backlogs": {4 << 20, func(ctx context.Context, client *redis.Client) error {
			_, err := queue.Backlogs(ctx, client, time.Now())
			return err
		}},
		"Follow": {4 << 20, func(ctx context.Context, client *redis.Client) error {
			ctx, cancel := context.WithCancel(ctx)
			var seen atomic.Int64
			return queue.Follow(ctx, client, queue.Position{"0-0", "0-0", "0-0", "0-0"}, func(event.Event) {
				if seen.Add(1) == n {
					cancel()
				}
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connectTo(t, url)
			var largest largestReply
			client.AddHook(&largest)
			if err := test.read(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			if got := largest.bytes.Load(); got == 0 || got > test.most {
				t.Errorf("a reply has %d bytes of entries, want at most %d", got, test.most)
			}
		})
	}
}

// TestFirst checks that the beginning of a batch can be trimmed as a batch.
func TestFirst(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), append(siteEvents(1, 400), siteEvents(2, 20)...)...); err != nil {
		t.Fatal(err)
	}
	left := 420
	for left > 0 {
		batch, err := queue.Read(t.Context(), client, 0, upTo(64))
		if err != nil {
			t.Fatal(err)
		}
		first := batch.First(queue.Fit(batch.Entries, 20))
		if n := len(first.Entries); n == 0 || n > 20 || first.More != (n < left) {
			t.Fatalf("the first 20 of %d entries are %d, more %t", len(batch.Entries), n, first.More)
		}
		if err := queue.Trim(t.Context(), client, 0, first); err != nil {
			t.Fatal(err)
		}
		left -= len(first.Entries)
		if got := readBacklog(t, client).Length; got != int64(left) {
			t.Fatalf("%d entries are left, want %d", got, left)
		}
	}
}

// TestLargestEvent checks that no event is larger than a stream entry can be.
func TestLargestEvent(t *testing.T) {
	t.Parallel()
	var e event.Event
	e.Props = map[string]string{}
	for i := range event.MaxProps {
		e.Props[fmt.Sprintf("%0*d", event.MaxKey, i)] = strings.Repeat("x", event.MaxProperties/event.MaxProps-event.MaxKey)
	}
	e.Name, e.Page, e.Hostname, e.Title = strings.Repeat("x", event.MaxName), strings.Repeat("x", event.MaxURL), strings.Repeat("x", 255), strings.Repeat("x", event.MaxTitle)
	e.Referrer, e.UTMContent = strings.Repeat("x", event.MaxReferrer), strings.Repeat("x", event.MaxURL)
	e.Tag, e.Language, e.Screen, e.Funnel = strings.Repeat("x", event.MaxTag), strings.Repeat("x", event.MaxLanguage), strings.Repeat("x", event.MaxScreen), strings.Repeat("x", event.MaxName)
	const attributes = 1000 // of the visitor, and numbers
	if got := len(e.Encode(nil)) + attributes; got > queue.MaxEntry {
		t.Errorf("the largest event has about %d bytes, want at most %d", got, queue.MaxEntry)
	}
}
