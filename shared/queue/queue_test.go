package queue_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

func connect(tb testing.TB) *redis.Client {
	tb.Helper()
	return connectTo(tb, localtest.Redis(tb))
}

func connectTo(tb testing.TB, url string) *redis.Client {
	tb.Helper()
	client := localtest.Client(tb, url)
	return client
}

func newEvent(visitor int64) *event.Event {
	return &event.Event{ID: uuid.Must(uuid.NewV7()), Site: 1, Time: time.Now().UTC().Truncate(time.Millisecond), Visitor: visitor, Type: event.View, Page: "/"}
}

func peekAll(t *testing.T, client redis.UniversalClient) (entries [queue.Shards][]queue.Entry) {
	t.Helper()
	for shard := range queue.Shards {
		entries[shard] = peek(t.Context(), t, client, shard)
	}
	return entries
}

// peek returns the entries of a shard.
func peek(ctx context.Context, t rapid.TB, client redis.UniversalClient, shard int) (entries []queue.Entry) {
	t.Helper()
	if err := queue.Peek(ctx, client, shard, 100_000, func(e queue.Entry) { entries = append(entries, e) }); err != nil {
		t.Fatal(err)
	}
	return entries
}

// upTo limits what is read to n events of usual size.
func upTo(n int) queue.Limit { return queue.Limit{Events: n, Bytes: 64 << 20} }

func TestAppendConcurrently(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	const requests, each = 100, 7
	var wg sync.WaitGroup
	for r := range requests {
		wg.Go(func() {
			events := make([]*event.Event, each)
			for i := range events {
				events[i] = newEvent(int64(r))
			}
			if err := writer.Append(t.Context(), events...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	total := 0
	for shard, entries := range peekAll(t, client) {
		total += len(entries)
		for _, e := range entries {
			if want := queue.ShardOf(decode(t, e)); want != shard {
				t.Errorf("shard %d has an entry of shard %d", shard, want)
			}
		}
	}
	if total != requests*each {
		t.Errorf("got %d entries, appended %d", total, requests*each)
	}
	writer.Close()
	writer.Close()
	if err := writer.Append(t.Context(), newEvent(1)); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Append after Close = %v, want ErrClosed", err)
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	for range 10 {
		if err := writer.Append(t.Context(), newEvent(4)); err != nil { // shard 0
			t.Fatal(err)
		}
	}
	read, err := queue.Read(t.Context(), client, 0, upTo(6))
	if err != nil || len(read.Entries) != 6 || read.Main != 6 {
		t.Fatalf("Read = %d entries, %d in the main stream, %v, want 6", len(read.Entries), read.Main, err)
	}
	if err := queue.Trim(t.Context(), client, 0, read); err != nil {
		t.Fatal(err)
	}
	left := peekAll(t, client)[0]
	if len(left) != 4 || left[0] == read.Entries[5] {
		t.Errorf("%d entries left, want 4", len(left))
	}
	if err := queue.Trim(t.Context(), client, 0, queue.Batch{Entries: []queue.Entry{{ID: "invalid"}}, Main: 1}); err == nil {
		t.Error("Trim accepted an invalid id")
	}
}

func TestBacklogs(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), newEvent(1), newEvent(1), newEvent(2)); err != nil {
		t.Fatal(err)
	}
	got, err := queue.Backlogs(t.Context(), client, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Length != 0 || got[0].Age != 0 || got[1].Length != 2 || got[2].Length != 1 || got[1].Age < 59*time.Second {
		t.Errorf("Backlogs = %+v", got)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), newEvent(1)); err != nil { // before the position
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	end, err := queue.End(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []*event.Event{newEvent(1), newEvent(5), newEvent(5)}
	if err := writer.Append(ctx, wanted...); err != nil { // after the position, before Follow begins
		t.Fatal(err)
	}
	seen := make(chan event.Event, 100)
	ended := make(chan error)
	go func() { ended <- queue.Follow(ctx, client, end, func(e event.Event) { seen <- e }) }()
	for range wanted {
		e := <-seen
		if !slices.ContainsFunc(wanted, func(w *event.Event) bool { return w.ID == e.ID }) {
			t.Errorf("Follow passed an event of visitor %d appended before its position", e.Visitor)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Follow after cancel = %v, want nil", err)
	}
}
