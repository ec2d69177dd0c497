package host_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/lambda/lambdatest"
	"github.com/analytics-platform/analytics/shared/host"
)

// TestMain runs the test binary as a function for the tests that start it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("HOST_TEST_FUNCTION") != "" {
		host.Main("sample", sample)
		os.Exit(0) // running the tests would start processes without end
	}
	os.Exit(m.Run())
}

// sample is a function with a slow request and an infinite stream.
func sample(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config struct {
		Database bool `env:"SAMPLE_DATABASE"`
	}
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	if config.Database {
		if _, err := env.Database(ctx); err != nil {
			return nil, err
		}
	}
	drained := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush() // tells the client that the request has started
		<-drained
		_, _ = io.WriteString(w, "finished")
	})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		_ = host.KeepOpen(w)
		_, _ = io.WriteString(w, "data: first\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-drained:
			_, _ = io.WriteString(w, "data: last\n")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /stuck", func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		select {}
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusAccepted)
		for _, part := range []string{r.Host, r.URL.Query().Get("q"), string(body)} {
			_, _ = fmt.Fprintln(w, part)
			if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				_, _ = fmt.Fprintln(w, err)
			}
		}
	})
	mux.HandleFunc("GET /cookies", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"c=3", "d=4"}
		for _, cookie := range r.Cookies() {
			_, _ = fmt.Fprint(w, cookie, " ")
		}
	})
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a part")
		panic(http.ErrAbortHandler)
	})
	runs := 0
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, _ *http.Request) {
		if runs++; runs > 2 {
			panic("out of order")
		}
		_, _ = io.WriteString(w, "run")
	})
	mux.HandleFunc("POST /hold", func(w http.ResponseWriter, r *http.Request) {
		megabytes, _ := strconv.Atoi(r.URL.Query().Get("megabytes"))
		held := make([][]byte, megabytes)
		for i := range held {
			held[i] = make([]byte, 1<<20)
		}
		_ = http.NewResponseController(w).EnableFullDuplex()
		_ = http.NewResponseController(w).Flush()
		_, _ = io.ReadAll(r.Body) // until the client ends its body
		_, _ = fmt.Fprint(w, len(held))
		runtime.KeepAlive(held)
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("oh no") })
	return &host.Function{
		Handler: mux,
		Drain:   func() { close(drained) },
		Close: func(context.Context) error {
			env.Logger().Info("closed")
			return nil
		},
	}, nil
}

// process is a running sample function.
type process struct {
	cmd     *exec.Cmd
	address string
	log     *bufio.Scanner
	lines   []string // what logged has read
}

func command(t *testing.T, variables ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{"HOST_TEST_FUNCTION=1"}, variables...)
	return cmd
}

func start(t *testing.T, variables ...string) *process {
	t.Helper()
	cmd := command(t, append([]string{"PORT=0"}, variables...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, log: bufio.NewScanner(stderr)}
	line := p.logged(t, "serving")
	var entry struct {
		Function string
		Address  string
	}
	if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Function != "sample" {
		t.Fatalf("log line %s: %v", line, err)
	}
	_, port, err := net.SplitHostPort(entry.Address)
	if err != nil {
		t.Fatal(err)
	}
	p.address = "http://127.0.0.1:" + port
	return p
}

// logged reads the log up to a line with the given message.
func (p *process) logged(t *testing.T, message string) string {
	t.Helper()
	for p.log.Scan() {
		p.lines = append(p.lines, p.log.Text())
		if strings.Contains(p.log.Text(), `"msg":"`+message+`"`) {
			return p.log.Text()
		}
	}
	t.Fatalf("the process ended without logging %q", message)
	return ""
}

func (p *process) get(t *testing.T, path string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+metricsToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t)
			if got := p.get(t, "/_/ready").StatusCode; got != 200 {
				t.Errorf("ready: %d", got)
			}
			slow, stream := p.get(t, "/slow"), p.get(t, "/stream")
			if err := p.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			for body, want := range map[io.Reader]string{slow.Body: "finished", stream.Body: "data: first\ndata: last\n"} {
				if got, err := io.ReadAll(body); err != nil || string(got) != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
				}
			}
			p.logged(t, "closed")
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("the process ended with %v, want 0", err)
			}
		})
	}
}

func TestShutdownTimeout(t *testing.T) {
	t.Parallel()
	p := start(t, "SHUTDOWN_GRACE=50ms")
	stuck := p.get(t, "/stuck")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(stuck.Body); err == nil {
		t.Error("an aborted request looks complete")
	}
	p.logged(t, "closed")
	var last string
	for p.log.Scan() {
		last = p.log.Text()
	}
	if !strings.HasPrefix(last, "sample: requests did not end within SHUTDOWN_GRACE (50ms) and were aborted") {
		t.Errorf("last line %q", last)
	}
	if err := p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("the process ended with %v, want 1", err)
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, taken, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const setDatabase = ": set DATABASE_URL, e.g. postgres://user:password@localhost:5432/analytics\n"
	tests := map[string]struct {
		variables []string
		want      string
	}{
		"an invalid port": {
			[]string{"PORT=http"}, `sample: PORT: "http" is not a whole number from 0 to 65535 (TCP port to listen on)` + "\n",
		},
		"a port in use": {
			[]string{"PORT=" + taken}, "sample: PORT: cannot listen on port " + taken + " (address already in use): set PORT to a free one\n",
		},
		"an invalid level":        {[]string{"LOG_LEVEL=loud"}, `sample: LOG_LEVEL: "loud" is not debug, info, warn or error` + "\n"},
		"an invalid value":        {[]string{"SAMPLE_DATABASE=maybe"}, `sample: SAMPLE_DATABASE: "maybe" is not true or false` + "\n"},
		"no database":             {[]string{"SAMPLE_DATABASE=true"}, "sample: DATABASE_URL is not set" + setDatabase},
		"an unreachable database": {[]string{"SAMPLE_DATABASE=true", "DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x"}, "sample: DATABASE_URL: cannot use PostgreSQL at 127.0.0.1:1 (connection refused)" + setDatabase},
		"a folder as a secret":    {[]string{"SAMPLE_DATABASE=true", "DATABASE_URL_FILE=/"}, "sample: DATABASE_URL_FILE: read secret: read /: is a directory\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, test.variables...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("the process ended with %v, want 1", err)
			}
			lines := strings.SplitAfter(stderr.String(), "\n")
			if got := lines[len(lines)-2]; got != test.want {
				t.Errorf("last line %q, want %q", got, test.want)
			}
		})
	}
}

