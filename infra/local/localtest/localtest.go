// Package localtest provides tests with a real PostgreSQL and a real Redis.
//
// The test process starts the servers on first use, on free ports, with their data in a
// temporary directory. They end with the process, even if it crashes, and leave nothing
// behind. A test that kills its server must start its own with package postgres or redis.
package localtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/infra/local/postgres"
	"github.com/analytics-platform/analytics/infra/local/redis"
)

// NamedServer is the environment variable with the URL of another database server to test
// on, such as one with TimescaleDB. Its user must be allowed to create databases.
const NamedServer = "ANALYTICS_TEST_DATABASE_URL"

// SaltKey is a value of SALT_KEY.
const SaltKey = "key that encrypts salts in tests"

// NamedURL is the URL of a database to test on, and a name for the subtest.
type NamedURL struct{ Name, URL string }

// Postgres returns the URL of a new, empty database on plain PostgreSQL. It is dropped when
// the test ends.
func Postgres(tb testing.TB) string {
	tb.Helper()
	return shared(tb, plainServer)
}

// Databases returns the URLs of new, empty databases: "plain" from Postgres; "timescale" on
// a server with TimescaleDB, if this machine has it; and "named" on the server of
// NamedServer, if it is set.
func Databases(tb testing.TB) []NamedURL {
	tb.Helper()
	databases := []NamedURL{{"plain", Postgres(tb)}}
	if postgres.TimescaleAvailable(tb.Context()) {
		databases = append(databases, NamedURL{"timescale", shared(tb, timescaleServer)})
	}
	if server := os.Getenv(NamedServer); server != "" {
		databases = append(databases, NamedURL{"named", newDatabase(tb, server)})
	}
	return databases
}

func shared(tb testing.TB, server func() (sharedServer, error)) string {
	tb.Helper()
	s, err := server()
	if err != nil {
		tb.Fatalf("start PostgreSQL for a test: %v", err)
	}
	return newDatabase(tb, s.url)
}

// Redis returns the URL of a new, empty Redis server. It is stopped when the test ends.
func Redis(tb testing.TB) string {
	tb.Helper()
	dir, err := newDirectory()
	if err != nil {
		tb.Fatalf("start Redis for a test: %v", err)
	}
	server, err := redis.Start(tb.Context(), dir.path, redis.Fsync(redis.FsyncNever))
	if err != nil {
		tb.Fatalf("start Redis for a test: %v", errors.Join(err, dir.remove()))
	}
	tb.Cleanup(func() {
		if err := errors.Join(server.Kill(), dir.remove()); err != nil {
			tb.Errorf("stop Redis after a test: %v", err)
		}
	})
	return server.URL()
}

// sharedServer is a server shared by the tests of this process. Garbage collection of dir
// would close its pipe and so end the server.
type sharedServer struct {
	url string
	dir *directory
}

// The shared servers are globals, and run until the process ends, because no test knows that
// it is the last one.
var (
	plainServer     = sync.OnceValues(func() (sharedServer, error) { return startShared(postgres.Plain()) })
	timescaleServer = sync.OnceValues(func() (sharedServer, error) { return startShared() })
)

func startShared(opts ...postgres.Option) (sharedServer, error) {
	dir, err := newDirectory()
	if err != nil {
		return sharedServer{}, err
	}
	server, err := postgres.Start(context.Background(), dir.path, append(opts, postgres.WithoutSync())...)
	if err != nil {
		return sharedServer{}, errors.Join(err, dir.remove())
	}
	return sharedServer{server.URL(), dir}, nil
}

func newDatabase(tb testing.TB, server string) string {
	tb.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	if err := execute(tb.Context(), server, `CREATE DATABASE `+name); err != nil {
		tb.Fatalf("create a database for a test: %v", err)
	}
	tb.Cleanup(func() {
		// The test's context is done by now.
		if err := execute(context.Background(), server, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			tb.Errorf("drop a test database: %v", err)
		}
	})
	address, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("%s must be a URL such as postgres://postgres@127.0.0.1:5432/postgres", NamedServer)
	}
	address.Path = "/" + name
	return address.String()
}

func execute(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// directory is a temporary directory that is removed when this process ends, even by a
// crash.
type directory struct {
	path    string
	janitor *exec.Cmd
	alive   io.Closer
}

// janitor waits until its standard input is closed, at the latest by the end of this
// process. It then gives PostgreSQL ten seconds to shut down, and removes the directory.
const janitor = `cat >/dev/null
tries=100
while [ -e "$1/data/postmaster.pid" ] && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
until rm -rf -- "$1" 2>/dev/null && [ ! -e "$1" ]; do sleep 0.1; done`

func newDirectory() (*directory, error) {
	path, err := os.MkdirTemp("", "analytics-test-")
	if err != nil {
		return nil, fmt.Errorf("create a temporary directory: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", janitor, "janitor", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C must not end it
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the janitor of a temporary directory: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the janitor of a temporary directory: %w", err)
	}
	return &directory{path, cmd, alive}, nil
}

func (d *directory) remove() error {
	return errors.Join(d.alive.Close(), d.janitor.Wait())
}
