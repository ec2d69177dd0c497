package host_test

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// TestOneConnection checks that functions share the only connection that a server takes.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	process := newProcess(t, map[string]string{"DATABASE_URL": localtest.Postgres(t) + "&pool_max_conns=1"})
	pool, err := process.Env("track").Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if other, err := process.Env("query").Database(t.Context()); err != nil || other != pool {
		t.Errorf("another function has another pool (%v)", err)
	}
}

// TestConnections checks that a function that needs all its connections to the database does
// not keep another one from it, and that they share those to Redis.
func TestConnections(t *testing.T) {
	t.Parallel()
	process := newProcess(t, map[string]string{
		"DATABASE_URL": localtest.Postgres(t) + "&pool_max_conns=2",
		"REDIS_URL":    localtest.Redis(t),
	})
	one, other := process.Env("track"), process.Env("query")
	pool, err := one.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := one.LazyDatabase(); err != nil || again != pool {
		t.Errorf("a function gets a second pool (%v)", err)
	}
	var all []*pgxpool.Conn
	for range pool.Config().MaxConns {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	second, err := other.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var name string
	if err := second.QueryRow(t.Context(), `SHOW application_name`).Scan(&name); err != nil || name != "analytics" {
		t.Errorf("application name %q, %v", name, err)
	}
	for _, conn := range all {
		conn.Release()
	}
	client, err := one.Redis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := other.LazyRedis(); err != nil || again != client {
		t.Errorf("another function gets another Redis client (%v)", err)
	}
	if one.Metrics() == other.Metrics() {
		t.Error("two functions share a metrics registry")
	}
	process.Close()
	for _, closed := range []*pgxpool.Pool{pool, second} {
		if closed.Ping(t.Context()) == nil {
			t.Error("a pool is open after the process has closed")
		}
	}
}

func TestLazyConnections(t *testing.T) {
	t.Parallel()
	env := newProcess(t, map[string]string{
		"DATABASE_URL": "postgres://localhost:1/analytics", "REDIS_URL": "redis://localhost:1/0",
	}).Env("test")
	if _, err := env.LazyDatabase(); err != nil {
		t.Error(err)
	}
	if _, err := env.LazyRedis(); err != nil {
		t.Error(err)
	}
}

func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	const (
		setDatabase = "set DATABASE_URL, e.g. postgres://user:password@localhost:5432/analytics"
		setRedis    = "set REDIS_URL, e.g. redis://localhost:6379/0"
	)
	closed := closedPort(t)
	postgres, err := url.Parse(localtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	redis, err := url.Parse(localtest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	unknown, wrong, stranger := *postgres, *postgres, *redis
	unknown.Path = "/nowhere"
	wrong.User = url.UserPassword("analytics", "hunter2")
	stranger.User = url.UserPassword("u", "hunter2")
	tests := map[string]struct{ database, redis, wantDatabase, wantRedis string }{
		"not set": {
			"", "",
			"DATABASE_URL is not set: " + setDatabase, "REDIS_URL is not set: " + setRedis,
		},
		"not a URL": {
			"postgres://u:hunter2@local host/x", "http://:hunter2@localhost",
			"DATABASE_URL is not the URL of a PostgreSQL database: " + setDatabase,
			"REDIS_URL is not the URL of a Redis server: " + setRedis,
		},
		"not a cluster URL": {
			"", "redis://:hunter2@one:6379?addr=one:two:three",
			"DATABASE_URL is not set: " + setDatabase,
			"REDIS_URL is not the URL of a Redis Cluster: set it, e.g. redis://one:6379?addr=two:6379&addr=three:6379",
		},
		"an unreachable cluster": {
			"", "redis://:hunter2@" + closed + "?addr=" + closed,
			"DATABASE_URL is not set: " + setDatabase, "REDIS_URL: cannot use Redis at the cluster (connection refused): " + setRedis,
		},
		"unreachable": {
			"postgres://u:hunter2@" + closed + "/x", "redis://u:hunter2@" + closed + "/0",
			"DATABASE_URL: cannot use PostgreSQL at " + closed + " (connection refused): " + setDatabase,
			"REDIS_URL: cannot use Redis at " + closed + " (connection refused): " + setRedis,
		},
		"an unknown database and an unknown Redis user": {
			unknown.String(), stranger.String(),
			"DATABASE_URL: cannot use PostgreSQL at " + postgres.Host + ` (database "nowhere" does not exist): ` + setDatabase,
			"(WRONGPASS invalid username-password pair or user is disabled.): " + setRedis,
		},
		"a wrong password": {
			wrong.String(), "redis://:hunter2@" + redis.Host + "/0",
			"DATABASE_URL: cannot use PostgreSQL at " + postgres.Host + ` (password authentication failed for user "analytics"): ` + setDatabase,
			"(WRONGPASS invalid username-password pair or user is disabled.): " + setRedis,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			variables := map[string]string{}
			if test.database != "" {
				variables["DATABASE_URL"] = test.database
			}
			if test.redis != "" {
				variables["REDIS_URL"] = test.redis
			}
			env := newProcess(t, variables).Env("test")
			_, err := env.Database(t.Context())
			checkLine(t, err, test.wantDatabase)
			_, err = env.Redis(t.Context())
			checkLine(t, err, test.wantRedis)
		})
	}
}

func checkLine(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want %s", want)
		return
	}
	got := err.Error()
	if !strings.Contains(got, want) {
		t.Errorf("error %q, want %q", got, want)
	}
	if strings.Contains(got, "\n") || strings.Contains(got, "hunter2") {
		t.Errorf("the error has several lines or contains a password: %q", got)
	}
}

// closedPort returns an address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
