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

func (r *record) drainer() *aggregate.Drainer {
	return &aggregate.Drainer{Redis: r.client, Database: r.db}
}

// reset empties the record and the queue, and keeps the sites.
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

// place is a site and a day around which things happen there.
type place struct {
	pipeline.Site
	around time.Time
}

// genPlace draws days at whose end a month ends or clocks are moved. Some sites change
// their time zone meanwhile.
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
		if rapid.Bool().Draw(t, "changes") {
			p.Previous = location(t, rapid.SampledFrom([]string{"UTC", "Asia/Kolkata", "Pacific/Kiritimati", "Etc/GMT+12"}).Draw(t, "previous zone"))
			p.Since = (event.DayOf(around) + event.Day(rapid.IntRange(0, 2).Draw(t, "changed on"))).Start(p.Previous)
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

// genHistory draws events of a few visitors of two sites over two days.
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
				Visitor:   int64(rapid.IntRange(-3, 3).Draw(t, "visitor")) + 10*int64(event.DayOf(local)), // another each day
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

// scenario is a history and how it arrives.
type scenario struct {
	history  []event.Event
	arrivals []event.Event // the history in some order, some of it more than once
	cuts     []int         // how many of the arrivals are queued before each run
	keeps    []bool        // whether all days are kept in columns after it
	batch    int           // entries of a transaction
	atOnce   int           // entries that are stored at once
}

func genScenario() *rapid.Generator[scenario] {
	return rapid.Custom(func(t *rapid.T) scenario {
		s := scenario{history: genHistory().Draw(t, "history"), batch: rapid.IntRange(1, 20).Draw(t, "batch"), atOnce: rapid.IntRange(1, 20).Draw(t, "at once")}
		repeated := rapid.SliceOfN(rapid.SampledFrom(s.history), 0, 10).Draw(t, "repeated")
		s.arrivals = rapid.Permutation(append(slices.Clone(s.history), repeated...)).Draw(t, "arrivals")
		for left := len(s.arrivals); left > 0; left -= s.cuts[len(s.cuts)-1] {
			s.cuts = append(s.cuts, rapid.IntRange(min(10, left), left).Draw(t, "queued at once"))
			s.keeps = append(s.keeps, rapid.Bool().Draw(t, "keep"))
		}
		return s
	})
}

// play lets a scenario happen on an empty record and returns what is wrong then:
// each event must be stored once, and the derived tables be what plain SQL makes of
// the raw events.
func (r *record) play(ctx context.Context, s scenario) (wrong []string, err error) {
	if err := r.reset(ctx); err != nil {
		return nil, err
	}
	d := r.drainer()
	d.Batch, d.AtOnce = s.batch, s.atOnce
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
		result, err := d.Run(ctx)
		if err != nil {
			return nil, err
		}
		stored += result.Events
		if s.keeps[i] {
			if _, err := r.keep(ctx); err != nil {
				return nil, err
			}
		}
	}
	if n, err := r.count(ctx, "events"); err != nil || n != len(s.history) || int(stored) != len(s.history) {
		wrong = append(wrong, fmt.Sprintf("%d events are stored, the runs said %d, %d different ones were queued (%v)", n, stored, len(s.history), err))
	}
	if n, err := r.queued(ctx); err != nil || n != 0 {
		wrong = append(wrong, fmt.Sprintf("%d entries are left in the queue (%v)", n, err))
	}
	kept, err := r.wrongDays(ctx)
	if err != nil {
		return nil, err
	}
	differences, err := oracle.Differences(ctx, r.db)
	return slices.Concat(wrong, kept, differences), err
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

// TestSomeHistories plays fewer histories on each TimescaleDB, where it takes longer.
func TestSomeHistories(t *testing.T) {
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

// some are n plain events of n visitors.
func some(n int) []*event.Event {
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

func TestPoisonIsPutAside(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := some(50)
	events[17].Name = "no database text holds \x00"
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
	result, err := r.drainer().Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if result.Events != 48 || result.DeadLetters != 4 {
		t.Errorf("%+v; want 48 events and 4 dead letters", result)
	}
	if n, err := r.count(ctx, "dead_letters WHERE reason <> '' AND entry <> ''"); err != nil || n != 4 {
		t.Errorf("%d dead letters are kept (%v)", n, err)
	}
	for _, bad := range []*event.Event{events[17], events[33]} { // and not what was packed with it
		if n, err := r.count(ctx, fmt.Sprintf(`dead_letters WHERE payload = '\x%x'`, bad.Encode(nil))); err != nil || n != 1 {
			t.Errorf("%d dead letters are the event alone that can't be stored (%v)", n, err)
		}
	}
	if n, err := r.queued(ctx); err != nil || n != 0 {
		t.Errorf("%d entries are left in the queue (%v)", n, err)
	}
}

// TestPoisonThroughout: packs of which several events, or all, can't be stored.
func TestPoisonThroughout(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := some(96)
	bad := 0
	for i, e := range events {
		e.Visitor = int64(i * queue.Shards) // all in one shard, 16 in a pack
		if i < 16 || i%5 == 0 {
			e.Name = "no database text holds \x00"
			bad++
		}
	}
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	result, err := r.drainer().Run(ctx)
	if err != nil || int(result.Events) != len(events)-bad || int(result.DeadLetters) != bad {
		t.Errorf("%+v, %v; want %d events and %d dead letters", result, err, len(events)-bad, bad)
	}
	if n, err := r.queued(ctx); err != nil || n != 0 {
		t.Errorf("%d entries are left in the queue (%v)", n, err)
	}
	oracle.Agrees(t, r.db)
}

// TestPoisonInEitherLane: an entry that can't be stored is found among those that wait
// in a flood, and among those that overtake it.
func TestPoisonInEitherLane(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := some(420)
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
	d := r.drainer()
	d.Batch = 16
	result, err := d.Run(ctx)
	if err != nil || result.Events != 418 || result.DeadLetters != 2 {
		t.Errorf("%+v, %v; want 418 events and 2 dead letters", result, err)
	}
	if result.Batches > 100 {
		t.Errorf("%d batches", result.Batches)
	}
	oracle.Agrees(t, r.db)
}

// TestAFloodHoldsUpNobody: 100 events of a site that come behind 50,000 of another
// are stored before a tenth of these.
func TestAFloodHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const flood, others = 50_000, 100
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := some(flood + others)
	for _, e := range events[flood:] {
		e.Site = 2
	}
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	d := r.drainer()
	d.Batch = 1000
	result, err := d.Run(ctx)
	if err != nil || result.Events != flood+others {
		t.Fatalf("%+v, %v", result, err)
	}
	// The number of the transaction that inserted a row says what came before what.
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

func TestEventsOfADeletedSiteAreCounted(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := some(3)
	events[1].Site = 99
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	result, err := r.drainer().Run(ctx)
	if err != nil || result.Events != 2 || result.Dropped != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	if n, err := r.count(ctx, "drops WHERE site_id = 99 AND reason = 'site_gone' AND events = 1"); err != nil || n != 1 {
		t.Errorf("the drop is not counted (%v)", err)
	}
}

func TestAMachineIsBounded(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	events := some(visit.MaxEvents + 25)
	for _, e := range events {
		e.Visitor = 8
	}
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	d := r.drainer()
	d.Batch = 4000
	result, err := d.Run(ctx)
	if err != nil || result.Events != visit.MaxEvents || result.Dropped != 25 {
		t.Errorf("%+v, %v", result, err)
	}
	oracle.Agrees(t, r.db)
}

// TestLongDays: visitors with more events behind them than may be in memory, which is
// visit.MaxEvents with so few at once as here, are dealt with some after others.
func TestLongDays(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	const visitors, n = 40, 11_400
	events := some(n)
	for i, e := range events {
		e.Visitor, e.Time = int64(i%visitors)*queue.Shards, midnight.Add(time.Duration(i)*time.Millisecond)
	}
	if err := r.writer.Append(ctx, events...); err != nil {
		t.Fatal(err)
	}
	d := r.drainer()
	d.AtOnce = 1000
	if result, err := d.Run(ctx); err != nil || result.Events != n {
		t.Errorf("%+v, %v; want %d events", result, err, n)
	}
	oracle.Agrees(t, r.db)
}

// TestAVisitThatShouldNotBeThere: a wrong row in the place of a visit is written over,
// and no event is put aside for it.
func TestAVisitThatShouldNotBeThere(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx := t.Context()
			events := some(3)
			wrong := visit.Fold([]*event.Event{events[1]})[0]
			wrong.Pageviews = 70
			if err := store.ApplyVisits(ctx, r.db, store.VisitChanges{Added: []*visit.Visit{&wrong}}); err != nil {
				t.Fatal(err)
			}
			if err := r.writer.Append(ctx, events...); err != nil {
				t.Fatal(err)
			}
			result, err := r.drainer().Run(ctx)
			if err != nil || result.Events != 3 || result.DeadLetters != 0 {
				t.Errorf("%+v, %v; want 3 events", result, err)
			}
			oracle.Agrees(t, r.db)
		})
	}
}

