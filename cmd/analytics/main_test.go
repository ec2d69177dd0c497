package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// installation is a database with a site, a queue and the program.
type installation struct {
	program string
	env     []string
	db      *pgxpool.Pool
	client  *redis.Client
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{program: filepath.Join(t.TempDir(), "analytics")}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", i.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	database, address := localtest.Postgres(t), localtest.Redis(t)
	secret := filepath.Join(t.TempDir(), "database-url") // as platforms mount it
	if err := os.WriteFile(secret, []byte(database+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.env = []string{"DATABASE_URL_FILE=" + secret, "REDIS_URL=" + address, "SALT_KEY=" + localtest.SaltKey}
	i.db = localtest.Record(t, database)
	if _, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "one.example", Timezone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	i.client = localtest.Client(t, address)
	return i
}

// run runs the program and returns its output and exit status.
func (i *installation) run(t *testing.T, args ...string) (out, errors string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), i.program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = i.env, &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// eventOn returns an event on a day.
func eventOn(day string, visitor int64) *event.Event {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	return &event.Event{ID: uuid.Must(uuid.NewV7()), Site: 1, Time: at.Add(12 * time.Hour), Day: event.DayOf(at), Visitor: visitor, Type: event.View, Page: "/"}
}

// store queues and stores events.
func (i *installation) store(t *testing.T, events ...*event.Event) {
	t.Helper()
	writer := queue.NewWriter(i.client)
	defer writer.Close()
	if err := writer.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	i.aggregate(t)
}

func (i *installation) aggregate(t *testing.T) {
	t.Helper()
	if _, err := (&aggregate.Aggregator{Redis: i.client, Database: i.db}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (i *installation) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := i.db.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// verify checks the visits and rollups against the events.
func (i *installation) verify(t *testing.T) {
	t.Helper()
	oracle.Agrees(t, i.db)
}

func TestRecompute(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.store(t, eventOn("2026-03-01", 1), eventOn("2026-03-02", 2), eventOn("2026-03-02", 3))
	args := []string{"recompute", "--site", "one.example", "--from", "2026-03-01", "--to", "2026-03-02"}

	out, errors, code := i.run(t, args...)
	if code != 0 || errors != "" || strings.Count(out, "right") != 2 {
		t.Errorf("exit %d, %s%s; want both days right", code, out, errors)
	}
	i.exec(t, `DELETE FROM visits WHERE visitor = 3; UPDATE rollup_hour SET events = 9 WHERE day = '2026-03-02'`)
	out, _, code = i.run(t, args...)
	lines := strings.Split(out, "\n")
	if code != 1 || len(lines) < 5 {
		t.Fatalf("exit %d, %s; want 1 and a table", code, out)
	}
	for n, want := range []string{
		"DAY EVENTS VISITOR-DAYS VISITS MISSING EXTRA CHANGED HOURS DAYS MONTHS",
		"2026-03-01 1 1 0 0 0 0 0 0 right",
		"2026-03-02 2 2 1 0 0 1 0 0 differs",
		"2026-03-02: the visit that began at 2026-03-02T12:00:00Z is not stored",
	} {
		if got := strings.Join(strings.Fields(lines[n]), " "); got != want {
			t.Errorf("line %d is %q, want %q", n, got, want)
		}
	}

	var result struct {
		Days []struct {
			Day      string
			Replaced bool
			Visits   struct{ Missing int }
			Rollups  struct{ Hours int }
		}
	}
	out, _, code = i.run(t, append(args, "--replace", "--json")...)
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 0 || len(result.Days) != 2 {
		t.Fatalf("exit %d, %s, %v", code, out, err)
	}
	if first, second := result.Days[0], result.Days[1]; first.Replaced || !second.Replaced || second.Visits.Missing != 1 || second.Rollups.Hours != 1 {
		t.Errorf("got %+v", result)
	}
	i.verify(t)

	i.exec(t, `DELETE FROM events WHERE day = '2026-03-01'`)
	if out, _, code := i.run(t, append(args, "--replace")...); code != 1 || !strings.Contains(out, "no events to recompute from") {
		t.Errorf("without events: exit %d, %s", code, out)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	i := install(t)
	var letters []store.DeadLetter
	for n := range 3 {
		e := eventOn("2026-03-01", int64(n))
		letters = append(letters, store.DeadLetter{Shard: queue.ShardOf(e), Entry: fmt.Sprintf("1-%d", n), Payload: e.Encode(nil), Reason: "it was a bad day"})
	}
	if err := store.AddDeadLetters(t.Context(), i.db, letters); err != nil {
		t.Fatal(err)
	}
	out, _, code := i.run(t, "dead-letters", "list", "--limit", "2")
	if code != 0 || strings.Count(out, "it was a bad day") != 2 || !strings.Contains(out, "2 of 3") {
		t.Errorf("exit %d, %s", code, out)
	}
	var list struct {
		DeadLetters []map[string]any `json:"dead_letters"`
		Total       int
	}
	out, _, code = i.run(t, "dead-letters", "list", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || list.Total != 3 || len(list.DeadLetters) != 3 || len(list.DeadLetters[0]) != 5 {
		t.Errorf("exit %d, %s, %v", code, out, err)
	}

	if out, errors, code := i.run(t, "dead-letters", "replay", "--limit", "1"); code != 0 || errors != "" || !strings.Contains(out, "replayed 1 dead letters, 2 left") {
		t.Errorf("exit %d, %s%s", code, out, errors)
	}
	out, _, code = i.run(t, "dead-letters", "replay", "--json")
	if strings.Join(strings.Fields(out), "") != `{"replayed":2,"left":0}` || code != 0 {
		t.Errorf("exit %d, %s", code, out)
	}
	i.aggregate(t)
	var stored int
	if err := i.db.QueryRow(t.Context(), `SELECT count(*) FROM events`).Scan(&stored); err != nil || stored != 3 {
		t.Errorf("got %d stored events (%v), want 3", stored, err)
	}
	i.verify(t)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	i := install(t)
	good := []string{"recompute", "--site", "one.example", "--from", "2026-03-01"}
	for name, test := range map[string]struct {
		args []string
		env  []string // replaces the valid one
		want string
	}{
		"no command":      {nil, nil, "--help"},
		"unknown command": {[]string{"recompile"}, nil, "recompile"},
		"unknown flag":    {append(good, "--force"), nil, "--force"},
		"no site":         {[]string{"recompute", "--from", "2026-03-01"}, nil, "--site"},
		"unknown site":    {[]string{"recompute", "--site", "no.example", "--from", "2026-03-01"}, nil, "--site: there is no site no.example"},
		"invalid day":     {[]string{"recompute", "--site", "one.example", "--from", "2026-02-30"}, nil, "--from must be a day"},
		"reversed days":   {append(good, "--to", "2026-02-01"), nil, "--to must not be before from"},
		"zero letters":    {[]string{"dead-letters", "replay", "--limit", "0"}, nil, "--limit must be 1 or more"},
		"no database":     {good, []string{"LOG_LEVEL=info"}, "DATABASE_URL is not set"},
		"no Redis":        {[]string{"dead-letters", "replay"}, []string{i.env[0], "REDIS_URL=redis://:hunter2@127.0.0.1:1/0"}, "REDIS_URL: cannot use Redis"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := *i
			if test.env != nil {
				with.env = test.env
			}
			out, errors, code := with.run(t, test.args...)
			if code != 2 || out != "" || strings.Count(errors, "\n") != 1 || !strings.Contains(errors, test.want) || strings.Contains(errors, "hunter2") {
				t.Errorf("exit %d, %q, error output %q; want 2 and a line about %s", code, out, errors, test.want)
			}
		})
	}
	if out, _, code := i.run(t, "--help"); code != 0 || !strings.Contains(out, "dead-letters") {
		t.Errorf("--help: exit %d, %s", code, out)
	}
}

// TestInterrupted interrupts the program while it waits for a lock.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.store(t, eventOn("2026-03-01", 1), eventOn("2026-03-02", 2))
	i.exec(t, `DELETE FROM visits WHERE visitor = 2`)
	tx, err := i.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if err := store.LockShards(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), i.program, "recompute", "--site", "one.example", "--from", "2026-03-01", "--to", "2026-03-02", "--replace")
	cmd.Env, cmd.Stdout, cmd.Stderr = i.env, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for blocked := false; !blocked; {
		err := i.db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&blocked)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit status is checked below
	if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(stdout.String(), "2026-03-01") || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit %d, %s%s; want the first day, and 2", code, &stdout, &stderr)
	}
}
