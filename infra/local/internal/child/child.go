// Package child runs a server program, such as PostgreSQL or Redis, as a child process: as
// an unprivileged user, in a directory that this process has locked, and never longer than
// this process lives.
//
// It is independent of the programs it runs.
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

// ErrLocked means that another process uses the directory.
var ErrLocked = errors.New("in use by another process")

// Command describes a program to run.
type Command struct {
	// Name is the program's name in errors, such as "PostgreSQL".
	Name string
	// Args are the program's path and arguments.
	Args []string
	// Dir is the program's data directory.
	Dir *Dir
	// Log is the file for the program's output.
	Log string
	// ReadyLine is the text that the program logs once it accepts connections.
	ReadyLine string
	// StopSignal makes the program shut down cleanly. Stop sends it, and on Linux the kernel
	// when this process dies.
	StopSignal syscall.Signal
}

// Dir is a directory owned by an unprivileged user, for a program that runs as that user.
type Dir struct {
	path string
	file *os.File
	// owner is nil if this process is not root: then the program runs as the same user.
	owner *syscall.Credential
}

// OpenDir opens a directory, and creates it if needed. Programs run as the user of this
// process or, since servers such as PostgreSQL refuse to run as root, under root as the owner
// of the directory; a new directory gets the owner "postgres" or "nobody".
func OpenDir(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create a data directory: %w", err)
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

// unprivileged returns the unprivileged user for a directory, and makes a directory of root
// that user's.
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
			return nil, fmt.Errorf("change the owner of %s to %s: %w", dir.Name(), name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("no unprivileged user to run servers as: neither postgres nor nobody exists")
}

// String returns the path of the directory to pass to its program. The unprivileged user
// can't reach a checkout in /root by its path, so that program gets an inherited file
// descriptor.
func (d *Dir) String() string {
	if d.owner != nil && runtime.GOOS == "linux" {
		return "/proc/self/fd/3"
	}
	return d.path
}

// Path returns the real absolute path of the directory.
func (d *Dir) Path() string { return d.path }

// Close closes the directory. It does not affect programs that run in it.
func (d *Dir) Close() error { return d.file.Close() }

// command returns a command to run in the directory.
func (d *Dir) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	cmd.ExtraFiles = []*os.File{d.file} // file descriptor 3
	// Ctrl-C must reach only this process, which stops the child cleanly.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: d.owner}
	return cmd
}

// Run runs a program in the directory with the given input, waits for it and returns its
// output. The error has the last line of that.
func (d *Dir) Run(ctx context.Context, input string, args ...string) (string, error) {
	var output bytes.Buffer
	cmd := d.command(ctx, args)
	cmd.Stdin = strings.NewReader(input)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // including its children
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run %s: %w: %s", filepath.Base(args[0]), err, lastLine(output.String()))
	}
	return output.String(), nil
}

// WriteFile writes a file in the directory, atomically. Only the directory's owner can read it.
func (d *Dir) WriteFile(name, text string) (err error) {
	root, err := os.OpenRoot(d.path) // the owner may have made name a link
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	unfinished := name + ".new"
	if err := root.Remove(unfinished); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	file, err := root.OpenFile(unfinished, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = file.WriteString(text)
	if d.owner != nil {
		err = errors.Join(err, file.Chown(int(d.owner.Uid), int(d.owner.Gid)))
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = root.Rename(unfinished, name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Child is a running program.
type Child struct {
	command Command
	logFrom int64 // offset of this run in the log
	pid     int
	done    chan struct{}
	err     error // result of the program; set before done is closed
}

// Start starts the program.
func Start(command Command) (*Child, error) {
	log, err := openLog(command.Log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := command.Dir.command(context.Background(), command.Args) // runs until Stop or Kill
	cmd.Stdout, cmd.Stderr = log, log
	dieWithParent(cmd.SysProcAttr, command.StopSignal)

	info, err := log.Stat()
	if err != nil {
		return nil, fmt.Errorf("stat a log: %w", err)
	}
	c := &Child{command: command, logFrom: info.Size(), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel treats the end of the thread that forked as the death of the parent.
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

// Pid returns the process id of the program.
func (c *Child) Pid() int { return c.pid }

// Done returns a channel that is closed when the program has exited for any reason.
func (c *Child) Done() <-chan struct{} { return c.done }

// WaitReady returns when the program accepts connections, or with an error when the program
// or ctx ends first. It reads the program's log, since another program might listen on the
// port.
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
			return fmt.Errorf("%s did not become ready: %w (its log: %s)",
				c.command.Name, context.Cause(ctx), c.command.Log)
		case <-ticker.C:
		}
	}
}

// log returns the output of this run.
func (c *Child) log() (string, error) {
	log, err := os.ReadFile(c.command.Log)
	if err != nil {
		return "", fmt.Errorf("read the log of %s: %w", c.command.Name, err)
	}
	return string(log[min(c.logFrom, int64(len(log))):]), nil
}

// EndedError means that a program exited before it was ready.
type EndedError struct{ Name, Path, Log string }

func (e *EndedError) Error() string {
	return fmt.Sprintf("%s exited while starting: %s (its log: %s)", e.Name, lastLine(e.Log), e.Path)
}

// PortInUse reports whether the program exited because its port was in use.
func (e *EndedError) PortInUse() bool { return strings.Contains(e.Log, "Address already in use") }

// Stop stops the program cleanly and waits for it. If ctx ends first, it kills the program.
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
		return fmt.Errorf("stop %s: killed because it did not exit: %w", c.command.Name, context.Cause(ctx))
	}
}

// Kill kills the program and its children, as kill -9 does, and waits for them.
func (c *Child) Kill() {
	// A stopped program starts no further children while they are killed.
	_ = syscall.Kill(c.pid, syscall.SIGSTOP)
	_ = syscall.Kill(c.pid, syscall.SIGKILL)
	<-c.done
	// Nothing survives SIGKILL, so no deadline is needed.
	_ = Finish(context.Background(), c.command.Dir, c.command.Args[0], syscall.SIGKILL)
}

// Finish sends a signal to every process of the program that runs in the directory, and
// returns when all have exited.
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
				_ = syscall.Kill(pid, signal) // it may have exited by now
				signalled[pid] = true
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for an earlier %s in %s to exit: %w", filepath.Base(program), dir.path, context.Cause(ctx))
		}
	}
}

// Lock locks a file, until it is closed or this process ends. It returns ErrLocked if
// another process has the lock.
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

// portTries is the number of free ports that OnPort tries.
const portTries = 5

// OnPort calls launch with the port. If the port is 0, it uses a free port, and tries again
// with another if some program has taken the port meanwhile.
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
		if ended, ok := errors.AsType[*EndedError](err); ok && ended.PortInUse() && try < portTries {
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

// maxLog is the size in bytes above which a log is truncated at the start.
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

// lastLine returns the last line with FATAL, or else the last line.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range slices.Backward(lines) {
		if strings.Contains(line, "FATAL") {
			return line
		}
	}
	return lines[len(lines)-1]
}
