package aggregate_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// record is a migrated database with two sites, and a queue.
type record struct {
	db     *pgxpool.Pool
	client *redis.Client
	writer *queue.Writer
	codec  *columns.Codec
}

func newRecord(t *testing.T, url string) *record {
	t.Helper()
	ctx := t.Context()
	db := localtest.Record(t, url)
	if _, err := db.Exec(ctx, `INSERT INTO sites (public_id, domain, timezone) VALUES ('s_1', 'one.example', 'UTC'), ('s_2', 'two.example', 'UTC')`); err != nil {
		t.Fatal(err)
	}
	client := localtest.Client(t, localtest.Redis(t))
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	codec, err := columns.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	return &record{db, client, writer, codec}
}

func (r *record) aggregator() *aggregate.Aggregator {
	return &aggregate.Aggregator{Redis: r.client, Database: r.db}
}

// reset empties the database and the queue, except for the sites.
func (r *record) reset(ctx context.Context) error {
	if err := r.client.FlushDB(ctx).Err(); err != nil {
		return err
	}
	_, err := r.db.Exec(ctx, `
DELETE FROM events; DELETE FROM visits; DELETE FROM rollup_hour; DELETE FROM rollup_day; DELETE FROM rollup_month;
DELETE FROM drops; DELETE FROM dead_letters; DELETE FROM day_columns`)
	return err
}

func (r *record) count(ctx context.Context, table string) (n int, err error) {
	err = r.db.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n)
	return n, err
}

func (r *record) queued(ctx context.Context) (n int64, err error) {
	backlogs, err := queue.Backlogs(ctx, r.client, time.Now())
	for _, b := range backlogs {
		n += b.Length
	}
	return n, err
}

var midnight = time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)

// place is a site and the day around which its events happen.
type place struct {
	pipeline.Site
	around time.Time
}

// genPlace draws days on which a month ends or the clocks change. Some sites change their
// time zone around that day.
func genPlace() *rapid.Generator[place] {
	return rapid.Custom(func(t *rapid.T) place {
		drawn := rapid.SampledFrom([][2]string{
			{"UTC", "2026-02-28"}, {"Europe/Paris", "2026-03-28"}, {"Europe/Paris", "2026-10-24"}, {"Africa/Cairo", "2026-04-23"},
			{"Africa/Cairo", "2026-10-29"}, {"Australia/Lord_Howe", "2026-04-04"}, {"Asia/Kathmandu", "2026-12-31"},
		}).Draw(t, "place")
		around, err := time.Parse(time.DateOnly, drawn[1])
		if err != nil {
			t.Fatal(err)
		}
		p := place{pipeline.Site{Location: location(t, drawn[0])}, around}
		if rapid.Bool().Draw(t, "changes zone") {
			p.Previous = location(t, rapid.SampledFrom([]string{"UTC", "Asia/Kolkata", "Pacific/Kiritimati", "Etc/GMT+12"}).Draw(t, "previous zone"))
			p.Since = (event.DayOf(around) + event.Day(rapid.IntRange(0, 2).Draw(t, "change day"))).Start(p.Previous)
		}
		return p
	})
}

