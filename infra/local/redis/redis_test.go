package redis_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/redis"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, dir)
	set(t, server.URL(), "fact", "value")
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir, redis.Port(server.Port()))
	if again.URL() != server.URL() {
		t.Errorf("restarted at %s, want %s", again.URL(), server.URL())
	}
	if got := get(t, again.URL(), "fact"); got != "value" {
		t.Errorf("after a restart: %q", got)
	}
}

// TestStrangers connects as other programs on the machine could.
func TestStrangers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	checkStrangers(t, start(t, dir).URL())
	if info, err := os.Stat(filepath.Join(dir, "password")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file of the password: %v, %v", info, err)
	}
	memory, err := redis.InProcess()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = memory.Stop(context.Background()) })
	checkStrangers(t, memory.URL())
}

// checkStrangers checks that a server refuses everybody who does not have the password.
func checkStrangers(t *testing.T, url string) {
	t.Helper()
	own, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*goredis.Options){
		"no password":      func(o *goredis.Options) { o.Password = "" },
		"a wrong password": func(o *goredis.Options) { o.Password = "redis" },
		"another user":     func(o *goredis.Options) { o.Username = "root" },
		"another database": func(o *goredis.Options) { o.Password, o.DB = "", 1 },
	} {
		options := *own
		change(&options)
		stranger := goredis.NewClient(&options)
		t.Cleanup(func() { _ = stranger.Close() })
		for _, command := range []string{"PING", "INFO", "KEYS *", "FLUSHALL"} {
			var arguments []any
			for word := range strings.FieldsSeq(command) {
				arguments = append(arguments, word)
			}
			if err := stranger.Do(t.Context(), arguments...).Err(); err == nil ||
				!strings.HasPrefix(err.Error(), "NOAUTH") && !strings.HasPrefix(err.Error(), "WRONGPASS") {
				t.Errorf("%s: %s: %v", name, command, err)
			}
		}
	}
	if err := connect(t, url).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		if text, err := os.ReadFile(command); err == nil && strings.Contains(string(text), own.Password) {
			t.Errorf("%s shows the password: %q", command, text)
		}
	}
}

// TestOlderData starts a server with the data of earlier versions, which had no password.
func TestOlderData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, dir)
	set(t, server.URL(), "fact", "value")
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "password")), os.Remove(filepath.Join(dir, "data", "users.acl"))); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir)
	if got := get(t, again.URL(), "fact"); got != "value" {
		t.Errorf("got %q", got)
	}
	checkStrangers(t, again.URL())
}

func TestKill(t *testing.T) {
	t.Parallel()
	for _, fsync := range []string{redis.FsyncAlways, redis.FsyncNever} {
		t.Run(fsync, func(t *testing.T) {
			t.Parallel()
			const writes = 500
			dir := t.TempDir()
			server := start(t, dir, redis.Fsync(fsync))
			client := connect(t, server.URL())
			for i := range writes {
				if err := client.Set(t.Context(), strconv.Itoa(i), "value", 0).Err(); err != nil {
					t.Fatal(err)
				}
			}
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
			again := start(t, dir, redis.Port(server.Port()), redis.Fsync(fsync))
			if n := connect(t, again.URL()).DBSize(t.Context()).Val(); n != writes {
				t.Errorf("%d of %d acknowledged writes after kill -9", n, writes)
			}
		})
	}
}

func TestFsync(t *testing.T) {
	t.Parallel()
	tests := map[string][]redis.Option{
		"always":   nil,
		"everysec": {redis.Fsync(redis.FsyncEverySecond)},
		"no":       {redis.Fsync(redis.FsyncNever)},
	}
	for want, options := range tests {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			got, err := connect(t, start(t, t.TempDir(), options...).URL()).ConfigGet(t.Context(), "appendfsync").Result()
			if err != nil || got["appendfsync"] != want {
				t.Errorf("appendfsync %v, %v", got, err)
			}
		})
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir)
	if _, err := redis.Start(t.Context(), dir); !errors.Is(err, redis.ErrLocked) {
		t.Errorf("second server in the same directory: got %v, want ErrLocked", err)
	}
}

// TestPrivateParent starts a server in a directory whose parent other users can't read, such
// as a checkout below /root.
func TestPrivateParent(t *testing.T) {
	t.Parallel()
	private := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	server := start(t, filepath.Join(private, "redis"))
	set(t, server.URL(), "fact", "value")
	if err := connect(t, server.URL()).BgRewriteAOF(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dir := t.TempDir()
	_, err = redis.Start(t.Context(), dir, redis.Port(listener.Addr().(*net.TCPAddr).Port))
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), filepath.Join(dir, "log")) {
		t.Errorf("port in use: got %v, want one line that names the log", err)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := redis.Start(t.Context(), t.TempDir())
	if !errors.Is(err, redis.ErrNotInstalled) || !strings.Contains(err.Error(), "Debian package redis-server") {
		t.Errorf("without redis-server: %v", err)
	}
}

func TestInProcess(t *testing.T) {
	t.Parallel()
	memory, err := redis.InProcess()
	if err != nil {
		t.Fatal(err)
	}
	client := connect(t, memory.URL())
	if err := client.Set(t.Context(), "temporary", "value", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	set(t, memory.URL(), "fact", "value")
	if got := get(t, memory.URL(), "temporary"); got != "value" {
		t.Errorf("before it expires: %q", got)
	}
	if err := client.PExpire(t.Context(), "temporary", time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	localtest.Eventually(t, "the key expires", func() bool { return get(t, memory.URL(), "temporary") == "" })
	if got := get(t, memory.URL(), "fact"); got != "value" {
		t.Errorf("a key without expiry: %q", got)
	}
	if err := memory.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a stopped stand-in responds")
	}
}

func start(t *testing.T, dir string, options ...redis.Option) *redis.Server {
	t.Helper()
	server, err := redis.Start(t.Context(), dir, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func connect(t *testing.T, url string) *goredis.Client {
	t.Helper()
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func set(t *testing.T, url, key, value string) {
	t.Helper()
	if err := connect(t, url).Set(t.Context(), key, value, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url, key string) string {
	t.Helper()
	value, err := connect(t, url).Get(t.Context(), key).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		t.Fatal(err)
	}
	return value
}
