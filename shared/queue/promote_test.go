package queue_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	localredis "github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

// servers returns a client for each kind of Redis that the queue supports.
func servers(t *testing.T) map[string]redis.UniversalClient {
	t.Helper()
	memory, err := localredis.InProcess()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = memory.Stop(context.Background()) })
	cluster, _ := newCluster(t)
	return map[string]redis.UniversalClient{"server": connect(t), "in process": connectTo(t, memory.URL()), "cluster": cluster}
}

// newCluster returns a client that treats two servers as a cluster, and a client for each.
func newCluster(t *testing.T) (*redis.ClusterClient, []*redis.Client) {
	t.Helper()
	masters := []*redis.Client{connect(t), connect(t)}
	const slots = 16384
	client := redis.NewClusterClient(&redis.ClusterOptions{
		NewClient: func(options *redis.Options) *redis.Client {
			for _, master := range masters {
				if strings.HasSuffix(master.Options().Addr, options.Addr) { // the client leaves out a loopback host
					options.Password = master.Options().Password
				}
			}
			return redis.NewClient(options)
		},
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{
				{Start: 0, End: slots/2 - 1, Nodes: []redis.ClusterNode{{Addr: masters[0].Options().Addr}}},
				{Start: slots / 2, End: slots - 1, Nodes: []redis.ClusterNode{{Addr: masters[1].Options().Addr}}},
			}, nil
		},
	})
	t.Cleanup(func() { _ = client.Close() })
	return client, masters
}

// siteEvents returns n events of a site, all in shard 0.
func siteEvents(site int32, n int) []*event.Event {
	events := make([]*event.Event, n)
	for i := range events {
		events[i] = newEvent(4)
		events[i].Site = site
	}
	return events
}

func readBacklog(t *testing.T, client redis.UniversalClient) queue.Backlog {
	t.Helper()
	backlogs, err := queue.Backlogs(t.Context(), client, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return backlogs[0]
}

// decode returns the event of an entry.
func decode(t rapid.TB, entry queue.Entry) *event.Event {
	t.Helper()
	e, err := entry.Event()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// drainShard reads and trims shard 0 until it is empty. It returns the number of entries per
// site of each batch.
func drainShard(t *testing.T, client redis.UniversalClient, count int) (batches []map[int32]int) {
	t.Helper()
	for {
		batch, err := queue.Read(t.Context(), client, 0, upTo(count))
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Entries) == 0 {
			return batches
		}
		if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
			t.Fatal(err)
		}
		sites := map[int32]int{}
		for _, e := range batch.Entries {
			sites[decode(t, e).Site]++
		}
		batches = append(batches, sites)
	}
}

// TestReadFlood checks that events behind a flood are read after a twentieth of it and a few
// batches more. Every batch is full, except for less than a batch entry, so the flood is not
// delayed either.
func TestReadFlood(t *testing.T) {
	t.Parallel()
	const flood, others, batch, batchEntry = 2000, 10, 40, 16
	for name, client := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writer := queue.NewWriter(client)
			t.Cleanup(writer.Close)
			for _, events := range [][]*event.Event{siteEvents(1, flood), siteEvents(2, others), siteEvents(3, others), siteEvents(1, flood)} {
				if err := writer.Append(t.Context(), events...); err != nil {
					t.Fatal(err)
				}
			}
			total, last := map[int32]int{}, 0
			batches := drainShard(t, client, batch)
			for i, sites := range batches {
				size := sites[1] + sites[2] + sites[3]
				if (size <= batch-batchEntry || size > batch) && i < len(batches)-1 {
					t.Errorf("batch %d has entries per site %v", i, sites)
				}
				for site, n := range sites {
					total[site] += n
				}
				if sites[2]+sites[3] > 0 {
					last = i
				}
			}
			if want := map[int32]int{1: 2 * flood, 2: others, 3: others}; !maps.Equal(total, want) {
				t.Errorf("read %v, want %v", total, want)
			}
			if most := flood/batch/20 + 4; last > most {
				t.Errorf("other sites were read as late as batch %d of %d, want at most %d", last, len(batches), most)
			}
		})
	}
}

