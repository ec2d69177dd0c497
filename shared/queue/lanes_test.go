package queue_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	localredis "github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
)

// servers are the kinds of Redis that the queue must work on.
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

// newCluster is a client that takes two servers for a cluster.
func newCluster(t *testing.T) (*redis.ClusterClient, []*redis.Client) {
	t.Helper()
	masters := []*redis.Client{connect(t), connect(t)}
	const slots = 16384
	client := redis.NewClusterClient(&redis.ClusterOptions{
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

// of are n events of a site, all of shard 0.
func of(site int32, n int) []*event.Event {
	events := make([]*event.Event, n)
	for i := range events {
		events[i] = made(4)
		events[i].Site = site
	}
	return events
}

func length(t *testing.T, client redis.UniversalClient) queue.Backlog {
	t.Helper()
	backlogs, err := queue.Backlogs(t.Context(), client, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return backlogs[0]
}

// read is the event of an entry.
func read(t rapid.TB, entry queue.Entry) *event.Event {
	t.Helper()
	e, err := entry.Event()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// drainShard reads and trims shard 0 until it is empty, and returns how many entries
// of each site each batch had.
func drainShard(t *testing.T, client redis.UniversalClient, count int) (batches []map[int32]int) {
	t.Helper()
	for {
		batch, err := queue.Read(t.Context(), client, 0, count)
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
			sites[read(t, e).Site]++
		}
		batches = append(batches, sites)
	}
}

// TestAFloodIsPassed: whoever comes behind a flood is read after a twentieth of it and
// a few batches more. Every batch is full, but for a pack, so the flood is not held up either.
func TestAFloodIsPassed(t *testing.T) {
	t.Parallel()
	const flood, others, batch, pack = 2000, 10, 40, 16
	for name, client := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writer := queue.NewWriter(client)
			t.Cleanup(writer.Close)
			for _, events := range [][]*event.Event{of(1, flood), of(2, others), of(3, others), of(1, flood)} {
				if err := writer.Append(t.Context(), events...); err != nil {
					t.Fatal(err)
				}
			}
			total, last := map[int32]int{}, 0
			batches := drainShard(t, client, batch)
			for i, sites := range batches {
				size := sites[1] + sites[2] + sites[3]
				if (size <= batch-pack || size > batch) && i < len(batches)-1 {
					t.Errorf("batch %d has %v of the sites", i, sites)
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
				t.Errorf("the other sites were read with batch %d of %d, at most %d were to come before", last, len(batches), most)
			}
		})
	}
}

// TestTheOrderIsKeptWithoutAFlood: with one site alone, and with sites none of
// which has more than three quarters.
func TestTheOrderIsKeptWithoutAFlood(t *testing.T) {
	t.Parallel()
	for name, sites := range map[string]int{"one site": 1, "three sites": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			writer := queue.NewWriter(client)
			t.Cleanup(writer.Close)
			events := of(0, 3000)
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
				batch, err := queue.Read(t.Context(), client, 0, 100)
				if n := len(batch.Entries); err != nil || n == 0 || n > 100 || batch.Main != n || batch.More != (next+n < len(events)) {
					t.Fatalf("%d entries, %d of the main lane, more: %t, %v", n, batch.Main, batch.More, err)
				}
				for _, entry := range batch.Entries {
					e := read(t, entry)
					if e.ID != order[e.Site][0].ID {
						t.Fatal("not in the order in which they were appended")
					}
					order[e.Site] = order[e.Site][1:]
				}
				next += len(batch.Entries)
				if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
					t.Fatal(err)
				}
			}
			if left := length(t, client); left.Length != 0 {
				t.Errorf("left %+v", left)
			}
		})
	}
}

// TestBothLanesAreCounted: the backlog has both lanes, and the age of the oldest.
func TestBothLanesAreCounted(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), append(of(1, 100), of(2, 1)...)...); err != nil {
		t.Fatal(err)
	}
	before := length(t, client)
	batch, err := queue.Read(t.Context(), client, 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	if after := length(t, client); before.Length != 101 || after.Length != 101 || before.Express != 0 || after.Express != 1 || after.Age < before.Age {
		t.Errorf("%+v before, %+v after", before, after)
	}
	if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
		t.Fatal(err)
	}
	if after := length(t, client); after.Length != 101-int64(len(batch.Entries)) {
		t.Errorf("%+v after %d were taken", after, len(batch.Entries))
	}
}

