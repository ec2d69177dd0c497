package postgres_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/infra/local/postgres"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, dir)
	execute(t, server, `CREATE TABLE fact (id int)`, `INSERT INTO fact VALUES (1)`)
	stop(t, server)
	if _, err := pgx.Connect(t.Context(), server.URL()); err == nil {
		t.Error("a stopped server accepts connections")
	}
	again := start(t, dir, postgres.Port(server.Port()))
	if again.URL() != server.URL() {
		t.Errorf("restarted at %s, want %s", again.URL(), server.URL())
	}
	if got := count(t, again); got != 1 {
		t.Errorf("%d rows after a restart, want 1", got)
	}
}

// TestStrangers connects as other programs on the machine could.
func TestStrangers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	checkStrangers(t, start(t, dir))
	if info, err := os.Stat(filepath.Join(dir, "password")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file of the password: %v, %v", info, err)
	}
}

// checkStrangers checks that the server refuses everybody who does not have the password.
func checkStrangers(t *testing.T, server *postgres.Server) {
	t.Helper()
	own, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	password, _ := own.User.Password()
	for name, change := range map[string]func(*url.URL){
		"no password":            func(u *url.URL) { u.User = url.User("analytics") },
		"an empty password":      func(u *url.URL) { u.User = url.UserPassword("analytics", "") },
		"a wrong password":       func(u *url.URL) { u.User = url.UserPassword("analytics", "analytics") },
		"the role postgres":      func(u *url.URL) { u.User = url.User("postgres") },
		"that with the password": func(u *url.URL) { u.User = url.UserPassword("postgres", password) },
		"the database postgres":  func(u *url.URL) { u.User, u.Path = url.User("analytics"), "/postgres" },
		"the database template1": func(u *url.URL) { u.User, u.Path = url.User("analytics"), "/template1" },
		"replication":            func(u *url.URL) { u.User, u.RawQuery = url.User("analytics"), "sslmode=disable&replication=database" },
	} {
		stranger := *own
		change(&stranger)
		conn, err := pgx.Connect(t.Context(), stranger.String())
		if err == nil {
			t.Errorf("%s: connected", name)
			_ = conn.Close(t.Context())
			continue
		}
		// pgx itself refuses to answer the server's question without a password.
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok && !pgerrcode.IsInvalidAuthorizationSpecification(refused.Code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	connect(t, server)
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		if text, err := os.ReadFile(command); err == nil && strings.Contains(string(text), password) {
			t.Errorf("%s shows the password: %q", command, text)
		}
	}
}

// TestOlderData starts a server with the data of earlier versions, which trusted everybody,
// and after the password was lost.
func TestOlderData(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(*testing.T, string, *postgres.Server){
		"trusting": func(t *testing.T, dir string, server *postgres.Server) {
			t.Helper()
			execute(t, server, `ALTER ROLE analytics PASSWORD NULL`)
			stop(t, server)
			file := filepath.Join(dir, "data", "pg_hba.conf")
			const trust = "local all all trust\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n"
			if err := errors.Join(os.WriteFile(file, []byte(trust), 0o600), os.Remove(filepath.Join(dir, "password"))); err != nil {
				t.Fatal(err)
			}
		},
		"without its password": func(t *testing.T, dir string, server *postgres.Server) {
			t.Helper()
			stop(t, server)
			if err := os.Remove(filepath.Join(dir, "password")); err != nil {
				t.Fatal(err)
			}
		},
		"trusting, after a crash": func(t *testing.T, dir string, server *postgres.Server) {
			t.Helper()
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "data", "pg_hba.conf"), []byte("host all all 127.0.0.1/32 trust\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			server := start(t, dir)
			execute(t, server, `CREATE TABLE fact (id int)`, `INSERT INTO fact VALUES (1)`)
			alter(t, dir, server)
			again := start(t, dir)
			if got := count(t, again); got != 1 {
				t.Errorf("%d rows, want 1", got)
			}
			checkStrangers(t, again)
		})
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, dir)
	execute(t, server, `CREATE TABLE fact (id int)`, `INSERT INTO fact SELECT generate_series(1, 1000)`)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-server.Done():
	default:
		t.Error("Done is not closed after Kill")
	}
	if got := count(t, start(t, dir, postgres.Port(server.Port()))); got != 1000 {
		t.Errorf("%d rows after kill -9, want 1000", got)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir)
	_, err := postgres.Start(t.Context(), dir)
	if !errors.Is(err, postgres.ErrLocked) {
		t.Fatalf("second server in the same directory: got %v, want ErrLocked", err)
	}
	if want := dir + " is in use by another process"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestStalePidFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, dir)
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	lines, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	// After a reboot the number may belong to any process. PostgreSQL fails to start if it is
	// one of its own user.
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	_, rest, _ := strings.Cut(string(lines), "\n")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(other.Process.Pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
}

func TestUnfinishedCluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
}

// TestPrivateParent starts a server in a directory whose parent other users can't read, such
// as a checkout below /root.
func TestPrivateParent(t *testing.T) {
	t.Parallel()
	private := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	server := start(t, filepath.Join(private, "postgres"))
	execute(t, server, `CREATE TABLE fact (id int)`, `CHECKPOINT`)
}

func TestTimescale(t *testing.T) {
	t.Parallel()
	server := start(t, t.TempDir())
	conn := connect(t, server)
	var available bool
	const find = `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')`
	if err := conn.QueryRow(t.Context(), find).Scan(&available); err != nil {
		t.Fatal(err)
	}
	var loaded string
	if err := conn.QueryRow(t.Context(), `SHOW shared_preload_libraries`).Scan(&loaded); err != nil {
		t.Fatal(err)
	}
	if available != (loaded == "timescaledb") {
		t.Errorf("TimescaleDB available: %t, loaded: %q", available, loaded)
	}
	if available {
		execute(t, server, `CREATE EXTENSION timescaledb`)
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	t.Run("data of other version", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := postgres.Start(t.Context(), dir)
		wantLine(t, err, "the data was created by PostgreSQL 9", "install the Debian package postgresql-9")
	})
	t.Run("port in use", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		dir := t.TempDir()
		_, err = postgres.Start(t.Context(), dir, postgres.WithoutSync(), postgres.Port(listener.Addr().(*net.TCPAddr).Port))
		wantLine(t, err, "PostgreSQL exited while starting", filepath.Join(dir, "log"))
	})
}

func TestNotInstalled(t *testing.T) {
	t.Parallel()
	// The tests need PostgreSQL, so this checks the message only.
	wantLine(t, postgres.ErrNotInstalled, "install the Debian package postgresql")
}

func wantLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not contain %q", err, part)
		}
	}
}

func start(t *testing.T, dir string, opts ...postgres.Option) *postgres.Server {
	t.Helper()
	server, err := postgres.Start(t.Context(), dir, append(opts, postgres.WithoutSync())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server
}

func stop(t *testing.T, server *postgres.Server) {
	t.Helper()
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, server *postgres.Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func execute(t *testing.T, server *postgres.Server, statements ...string) {
	t.Helper()
	conn := connect(t, server)
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, server *postgres.Server) int {
	t.Helper()
	var n int
	if err := connect(t, server).QueryRow(t.Context(), `SELECT count(*) FROM fact`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
