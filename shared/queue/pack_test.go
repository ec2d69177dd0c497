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

// stored are the payloads of the entries of shard 0's main lane.
func stored(t *testing.T, client *redis.Client) (payloads []string) {
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

// TestEventsArePacked: those of one site, some of them in an entry, and each is read as it
// was appended, under a name of its own.
func TestEventsArePacked(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	events := append(of(1, 20), of(2, 3)...)
	events[3], events[21] = events[21], events[3]
	if err := writer.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	if n := len(stored(t, client)); n != 3 { // of 16, 4 and 3
		t.Errorf("%d entries of the stream, want 3", n)
	}
	names, ids := map[string]bool{}, map[string]bool{}
	entries := all(t, client)[0]
	for _, entry := range entries {
		names[entry.Name()] = true
		ids[read(t, entry).ID.String()] = true
	}
	for _, e := range events {
		if !ids[e.ID.String()] {
			t.Error("an event was lost")
		}
	}
	if len(entries) != len(events) || len(names) != len(events) || !names[entries[0].ID] {
		t.Errorf("%d entries with %d names, %d were appended", len(entries), len(names), len(events))
	}
	batch, err := queue.Read(t.Context(), client, 0, 1)
	if err != nil || len(batch.Entries) != 16 || !batch.Single() || !batch.More {
		t.Errorf("%d entries of a pack of 16, single: %t, more: %t, %v", len(batch.Entries), batch.Single(), batch.More, err)
	}
}

// TestAnEventAloneIsNoPack: its form is the same as ever.
func TestAnEventAloneIsNoPack(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	e := made(4)
	if err := writer.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, client); len(got) != 1 || got[0] != string(e.Encode(nil)) {
		t.Errorf("the stream has %q", got)
	}
}

// TestAPackIsNoEvent: a version that knows of no packs, as one that is being replaced, must
// put one aside as it is, and not take it for its first event.
func TestAPackIsNoEvent(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), of(1, 64)...); err != nil {
		t.Fatal(err)
	}
	for _, payload := range stored(t, client) {
		if err := new(event.Event).Decode(payload); err == nil {
			t.Error("a pack is read as an event")
		}
		if site, err := event.SiteOf(payload); err == nil {
			t.Errorf("a pack is of the site %d", site)
		}
		if _, is, _ := (queue.Entry{Payload: payload}).Drops(); is {
			t.Error("a pack is read as a count")
		}
	}
}

// TestAPackIsReturned: one that was put aside whole is read as a pack when it comes again.
func TestAPackIsReturned(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), of(1, 5)...); err != nil {
		t.Fatal(err)
	}
	aside := queue.Returned{Shard: 0, Payload: []byte(stored(t, client)[0])}
	if err := queue.Return(t.Context(), client, []queue.Returned{aside}); err != nil {
		t.Fatal(err)
	}
	entries := all(t, client)[0]
	if len(entries) != 10 {
		t.Fatalf("%d entries, want 5 twice", len(entries))
	}
	for i := range 5 {
		if read(t, entries[i]).ID != read(t, entries[i+5]).ID {
			t.Error("another event came back")
		}
	}
}

// TestPacksAreBounded: large events are not packed without end.
func TestPacksAreBounded(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	events := of(1, 12)
	for i, e := range events {
		e.Title = strings.Repeat("x", 1000*i)
	}
	if err := writer.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	for _, payload := range stored(t, client) {
		if len(payload) > 12_000 {
			t.Errorf("an entry has %d bytes", len(payload))
		}
	}
	if n := len(all(t, client)[0]); n != len(events) {
		t.Errorf("%d entries, %d were appended", n, len(events))
	}
}

// TestWhatIsNoPackStaysWhole: junk is one entry, which says what is wrong with it.
func TestWhatIsNoPackStaysWhole(t *testing.T) {
	t.Parallel()
	e := string(made(4).Encode(nil))
	if len(e) > 255 {
		t.Fatal("the event is longer than the test can say")
	}
	bin := "\xc4" + string([]byte{byte(len(e))}) + e
	for name, payload := range map[string]string{
		"nothing": "", "no array": "junk", "an empty array": "\x90", "cut off": "\x92" + bin, "cut off in an event": "\x92" + bin + bin[:20],
		"more behind it": "\x91" + bin + "\x00", "other things in it": "\x92" + bin + "\x07", "far too long": "\xdd\xff\xff\xff\xff" + bin,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: shard0, Values: []string{"e", payload}}).Err(); err != nil {
				t.Fatal(err)
			}
			entries := all(t, client)[0]
			if len(entries) != 1 || entries[0].Payload != payload || entries[0].Part != 0 {
				t.Fatalf("read as %+v", entries)
			}
			if _, err := entries[0].Event(); err == nil {
				t.Error("it is an event")
			}
		})
	}
}

// TestAPackIsSettled: the mark of a batch that ends with a pack is known again.
func TestAPackIsSettled(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), of(1, 40)...); err != nil {
		t.Fatal(err)
	}
	batch, err := queue.Read(t.Context(), client, 0, 20)
	if err != nil || len(batch.Entries) != 16 {
		t.Fatal(len(batch.Entries), err)
	}
	for range 2 { // the second time there is nothing to do
		if err := queue.Settle(t.Context(), client, 0, batch.Mark()); err != nil {
			t.Fatal(err)
		}
		if left := len(all(t, client)[0]); left != 24 {
			t.Errorf("%d entries are left, want 24", left)
		}
	}
}

// TestLongBacklogs: where there is more than is counted, the length is about right.
func TestLongBacklogs(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	const n = 8000
	if err := writer.Append(t.Context(), of(1, n)...); err != nil {
		t.Fatal(err)
	}
	backlogs, err := queue.Backlogs(t.Context(), client, time.Now())
	if err != nil || backlogs[0].Length != n || backlogs[0].Express != 0 {
		t.Errorf("%+v, %v; want %d", backlogs[0], err, n)
	}
}
