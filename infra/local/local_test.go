package local_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local"
	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// TestMain runs the program itself if LOCAL_TEST_RUN is set, for tests that start it as a
// separate process.
func TestMain(m *testing.M) {
	if os.Getenv("LOCAL_TEST_RUN") != "" {
		local.Main()
	}
	os.Exit(m.Run())
}

// process is an installation in a separate process.
type process struct {
	cmd        *exec.Cmd
	dashboard  string
	url, token string
}

func command(t *testing.T, variables ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{"LOCAL_TEST_RUN=1", "PORT=0", "PATH=" + os.Getenv("PATH")}, variables...)
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	return cmd, stderr
}

func start(t *testing.T, variables ...string) *process {
	t.Helper()
	cmd, stderr := command(t, variables...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of the process:\n%s", stderr)
		}
	})
	p := &process{cmd: cmd}
	lines := bufio.NewScanner(stdout)
	for _, line := range []struct {
		prefix string
		value  *string
	}{{"dashboard: ", &p.dashboard}, {"token: ", &p.token}} {
		lines.Scan()
		value, ok := strings.CutPrefix(lines.Text(), line.prefix)
		if !ok {
			t.Fatalf("printed %q, want %q", lines.Text(), line.prefix)
		}
		*line.value = value
	}
	p.url = strings.TrimSuffix(p.dashboard, "/function/dashboard/")
	return p
}

func (p *process) do(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// view tracks a page view of the site localhost.
func (p *process) view(t *testing.T) {
	t.Helper()
	status, body := p.do(t, "POST", "/function/track/", `{"site":"localhost","type":"view","url":"http://localhost/"}`)
	if status != http.StatusAccepted {
		t.Fatalf("track: %d %s", status, body)
	}
}

// wantViews waits until the site localhost has the given number of page views.
func (p *process) wantViews(t *testing.T, want float64) {
	t.Helper()
	const query = `{"site_id":"localhost","metrics":["pageviews"],"date_range":"all"}`
	localtest.Eventually(t, fmt.Sprintf("the query returns %v page views", want), func() bool {
		status, body := p.do(t, "POST", "/function/query/api/v2/query", query)
		var result struct{ Results []struct{ Metrics []float64 } }
		if err := json.Unmarshal([]byte(body), &result); status != http.StatusOK || err != nil {
			t.Fatalf("query: %d %s", status, body)
		}
		return len(result.Results) == 1 && result.Results[0].Metrics[0] == want
	})
}

func (p *process) signal(t *testing.T, signal syscall.Signal) error {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	return p.cmd.Wait()
}

func TestRun(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	first := start(t, "DATA_DIR="+data)
	if status, body := first.do(t, "GET", "/_/ready", ""); status != http.StatusOK {
		t.Errorf("ready: %d %s", status, body)
	}
	for _, f := range functions.All() {
		if status, body := first.do(t, "GET", "/function/"+f.Name+"/_/health", ""); status != http.StatusOK {
			t.Errorf("%s: health %d %s", f.Name, status, body)
		}
	}
	if status, body := first.do(t, "GET", "/function/admin/v1/sites/localhost", ""); status != http.StatusOK {
		t.Errorf("site localhost: %d %s", status, body)
	}
	first.view(t)
	first.wantViews(t, 1)
	if err := first.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	for _, secret := range []string{"admin-token", "subject-key", "schedule-token", "metrics-token", "database-url", "redis-url", "postgres/password", "redis/password"} {
		text, err := os.ReadFile(filepath.Join(data, secret))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(data, secret)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file %s: %v, %v", secret, info, err)
		}
		if strings.Contains(first.cmd.Stderr.(*bytes.Buffer).String(), strings.TrimSpace(string(text))) {
			t.Errorf("the log contains the secret %s", secret)
		}
	}

	second := start(t, "DATA_DIR="+data)
	if second.token != first.token {
		t.Error("the token has changed after a restart")
	}
	second.view(t)
	second.wantViews(t, 2)
	second.view(t) // may still be in the queue
	if err := second.signal(t, syscall.SIGKILL); err == nil {
		t.Error("the process survived kill -9")
	}

	third := start(t, "DATA_DIR="+data)
	third.wantViews(t, 3)
	if err := third.signal(t, syscall.SIGINT); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
}

func TestRunWithServers(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	token := strings.Repeat("a given token", 4)
	p := start(t, "DATA_DIR="+data, "ADMIN_TOKEN="+token,
		"DATABASE_URL="+localtest.Postgres(t)+"&pool_max_conns=1", "REDIS_URL="+localtest.Redis(t))
	if p.token != token {
		t.Errorf("the token is %q", p.token)
	}
	p.view(t)
	p.wantViews(t, 1)
	for _, server := range []string{"postgres", "redis", "admin-token", "database-url", "redis-url"} {
		if _, err := os.Stat(filepath.Join(data, server)); err == nil {
			t.Errorf("%s was created although the environment sets it", server)
		}
	}
}

func TestRunWithoutRedis(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir(), "PATH="+t.TempDir(), "DATABASE_URL="+localtest.Postgres(t))
	p.view(t)
	p.wantViews(t, 1)
	if err := p.signal(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if log := p.cmd.Stderr.(*bytes.Buffer).String(); !strings.Contains(log, "the queue is in memory only") {
		t.Errorf("the log does not warn: %s", log)
	}
}