func location(t *rapid.T, zone string) *time.Location {
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// genHistory draws the events of a few visitors of two sites over two days.
func genHistory() *rapid.Generator[[]event.Event] {
	return rapid.Custom(func(t *rapid.T) []event.Event {
		events := make([]event.Event, rapid.IntRange(1, 40).Draw(t, "events"))
		pages := rapid.SampledFrom([]string{"", "/", "/a", "/b"})
		places := rapid.SliceOfN(genPlace(), 2, 2).Draw(t, "places")
		for i := range events {
			site := rapid.IntRange(1, 2).Draw(t, "site")
			at := places[site-1].around.Add(time.Duration(rapid.IntRange(0, 47*60).Draw(t, "minute")) * time.Minute)
			local := at.In(places[site-1].LocationAt(at))
			_, offset := local.Zone()
			events[i] = event.Event{
				ID:        uuid.UUID{byte(i), 1},
				Site:      int32(site),
				Time:      at,
				Day:       event.DayOf(local),
				UTCOffset: int16(offset / 60),
				Visitor:   int64(rapid.IntRange(-3, 3).Draw(t, "visitor")) + 10*int64(event.DayOf(local)), // differs by day
				Type:      event.Type(rapid.IntRange(1, 5).Draw(t, "type")),
				Name:      rapid.SampledFrom([]string{"", "Signup"}).Draw(t, "name"),
				Hostname:  rapid.SampledFrom([]string{"one.example", "shop.one.example"}).Draw(t, "hostname"),
				Page:      pages.Draw(t, "page"),
				Props:     map[string]string{"plan": "pro"},
				Subject:   uuid.UUID{byte(i % 2)},
				Attributes: event.Attributes{
					Source:      rapid.SampledFrom([]string{"Google", "Bing"}).Draw(t, "source"),
					UTMCampaign: rapid.SampledFrom([]string{"", "spring"}).Draw(t, "campaign"),
					Country:     rapid.SampledFrom([]string{"", "FR", "JP"}).Draw(t, "country"),
				},
			}
			e := &events[i]
			if e.Type == event.Engagement {
				e.Engaged = rapid.Int32Range(1, event.MaxEngaged).Draw(t, "engaged")
				e.Scroll = rapid.Int16Range(0, 100).Draw(t, "scroll")
				continue
			}
			e.Passive = rapid.Bool().Draw(t, "passive")
			if e.Amount = rapid.SampledFrom([]string{"", "12.5", "-0.1", "0.0003", "999999999999.9999"}).Draw(t, "amount"); e.Amount != "" {
				e.Currency = rapid.SampledFrom([]string{"EUR", "USD"}).Draw(t, "currency")
			}
		}
		return events
	})
}

// scenario is a history of events and the way in which it arrives.
type scenario struct {
	history  []event.Event
	arrivals []event.Event // the history in any order, with duplicates
	cuts     []int         // number of arrivals queued before each run
	archives []bool        // whether all days are archived after each run
	batch    int           // entries per transaction
	chunk    int           // entries whose events are in memory
}

func genScenario() *rapid.Generator[scenario] {
	return rapid.Custom(func(t *rapid.T) scenario {
		s := scenario{history: genHistory().Draw(t, "history"), batch: rapid.IntRange(1, 20).Draw(t, "batch"), chunk: rapid.IntRange(1, 20).Draw(t, "chunk")}
		repeated := rapid.SliceOfN(rapid.SampledFrom(s.history), 0, 10).Draw(t, "repeated")
		s.arrivals = rapid.Permutation(append(slices.Clone(s.history), repeated...)).Draw(t, "arrivals")
		for left := len(s.arrivals); left > 0; left -= s.cuts[len(s.cuts)-1] {
			s.cuts = append(s.cuts, rapid.IntRange(min(10, left), left).Draw(t, "queued"))
			s.archives = append(s.archives, rapid.Bool().Draw(t, "archive"))
		}
		return s
	})
}

// play runs a scenario on an empty database and returns what is wrong afterwards: each event
// must be stored once, and the derived tables must be what plain SQL computes from the raw
// events.
func (r *record) play(ctx context.Context, s scenario) (wrong []string, err error) {
	if err := r.reset(ctx); err != nil {
		return nil, err
	}
	a := r.aggregator()
	a.Batch, a.Chunk = s.batch, s.chunk
	var stored int64
	arrivals := s.arrivals
	for i, cut := range s.cuts {
		queued := make([]*event.Event, cut)
		for i := range queued {
			queued[i] = &arrivals[i]
		}
		arrivals = arrivals[cut:]
		if err := r.writer.Append(ctx, queued...); err != nil {
			return nil, err
		}
		result, err := a.Run(ctx)
		if err != nil {
			return nil, err
		}
		stored += result.Events
		if s.archives[i] {
			if _, err := r.archiveDays(ctx); err != nil {
				return nil, err
			}
		}
	}
	if n, err := r.count(ctx, "events"); err != nil || n != len(s.history) || int(stored) != len(s.history) {
		wrong = append(wrong, fmt.Sprintf("%d events are stored and the runs reported %d, want %d (%v)", n, stored, len(s.history), err))
	}
	if n, err := r.queued(ctx); err != nil || n != 0 {
		wrong = append(wrong, fmt.Sprintf("%d entries left in the queue (%v)", n, err))
	}
	days, err := r.wrongDays(ctx)
	if err != nil {
		return nil, err
	}
	differences, err := oracle.Differences(ctx, r.db)
	return slices.Concat(wrong, days, differences), err
}

func TestAnyHistory(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	rapid.Check(t, func(rt *rapid.T) {
		wrong, err := r.play(t.Context(), genScenario().Draw(rt, "scenario"))
		if err != nil {
			rt.Fatal(err)
		}
		for _, w := range wrong {
			rt.Error(w)
		}
	})
}

// TestTimescaleHistories plays fewer histories on each TimescaleDB, which is slower.
func TestTimescaleHistories(t *testing.T) {
	t.Parallel()
	for _, database := range append(localtest.Databases(t)[1:], localtest.WebAssembly(t)) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			for seed := range 15 {
				wrong, err := r.play(t.Context(), genScenario().Example(seed))
				if err != nil {
					t.Fatalf("history %d: %v", seed, err)
				}
				for _, w := range wrong {
					t.Errorf("history %d: %s", seed, w)
				}
			}
		})
	}
}

