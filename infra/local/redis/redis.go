// Package redis starts a real Redis server from the program that this machine
// has, for `make run` and for tests; InProcess is the stand-in for a machine
// without one.
//
// The server listens on 127.0.0.1 only and trusts everyone there: it must never
// be used where strangers can log in. It ends with this process, however that
// dies (on Linux), and keeps its data in an append-only file. Started by root it
// runs as the owner of its data, at first the user "postgres" or "nobody".
package redis

import (
	"context"
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
)

// ErrNotInstalled says that this machine has no Redis server.
var ErrNotInstalled = errors.New("no Redis server found (redis-server in PATH): install the Debian package redis-server")

// ErrLocked says that another process uses the folder.
var ErrLocked = child.ErrLocked

// startTimeout bounds a start, with the reading of the append-only file.
const startTimeout = time.Minute

// Server is a running Redis server.
type Server struct {
	port  int
	child *child.Child
	data  *child.Dir
	lock  io.Closer
}

// Option changes how a server is started.
type Option func(*options)

type options struct {
	port  int
	fsync string
}

// Port makes the server listen on that port and no other: for a restart under
// the same URL. The default is any free port.
func Port(port int) Option { return func(o *options) { o.port = port } }

// When Redis makes an answered write safe. The names are Redis's own.
const (
	// FsyncAlways: before the answer. Nothing answered is ever lost; the writes that
	// come together share the wait for the disk. The default.
	FsyncAlways = "always"
	// FsyncEverySecond: within a second or two, and while the disk is busy with the
	// second before, Redis holds answered writes in its own memory: a power cut and
	// kill -9 both lose them.
	FsyncEverySecond = "everysec"
	// FsyncNever: when the system likes. Kill -9 loses nothing answered, a power cut
	// may lose half a minute. For tests.
	FsyncNever = "no"
)

// Fsync sets when an answered write is safe.
func Fsync(when string) Option { return func(o *options) { o.fsync = when } }

// Start starts a server with its data in dir, which is made at first, and
// returns when it answers. What an earlier process left there, running or
// crashed, is no obstacle; another living process that uses dir is: ErrLocked.
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
		return nil, fmt.Errorf("make the folder for Redis: %w", err)
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
	// A server whose parent has just died may still be ending.
	if err := child.Finish(ctx, s.data, program, syscall.SIGTERM); err != nil {
		return err
	}
	return child.OnPort(ctx, o.port, func(port int) error {
		s.port = port
		return s.launch(ctx, program, filepath.Join(dir, "log"), o)
	})
}

func (s *Server) launch(ctx context.Context, program, log string, o options) error {
	var err error
	s.child, err = child.Start(child.Command{
		Name: "Redis",
		Args: []string{
			program,
			"--port", strconv.Itoa(s.port),
			"--bind", "127.0.0.1",
			"--dir", s.data.String(),
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

// URL is the server's address, as REDIS_URL takes it.
func (s *Server) URL() string { return "redis://" + s.addr() + "/0" }

// Port is the TCP port that the server listens on.
func (s *Server) Port() int { return s.port }

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.child.Done() }

// Stop lets the server write everything and end, and frees its folder. When ctx
// ends first, the server is killed.
func (s *Server) Stop(ctx context.Context) error {
	return errors.Join(s.child.Stop(ctx), s.release())
}

// Kill ends the server as kill -9 does, and frees its folder: for tests of what
// a crash does.
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
