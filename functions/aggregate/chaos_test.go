package aggregate_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	localredis "github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/internal/clientstest"
	"github.com/analytics-platform/analytics/internal/oracle"
)

// TestKilledInTurn kills aggregate, Redis and PostgreSQL with SIGKILL in turn, ten times each,
// and track now and then, under a steady 2,000 events a second, or as many as the machine
// can take. It checks that every event answered with 202 is stored once, and that visits and
// rollups match the raw events.
func TestKilledInTurn(t *testing.T) {
	t.Parallel()
	const rounds, rate = 10, 2000
	ctx := t.Context()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	i := install(t, rate)
	sending := i.send(rand.New(rand.NewPCG(seed, 1)))
	i.schedule()

	r := rand.New(rand.NewPCG(seed, 2))
	midRun := map[string]int{}
	for round := range rounds {
		for _, victim := range []struct {
			name string
			kill func()
		}{{"aggregate", i.killAggregate}, {"Redis", i.killRedis}, {"PostgreSQL", i.killPostgres}} {
			moment := i.clients.Count() + r.IntN(rate)
			localtest.Eventually(t, "track accepts more events", func() bool { return i.clients.Count() >= moment })
			if r.IntN(5) == 0 {
				i.killTrack()
			}
			running := i.running.Load() > 0
			if round == 0 { // kill each at least once during a run
				localtest.Eventually(t, "aggregate runs", func() bool { running = i.running.Load() > 0; return running })
			}
			if running {
				midRun[victim.name]++
			}
			victim.kill()
			up := time.Now()
			localtest.Eventually(t, "an event sent after "+victim.name+" was killed is stored", func() bool { return i.stores(ctx, up) })
		}
	}
	took := time.Since(i.began)
	close(i.stop)
	if err := <-sending; err != nil {
		t.Fatal(err)
	}
	i.schedules.Wait()
	if err := i.aggregates[0].runUntilEmpty(ctx); err != nil {
		t.Fatal(err)
	}
	counts := i.clients.Counts()
	t.Logf("sent %d events in %s, %.0f per second; %d requests failed; kills during a run of aggregate: %v",
		counts.Events, took.Round(time.Second), float64(counts.Events)/took.Seconds(), counts.Refused, midRun)
	i.check(t)
}

// installation has everything that events pass through, in its own processes and folders,
// with the durability of production.
type installation struct {
	t          *testing.T
	postgres   *postgres.Server
	redis      *localredis.Server
	folders    struct{ postgres, redis string }
	track      *worker
	aggregates [2]*worker
	db         *pgxpool.Pool

	began     time.Time // start of sending
	clients   *clientstest.Clients
	stop      chan struct{}
	schedules sync.WaitGroup
	running   atomic.Int32 // runs in progress
}

func install(t *testing.T, rate int) *installation {
	t.Helper()
	i := &installation{t: t, stop: make(chan struct{})}
	i.folders.postgres, i.folders.redis = t.TempDir(), t.TempDir()
	t.Cleanup(func() {
		if i.postgres != nil {
			_ = i.postgres.Kill()
		}
		if i.redis != nil {
			_ = i.redis.Kill()
		}
	})
	i.startPostgres()
	i.startRedis()
	i.db = newDatabase(t, i.postgres.URL())

	log, err := os.Create(filepath.Join(t.ArtifactDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	start := func(program string, env ...string) *worker {
		w := &worker{program: program, database: i.postgres.URL(), redis: i.redis.URL(), env: env, log: log}
		w.start(t)
		return w
	}
	program := build(t)
	for n := range i.aggregates {
		i.aggregates[n] = start(program, "AGGREGATE_INTERVAL=0s")
	}
	i.track = start(buildFunction(t, "track"), "TRUSTED_PROXY_HOPS=1")
	i.clients = clientstest.New(i.track.url, rate)
	return i
}

func (i *installation) startPostgres(options ...postgres.Option) {
	i.t.Helper()
	var err error
	if i.postgres, err = postgres.Start(i.t.Context(), i.folders.postgres, options...); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) startRedis(options ...localredis.Option) {
	i.t.Helper()
	var err error
	if i.redis, err = localredis.Start(i.t.Context(), i.folders.redis, options...); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) killPostgres() {
	i.t.Helper()
	if err := i.postgres.Kill(); err != nil {
		i.t.Fatal(err)
	}
	i.startPostgres(postgres.Port(i.postgres.Port()))
}

func (i *installation) killRedis() {
	i.t.Helper()
	if err := i.redis.Kill(); err != nil {
		i.t.Fatal(err)
	}
	i.startRedis(localredis.Port(i.redis.Port()))
}

func (i *installation) killAggregate() {
	i.t.Helper()
	i.aggregates[0].kill(i.t)
	i.aggregates[0].start(i.t)
}

func (i *installation) killTrack() {
	i.t.Helper()
	i.track.kill(i.t)
	i.track.start(i.t)
}

// send lets the clients send until stop is closed. The channel receives a value when every
// request is answered.
func (i *installation) send(r *rand.Rand) <-chan error {
	done := make(chan error, 1)
	i.began = time.Now()
	go func() { done <- i.clients.Run(i.t.Context(), r, i.stop) }()
	return done
}

// schedule calls both replicas of aggregate until stop is closed. Like a platform, it ignores
// their answers.
func (i *installation) schedule() {
	for _, w := range i.aggregates {
		i.schedules.Go(func() {
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-i.stop:
					return
				case <-i.t.Context().Done():
					return
				case <-tick.C:
				}
				i.running.Add(1)
				_, _, _ = w.run(i.t.Context(), "")
				i.running.Add(-1)
			}
		})
	}
}

// stores reports whether an event later than moment is stored.
func (i *installation) stores(ctx context.Context, moment time.Time) bool {
	var stored bool
	err := i.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM events WHERE site_id = 1 AND time > $1)`, moment).Scan(&stored)
	return err == nil && stored
}

func (i *installation) check(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	rows, err := i.db.Query(ctx, `SELECT id FROM events`)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	i.clients.Check(t, stored)

	// Each queue entry is either stored or counted as a duplicate, once.
	var letters, others, duplicates int
	err = i.db.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM dead_letters),
		    coalesce(sum(events) FILTER (WHERE reason <> 'duplicate'), 0), coalesce(sum(events) FILTER (WHERE reason = 'duplicate'), 0)
		FROM drops`).Scan(&letters, &others, &duplicates)
	if err != nil {
		t.Fatal(err)
	}
	if letters != 0 || others != 0 {
		t.Errorf("%d dead letters and %d dropped events, want none", letters, others)
	}
	counts := i.clients.Counts()
	if n := len(stored) + duplicates; n < counts.Accepted || n > counts.Tries {
		t.Errorf("%d events stored and %d duplicates: want a sum between the %d accepted and the %d sent",
			len(stored), duplicates, counts.Accepted, counts.Tries)
	}
	differences, err := oracle.Differences(ctx, i.db)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Error(d)
	}
}