// TestReadInOrder checks that entries are read in order without a flood: with one site
// alone, and if no site has more than three quarters.
func TestReadInOrder(t *testing.T) {
	t.Parallel()
	for name, sites := range map[string]int{"one site": 1, "three sites": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			writer := queue.NewWriter(client)
			t.Cleanup(writer.Close)
			events := siteEvents(0, 3000)
			for i, e := range events {
				e.Site = int32(i % sites)
			}
			if err := writer.Append(t.Context(), events...); err != nil {
				t.Fatal(err)
			}
			next, order := 0, map[int32][]*event.Event{}
			for _, e := range events {
				order[e.Site] = append(order[e.Site], e)
			}
			for next < len(events) {
				batch, err := queue.Read(t.Context(), client, 0, upTo(100))
				if n := len(batch.Entries); err != nil || n == 0 || n > 100 || batch.Main != n || batch.More != (next+n < len(events)) {
					t.Fatalf("Read = %d entries, %d in the main stream, more %t, %v", n, batch.Main, batch.More, err)
				}
				for _, entry := range batch.Entries {
					e := decode(t, entry)
					if e.ID != order[e.Site][0].ID {
						t.Fatal("entries were read out of order")
					}
					order[e.Site] = order[e.Site][1:]
				}
				next += len(batch.Entries)
				if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
					t.Fatal(err)
				}
			}
			if left := readBacklog(t, client); left.Length != 0 {
				t.Errorf("backlog = %+v, want none", left)
			}
		})
	}
}

// TestBacklogsOfBothStreams checks that the backlog counts both streams, and has the age of
// the oldest entry.
func TestBacklogsOfBothStreams(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), append(siteEvents(1, 100), siteEvents(2, 1)...)...); err != nil {
		t.Fatal(err)
	}
	before := readBacklog(t, client)
	batch, err := queue.Read(t.Context(), client, 0, upTo(20))
	if err != nil {
		t.Fatal(err)
	}
	if after := readBacklog(t, client); before.Length != 101 || after.Length != 101 || before.Priority != 0 || after.Priority != 1 || after.Age < before.Age {
		t.Errorf("backlog = %+v before Read, %+v after it", before, after)
	}
	if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
		t.Fatal(err)
	}
	if after := readBacklog(t, client); after.Length != 101-int64(len(batch.Entries)) {
		t.Errorf("backlog = %+v after %d entries were trimmed", after, len(batch.Entries))
	}
}

// TestBisect checks that bisecting a batch always reaches the bad entry, in either stream.
func TestBisect(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"main", "priority"} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			writer := queue.NewWriter(client)
			t.Cleanup(writer.Close)
			if err := writer.Append(t.Context(), append(siteEvents(1, 400), siteEvents(2, 20)...)...); err != nil {
				t.Fatal(err)
			}
			batch, err := queue.Read(t.Context(), client, 0, upTo(64)) // promotes entries
			if err != nil || batch.Main == 0 || batch.Main == len(batch.Entries) {
				t.Fatalf("%d of %d entries are in the main stream, %v", batch.Main, len(batch.Entries), err)
			}
			bad := batch.Entries[batch.Main-3].ID
			if stream == "priority" {
				bad = batch.Entries[len(batch.Entries)-3].ID
			}
			tries := 0
			for count := 64; ; tries++ {
				batch, err := queue.Read(t.Context(), client, 0, upTo(count))
				if err != nil {
					t.Fatal(err)
				}
				found := false
				for _, e := range batch.Entries {
					found = found || e.ID == bad
				}
				if found && batch.Single() {
					break
				}
				if found {
					count = (len(batch.Entries) + 1) / 2
					continue
				}
				if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
					t.Fatal(err)
				}
				count = min(2*count, 64)
			}
			if tries > 60 {
				t.Errorf("found the entry after %d tries, want at most 60", tries)
			}
		})
	}
}

// TestReadAndTrim checks that the queue holds exactly the entries that were appended and not
// trimmed, each once, even if a worker dies before it trims, and that batches are as large
// as possible.
func TestReadAndTrim(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	rapid.Check(t, func(rt *rapid.T) {
		q := newModel(rt, client, writer)
		rt.Repeat(map[string]func(*rapid.T){
			"":       q.check,
			"append": q.append,
			"store": func(rt *rapid.T) {
				q.trim(rt, q.read(rt))
			},
			"die": func(rt *rapid.T) {
				q.read(rt)
			},
		})
	})
}

