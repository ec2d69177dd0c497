package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/sethvargo/go-retry"

	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/analytics-platform/analytics/migrations"
	"github.com/analytics-platform/analytics/shared/edge/httpbody"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// Process holds what the functions of a process share: environment, connections to Redis,
// memory limit, and log. Each function has its own connections to the database, so that none
// can keep the others from it; they share one if DATABASE_URL allows only one.
type Process struct {
	variables     map[string]string
	secretFolders []string
	arns          func() (map[string]string, error) // secrets from AWS, fetched on first use
	limit         func() (memoryLimit, error)       // read on first use
	shedder       *shedder                          // without marks until LimitMemory
	bodies        func() *httpbody.Memory           // made on first use
	log           *slog.Logger

	mu    sync.Mutex
	pools []*pgxpool.Pool // of all functions
	redis redis.UniversalClient
}

// NewProcess returns a process with the given environment variables.
func NewProcess(variables map[string]string, log *slog.Logger) *Process {
	arns := sync.OnceValues(func() (map[string]string, error) { return fetchSecrets(variables) })
	limit := sync.OnceValues(func() (memoryLimit, error) { return findLimit(variables, memlimit.FromCgroup) })
	p := &Process{variables: variables, secretFolders: secretFolders(), arns: arns, limit: limit, shedder: &shedder{collect: runtime.GC, log: log}, log: log}
	p.bodies = sync.OnceValue(func() *httpbody.Memory { return httpbody.NewMemory(p.Memory()) })
	return p
}

// Close closes the connections. The functions must have been closed before.
func (p *Process) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pool := range p.pools {
		pool.Close()
	}
	p.pools = nil
	if p.redis != nil {
		_ = p.redis.Close() // fails only if it is already closed
		p.redis = nil
	}
}

// Env is the environment of a function.
type Env struct {
	*Process
	name     string
	log      *slog.Logger
	metrics  *prometheus.Registry
	database *pgxpool.Pool // nil before its first use

	described *[]field // set by Describe, otherwise nil
}

// Env returns the environment of the named function.
func (p *Process) Env(name string) *Env {
	return &Env{
		Process: p,
		name:    name,
		log:     p.log.With("function", name),
		metrics: prometheus.NewRegistry(),
	}
}

// Name returns the name of the function.
func (e *Env) Name() string { return e.name }

// Logger returns the log of the function. It must never contain an address, a user agent,
// a subject, a query or a secret.
func (e *Env) Logger() *slog.Logger { return e.log }

// Metrics returns the function's registry, which GET /metrics serves.
func (e *Env) Metrics() *prometheus.Registry { return e.metrics }

// checkTimeout is the time limit of the first connection to the database or to Redis.
const checkTimeout = 10 * time.Second

const (
	//nolint:gosec // an example, not a credential
	exampleDatabase = "set DATABASE_URL, e.g. postgres://user:password@localhost:5432/analytics"
	exampleRedis    = "set REDIS_URL, e.g. redis://localhost:6379/0"
)

// Database returns the function's pool of connections to DATABASE_URL, after it has
// connected. The error is one line that says what to set. Only the host closes the pool.
func (e *Env) Database(ctx context.Context) (*pgxpool.Pool, error) {
	pool, err := e.LazyDatabase()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		config := pool.Config().ConnConfig
		at := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
		return nil, fmt.Errorf("DATABASE_URL: cannot use PostgreSQL at %s (%s): %s", at, reason(err), exampleDatabase)
	}
	return pool, nil
}

// Record is like Database, and waits until schema-guard has made the tables that this
// release needs.
func (e *Env) Record(ctx context.Context) (*pgxpool.Pool, error) {
	pool, err := e.Database(ctx)
	if err != nil {
		return nil, err
	}
	return pool, e.AwaitTables(ctx, pool)
}