// newEvents returns n page views of n visitors.
func newEvents(n int) []*event.Event {
	events := make([]*event.Event, n)
	for i := range events {
		id, err := uuid.NewV7()
		if err != nil {
			panic(err)
		}
		events[i] = &event.Event{ID: id, Site: 1, Time: midnight.Add(time.Duration(i) * time.Second), Day: event.DayOf(midnight),
			Visitor: int64(i), Type: event.View, Page: "/"}
	}
	return events
}

func TestPoison(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := newEvents(50)
	events[17].Name = "text with \x00"
	events[33].Amount = "twelve"
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	if err := r.client.XAdd(ctx, &redis.XAddArgs{Stream: "analytics:{0}:events", Values: []string{"e", "junk"}}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.client.XAdd(ctx, &redis.XAddArgs{Stream: "analytics:{1}:events", Values: []string{"x", "y"}}).Err(); err != nil {
		t.Fatal(err)
	}
	result, err := r.aggregator().Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if result.Events != 48 || result.DeadLetters != 4 {
		t.Errorf("result = %+v, want 48 events and 4 dead letters", result)
	}
	if n, err := r.count(ctx, "dead_letters WHERE reason <> '' AND entry <> ''"); err != nil || n != 4 {
		t.Errorf("%d dead letters, want 4 (%v)", n, err)
	}
	for _, bad := range []*event.Event{events[17], events[33]} { // without the rest of its batch entry
		if n, err := r.count(ctx, fmt.Sprintf(`dead_letters WHERE payload = '\x%x'`, bad.Encode(nil))); err != nil || n != 1 {
			t.Errorf("%d dead letters hold exactly the bad event, want 1 (%v)", n, err)
		}
	}
	if n, err := r.queued(ctx); err != nil || n != 0 {
		t.Errorf("%d entries left in the queue (%v)", n, err)
	}
}

// TestPoisonInBatchEntry stores batch entries with several bad events, or only bad ones.
func TestPoisonInBatchEntry(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := newEvents(96)
	bad := 0
	for i, e := range events {
		e.Visitor = int64(i * queue.Shards) // all in one shard, 16 per batch entry
		if i < 16 || i%5 == 0 {
			e.Name = "text with \x00"
			bad++
		}
	}
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	result, err := r.aggregator().Run(ctx)
	if err != nil || int(result.Events) != len(events)-bad || int(result.DeadLetters) != bad {
		t.Errorf("result = %+v, %v, want %d events and %d dead letters", result, err, len(events)-bad, bad)
	}
	if n, err := r.queued(ctx); err != nil || n != 0 {
		t.Errorf("%d entries left in the queue (%v)", n, err)
	}
	oracle.Agrees(t, r.db)
}

// TestPoisonInFlood checks that a bad entry is found in a flood, and among the entries
// promoted past it.
func TestPoisonInFlood(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := newEvents(420)
	for i, e := range events {
		e.Visitor = int64(4 * i) // all in one shard
		if i >= 400 {
			e.Site = 2
		}
	}
	events[200].Amount, events[410].Amount = "twelve", "twelve"
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	a := r.aggregator()
	a.Batch = 16
	result, err := a.Run(ctx)
	if err != nil || result.Events != 418 || result.DeadLetters != 2 {
		t.Errorf("result = %+v, %v, want 418 events and 2 dead letters", result, err)
	}
	if result.Batches > 100 {
		t.Errorf("%d batches, want at most 100", result.Batches)
	}
	oracle.Agrees(t, r.db)
}

// TestFlood checks that 100 events of a site behind 50,000 of another are stored before a
// tenth of these.
func TestFlood(t *testing.T) {
	t.Parallel()
	const flood, others = 50_000, 100
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := newEvents(flood + others)
	for _, e := range events[flood:] {
		e.Site = 2
	}
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	a := r.aggregator()
	a.Batch = 1000
	result, err := a.Run(ctx)
	if err != nil || result.Events != flood+others {
		t.Fatalf("result = %+v, %v, want %d events", result, err, flood+others)
	}
	// A row's xmin, the transaction that inserted it, gives the order.
	rows, err := r.db.Query(ctx, `
SELECT visitor & 3, count(*) FILTER (WHERE site_id = 1 AND transaction < last), count(*) FILTER (WHERE site_id = 2)
FROM (SELECT visitor, site_id, xmin::text::bigint AS transaction,
             max(xmin::text::bigint) FILTER (WHERE site_id = 2) OVER (PARTITION BY visitor & 3) AS last
      FROM events) e
GROUP BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	type shard struct{ Shard, Before, Others int }
	shards, err := pgx.CollectRows(rows, pgx.RowToStructByPos[shard])
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shards {
		if s.Others != others/queue.Shards || s.Before > flood/queue.Shards/10 {
			t.Errorf("shard %d: %d events of the flood were stored before all %d of the other site", s.Shard, s.Before, s.Others)
		}
	}
}

func TestDeletedSite(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := newEvents(3)
	events[1].Site = 99
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	result, err := r.aggregator().Run(ctx)
	if err != nil || result.Events != 2 || result.Dropped != 1 {
		t.Errorf("result = %+v, %v, want 2 events and 1 drop", result, err)
	}
	if n, err := r.count(ctx, "drops WHERE site_id = 99 AND reason = 'site_gone' AND events = 1"); err != nil || n != 1 {
		t.Errorf("%d drops of the deleted site, want 1 (%v)", n, err)
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := newEvents(visit.MaxEvents + 25)
	for _, e := range events {
		e.Visitor = 8
	}
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	a := r.aggregator()
	a.Batch = 4000
	result, err := a.Run(ctx)
	if err != nil || result.Events != visit.MaxEvents || result.Dropped != 25 {
		t.Errorf("result = %+v, %v, want %d events and 25 drops", result, err, visit.MaxEvents)
	}
	oracle.Agrees(t, r.db)
}

// TestLongDays checks that visitors with more stored events than may be in memory are
// handled in parts. With a chunk this small, the limit is visit.MaxEvents.
func TestLongDays(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	const visitors, n = 40, 11_400
	events := newEvents(n)
	for i, e := range events {
		e.Visitor, e.Time = int64(i%visitors)*queue.Shards, midnight.Add(time.Duration(i)*time.Millisecond)
	}
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	a := r.aggregator()
	a.Chunk = 1000
	if result, err := a.Run(ctx); err != nil || result.Events != n {
		t.Errorf("result = %+v, %v, want %d events", result, err, n)
	}
	oracle.Agrees(t, r.db)
}

// TestConflictingVisit checks that a wrong row with the key of a visit is overwritten, and
// makes no dead letter.
func TestConflictingVisit(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx := t.Context()
			events := newEvents(3)
			wrong := visit.Fold([]*event.Event{events[1]})[0]
			wrong.Pageviews = 70
			if err := store.ApplyVisits(ctx, r.db, store.VisitChanges{Added: []*visit.Visit{&wrong}}); err != nil {
				t.Fatal(err)
			}
			if err := r.writer.Append(ctx, events...); err != nil {
				t.Fatal(err)
			}
			result, err := r.aggregator().Run(ctx)
			if err != nil || result.Events != 3 || result.DeadLetters != 0 {
				t.Errorf("result = %+v, %v, want 3 events", result, err)
			}
			oracle.Agrees(t, r.db)
		})
	}
}

// TestDuplicateOfOtherVisitor checks that an event sent again from another address, as by a
// phone that changes networks, is stored once, though it is another visitor's.
func TestDuplicateOfOtherVisitor(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	first := newEvents(1)[0]
	again := *first
	again.Visitor = 5
	for _, e := range []*event.Event{first, &again} {
		if err := r.writer.Append(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	result, err := r.aggregator().Run(ctx)
	if err != nil || result.Events != 1 || result.Duplicates != 1 {
		t.Errorf("result = %+v, %v, want 1 event and 1 duplicate", result, err)
	}
	oracle.Agrees(t, r.db)
}

// TestConcurrentAggregators checks that aggregators of the same queue neither deadlock nor
// count anything twice.
func TestConcurrentAggregators(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx := t.Context()
			const n = 3000
			events := newEvents(n)
			for i, e := range events {
				e.Page = fmt.Sprintf("/%d", i%40)
			}
			if err := r.writer.Append(ctx, events...); err != nil {
				t.Fatal(err)
			}
			errs := make(chan error)
			for range 3 {
				go func() {
					a := r.aggregator()
					a.Batch = 50
					_, err := a.Run(ctx)
					errs <- err
				}()
			}
			for range 3 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if _, err := r.aggregator().Run(ctx); err != nil { // shards that were busy for all
				t.Error(err)
			}
			if stored, err := r.count(ctx, "events"); err != nil || stored != n {
				t.Errorf("%d events are stored, want %d (%v)", stored, n, err)
			}
			oracle.Agrees(t, r.db)
		})
	}
}
