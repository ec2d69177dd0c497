// Package child runs a server program (PostgreSQL, Redis) as a child of this
// process: as an unprivileged user, in a directory that this process has
// locked, and never longer than this process lives.
//
// It knows nothing of what the programs do.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrLocked says that another process uses the directory.
var ErrLocked = errors.New("in use by another process")

// Command is what to run.
type Command struct {
	// Name is how errors call the program, such as "PostgreSQL".
	Name string
	// Args are the program's path and arguments.
	Args []string
	// Dir is the directory that the program works in.
	Dir *Dir
	// Log is the file that takes the program's output.
	Log string
	// ReadyLine is what the program writes to its log once it takes connections.
	ReadyLine string
	// StopSignal ends the program in good order. It is sent by Stop, and by the
	// kernel (on Linux) when this process dies.
	StopSignal syscall.Signal
}

// A Dir is a directory that belongs to an unprivileged user, for a program that
// runs as that user.
type Dir struct {
	path string
	file *os.File
	// owner is nil when this process isn't root: then the program runs as we do.
	owner *syscall.Credential
}

// OpenDir makes the directory, if need be, and finds out who will use it: this
// process's own user; or, for root, whom servers like PostgreSQL refuse, the
// owner of the directory, and for a new one the user "postgres" or "nobody".
func OpenDir(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make a data directory: %w", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open a data directory: %w", err)
	}
	dir := &Dir{path: path, file: file}
	if os.Geteuid() == 0 {
		if dir.owner, err = unprivileged(file); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return dir, nil
}

// unprivileged finds the user for a directory, and gives it to that user.
func unprivileged(dir *os.File) (*syscall.Credential, error) {
	info, err := dir.Stat()
	if err != nil {
		return nil, fmt.Errorf("find the owner of %s: %w", dir.Name(), err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
		return &syscall.Credential{Uid: stat.Uid, Gid: stat.Gid}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		if err := dir.Chown(int(uid), int(gid)); err != nil {
			return nil, fmt.Errorf("give %s to the user %s: %w", dir.Name(), name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("no unprivileged user to run servers as: neither postgres nor nobody exists")
}

// String is the directory as its program must be told it. A checkout in
// /root can't be reached by the unprivileged user by its path; by a file
// descriptor that the program inherits it can.
func (d *Dir) String() string {
	if d.owner != nil && runtime.GOOS == "linux" {
		return "/proc/self/fd/3"
	}
	return d.path
}

// Path is the directory's real absolute path.
func (d *Dir) Path() string { return d.path }

// Close frees the directory; programs that run in it are not disturbed.
func (d *Dir) Close() error { return d.file.Close() }

// command prepares args to run for the directory.
func (d *Dir) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	cmd.ExtraFiles = []*os.File{d.file} // file descriptor 3
	// A Ctrl-C in the terminal is for this process: it stops the child in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: d.owner}
	return cmd
}

// Run runs a program for the directory to its end. Its error has what the
// program said last.
func (d *Dir) Run(ctx context.Context, args ...string) error {
	var output bytes.Buffer
	cmd := d.command(ctx, args)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with its own children
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w: %s", filepath.Base(args[0]), err, lastLine(output.String()))
	}
	return nil
}

// Child is a program that runs.
type Child struct {
	command Command
	logFrom int64 // where this run begins in the log
	pid     int
	done    chan struct{}
	err     error // why it ended; set before done is closed
}

// Start starts the program.
func Start(command Command) (*Child, error) {
	log, err := openLog(command.Log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := command.Dir.command(context.Background(), command.Args) // it runs until Stop or Kill
	cmd.Stdout, cmd.Stderr = log, log
	dieWithParent(cmd.SysProcAttr, command.StopSignal)

	info, err := log.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at a log: %w", err)
	}
	c := &Child{command: command, logFrom: info.Size(), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that forked for the parent's.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			c.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Name, err)
	}
	return c, nil
}

// Pid is the program's process id.
func (c *Child) Pid() int { return c.pid }

// Done is closed when the program has ended, for whatever reason.
func (c *Child) Done() <-chan struct{} { return c.done }

// WaitReady returns when the program takes connections. It asks the program's
// log: whoever answers at its port need not be this program. It fails when the
// program or ctx ends first.
func (c *Child) WaitReady(ctx context.Context) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		log, err := c.log()
		if err != nil {
			return err
		}
		if strings.Contains(log, c.command.ReadyLine) {
			return nil
		}
		select {
		case <-c.done:
			if log, err = c.log(); err != nil {
				return err
			}
			return &EndedError{Name: c.command.Name, Path: c.command.Log, Log: log}
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready: %w (its log: %s)",
				c.command.Name, context.Cause(ctx), c.command.Log)
		case <-ticker.C:
		}
	}
}