// TestAnEntryOfEitherLaneIsFound: whoever reads less and less until there is only
// one entry, as one does in search of the entry that can't be stored, finds it.
func TestAnEntryOfEitherLaneIsFound(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"main", "express"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			writer := queue.NewWriter(client)
			t.Cleanup(writer.Close)
			if err := writer.Append(t.Context(), append(of(1, 400), of(2, 20)...)...); err != nil {
				t.Fatal(err)
			}
			batch, err := queue.Read(t.Context(), client, 0, 64) // which moves
			if err != nil || batch.Main == 0 || batch.Main == len(batch.Entries) {
				t.Fatalf("%d of %d entries are of the main lane, %v", batch.Main, len(batch.Entries), err)
			}
			bad := batch.Entries[batch.Main-3].ID
			if lane == "express" {
				bad = batch.Entries[len(batch.Entries)-3].ID
			}
			tries := 0
			for count := 64; ; tries++ {
				batch, err := queue.Read(t.Context(), client, 0, count)
				if err != nil {
					t.Fatal(err)
				}
				blamed := false
				for _, e := range batch.Entries {
					blamed = blamed || e.ID == bad
				}
				if blamed && batch.Single() {
					break
				}
				if blamed {
					count = (len(batch.Entries) + 1) / 2
					continue
				}
				if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
					t.Fatal(err)
				}
				count = min(2*count, 64)
			}
			if tries > 60 {
				t.Errorf("found after %d tries", tries)
			}
		})
	}
}

// TestReadAndTrim: whatever is appended, read and trimmed, by a worker that may die
// before it trims, the queue holds what was appended and not trimmed, each entry
// once; and a batch is as large as it can be.
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

// TestSeveralWorkers: when one worker reads what another has read and not yet trimmed,
// entries may be read again, but none is lost, and none is there twice.
func TestSeveralWorkers(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	rapid.Check(t, func(rt *rapid.T) {
		q := newModel(rt, client, writer)
		q.several = true
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

// model is what shard 0 must hold.
type model struct {
	client  redis.UniversalClient
	writer  *queue.Writer
	queued  map[uuid.UUID]bool // appended and not trimmed
	known   map[uuid.UUID]bool // appended
	several bool               // what was trimmed may still be there
}

func newModel(rt *rapid.T, client redis.UniversalClient, writer *queue.Writer) *model {
	for _, key := range []string{"events", "express"} {
		// Emptied and not deleted: no id may come again in a stream that lives on.
		if err := client.XTrimMaxLen(rt.Context(), "analytics:{0}:"+key, 0).Err(); err != nil {
			rt.Fatal(err)
		}
	}
	return &model{client: client, writer: writer, queued: map[uuid.UUID]bool{}, known: map[uuid.UUID]bool{}}
}

func (m *model) append(rt *rapid.T) {
	events := of(1, rapid.IntRange(1, 30).Draw(rt, "events"))
	sites := rapid.SampledFrom([]int32{1, 1, 1, 1, 1, 1, 1, 2, 2, 3})
	if rapid.Bool().Draw(rt, "of several sites") {
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
	batch, err := queue.Read(rt.Context(), m.client, 0, count)
	if err != nil {
		rt.Fatal(err)
	}
	n := len(batch.Entries)
	if n > count && !batch.Single() || !m.several && (n == 0) != (len(m.queued) == 0) || !m.several && !batch.More && n < len(m.queued) {
		rt.Errorf("read %d entries, %d were asked for and %d are queued (more: %t)", n, count, len(m.queued), batch.More)
	}
	m.plausible(rt, batch.Entries)
	m.whole(rt, batch.Entries)
	return batch
}

// whole checks that no pack was cut: what is of a batch's stream entries but not of the batch
// would be trimmed with it, and lost.
func (m *model) whole(rt *rapid.T, entries []queue.Entry) {
	parts := map[string]int{}
	for _, e := range entries {
		parts[e.ID]++
	}
	all, err := queue.Peek(rt.Context(), m.client, 0, 100_000)
	if err != nil {
		rt.Fatal(err)
	}
	for _, e := range all {
		if _, ok := parts[e.ID]; ok {
			parts[e.ID]--
		}
	}
	for id, n := range parts {
		if n < 0 || n > 0 && !m.several {
			rt.Errorf("of the entry %s, %d parts too many were read", id, n)
		}
	}
}

func (m *model) trim(rt *rapid.T, batch queue.Batch) {
	if err := queue.Trim(rt.Context(), m.client, 0, batch); err != nil {
		rt.Fatal(err)
	}
	for _, e := range batch.Entries {
		delete(m.queued, read(rt, e).ID)
	}
}

func (m *model) check(rt *rapid.T) {
	entries, err := queue.Peek(rt.Context(), m.client, 0, 100_000)
	if err != nil {
		rt.Fatal(err)
	}
	there := m.plausible(rt, entries)
	for id := range m.queued {
		if !there[id] {
			rt.Error("an entry was lost")
		}
	}
}

// plausible checks that entries are some of the queued ones, each once.
func (m *model) plausible(rt *rapid.T, entries []queue.Entry) map[uuid.UUID]bool {
	there := map[uuid.UUID]bool{}
	for _, e := range entries {
		id := read(rt, e).ID
		if there[id] || !m.known[id] || !m.queued[id] && !m.several {
			rt.Error("an entry is there twice, or still, or was never appended")
		}
		there[id] = true
	}
	return there
}
