package aggregate_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	localredis "github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/aggregate/archive"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// benchEvents returns the number of events of a benchmark: BENCH_EVENTS, or n.
func benchEvents(n int) int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_EVENTS")); err == nil {
		return n
	}
	return n
}

// traffic returns n events of three sites from start on, in order of arrival, with 2.5 events
// a visit, a long tail of pages and places, and values for eighteen dimensions. As with a
// browser, only the first event of a visit has a source.
func traffic(r *rand.Rand, start time.Time, length time.Duration, n int) []*event.Event {
	pages, cities, campaigns := newZipf(2000), newZipf(400), newZipf(20)
	sources := []string{"Direct", "Google", "Bing", "Hacker News", "Instagram", "newsletter", "ChatGPT", "GitHub", "partner.example"}
	channels := []string{"Direct", "Organic Search", "Organic Search", "Organic Social", "Organic Social", "Email", "AI", "Organic Social", "Referral"}
	browsers, systems := []string{"Chrome", "Safari", "Firefox", "Edge", "Samsung Internet"}, []string{"Windows", "iOS", "Android", "macOS", "Linux"}
	devices, languages := []string{"Desktop", "Mobile", "Tablet"}, []string{"en-US", "fr", "de", "en-GB", "es", "pt-BR", "ja"}
	screens := []string{"1920x1080", "390x844", "412x915", "1440x900", "1536x864", "820x1180"}
	skewed := func(n int) int { return int(float64(n) * math.Pow(r.Float64(), 2.2)) }

	events := make([]*event.Event, 0, n+32)
	for len(events) < n {
		at := start.Add(time.Duration(r.Int64N(int64(length - time.Hour)))).Truncate(time.Millisecond)
		source, city := skewed(len(sources)), cities.draw(r)
		e := event.Event{
			Site: 1 + int32(skewed(3)), Visitor: int64(r.Uint64()), Day: event.DayOf(at), Type: event.View, Hostname: "www.example.com",
			Attributes: event.Attributes{
				Source: sources[source], Channel: channels[source], Country: "C" + strconv.Itoa(city%40), Region: "R" + strconv.Itoa(city%120),
				City: "City " + strconv.Itoa(city), Browser: browsers[skewed(5)], BrowserVersion: strconv.Itoa(140 - skewed(20)), OS: systems[skewed(5)],
				OSVersion: strconv.Itoa(10 + skewed(8)), Device: devices[skewed(3)], Language: languages[skewed(7)], Screen: screens[skewed(6)],
			},
		}
		if source > 0 {
			e.Referrer = "ref" + strconv.Itoa(source) + ".example/" + strconv.Itoa(skewed(100))
		}
		if source == 5 {
			e.UTMSource, e.UTMMedium, e.UTMCampaign = "newsletter", "email", "campaign "+strconv.Itoa(campaigns.draw(r))
		}
		for more := true; more; more = r.Float64() < 0.6 {
			e.Page = "/section/" + strconv.Itoa(pages.draw(r))
			e.Time = at
			binary.BigEndian.PutUint64(e.ID[:8], uint64(at.UnixMilli())<<16|7<<12|r.Uint64()&0xfff)
			binary.BigEndian.PutUint64(e.ID[8:], 1<<63|r.Uint64()>>2)
			if event.DayOf(at) != e.Day {
				break
			}
			events = append(events, new(e))
			at = at.Add(time.Duration((4 + r.ExpFloat64()*48) * float64(time.Second))).Truncate(time.Millisecond)
			e.Referrer, e.Source, e.Channel = "", sources[0], channels[0]
			e.UTMSource, e.UTMMedium, e.UTMCampaign = "", "", ""
		}
	}
	events = events[:n]
	slices.SortFunc(events, func(a, b *event.Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Visitor, b.Visitor)) })
	return events
}

// month returns the start of the traffic in benchmarks.
func month() time.Time { return time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC) }

// zipf draws numbers below its length, each n half as often as n/2.
type zipf []float64

func newZipf(n int) zipf {
	z := make(zipf, n)
	var sum float64
	for i := range z {
		sum += 1 / float64(i+1)
		z[i] = sum
	}
	return z
}

func (z zipf) draw(r *rand.Rand) int {
	i, _ := slices.BinarySearch(z, r.Float64()*z[len(z)-1])
	return i
}