// AwaitTables waits until schema-guard has made the tables that this release needs. It says in
// the log what it waits for, once. A function calls it when it has read all its variables, so
// that a wrong one is an error at once.
func (e *Env) AwaitTables(ctx context.Context, pool *pgxpool.Pool) error {
	waits := retry.WithCappedDuration(recordWait, retry.NewExponential(firstRecordWait))
	said := false
	return retry.Do(ctx, waits, func(ctx context.Context) error {
		version, err := schemaVersion(ctx, pool)
		if err != nil {
			return fmt.Errorf("DATABASE_URL: cannot read the version of the tables: %s", reason(err))
		}
		if version >= migrations.Latest() {
			return nil
		}
		if !said {
			said = true
			e.log.WarnContext(ctx, "waiting for the function schema-guard, which has to run first: it makes the tables in the database",
				"version", version, "needed", migrations.Latest())
		}
		return retry.RetryableError(errors.New("the function schema-guard has not run yet: it has to make the tables in the database"))
	})
}

// The time between two looks at the version of the tables grows from firstRecordWait to
// recordWait.
const (
	firstRecordWait = 100 * time.Millisecond
	recordWait      = 2 * time.Second
)

const selectSchemaVersion = `SELECT coalesce(max(version_id), 0) FROM schema_migrations WHERE is_applied`

// schemaVersion returns the number of the last migration, 0 if there was none.
func schemaVersion(ctx context.Context, db database.DB) (version int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err = db.QueryRow(ctx, selectSchemaVersion).Scan(&version)
	if database.Outdated(err) {
		return 0, nil
	}
	return version, err
}

// LazyDatabase is like Database but does not connect, for functions that can start while
// the database is unavailable.
func (e *Env) LazyDatabase() (*pgxpool.Pool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.database != nil {
		return e.database, nil
	}
	address, found, err := e.secret("DATABASE_URL")
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errors.New("DATABASE_URL is not set: " + exampleDatabase)
	}
	config, err := pgxpool.ParseConfig(address)
	if err != nil { // it quotes the URL
		return nil, errors.New("DATABASE_URL is not the URL of a PostgreSQL database: " + exampleDatabase)
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "analytics"
	}
	if config.MaxConns == 1 && len(e.pools) > 0 { // the server may take no more
		e.database = e.pools[0]
		return e.database, nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config) // it does not connect yet
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	e.database, e.pools = pool, append(e.pools, pool)
	return pool, nil
}

// Redis returns the client for REDIS_URL, which all functions of the process share, after
// it has connected. The error is one line that says what to set. Only the host closes the
// client.
func (e *Env) Redis(ctx context.Context) (redis.UniversalClient, error) {
	client, err := e.LazyRedis()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		at := "the cluster"
		if single, ok := client.(*redis.Client); ok {
			at = single.Options().Addr
		}
		return nil, fmt.Errorf("REDIS_URL: cannot use Redis at %s (%s): %s", at, reason(err), exampleRedis)
	}
	return client, nil
}

// LazyRedis is like Redis but does not connect, for functions that can start while Redis is
// unavailable. A URL with further addresses in its query, such as
// redis://one:6379?addr=two:6379, is the URL of a Redis Cluster.
func (e *Env) LazyRedis() (redis.UniversalClient, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.redis != nil {
		return e.redis, nil
	}
	address, found, err := e.secret("REDIS_URL")
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errors.New("REDIS_URL is not set: " + exampleRedis)
	}
	if parsed, err := url.Parse(address); err == nil && parsed.Query().Has("addr") {
		options, err := redis.ParseClusterURL(address)
		if err != nil { // it quotes parts of the URL
			return nil, errors.New("REDIS_URL is not the URL of a Redis Cluster: set it, e.g. redis://one:6379?addr=two:6379&addr=three:6379")
		}
		options.ContextTimeoutEnabled = true
		options.Protocol = 2
		options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		e.redis = redis.NewClusterClient(options)
		return e.redis, nil
	}
	options, err := redis.ParseURL(address)
	if err != nil { // it quotes parts of the URL
		return nil, errors.New("REDIS_URL is not the URL of a Redis server: " + exampleRedis)
	}
	options.ContextTimeoutEnabled = true
	options.Protocol = 2 // nothing needs version 3, whose notifications cost time in every response
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	e.redis = redis.NewClient(options)
	return e.redis, nil
}

// reason returns why a server could not be used, in a few words and without its URL.
func reason(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Message
	}
	if refused, ok := errors.AsType[redis.Error](err); ok {
		return refused.Error()
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return unknown.Err
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout() {
		return "timeout"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