// TestTheSameEventFromTwoAddresses: a phone that changes its network between a try
// and the next is another visitor, and the event is still one.
func TestTheSameEventFromTwoAddresses(t *testing.T) {
	t.Parallel()
	r := newRecord(t, localtest.Postgres(t))
	ctx := t.Context()
	first := some(1)[0]
	again := *first
	again.Visitor = 5
	for _, e := range []*event.Event{first, &again} {
		if err := r.writer.Append(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	result, err := r.drainer().Run(ctx)
	if err != nil || result.Events != 1 || result.Duplicates != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	oracle.Agrees(t, r.db)
}

// TestSeveralDrainersAtOnce: workers that drain the same queue at once neither
// deadlock nor count anything twice.
func TestSeveralDrainersAtOnce(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRecord(t, database.URL)
			ctx := t.Context()
			const n = 3000
			events := some(n)
			for i, e := range events {
				e.Page = fmt.Sprintf("/%d", i%40)
			}
			if err := r.writer.Append(ctx, events...); err != nil {
				t.Fatal(err)
			}
			errs := make(chan error)
			for range 3 {
				go func() {
					d := r.drainer()
					d.Batch = 50
					_, err := d.Run(ctx)
					errs <- err
				}()
			}
			for range 3 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if _, err := r.drainer().Run(ctx); err != nil { // what a busy shard left to nobody
				t.Error(err)
			}
			if stored, err := r.count(ctx, "events"); err != nil || stored != n {
				t.Errorf("%d events are stored, %d were queued (%v)", stored, n, err)
			}
			oracle.Agrees(t, r.db)
		})
	}
}
