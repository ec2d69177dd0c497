// Package postgres starts a PostgreSQL server from the installed programs, for `make run`
// and for tests. It loads TimescaleDB if it is installed; a migration must create the
// extension.
//
// The server listens on 127.0.0.1 only and has one role, whose random password is in a file
// that only the user of this process can read. On Linux it ends with this process, even if
// that is killed. PostgreSQL refuses to run as root, so under root it runs as the owner of its data:
// the user "postgres" or "nobody" if the data is new. That user needs no access to the
// parent directories.
package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/infra/local/internal/child"
	"github.com/analytics-platform/analytics/infra/local/internal/secret"
)

// ErrLocked means that another process uses the directory.
var ErrLocked = child.ErrLocked

// user is the server's superuser, and the name of the database.
const user = "analytics"

// startTimeout limits a start, including the recovery after a crash.
const startTimeout = 2 * time.Minute

// Server is a running PostgreSQL server.
type Server struct {
	port     int
	password string
	child    *child.Child
	data     *child.Dir
	lock     io.Closer
}

// Option changes how a server is started.
type Option func(*options)

type options struct {
	port    int
	durable bool
	plain   bool
}

// Plain starts the server without TimescaleDB even if it is installed.
func Plain() Option { return func(o *options) { o.plain = true } }

// Port sets the port, for a restart with the same URL. The default is any free port.
func Port(port int) Option { return func(o *options) { o.port = port } }

// WithoutSync makes the server faster by not waiting for the disk. A commit then survives
// kill -9 of every process, but not a power failure. It is for tests.
func WithoutSync() Option { return func(o *options) { o.durable = false } }

// Start starts a server with its data in dir, which it creates if needed. It returns when
// the server accepts connections and the database "analytics" exists. It cleans up after
// an earlier process that crashed. If a live process uses dir, it returns ErrLocked.
func Start(ctx context.Context, dir string, opts ...Option) (*Server, error) {
	o := options{durable: true}
	for _, opt := range opts {
		opt(&o)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the directory of PostgreSQL: %w", err)
	}
	lock, err := child.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	server := &Server{lock: lock}
	if err := server.start(ctx, dir, o); err != nil {
		return nil, errors.Join(err, server.release())
	}
	return server, nil
}

func (s *Server) start(ctx context.Context, dir string, o options) error {
	dataPath := filepath.Join(dir, "data")
	major, err := dataMajor(dataPath)
	if err != nil {
		return err
	}
	install, err := find(ctx, major)
	if err != nil {
		return err
	}
	if major == 0 {
		if err := initialize(ctx, install, dataPath, o); err != nil {
			return err
		}
	}
	if s.data, err = child.OpenDir(dataPath); err != nil {
		return err
	}
	if err := s.clear(ctx); err != nil {
		return err
	}
	if s.password, err = secret.Stored(filepath.Join(dir, "password")); err != nil {
		return err
	}
	if err := s.protect(ctx, install); err != nil {
		return fmt.Errorf("set the password of PostgreSQL: %w", err)
	}
	err = child.OnPort(ctx, o.port, func(port int) error {
		s.port = port
		return s.launch(ctx, install, filepath.Join(dir, "log"), o)
	})
	if err != nil {
		return err
	}
	if err := createDatabase(ctx, s.urlOf("postgres")); err != nil {
		return errors.Join(err, s.child.Stop(ctx))
	}
	return nil
}

// dataMajor returns the major version of PostgreSQL that created the data, or 0 if there is
// none.
func dataMajor(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of PostgreSQL's data: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the version of PostgreSQL's data: %w", err)
	}
	return major, nil
}

// initialize creates an empty cluster atomically.
func initialize(ctx context.Context, install installation, data string, o options) error {
	var err error
	for _, locale := range []string{"C.UTF-8", "C"} { // some systems lack C.UTF-8
		if err = initializeIn(ctx, install, data, locale, o); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("create a PostgreSQL cluster: %w", err)
	}
	return nil
}

func initializeIn(ctx context.Context, install installation, data, locale string, o options) error {
	unfinished := data + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	dir, err := child.OpenDir(unfinished)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	args := []string{
		install.program("initdb"), "--pgdata=" + dir.String(),
		"--username=" + user, "--auth=trust", "--encoding=UTF8", "--locale=" + locale,
	}
	if !o.durable {
		args = append(args, "--no-sync")
	}
	if _, err := dir.Run(ctx, "", args...); err != nil {
		return err
	}
	return os.Rename(unfinished, data)
}

// rules are the contents of the file with PostgreSQL's rules for connections: every role
// needs its password, which is identified by its hash.
func rules(password string) string {
	return fmt.Sprintf("# The SHA-256 of the password is %x.\nhost all all 127.0.0.1/32 scram-sha-256\n", sha256.Sum256([]byte(password)))
}

