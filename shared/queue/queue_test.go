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

func made(visitor int64) *event.Event {
	return &event.Event{ID: uuid.Must(uuid.NewV7()), Site: 1, Time: time.Now().UTC().Truncate(time.Millisecond), Visitor: visitor, Type: event.View, Page: "/"}
}

func all(t *testing.T, client redis.UniversalClient) (entries [queue.Shards][]queue.Entry) {
	t.Helper()
	for shard := range queue.Shards {
		var err error
		if entries[shard], err = queue.Peek(t.Context(), client, shard, 10_000); err != nil {
			t.Fatal(err)
		}
	}
	return entries
}

func TestAppendFromManyRequests(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	const requests, each = 100, 7
	var wg sync.WaitGroup
	for r := range requests {
		wg.Go(func() {
			events := make([]*event.Event, each)
			for i := range events {
				events[i] = made(int64(r))
			}
			if err := writer.Append(t.Context(), events...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	total := 0
	for shard, entries := range all(t, client) {
		total += len(entries)
		for _, e := range entries {
			if of := queue.ShardOf(read(t, e)); of != shard {
				t.Errorf("shard %d has an entry of shard %d", shard, of)
			}
		}
	}
	if total != requests*each {
		t.Errorf("%d entries, %d were appended", total, requests*each)
	}
	writer.Close()
	writer.Close()
	if err := writer.Append(t.Context(), made(1)); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

func TestTrimTakesWhatWasReadAndNoMore(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	for range 10 {
		if err := writer.Append(t.Context(), made(4)); err != nil { // shard 0
			t.Fatal(err)
		}
	}
	read, err := queue.Read(t.Context(), client, 0, 6)
	if err != nil || len(read.Entries) != 6 || read.Main != 6 {
		t.Fatalf("%d entries, %v", len(read.Entries), err)
	}
	if err := queue.Trim(t.Context(), client, 0, read); err != nil {
		t.Fatal(err)
	}
	left := all(t, client)[0]
	if len(left) != 4 || left[0] == read.Entries[5] {
		t.Errorf("%d entries are left, want 4", len(left))
	}
	if err := queue.Trim(t.Context(), client, 0, queue.Batch{Entries: []queue.Entry{{ID: "no id"}}, Main: 1}); err == nil {
		t.Error("an id that is none was taken")
	}
}

func TestBacklogs(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), made(1), made(1), made(2)); err != nil {
		t.Fatal(err)
	}
	got, err := queue.Backlogs(t.Context(), client, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Length != 0 || got[0].Age != 0 || got[1].Length != 2 || got[2].Length != 1 || got[1].Age < 59*time.Second {
		t.Errorf("%+v", got)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), made(1)); err != nil { // before anyone follows
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	end, err := queue.End(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []*event.Event{made(1), made(5), made(5)}
	if err := writer.Append(ctx, wanted...); err != nil { // after the position, before Follow begins
		t.Fatal(err)
	}
	seen := make(chan event.Event, 100)
	ended := make(chan error)
	go func() { ended <- queue.Follow(ctx, client, end, func(e event.Event) { seen <- e }) }()
	for range wanted {
		e := <-seen
		if !slices.ContainsFunc(wanted, func(w *event.Event) bool { return w.ID == e.ID }) {
			t.Errorf("the follower saw an event of visitor %d that came before its position", e.Visitor)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended by its context: %v", err)
	}
}
