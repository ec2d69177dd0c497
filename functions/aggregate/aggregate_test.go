package aggregate_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	localredis "github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const token = "the token of the owner of this installation"

// worker is the function's program, in a process of its own.
type worker struct {
	program  string
	database string
	redis    string
	env      []string
	log      io.Writer // os.Stderr if nil
	port     string    // stays the same when restarted
	url      string
	process  *exec.Cmd
}

func build(tb testing.TB) string {
	tb.Helper()
	return buildFunction(tb, "aggregate")
}

func buildFunction(tb testing.TB, name string) string {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), name)
	if out, err := exec.CommandContext(tb.Context(), "go", "build", "-o", program, "../"+name+"/cmd").CombinedOutput(); err != nil {
		tb.Fatalf("build the function %s: %v\n%s", name, err, out)
	}
	return program
}

// start starts or restarts the program, and waits until it is ready.
func (w *worker) start(tb testing.TB) {
	tb.Helper()
	if w.port == "" {
		w.port = freePort(tb)
		w.url = "http://127.0.0.1:" + w.port
	}
	w.process = exec.Command(w.program)
	w.process.Env = append(os.Environ(), "PORT="+w.port, "DATABASE_URL="+w.database, "REDIS_URL="+w.redis,
		"ADMIN_TOKEN="+token, "SALT_KEY="+localtest.SaltKey, "METRICS_TOKEN="+localtest.MetricsToken)
	w.process.Env = append(w.process.Env, w.env...)
	w.process.Stderr = os.Stderr
	if w.log != nil {
		w.process.Stderr = w.log
	}
	if err := w.process.Start(); err != nil {
		tb.Fatal(err)
	}
	process := w.process
	tb.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	localtest.Eventually(tb, "the function is ready", func() bool {
		response, err := http.Get(w.url + "/_/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// kill kills the program with SIGKILL.
func (w *worker) kill(tb testing.TB) {
	tb.Helper()
	if err := w.process.Process.Kill(); err != nil {
		tb.Fatal(err)
	}
	_ = w.process.Wait() // fails because the process was killed
}

func freePort(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// run starts a run and returns the function's answer.
func (w *worker) run(ctx context.Context, key string) (status int, answer map[string]any, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/", nil)
	if err != nil {
		return 0, nil, err
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode, answer, json.NewDecoder(response.Body).Decode(&answer)
}

// runUntilEmpty starts runs until the queue is empty.
func (w *worker) runUntilEmpty(ctx context.Context) error {
	for {
		status, answer, err := w.run(ctx, token)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("aggregate answered %d %v", status, answer)
		}
		if answer["backlog"] == 0.0 {
			return nil
		}
	}
}

// newEvents returns n events of about n/4 visitors of three sites, over two days.
func newEvents(n int) []*event.Event {
	midnight := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	events := make([]*event.Event, n)
	for i := range events {
		at := midnight.Add(time.Duration(i) * 36 * time.Hour / time.Duration(n))
		visitor := int64(i/8)*2 + int64(i%2)
		events[i] = &event.Event{
			ID: uuid.Must(uuid.NewV7()), Site: int32(visitor%3) + 1, Time: at.Truncate(time.Millisecond), Day: event.DayOf(at),
			Visitor: (visitor*2654435761)<<16 ^ int64(event.DayOf(at)), Type: event.View, Page: fmt.Sprintf("/%d", i%100),
			Attributes: event.Attributes{Source: "Google", Browser: "Firefox", Country: "FR"},
		}
	}
	return events
}

// TestKilled kills the process with SIGKILL and restarts it several times while it stores
// 50,000 events, some of them queued twice. It checks that every event is stored once, and
// that visits and rollups match the raw events.
func TestKilled(t *testing.T) {
	t.Parallel()
	const n = 50_000
	program := build(t)
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			db, client := prepare(t, database.URL)
			w := &worker{program: program, database: database.URL, redis: urlOf(client),
				env: []string{"AGGREGATE_BATCH=500", "AGGREGATE_INTERVAL=0s"}}

			writer := queue.NewWriter(client)
			defer writer.Close()
			events := newEvents(n)
			for _, batch := range [][]*event.Event{events, events[:5000]} {
				if err := writer.Append(ctx, batch...); err != nil {
					t.Fatal(err)
				}
			}
			stored := func() (count int) {
				if err := db.QueryRow(ctx, `SELECT count(*) FROM events`).Scan(&count); err != nil {
					t.Fatal(err)
				}
				return count
			}

			sent, midway := n, 0
			for kill := 0; kill < 3 || midway == 0; kill++ {
				at := max(1, kill*n/4)
				if kill >= 3 { // every kill came after the last event was stored
					at = stored() + 1
					if err := writer.Append(ctx, newEvents(n)...); err != nil {
						t.Fatal(err)
					}
					sent += n
				}
				w.start(t)
				go func() { // until the kill breaks the connection
					for err := error(nil); err == nil; {
						_, _, err = w.run(ctx, "")
					}
				}()
				localtest.Eventually(t, fmt.Sprintf("%d events are stored", at), func() bool { return stored() >= at })
				w.kill(t)
				if stored() < sent {
					midway++
				}
			}

			w.start(t)
			if err := w.runUntilEmpty(ctx); err != nil {
				t.Fatal(err)
			}
			if got := stored(); got != sent {
				t.Errorf("stored %d events, want %d", got, sent)
			}
			differences, err := oracle.Differences(ctx, db)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences {
				t.Error(d)
			}
		})
	}
}

func prepare(t *testing.T, url string) (*pgxpool.Pool, *redis.Client) {
	t.Helper()
	return newDatabase(t, url), connect(t, localtest.Redis(t))
}

// newDatabase creates the tables and three sites in an empty database.
func newDatabase(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	ctx := t.Context()
	db := localtest.Record(t, url)
	for i := range 3 {
		if _, err := db.Exec(ctx, `INSERT INTO sites (public_id, domain, timezone) VALUES ($1, $1, 'UTC')`, fmt.Sprintf("site%d.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// urlOf returns the URL of a client's server.
func urlOf(client *redis.Client) string {
	options := client.Options()
	return "redis://:" + options.Password + "@" + options.Addr + "/0"
}

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	client := localtest.Client(t, url)
	return client
}

// TestQueueMetrics checks that the metrics measure the queue without a run, and report that
// it can't be measured while Redis is unavailable, and that a run reports what it left.
func TestQueueMetrics(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server, err := localredis.Start(ctx, t.TempDir(), localredis.Fsync(localredis.FsyncNever))
	if err != nil {
		t.Fatal(err)
	}
	database := localtest.Postgres(t)
	newDatabase(t, database)
	w := &worker{program: build(t), database: database, redis: server.URL()}
	w.start(t)
	client := connect(t, server.URL())
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)

	if got := localtest.Metrics(t, w.url); got["analytics_queue_up"] != "1" || got["analytics_queue_events"] != "0" || got["analytics_queue_age_seconds"] != "0" {
		t.Errorf("metrics of an empty queue: %v", got)
	}
	if err := writer.Append(ctx, newEvents(10)...); err != nil {
		t.Fatal(err)
	}
	localtest.Eventually(t, "the metrics show ten queued events", func() bool {
		got := localtest.Metrics(t, w.url)
		return got["analytics_queue_events"] == "10" && got["analytics_queue_express_events"] == "0" && got["analytics_queue_age_seconds"] > "0"
	})
	if status, answer, err := w.run(ctx, token); err != nil || status != http.StatusOK || answer["backlog"] != 0.0 || answer["age_seconds"] != 0.0 {
		t.Errorf("run: status %d, %v, %v", status, answer, err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	got := localtest.Metrics(t, w.url)
	if _, measured := got["analytics_queue_events"]; got["analytics_queue_up"] != "0" || measured {
		t.Errorf("metrics without Redis: %v", got)
	}
}

// TestFullRedis checks that a run stores the queued events even if Redis is out of memory.
func TestFullRedis(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := localtest.Postgres(t)
	_, client := prepare(t, database)
	w := &worker{program: build(t), database: database, redis: urlOf(client)}
	w.start(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(ctx, newEvents(100)...); err != nil {
		t.Fatal(err)
	}
	if err := client.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if status, answer, err := w.run(ctx, token); err != nil || status != http.StatusInternalServerError {
		t.Errorf("run without memory for the sites: status %d, %v, %v, want 500", status, answer, err)
	}
	if got := localtest.Metrics(t, w.url); got["analytics_queue_events"] != "0" {
		t.Errorf("%s events left in the queue, want 0", got["analytics_queue_events"])
	}
}

// TestAuthorization checks that a call without a key starts a run but does not get its
// result, that the owner's token gets the result, and that a wrong token is refused.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := localtest.Postgres(t)
	_, client := prepare(t, database)
	w := &worker{program: build(t), database: database, redis: urlOf(client)}
	w.start(t)
	if status, answer, err := w.run(ctx, ""); err != nil || status != http.StatusOK || len(answer) != 1 || answer["status"] != "done" {
		t.Errorf("without a key: status %d, %v, %v", status, answer, err)
	}
	if status, answer, err := w.run(ctx, token); err != nil || status != http.StatusOK || answer["events"] != 0.0 {
		t.Errorf("with the token: status %d, %v, %v", status, answer, err)
	}
	if status, answer, err := w.run(ctx, "wrong"); err != nil || status != http.StatusUnauthorized || answer["code"] != "unauthorized" {
		t.Errorf("with a wrong token: status %d, %v, %v", status, answer, err)
	}
}

// TestHangUps lets strangers call the function and hang up, again and again. It checks that
// the events are stored, and that the scheduler gets the status "done".
func TestHangUps(t *testing.T) {
	t.Parallel()
	const n = 20_000
	ctx := t.Context()
	database := localtest.Postgres(t)
	db, client := prepare(t, database)
	w := &worker{program: build(t), database: database, redis: urlOf(client), env: []string{"AGGREGATE_BATCH=500", "AGGREGATE_INTERVAL=1h", "AGGREGATE_DEADLINE=1h"}}
	w.start(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(ctx, newEvents(n)...); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var strangers sync.WaitGroup
	for range 2 {
		strangers.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				conn, err := net.Dial("tcp", "127.0.0.1:"+w.port)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = conn.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"))
				_ = conn.Close()
			}
		})
	}
	localtest.Eventually(t, "the run has begun", func() bool {
		var begun bool
		return db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM events)`).Scan(&begun) == nil && begun
	})
	status, answer, err := w.run(ctx, "")
	close(stop)
	strangers.Wait()
	if err != nil || status != http.StatusOK || answer["status"] != "done" && answer["status"] != "recent" {
		t.Errorf("the scheduler: status %d, %v, %v", status, answer, err)
	}
	var stored int
	if err := db.QueryRow(ctx, `SELECT count(*) FROM events`).Scan(&stored); err != nil || stored != n {
		t.Errorf("%d events are stored, %v; want %d by the one run of the interval", stored, err, n)
	}
}

// TestBusy lets another transaction hold the queue, as another process would. A run that can
// do nothing says so, and fails once that has lasted.
func TestBusy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := localtest.Postgres(t)
	db, client := prepare(t, database)
	program := build(t)
	patient := &worker{program: program, database: database, redis: urlOf(client), env: []string{"AGGREGATE_INTERVAL=0s"}}
	patient.start(t)
	hasty := &worker{program: program, database: database, redis: urlOf(client), env: []string{"AGGREGATE_INTERVAL=0s", "AGGREGATE_DEADLINE=2s"}}
	hasty.start(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(ctx, newEvents(10)...); err != nil {
		t.Fatal(err)
	}
	other, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback(context.Background()) }()
	if err := store.LockShards(ctx, other); err != nil {
		t.Fatal(err)
	}
	if status, answer, err := patient.run(ctx, ""); err != nil || status != http.StatusOK || answer["status"] != "busy" {
		t.Errorf("the scheduler: status %d, %v, %v; want busy", status, answer, err)
	}
	if status, answer, err := patient.run(ctx, token); err != nil || status != http.StatusOK || answer["busy"] != 4. || answer["backlog"] != 10. {
		t.Errorf("the owner: status %d, %v, %v; want 4 busy shards", status, answer, err)
	}
	for _, key := range []string{"", token} {
		localtest.Eventually(t, "a call with the key '"+key+"' fails", func() bool {
			status, answer, err := hasty.run(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			return status == http.StatusServiceUnavailable && answer["code"] == "stalled"
		})
	}
	if err := other.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	localtest.Eventually(t, "a scheduled call succeeds", func() bool {
		status, answer, err := hasty.run(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		return status == http.StatusOK && answer["status"] == "done"
	})
	if status, answer, err := patient.run(ctx, token); err != nil || status != http.StatusOK || answer["backlog"] != 0. {
		t.Errorf("afterwards: status %d, %v, %v", status, answer, err)
	}
}

// TestMissingConfiguration checks that a function that can't start says in one line what to
// set.
func TestMissingConfiguration(t *testing.T) {
	t.Parallel()
	program := build(t)
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"no token":    {[]string{}, "ADMIN_TOKEN"},
		"no Redis":    {[]string{"ADMIN_TOKEN=" + token, "REDIS_URL=redis://127.0.0.1:1/0"}, "REDIS_URL"},
		"no database": {[]string{"ADMIN_TOKEN=" + token, "REDIS_URL=" + localtest.Redis(t), "DATABASE_URL=postgres://x:hunter2@127.0.0.1:1/x"}, "DATABASE_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Env = append([]string{"PORT=" + freePort(t), "SALT_KEY=" + localtest.SaltKey}, test.env...)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("the function exited without an error")
			}
			lines := 0
			for scanner := bufio.NewScanner(bytes.NewReader(out)); scanner.Scan(); {
				lines++
			}
			if lines != 1 || !bytes.Contains(out, []byte(test.want)) || bytes.Contains(out, []byte("hunter2")) {
				t.Errorf("output = %q, want one line about %s", out, test.want)
			}
		})
	}
}