// protect sets the password of the role in a new cluster, and in one that an earlier version
// made without. Nobody can connect meanwhile, since the server does not run yet.
func (s *Server) protect(ctx context.Context, install installation) error {
	const file = "pg_hba.conf"
	text, err := os.ReadFile(filepath.Join(s.data.Path(), file))
	if err != nil {
		return err
	}
	if string(text) == rules(s.password) {
		return nil
	}
	statement := "ALTER ROLE " + user + " PASSWORD '" + s.password + "'\n"
	output, err := s.data.Run(ctx, statement, install.program("postgres"), "--single", "-D", s.data.String(),
		"-c", "password_encryption=scram-sha-256", "-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse", "postgres")
	if err != nil {
		return err
	}
	if _, failure, failed := strings.Cut(output, "ERROR:"); failed { // the status is 0 nevertheless
		return errors.New(strings.TrimSpace(failure))
	}
	return s.data.WriteFile(file, rules(s.password))
}

// clear cleans up after an earlier process that crashed: it ends a server that is still
// shutting down, and removes a pid file whose number now belongs to another process.
// PostgreSQL's crash recovery does the rest.
func (s *Server) clear(ctx context.Context) error {
	if err := child.Finish(ctx, s.data, "postgres", syscall.SIGQUIT); err != nil {
		return err
	}
	text, err := os.ReadFile(s.pidFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the pid file of an earlier PostgreSQL server: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if child.CanSeeProcesses && err == nil && syscall.Kill(pid, 0) == nil {
		if err := os.Remove(s.pidFile()); err != nil {
			return fmt.Errorf("remove the pid file of an earlier PostgreSQL server: %w", err)
		}
	}
	return nil
}

func (s *Server) launch(ctx context.Context, install installation, log string, o options) error {
	var err error
	s.child, err = child.Start(child.Command{
		Name:       "PostgreSQL",
		Args:       append([]string{install.program("postgres"), "-D", s.data.String()}, settings(ctx, install, s.port, o)...),
		Dir:        s.data,
		Log:        log,
		ReadyLine:  "database system is ready to accept connections",
		StopSignal: syscall.SIGINT, // "fast": ends sessions, then flushes
	})
	if err != nil {
		return err
	}
	err = s.child.WaitReady(ctx)
	if err != nil {
		s.child.Kill()
	}
	return err
}

func (s *Server) pidFile() string { return filepath.Join(s.data.Path(), "postmaster.pid") }

// settings returns PostgreSQL's settings, for a machine with 2 cores and little memory that
// it shares with other programs.
func settings(ctx context.Context, install installation, port int, o options) []string {
	set := []string{
		"port=" + strconv.Itoa(port),
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=", // a killed server would leave sockets behind
		"max_connections=100",
		"shared_buffers=256MB",
		"effective_cache_size=1GB",
		"work_mem=16MB",
		"maintenance_work_mem=128MB",
		"min_wal_size=256MB",
		"max_wal_size=2GB",
		"wal_compression=on",
		"random_page_cost=1.1",
		"jit=off",
		"max_worker_processes=16",
		"timezone=UTC",
		"log_timezone=UTC",
		// Rows and statements may contain personal data, which logs must not.
		"log_error_verbosity=terse",
		"log_min_error_statement=panic",
		"log_checkpoints=off",
	}
	if install.timescale(ctx) && !o.plain {
		set = append(set,
			"shared_preload_libraries=timescaledb",
			"timescaledb.telemetry_level=off",
			"timescaledb.max_background_workers=4",
		)
	}
	if !o.durable {
		set = append(set, "fsync=off", "full_page_writes=off")
	}
	args := make([]string, 0, 2*len(set))
	for _, s := range set {
		args = append(args, "-c", s)
	}
	return args
}

func createDatabase(ctx context.Context, address string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var exists bool
	const find = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
	if err := conn.QueryRow(ctx, find, user).Scan(&exists); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE analytics`); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// URL returns the URL of the database "analytics" with the password, in the form of
// DATABASE_URL.
func (s *Server) URL() string { return s.urlOf(user) }

func (s *Server) urlOf(database string) string {
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, s.password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return address.String()
}

// Port returns the TCP port that the server listens on.
func (s *Server) Port() int { return s.port }

// Done returns a channel that is closed when the server has exited for any reason.
func (s *Server) Done() <-chan struct{} { return s.child.Done() }

// Stop ends the sessions, stops the server and unlocks its directory. If ctx ends first, it
// kills the server.
func (s *Server) Stop(ctx context.Context) error {
	return errors.Join(s.child.Stop(ctx), s.release())
}

// Kill kills the server and all its processes, as kill -9 does, and unlocks its directory.
// It is for tests of crashes.
func (s *Server) Kill() error {
	s.child.Kill()
	return s.release()
}

func (s *Server) release() error {
	var err error
	if s.data != nil {
		err = s.data.Close()
		s.data = nil
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	return err
}
