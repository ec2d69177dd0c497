package queue_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

// sumDrops returns the sums of the counts in the queue, and how many entries hold them.
func sumDrops(t *testing.T, entries [queue.Shards][]queue.Entry) (sums map[queue.Drops]int64, n int) {
	t.Helper()
	sums = map[queue.Drops]int64{}
	for _, shard := range entries {
		for _, entry := range shard {
			d, ok, err := entry.Drops()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			events := d.Events
			d.Events = 0
			sums[d] += events
			n++
		}
	}
	return sums, n
}

// TestDrop checks that counts are appended within a second and by Close, each once, and that
// many drops make few entries.
func TestDrop(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	day := event.Day(20_000)
	for range 1000 {
		writer.Drop(queue.Drops{Site: 1, Day: day, Reason: "bot", Events: 1})
		writer.Drop(queue.Drops{Site: 7, Day: day, Reason: "consent", Events: 2})
		writer.Drop(queue.Drops{Site: 0, Day: day, Reason: "invalid", Events: 0})
	}
	want := map[queue.Drops]int64{{Site: 1, Day: day, Reason: "bot"}: 1000, {Site: 7, Day: day, Reason: "consent"}: 2000}
	entries := 0
	localtest.Eventually(t, "all drops are appended", func() bool {
		var got map[queue.Drops]int64
		got, entries = sumDrops(t, peekAll(t, client))
		return maps.Equal(got, want)
	})
	if entries > 100 { // usually two, and two more for each second that passed between the drops
		t.Errorf("got %d entries for two reasons, want at most 100", entries)
	}
	writer.Drop(queue.Drops{Site: 1, Day: day, Reason: "bot", Events: 5})
	writer.Close()
	writer.Drop(queue.Drops{Site: 1, Day: day, Reason: "bot", Events: 5}) // ignored
	want[queue.Drops{Site: 1, Day: day, Reason: "bot"}] = 1005
	if got, _ := sumDrops(t, peekAll(t, client)); !maps.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// TestDropWithoutMemory checks that counts that a full Redis refuses are appended later.
func TestDropWithoutMemory(t *testing.T) {
	t.Parallel()
	client := connect(t)
	configure(t, client, "maxmemory", "1")
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	d := queue.Drops{Site: 3, Day: 20_000, Reason: "rate", Events: 9}
	writer.Drop(d)
	for refused := false; !refused; {
		errors, err := client.Info(t.Context(), "errorstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		refused = strings.Contains(errors, "errorstat_OOM")
	}
	configure(t, client, "maxmemory", "0")
	localtest.Eventually(t, "the drops are appended", func() bool {
		got, _ := sumDrops(t, peekAll(t, client))
		return got[queue.Drops{Site: 3, Day: 20_000, Reason: "rate"}] == 9
	})
}

func FuzzDrops(f *testing.F) {
	for _, payload := range []string{"\x84\xa4site\x01\xa3day\x02\xa6reason\xa3bot\xa6events\x03", "\x80", "\x81\xa1x\xc0", "\x90", ""} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		d, ok, err := queue.Entry{Payload: payload}.Drops()
		if ok && err == nil && (d.Events < 1 || d.Reason == "") {
			t.Errorf("Drops = %+v, want a reason and a count", d)
		}
		if _, eventErr := (queue.Entry{Payload: payload}).Event(); ok && eventErr == nil {
			t.Error("the payload decodes as both Drops and an event")
		}
	})
}