// BenchmarkAggregate moves a million events from Redis into the database with the function's
// program, with one, two and four workers. It compares the rate with that of a bare COPY by
// pgx of the same rows into an equal table with the same indexes: with the mean of the COPY
// before and the COPY after, because the speed of a shared machine varies. It reports the
// median of three such rounds.
//
// It also reports the total CPU time per event, including the database and Redis, which
// varies least on a busy machine.
func BenchmarkAggregate(b *testing.B) {
	program := build(b)
	events := traffic(rand.New(rand.NewPCG(1, 2)), month(), 48*time.Hour, benchEvents(1_000_000))
	for name, options := range map[string][]postgres.Option{"timescale": nil, "plain": {postgres.Plain()}} {
		if name == "timescale" && !postgres.TimescaleAvailable(b.Context()) {
			continue
		}
		b.Run(name, func(b *testing.B) {
			m := startMachine(b, options)
			m.program = program
			for _, workers := range []int{1, 2, 4} {
				b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
					before := m.copy(b, events)
					var shares []float64
					for range 3 {
						rate := m.aggregate(b, events, workers)
						after := m.copy(b, events)
						shares = append(shares, 100*rate/((before+after)/2))
						before = after
					}
					b.Logf("%% of COPY, by round: %.0f", shares)
					slices.Sort(shares)
					b.ReportMetric(shares[1], "%-of-COPY")
				})
			}
		})
	}
}

// BenchmarkStorage stores a month of three sites with 100,000 events a day, compresses it and
// archives its days as schema-guard does. It reports the bytes of disk per event, with
// indexes and rollups, the share of each archived column, and what other layouts would take.
func BenchmarkStorage(b *testing.B) {
	if !postgres.TimescaleAvailable(b.Context()) {
		b.Skip("compression needs TimescaleDB")
	}
	const days = 30
	n := benchEvents(3_000_000) / days * days
	m := startMachine(b, nil)
	m.program = build(b)
	db, url := m.database(b, "month")
	w := m.worker(url, 2)
	w.start(b)
	r := rand.New(rand.NewPCG(3, 4))
	for day := range days {
		enqueue(b, m.redis, traffic(r, month().AddDate(0, 0, day), 24*time.Hour, n/days))
		if status, answer, err := w.run(b.Context(), token); err != nil || status != http.StatusOK {
			b.Fatal(status, answer, err)
		}
	}
	b.ReportMetric(0, "ns/op")
	s := storage{db, float64(n)}
	tables := []string{"events", "visits", "rollup_hour", "rollup_day", "rollup_month"}
	for _, table := range tables {
		b.ReportMetric(s.perEvent(b, table), table+"-before-B/event")
	}
	if _, err := store.Compress(b.Context(), db, month().AddDate(1, 0, 0)); err != nil {
		b.Fatal(err)
	}
	archiveDays(b, db)
	total := 0.0
	for _, table := range append(tables, "day_columns") {
		size := s.perEvent(b, table)
		b.ReportMetric(size, table+"-B/event")
		total += size
	}
	b.ReportMetric(total, "B/event")
	s.columns(b)
	for _, l := range []layout{
		{"events", "time", "7 days", "site_id", "time, id", 1000},
		{"events", "time", "7 days", "site_id", "visitor, time, id", 10_000},
		{"events", "time", "1 day", "site_id", "time, id", 10_000},
		{"visits", "started_at", "7 days", "site_id", "started_at, visitor", 1000},
		{"visits", "started_at", "7 days", "site_id", "visitor, started_at", 10_000},
		{"visits", "started_at", "1 day", "site_id", "started_at, visitor", 10_000},
		{"rollup_day", "day", "7 days", "site_id, dimension", "value, day", 1000},
		{"rollup_day", "day", "7 days", "site_id, dimension", "day, value", 10_000},
	} {
		name := fmt.Sprintf("%s-%s-by-%s-%d-B/event", l.table, l.chunk, l.order, l.batch)
		b.ReportMetric(s.with(b, l), strings.NewReplacer(" ", "", ",", "+").Replace(name))
	}
}

// archiveDays archives all days.
func archiveDays(b *testing.B, db *pgxpool.Pool) {
	b.Helper()
	codec, err := columns.NewCodec()
	if err != nil {
		b.Fatal(err)
	}
	always := func() bool { return true }
	if done, err := archive.ClosedDays(b.Context(), db, codec, time.Now(), always, slog.New(slog.DiscardHandler)); err != nil || done.Days == 0 {
		b.Fatal(done, err)
	}
}