// log is what the program has written in this run.
func (c *Child) log() (string, error) {
	log, err := os.ReadFile(c.command.Log)
	if err != nil {
		return "", fmt.Errorf("read the log of %s: %w", c.command.Name, err)
	}
	return string(log[min(c.logFrom, int64(len(log))):]), nil
}

// EndedError says that a program ended before it was ready.
type EndedError struct{ Name, Path, Log string }

func (e *EndedError) Error() string {
	return fmt.Sprintf("%s ended while starting: %s (its log: %s)", e.Name, lastLine(e.Log), e.Path)
}

// PortTaken tells whether the program ended because its port was in use.
func (e *EndedError) PortTaken() bool { return strings.Contains(e.Log, "Address already in use") }

// Stop ends the program in good order and waits for it. When ctx ends first, the
// program is killed.
func (c *Child) Stop(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	if err := syscall.Kill(c.pid, c.command.StopSignal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop %s: %w", c.command.Name, err)
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.Kill()
		return fmt.Errorf("stop %s: killed, since it did not end: %w", c.command.Name, context.Cause(ctx))
	}
}

// Kill ends the program and its children at once, as kill -9 does, and waits
// until they are gone.
func (c *Child) Kill() {
	// Stopped, it starts no further children while they are being killed.
	_ = syscall.Kill(c.pid, syscall.SIGSTOP)
	_ = syscall.Kill(c.pid, syscall.SIGKILL)
	<-c.done
	// Nothing outlives SIGKILL, so this ends without a deadline.
	_ = Finish(context.Background(), c.command.Dir, c.command.Args[0], syscall.SIGKILL)
}

// Finish sends a signal to every process of the program that works in the
// directory, and returns when none is left.
func Finish(ctx context.Context, dir *Dir, program string, signal syscall.Signal) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	signalled := map[int]bool{}
	for {
		pids := processes(dir, filepath.Base(program))
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			if !signalled[pid] {
				_ = syscall.Kill(pid, signal) // it may have ended by now
				signalled[pid] = true
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for an earlier %s in %s to end: %w", filepath.Base(program), dir.path, context.Cause(ctx))
		}
	}
}

// Lock takes the lock of a directory, which frees itself when this process
// ends. It fails with ErrLocked when another process has it.
func Lock(path string) (io.Closer, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is %w", filepath.Dir(path), ErrLocked)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return file, nil
}

// portTries is how often OnPort looks for a free port.
const portTries = 5

// OnPort calls launch with the port; or, when it is 0, with one that nobody
// listens on, and once more with another when somebody was faster.
func OnPort(ctx context.Context, port int, launch func(port int) error) error {
	if port != 0 {
		return launch(port)
	}
	for try := 1; ; try++ {
		port, err := freePort(ctx)
		if err != nil {
			return err
		}
		err = launch(port)
		if ended, ok := errors.AsType[*EndedError](err); ok && ended.PortTaken() && try < portTries {
			continue
		}
		return err
	}
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err = errors.Join(err, listener.Close()); err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return strconv.Atoi(port)
}

// maxLog is the size, in bytes, from which a log is begun anew at start.
const maxLog = 1 << 20

func openLog(path string) (*os.File, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	return file, nil
}

// lastLine is the last thing that a program said, and rather the last fatal one.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range slices.Backward(lines) {
		if strings.Contains(line, "FATAL") {
			return line
		}
	}
	return lines[len(lines)-1]
}