// TestHealthArgument checks a function like the health check of a container.
func TestHealthArgument(t *testing.T) {
	t.Parallel()
	p := start(t)
	ask := func(arguments ...string) (log string, code int) {
		cmd := command(t, "PORT="+p.address[strings.LastIndexByte(p.address, ':')+1:])
		cmd.Args = append(cmd.Args, arguments...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		_ = cmd.Run()
		return stderr.String(), cmd.ProcessState.ExitCode()
	}
	if log, code := ask("-health"); code != 0 || log != "" {
		t.Errorf("a running function: %d %s", code, log)
	}
	if log, code := ask("-help"); code != 1 || !strings.HasPrefix(log, `sample: unknown argument "-help"`) {
		t.Errorf("an unknown argument: %d %s", code, log)
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	if log, code := ask("-health"); code != 1 || !strings.Contains(log, "no response on port") {
		t.Errorf("a stopped function: %d %s", code, log)
	}
}

func TestLambda(t *testing.T) {
	t.Parallel()
	api := lambdatest.New(t)
	cmd := command(t, "AWS_LAMBDA_RUNTIME_API="+api.Address)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	invoke := func(method, address, body string) *lambdatest.Answer {
		return api.Invoke(lambdatest.Request(method, address, body, "Content-Type", "text/plain"))
	}

	got := invoke("POST", "/echo?q=1", "hello")
	if text := got.Text(t); got.StatusCode != http.StatusAccepted || got.Headers["Content-Type"] != "text/plain" || text != "x.lambda-url.example\n1\nhello\n" {
		t.Errorf("echo: %d %v %q", got.StatusCode, got.Headers, text)
	}
	encoded := lambdatest.Request("POST", "/echo", base64.StdEncoding.EncodeToString([]byte("\xff")))
	encoded.IsBase64Encoded = true
	if text := api.Invoke(encoded).Text(t); !strings.HasSuffix(text, "\n\xff\n") {
		t.Errorf("a base64 body: %q", text)
	}
	got = invoke("GET", "/_/ready", "")
	if text := got.Text(t); got.StatusCode != http.StatusOK || text != "ready\n" {
		t.Errorf("ready: %d %q", got.StatusCode, text)
	}
	got = invoke("POST", "/echo", strings.Repeat("x", host.DefaultBodyLimit+1))
	if text := got.Text(t); got.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, `"code":"body_too_large"`) {
		t.Errorf("too large: %d %s", got.StatusCode, text)
	}
	got = invoke("GET", "/panic", "")
	if text := got.Text(t); got.StatusCode != http.StatusInternalServerError || !strings.Contains(text, `"code":"internal"`) {
		t.Errorf("panic: %d %s", got.StatusCode, text)
	}
	withCookies := lambdatest.Request("GET", "/cookies", "")
	withCookies.Cookies = []string{"a=1", "b=2"}
	got = api.Invoke(withCookies)
	if text := got.Text(t); text != "a=1 b=2 " || len(got.Cookies) != 2 || got.Cookies[1] != "d=4" {
		t.Errorf("cookies: %q in, %q out", text, got.Cookies)
	}
	got = invoke("GET", "/broken", "")
	if text, err := io.ReadAll(got.Body); string(text) != "a part" || err == nil || !strings.Contains(err.Error(), "the response was aborted") {
		t.Errorf("an aborted response: %q, %v", text, err)
	}
	for name, event := range map[string]string{
		"EventBridge Scheduler": `{}`,
		"an EventBridge rule":   `{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","time":"2026-01-01T00:00:00Z","resources":[],"detail":{}}`,
	} {
		got = api.Invoke(json.RawMessage(event))
		if text := got.Text(t); got.StatusCode != http.StatusOK || text != "run" {
			t.Errorf("%s: %d %q %s", name, got.StatusCode, text, got.Failure)
		}
	}
	if failed := api.Invoke(json.RawMessage(`{}`)).Failure; !strings.Contains(failed, "the scheduled call failed with status 500") || !strings.Contains(failed, "internal") {
		t.Errorf("a failed scheduled call: %q", failed)
	}
	text := ""
	for limit := 1500 * time.Millisecond; text == ""; limit *= 2 { // a slow machine needs more time to start the stream
		text = api.InvokeFor(limit, lambdatest.Request("GET", "/stream", "")).Text(t)
	}
	if text != "data: first\n" { // its context ends before Lambda's timeout
		t.Errorf("a stream at the timeout: %q", text)
	}

	stream := bufio.NewReader(invoke("GET", "/stream", "").Body)
	if line, err := stream.ReadString('\n'); line != "data: first\n" {
		t.Errorf("first line of the stream: %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(stream); string(rest) != "data: last\n" {
		t.Errorf("rest of the stream: %q, %v", rest, err)
	}
	p := &process{cmd: cmd, log: bufio.NewScanner(stderr)}
	p.logged(t, "closed")
	_ = cmd.Process.Kill() // as Lambda does
	_ = cmd.Wait()
}