// TestConcurrentWorkers checks that if a worker reads entries that another has read and not
// yet trimmed, no entry is lost or duplicated, though entries may be read again.
func TestConcurrentWorkers(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	rapid.Check(t, func(rt *rapid.T) {
		q := newModel(rt, client, writer)
		q.concurrent = true
		var read []queue.Batch
		rt.Repeat(map[string]func(*rapid.T){
			"":       q.check,
			"append": q.append,
			"read": func(rt *rapid.T) {
				read = append(read, q.read(rt))
			},
			"trim": func(rt *rapid.T) {
				if len(read) > 0 {
					q.trim(rt, rapid.SampledFrom(read).Draw(rt, "batch"))
				}
			},
		})
	})
}

// model is the expected content of shard 0.
type model struct {
	client     redis.UniversalClient
	writer     *queue.Writer
	queued     map[uuid.UUID]bool // appended and not trimmed
	known      map[uuid.UUID]bool // appended
	concurrent bool               // trimmed entries may still be there
}

func newModel(rt *rapid.T, client redis.UniversalClient, writer *queue.Writer) *model {
	for _, key := range []string{"events", "express"} {
		// Trim instead of deleting: ids in a stream must keep growing.
		if err := client.XTrimMaxLen(rt.Context(), "analytics:{0}:"+key, 0).Err(); err != nil {
			rt.Fatal(err)
		}
	}
	return &model{client: client, writer: writer, queued: map[uuid.UUID]bool{}, known: map[uuid.UUID]bool{}}
}

func (m *model) append(rt *rapid.T) {
	events := siteEvents(1, rapid.IntRange(1, 30).Draw(rt, "events"))
	sites := rapid.SampledFrom([]int32{1, 1, 1, 1, 1, 1, 1, 2, 2, 3})
	if rapid.Bool().Draw(rt, "several sites") {
		for _, e := range events {
			e.Site = sites.Draw(rt, "site")
		}
	}
	if err := m.writer.Append(rt.Context(), events...); err != nil {
		rt.Fatal(err)
	}
	for _, e := range events {
		m.queued[e.ID], m.known[e.ID] = true, true
	}
}

func (m *model) read(rt *rapid.T) queue.Batch {
	count := rapid.IntRange(1, 40).Draw(rt, "count")
	batch, err := queue.Read(rt.Context(), m.client, 0, upTo(count))
	if err != nil {
		rt.Fatal(err)
	}
	n := len(batch.Entries)
	if n > count && !batch.Single() || !m.concurrent && (n == 0) != (len(m.queued) == 0) || !m.concurrent && !batch.More && n < len(m.queued) {
		rt.Errorf("Read = %d entries, more %[4]t; want %[2]d of the %[3]d queued", n, count, len(m.queued), batch.More)
	}
	m.checkQueued(rt, batch.Entries)
	m.checkWhole(rt, batch.Entries)
	return batch
}

// checkWhole checks that Read split no batch entry: Trim would remove the parts that are not
// in the batch, and lose them.
func (m *model) checkWhole(rt *rapid.T, entries []queue.Entry) {
	parts := map[string]int{}
	for _, e := range entries {
		parts[e.ID]++
	}
	for _, e := range peek(rt.Context(), rt, m.client, 0) {
		if _, ok := parts[e.ID]; ok {
			parts[e.ID]--
		}
	}
	for id, n := range parts {
		if n < 0 || n > 0 && !m.concurrent {
			rt.Errorf("read %[2]d parts too many of entry %[1]s", id, n)
		}
	}
}

func (m *model) trim(rt *rapid.T, batch queue.Batch) {
	if err := queue.Trim(rt.Context(), m.client, 0, batch); err != nil {
		rt.Fatal(err)
	}
	for _, e := range batch.Entries {
		delete(m.queued, decode(rt, e).ID)
	}
}

func (m *model) check(rt *rapid.T) {
	there := m.checkQueued(rt, peek(rt.Context(), rt, m.client, 0))
	for id := range m.queued {
		if !there[id] {
			rt.Error("an entry was lost")
		}
	}
}

// checkQueued checks that entries are queued, each once, and returns their event ids.
func (m *model) checkQueued(rt *rapid.T, entries []queue.Entry) map[uuid.UUID]bool {
	there := map[uuid.UUID]bool{}
	for _, e := range entries {
		id := decode(rt, e).ID
		if there[id] || !m.known[id] || !m.queued[id] && !m.concurrent {
			rt.Error("an entry is duplicated, was trimmed before, or was never appended")
		}
		there[id] = true
	}
	return there
}