// TestRunAsOpenFaaS checks that events are counted behind OpenFaaS's gateway, and that live
// numbers come as server-sent events, not over a WebSocket, until the gateway's timeout.
func TestRunAsOpenFaaS(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir(), "DATABASE_URL="+localtest.Postgres(t), "REDIS_URL="+localtest.Redis(t),
		"GATEWAY=openfaas", "GATEWAY_TIMEOUT=5s")
	p.view(t)
	p.wantViews(t, 1)
	follow := func(headers map[string]string) (*http.Response, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/function/websocket-bridge/v1/live?site=localhost", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+p.token)
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}
	upgrade := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
	if response, body := follow(upgrade); response.StatusCode != http.StatusUpgradeRequired || !strings.Contains(body, "text/event-stream") {
		t.Errorf("WebSocket: %s %s", response.Status, body)
	}
	if response, body := follow(map[string]string{"Accept": "text/event-stream"}); response.StatusCode != http.StatusOK || !strings.HasPrefix(body, "retry: ") {
		t.Errorf("stream: %s %s", response.Status, body)
	}
	if err := p.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// TestDocumentedCommands runs each command of docs/access.md and docs/goals.md.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir(), "DATABASE_URL="+localtest.Postgres(t), "REDIS_URL="+localtest.Redis(t))
	create := func(path, body string) (created struct{ Key, Secret string }) {
		status, response := p.do(t, "POST", "/function/admin"+path, body)
		if err := json.Unmarshal([]byte(response), &created); status != http.StatusCreated || err != nil {
			t.Fatalf("%s: %d %s", path, status, response)
		}
		return created
	}
	create("/v1/sites", `{"domain":"example.com","timezone":"UTC"}`)
	variables := append(os.Environ(), "ADMIN="+p.url+"/function/admin", "QUERY="+p.url+"/function/query", "ADMIN_TOKEN="+p.token,
		"KEY="+create("/v1/keys", `{"name":"test","scopes":["query"]}`).Key,
		"SECRET="+create("/v1/sites/example.com/share-links", `{"name":"test"}`).Secret)
	for document, want := range map[string]int{"access.md": 7, "goals.md": 4} {
		text, err := os.ReadFile("../../docs/" + document)
		if err != nil {
			t.Fatal(err)
		}
		commands := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
		if len(commands) != want {
			t.Errorf("%s has %d commands, want %d", document, len(commands), want)
		}
		for _, command := range commands {
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", command[1])
			cmd.Env = variables
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", command[1], err, output)
			}
		}
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, taken, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	used, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	database, redis := "DATABASE_URL="+localtest.Postgres(t), "REDIS_URL="+localtest.Redis(t)
	start(t, "DATA_DIR="+used, database, redis)
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "admin-token"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		variables []string
		want      string
	}{
		"port in use": {
			[]string{"PORT=" + taken},
			fmt.Sprintf("local: PORT: cannot listen on port %s (address already in use): set PORT to a free port", taken),
		},
		"directory in use": {
			[]string{"DATA_DIR=" + used},
			fmt.Sprintf("local: DATA_DIR: %s is in use by another process: stop that process, or set DATA_DIR to another directory", used),
		},
		"directory that can't be created": {
			[]string{"DATA_DIR=" + file},
			fmt.Sprintf("local: DATA_DIR: cannot create the directory %s (not a directory): set DATA_DIR to a directory that can be created", file),
		},
		"empty secret file": {
			[]string{"DATA_DIR=" + empty},
			"local: " + empty + "/admin-token is empty: write the secret into it, or remove it to generate a new one",
		},
		"unknown gateway": {
			[]string{"GATEWAY=nginx"},
			`local: GATEWAY: "nginx" is not valid: use direct or openfaas`,
		},
		"short token": {
			[]string{"ADMIN_TOKEN=short", database, redis},
			"local: start schema-guard: ADMIN_TOKEN",
		},
		"unreachable Redis": {
			[]string{database, "REDIS_URL=redis://127.0.0.1:1/0"},
			"local: start track: REDIS_URL: cannot use Redis at 127.0.0.1:1 (connection refused): set REDIS_URL",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, stderr := command(t, append([]string{"DATA_DIR=" + t.TempDir()}, test.variables...)...)
			if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("the process exited with %v, want status 1", err)
			}
			lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, test.want) {
				t.Errorf("last line %q, want %q", last, test.want)
			}
		})
	}
}

func TestUnknownArgument(t *testing.T) {
	t.Parallel()
	cmd, stderr := command(t, "DATA_DIR="+t.TempDir())
	cmd.Args = append(cmd.Args, "--demo")
	if err := cmd.Run(); err == nil || !strings.HasPrefix(stderr.String(), "local: the only argument is") {
		t.Errorf("stderr %q, error %v", stderr, err)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	installation, err := local.Start(t.Context(), map[string]string{"PORT": "0", "DATA_DIR": data}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := os.ReadFile(filepath.Join(data, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var postmaster int
	if _, err := fmt.Sscan(string(pid), &postmaster); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(postmaster, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	err = installation.Wait(t.Context())
	if want := "PostgreSQL has exited: see its log " + filepath.Join(data, "postgres", "log"); err == nil || err.Error() != want {
		t.Errorf("Wait: %v, want %s", err, want)
	}
	if err := installation.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
}