// layout is a compressed layout of a table.
type layout struct {
	table, time, chunk, segment, order string
	batch                              int // rows compressed together
}

// storage measures tables that hold a number of events.
type storage struct {
	db     *pgxpool.Pool
	events float64
}

func (s storage) perEvent(b *testing.B, table string) (bytes float64) {
	b.Helper()
	const size = `SELECT coalesce((SELECT hypertable_size($1::text::regclass)), pg_total_relation_size($1::text::regclass))::float8`
	if err := s.db.QueryRow(b.Context(), size, table).Scan(&bytes); err != nil {
		b.Fatal(err)
	}
	return bytes / s.events
}

// columns reports the size of each archived column.
func (s storage) columns(b *testing.B) {
	b.Helper()
	rows, err := s.db.Query(b.Context(), `SELECT name, sum(length(data))::float8 FROM day_columns GROUP BY name`)
	if err != nil {
		b.Fatal(err)
	}
	var name string
	var bytes float64
	_, err = pgx.ForEachRow(rows, []any{&name, &bytes}, func() error {
		b.ReportMetric(bytes/s.events, name+"-kept-B/event")
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// with returns the bytes per event of a table in another layout.
func (s storage) with(b *testing.B, l layout) float64 {
	b.Helper()
	conn, err := s.db.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	for _, statement := range []string{
		`DROP TABLE IF EXISTS copied`,
		fmt.Sprintf(`CREATE TABLE copied (LIKE %s INCLUDING INDEXES)`, l.table),
		fmt.Sprintf(`SELECT create_hypertable('copied', '%s', chunk_time_interval => interval '%s', create_default_indexes => false)`, l.time, l.chunk),
		`INSERT INTO copied SELECT * FROM ` + l.table,
		fmt.Sprintf(`ALTER TABLE copied SET (timescaledb.compress, timescaledb.compress_segmentby = '%s', timescaledb.compress_orderby = '%s')`, l.segment, l.order),
		fmt.Sprintf(`SET timescaledb.compression_batch_size_limit = %d`, l.batch),
		`SELECT count(compress_chunk(chunk)) FROM show_chunks('copied') AS chunk`,
	} {
		if _, err := conn.Exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	return s.perEvent(b, "copied")
}

// machine has the servers of a benchmark, with the durability of production.
type machine struct {
	program   string
	postgres  *postgres.Server
	redis     *redis.Client
	processes []int // process ids of the servers
}

func startMachine(b *testing.B, options []postgres.Option) *machine {
	b.Helper()
	ctx := b.Context()
	dir := b.TempDir()
	server, err := postgres.Start(ctx, dir, options...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Kill() })
	cache, err := localredis.Start(ctx, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cache.Kill() })
	client := localtest.Client(b, cache.URL())

	file, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		b.Fatal(err)
	}
	first, _, _ := strings.Cut(string(file), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		b.Fatal(err)
	}
	info, err := client.InfoMap(ctx, "server").Result()
	if err != nil {
		b.Fatal(err)
	}
	redisServer, err := strconv.Atoi(info["Server"]["process_id"])
	if err != nil {
		b.Fatal(err)
	}
	return &machine{postgres: server, redis: client, processes: []int{postmaster, redisServer}}
}

// copy measures the bare COPY, in rows per second.
func (m *machine) copy(b *testing.B, events []*event.Event) float64 {
	b.Helper()
	db, _ := m.database(b, "copied")
	row := make([]any, 0, len(eventColumns()))
	start, used := time.Now(), cpuTime(b, append(slices.Clone(m.processes), os.Getpid()))
	n, err := db.CopyFrom(b.Context(), pgx.Identifier{"events"}, eventColumns(), pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
		e := events[i]
		row = append(row[:0], e.Site, e.Time, pgtype.UUID{Bytes: e.ID, Valid: true}, e.Day.Date(), e.UTCOffset, e.Visitor, int16(e.Type), e.Name, e.Hostname, e.Page, e.Title,
			e.Referrer, e.Source, e.Channel, e.UTMSource, e.UTMMedium, e.UTMCampaign, e.UTMTerm, e.UTMContent,
			e.Country, e.Region, e.City, e.Browser, e.BrowserVersion, e.OS, e.OSVersion, e.Device, e.Language, e.Screen,
			nil, nil, e.Currency, nil, e.Funnel, e.Step, e.Engaged, e.Scroll, e.Passive)
		return row, nil
	}))
	if err != nil || int(n) != len(events) {
		b.Fatal(n, err)
	}
	return m.report(b, "copy-", len(events), start, cpuTime(b, append(slices.Clone(m.processes), os.Getpid()))-used)
}

