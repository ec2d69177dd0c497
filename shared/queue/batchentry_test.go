package queue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

const shard0 = "analytics:{0}:events"

// streamPayloads returns the payloads of the stream entries in shard 0's main stream.
func streamPayloads(t *testing.T, client *redis.Client) (payloads []string) {
	t.Helper()
	messages, err := client.XRange(t.Context(), shard0, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		payload, _ := m.Values["e"].(string)
		payloads = append(payloads, payload)
	}
	return payloads
}

// TestBatchEntries checks that events of a site share batch entries, and that each is read
// as it was appended, under a unique name.
func TestBatchEntries(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	events := append(siteEvents(1, 20), siteEvents(2, 3)...)
	events[3], events[21] = events[21], events[3]
	if err := writer.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	if n := len(streamPayloads(t, client)); n != 3 { // of 16, 4 and 3
		t.Errorf("got %d stream entries, want 3", n)
	}
	names, ids := map[string]bool{}, map[string]bool{}
	entries := peekAll(t, client)[0]
	for _, entry := range entries {
		names[entry.Name()] = true
		ids[decode(t, entry).ID.String()] = true
	}
	for _, e := range events {
		if !ids[e.ID.String()] {
			t.Errorf("event %s was lost", e.ID)
		}
	}
	if len(entries) != len(events) || len(names) != len(events) || !names[entries[0].ID] {
		t.Errorf("got %d entries with %d names, appended %d", len(entries), len(names), len(events))
	}
	batch, err := queue.Read(t.Context(), client, 0, upTo(1))
	if err != nil || len(batch.Entries) != 16 || !batch.Single() || !batch.More {
		t.Errorf("Read = %d entries, single %t, more %t, %v, want the batch entry of 16", len(batch.Entries), batch.Single(), batch.More, err)
	}
}

// TestSingleEvent checks that a single event is encoded as before batch entries existed.
func TestSingleEvent(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	e := newEvent(4)
	if err := writer.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := streamPayloads(t, client); len(got) != 1 || got[0] != string(e.Encode(nil)) {
		t.Errorf("stream payloads = %q, want the encoded event", got)
	}
}

// TestBatchEntryIsNotAnEvent checks that a version without batch entries, during an upgrade,
// makes a dead letter of a batch entry and does not take it for its first event.
func TestBatchEntryIsNotAnEvent(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), siteEvents(1, 64)...); err != nil {
		t.Fatal(err)
	}
	for _, payload := range streamPayloads(t, client) {
		if err := new(event.Event).Decode(payload); err == nil {
			t.Error("a batch entry decodes as an event")
		}
		if site, err := event.SiteOf(payload); err == nil {
			t.Errorf("SiteOf(batch entry) = %d, want an error", site)
		}
		if _, ok, _ := (queue.Entry{Payload: payload}).Drops(); ok {
			t.Error("a batch entry decodes as Drops")
		}
	}
}

// TestRequeueBatchEntry checks that a requeued batch entry is read as a batch entry again.
func TestRequeueBatchEntry(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), siteEvents(1, 5)...); err != nil {
		t.Fatal(err)
	}
	entry := queue.ShardPayload{Shard: 0, Payload: []byte(streamPayloads(t, client)[0])}
	if err := queue.Requeue(t.Context(), client, []queue.ShardPayload{entry}); err != nil {
		t.Fatal(err)
	}
	entries := peekAll(t, client)[0]
	if len(entries) != 10 {
		t.Fatalf("got %d entries, want 5 twice", len(entries))
	}
	for i := range 5 {
		if decode(t, entries[i]).ID != decode(t, entries[i+5]).ID {
			t.Errorf("requeued event %d differs", i)
		}
	}
}

// TestBatchEntrySize checks that batch entries of large events are bounded.
func TestBatchEntrySize(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	events := siteEvents(1, 12)
	for i, e := range events {
		e.Title = strings.Repeat("x", 1000*i)
	}
	if err := writer.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	for _, payload := range streamPayloads(t, client) {
		if len(payload) > 12_000 {
			t.Errorf("a stream entry has %d bytes, want at most 12000", len(payload))
		}
	}
	if n := len(peekAll(t, client)[0]); n != len(events) {
		t.Errorf("got %d entries, appended %d", n, len(events))
	}
}

// TestMalformedBatchEntry checks that a malformed payload is one entry that fails to decode.
func TestMalformedBatchEntry(t *testing.T) {
	t.Parallel()
	e := string(newEvent(4).Encode(nil))
	if len(e) > 255 {
		t.Fatal("the encoded event does not fit in a bin8")
	}
	bin := "\xc4" + string([]byte{byte(len(e))}) + e
	for name, payload := range map[string]string{
		"empty": "", "not an array": "junk", "empty array": "\x90", "truncated between events": "\x92" + bin, "truncated in an event": "\x92" + bin + bin[:20],
		"trailing byte": "\x91" + bin + "\x00", "element that is not bytes": "\x92" + bin + "\x07", "huge length": "\xdd\xff\xff\xff\xff" + bin,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: shard0, Values: []string{"e", payload}}).Err(); err != nil {
				t.Fatal(err)
			}
			entries := peekAll(t, client)[0]
			if len(entries) != 1 || entries[0].Payload != payload || entries[0].Part != 0 {
				t.Fatalf("entries = %+v, want the payload as one", entries)
			}
			if _, err := entries[0].Event(); err == nil {
				t.Error("Event = nil error, want one")
			}
		})
	}
}

// TestTrimMarked checks that a batch that ends with a batch entry is found by its mark.
func TestTrimMarked(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), siteEvents(1, 40)...); err != nil {
		t.Fatal(err)
	}
	batch, err := queue.Read(t.Context(), client, 0, upTo(20))
	if err != nil || len(batch.Entries) != 16 {
		t.Fatal(len(batch.Entries), err)
	}
	for range 2 { // the second call has nothing to do
		if err := queue.TrimMarked(t.Context(), client, 0, batch.Mark()); err != nil {
			t.Fatal(err)
		}
		if left := len(peekAll(t, client)[0]); left != 24 {
			t.Errorf("%d entries left, want 24", left)
		}
	}
}

// TestBacklogsExtrapolate checks the length of a backlog that is too long to count.
func TestBacklogsExtrapolate(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	const n = 8000
	if err := writer.Append(t.Context(), siteEvents(1, n)...); err != nil {
		t.Fatal(err)
	}
	backlogs, err := queue.Backlogs(t.Context(), client, time.Now())
	if err != nil || backlogs[0].Length != n || backlogs[0].Priority != 0 {
		t.Errorf("backlog = %+v, %v, want length %d", backlogs[0], err, n)
	}
}
