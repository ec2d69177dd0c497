package localtest_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
)

func TestPostgresIsolation(t *testing.T) {
	t.Parallel()
	first, second := localtest.Postgres(t), localtest.Postgres(t)
	if first == second {
		t.Fatalf("two calls returned the same database %s", first)
	}
	execute(t, first, `CREATE TABLE mine (id int)`)
	execute(t, second, `CREATE TABLE mine (id int)`)
}

func TestPostgresDropped(t *testing.T) { //nolint:tparallel // the subtest must end first
	t.Parallel()
	var dropped string
	t.Run("finished test", func(t *testing.T) { dropped = localtest.Postgres(t) })
	_, err := pgx.Connect(t.Context(), dropped)
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("connect to the database of a finished test: got %v, want an error that it does not exist", err)
	}
}

func TestDatabases(t *testing.T) { //nolint:paralleltest // it sets the environment
	server := localtest.Postgres(t)
	want := []string{"plain"}
	if postgres.TimescaleAvailable(t.Context()) {
		want = append(want, "timescale")
	}
	for _, named := range []string{"", server} {
		t.Setenv(localtest.NamedServer, named)
		if named != "" {
			want = append(want, "named")
		}
		var names []string
		for _, database := range localtest.Databases(t) {
			names = append(names, database.Name)
			execute(t, database.URL, `CREATE TABLE mine (id int)`)
		}
		if !slices.Equal(names, want) {
			t.Errorf("databases %v, want %v", names, want)
		}
	}
}

func TestWebAssembly(t *testing.T) {
	t.Parallel()
	database := localtest.WebAssembly(t)
	execute(t, database.URL, `CREATE TABLE mine (time timestamptz NOT NULL); SELECT create_hypertable('mine', 'time')`)
}

func TestRedisIsolation(t *testing.T) {
	t.Parallel()
	for range 2 {
		options, err := redis.ParseURL(localtest.Redis(t))
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(options)
		if n := client.DBSize(t.Context()).Val(); n != 0 {
			t.Errorf("a new server has %d keys", n)
		}
		if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCleanup runs this test binary as a process that kills itself while its servers run,
// and checks that nothing of them remains.
func TestCleanup(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKillSelf$", "-test.v")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "LOCALTEST_DIE=1")
	output, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the process did not kill itself: %v: %s", err, output)
	}
	_, rest, found := strings.Cut(string(output), "postgres: ")
	if !found {
		t.Fatalf("the process started no server: %s", output)
	}
	address, _, _ := strings.Cut(rest, "\n")
	if _, err := url.Parse(address); err != nil {
		t.Fatal(err)
	}
	localtest.Eventually(t, "the server has ended", func() bool {
		conn, err := pgx.Connect(t.Context(), address)
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err != nil
	})
	localtest.Eventually(t, "the directories are removed", func() bool {
		remaining, err := filepath.Glob(filepath.Join(temp, "*"))
		return err == nil && len(remaining) == 0
	})
}

// TestKillSelf is the body of the process that TestCleanup starts.
func TestKillSelf(t *testing.T) { //nolint:paralleltest // it kills its process
	if os.Getenv("LOCALTEST_DIE") == "" {
		return
	}
	localtest.Redis(t)
	address := localtest.Postgres(t)
	if _, err := os.Stdout.WriteString("postgres: " + address + "\n"); err != nil {
		t.Fatal(err)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Kill(); err != nil {
		t.Fatal(err)
	}
	select {} // until the signal arrives
}

func execute(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Error(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