// aggregate measures the function, in events per second.
func (m *machine) aggregate(b *testing.B, events []*event.Event, workers int) float64 {
	b.Helper()
	_, url := m.database(b, "aggregated")
	enqueue(b, m.redis, events)
	w := m.worker(url, workers)
	w.start(b)
	processes := append(slices.Clone(m.processes), w.process.Process.Pid)
	start, used := time.Now(), cpuTime(b, processes)
	status, answer, err := w.run(b.Context(), token)
	if err != nil || status != http.StatusOK || answer["events"] != float64(len(events)) {
		b.Fatal(status, answer, err)
	}
	rate := m.report(b, "", len(events), start, cpuTime(b, processes)-used)
	for stage, seconds := range answer["stages"].(map[string]any) {
		b.ReportMetric(seconds.(float64)/float64(len(events))*1e6, stage+"-µs/event")
	}
	b.ReportMetric(platformtest.PeakMemory(b, w.process.Process.Pid), "peak-MB")
	return rate
}

func (m *machine) worker(database string, workers int) *worker {
	return &worker{
		program: m.program, database: database, redis: urlOf(m.redis),
		env: []string{"AGGREGATE_DEADLINE=30m", "AGGREGATE_WORKERS=" + strconv.Itoa(workers)},
	}
}

func (m *machine) report(b *testing.B, prefix string, events int, start time.Time, cpu time.Duration) float64 {
	b.Helper()
	rate := float64(events) / time.Since(start).Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate, prefix+"events/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(events), prefix+"cpu-µs/event")
	return rate
}

// cpuTime returns the CPU time that processes and their children have used.
func cpuTime(b *testing.B, roots []int) time.Duration {
	b.Helper()
	const tick = time.Second / 100 // USER_HZ, the same on every Linux
	parent, used := map[int]int{}, map[int]time.Duration{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the process has ended
		}
		var pid int
		_, _ = fmt.Sscan(string(text), &pid)
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // from the third field of proc(5) on
		parent[pid], _ = strconv.Atoi(fields[1])
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			ticks, _ := strconv.Atoi(field)
			used[pid] += time.Duration(ticks) * tick
		}
	}
	var sum time.Duration
	for pid, time := range used {
		if slices.Contains(roots, pid) || slices.Contains(roots, parent[pid]) {
			sum += time
		}
	}
	return sum
}

// database creates a database with three sites, replacing one with the same name.
func (m *machine) database(b *testing.B, name string) (*pgxpool.Pool, string) {
	b.Helper()
	ctx := b.Context()
	admin, err := pgx.Connect(ctx, m.postgres.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = admin.Close(context.WithoutCancel(ctx)) }()
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := admin.Exec(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
	url := strings.Replace(m.postgres.URL(), "/analytics?", "/"+name+"?", 1)
	db := localtest.Record(b, url)
	for i := range 3 {
		if _, err := db.Exec(ctx, `INSERT INTO sites (public_id, domain, timezone) VALUES ($1, $1, 'UTC')`, fmt.Sprintf("site%d.example", i)); err != nil {
			b.Fatal(err)
		}
	}
	return db, url
}

func enqueue(tb testing.TB, client *redis.Client, events []*event.Event) {
	tb.Helper()
	writer := queue.NewWriter(client)
	defer writer.Close()
	for part := range slices.Chunk(events, 4096) {
		if err := writer.Append(tb.Context(), part...); err != nil {
			tb.Fatal(err)
		}
	}
}

func eventColumns() []string {
	return []string{
		"site_id", "time", "id", "day", "utc_offset", "visitor", "type", "name", "hostname", "page", "title",
		"referrer", "source", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
		"country", "region", "city", "browser", "browser_version", "os", "os_version", "device", "language", "screen",
		"props", "amount", "currency", "subject", "funnel", "funnel_step", "engaged", "scroll", "passive",
	}
}
