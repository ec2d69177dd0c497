// Package redis starts a Redis server from the installed program, for `make run` and for
// tests. InProcess is a stand-in for machines without Redis.
//
// The server listens on 127.0.0.1 only and needs a random password, which is in a file that
// only the user of this process can read. On Linux it ends with this process, even if that is
// killed. It stores its data in an append-only file. Under root it runs as the owner of its
// data: the user "postgres" or "nobody" if the data is new.
package redis

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/analytics-platform/analytics/infra/local/internal/child"
	"github.com/analytics-platform/analytics/infra/local/internal/secret"
)

// ErrNotInstalled means that this machine has no Redis server.
var ErrNotInstalled = errors.New("no Redis server found (redis-server in PATH): install the Debian package redis-server")

// ErrLocked means that another process uses the directory.
var ErrLocked = child.ErrLocked

// startTimeout limits a start, including the loading of the append-only file.
const startTimeout = time.Minute

// Server is a running Redis server.
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
	port  int
	fsync string
}

// Port sets the port, for a restart with the same URL. The default is any free port.
func Port(port int) Option { return func(o *options) { o.port = port } }

// The values of Redis's appendfsync: when a write is on the disk.
const (
	// FsyncAlways syncs before the reply. No acknowledged write is ever lost; concurrent
	// writes share the wait for the disk. It is the default.
	FsyncAlways = "always"
	// FsyncEverySecond syncs within a second or two. While the disk is busy, Redis holds
	// acknowledged writes in its own memory, so a power failure and kill -9 both lose them.
	FsyncEverySecond = "everysec"
	// FsyncNever leaves syncing to the operating system. Kill -9 loses no acknowledged
	// write; a power failure may lose half a minute. It is for tests.
	FsyncNever = "no"
)

// Fsync sets when writes are synced to the disk.
func Fsync(when string) Option { return func(o *options) { o.fsync = when } }

// Start starts a server with its data in dir, which it creates if needed. It returns when
// the server accepts connections. It cleans up after an earlier process that crashed. If a
// live process uses dir, it returns ErrLocked.
func Start(ctx context.Context, dir string, opts ...Option) (*Server, error) {
	o := options{fsync: FsyncAlways}
	for _, opt := range opts {
		opt(&o)
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNotInstalled
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the directory of Redis: %w", err)
	}
	lock, err := child.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	server := &Server{lock: lock}
	if err := server.start(ctx, program, dir, o); err != nil {
		return nil, errors.Join(err, server.release())
	}
	return server, nil
}

func (s *Server) start(ctx context.Context, program, dir string, o options) error {
	var err error
	if s.data, err = child.OpenDir(filepath.Join(dir, "data")); err != nil {
		return err
	}
	// A server whose parent was killed may still be shutting down.
	if err := child.Finish(ctx, s.data, program, syscall.SIGTERM); err != nil {
		return err
	}
	if s.password, err = secret.Stored(filepath.Join(dir, "password")); err != nil {
		return err
	}
	user := fmt.Sprintf("user default on #%x ~* +@all\n", sha256.Sum256([]byte(s.password)))
	if err := s.data.WriteFile(usersFile, user); err != nil {
		return fmt.Errorf("set the password of Redis: %w", err)
	}
	return child.OnPort(ctx, o.port, func(port int) error {
		s.port = port
		return s.launch(ctx, program, filepath.Join(dir, "log"), o)
	})
}

// usersFile has the users of Redis with the hashes of their passwords. A list of processes
// would show a password among the arguments.
const usersFile = "users.acl"

func (s *Server) launch(ctx context.Context, program, log string, o options) error {
	var err error
	s.child, err = child.Start(child.Command{
		Name: "Redis",
		Args: []string{
			program,
			"--port", strconv.Itoa(s.port),
			"--bind", "127.0.0.1",
			"--dir", s.data.String(),
			"--aclfile", s.data.String() + "/" + usersFile,
			"--appendonly", "yes",
			"--appendfsync", o.fsync,
			"--save", "",
			"--databases", "64",
			"--daemonize", "no",
		},
		Dir:        s.data,
		Log:        log,
		ReadyLine:  "Ready to accept connections",
		StopSignal: syscall.SIGTERM,
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

func (s *Server) addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// URL returns the URL of the server with the password, in the form of REDIS_URL.
func (s *Server) URL() string { return urlOf(s.addr(), s.password) }

func urlOf(addr, password string) string { return "redis://:" + password + "@" + addr + "/0" }

// Port returns the TCP port that the server listens on.
func (s *Server) Port() int { return s.port }

// Done returns a channel that is closed when the server has exited for any reason.
func (s *Server) Done() <-chan struct{} { return s.child.Done() }

// Stop lets the server write its data and exit, and unlocks its directory. If ctx ends
// first, it kills the server.
func (s *Server) Stop(ctx context.Context) error {
	return errors.Join(s.child.Stop(ctx), s.release())
}

// Kill kills the server, as kill -9 does, and unlocks its directory. It is for tests of
// crashes.
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
