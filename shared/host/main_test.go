package host_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/analytics-platform/analytics/shared/host"
)

// TestMain makes this test binary a function, for the tests that start it as a
// process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("HOST_TEST_FUNCTION") != "" {
		host.Main("sample", sample)
		os.Exit(0) // never the tests: they would start themselves without end
	}
	os.Exit(m.Run())
}

// sample is a function with a slow request and an endless stream.
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
		_ = http.NewResponseController(w).Flush() // the client now knows that it has begun
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

// process is a sample function that runs.
type process struct {
	cmd     *exec.Cmd
	address string
	log     *bufio.Scanner
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

// logged reads the log up to a line with that message.
func (p *process) logged(t *testing.T, message string) string {
	t.Helper()
	for p.log.Scan() {
		if strings.Contains(p.log.Text(), `"msg":"`+message+`"`) {
			return p.log.Text()
		}
	}
	t.Fatalf("the process ended without logging %q", message)
	return ""
}

func (p *process) get(t *testing.T, path string) *http.Response {
	t.Helper()
	response, err := http.Get(p.address + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestShutdownFinishesWhatHasBegun(t *testing.T) {
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

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	p := start(t, "SHUTDOWN_GRACE=50ms")
	stuck := p.get(t, "/stuck")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(stuck.Body); err == nil {
		t.Error("a request that was cut looks finished")
	}
	p.logged(t, "closed")
	var last string
	for p.log.Scan() {
		last = p.log.Text()
	}
	if !strings.HasPrefix(last, "sample: requests did not end within SHUTDOWN_GRACE (50ms) and were cut") {
		t.Errorf("last line %q", last)
	}
	if err := p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("the process ended with %v, want 1", err)
	}
}

func TestWhatPreventsAStartIsOneLine(t *testing.T) {
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
		"no port number": {
			[]string{"PORT=http"}, `sample: PORT: "http" is not a whole number from 0 to 65535 (the TCP port to listen on)` + "\n",
		},
		"a port in use": {
			[]string{"PORT=" + taken}, "sample: PORT: cannot listen on port " + taken + " (address already in use): set PORT to a free one\n",
		},
		"no log level":      {[]string{"LOG_LEVEL=loud"}, `sample: LOG_LEVEL: "loud" is not debug, info, warn or error` + "\n"},
		"a setting":         {[]string{"SAMPLE_DATABASE=maybe"}, `sample: SAMPLE_DATABASE: "maybe" is not true or false` + "\n"},
		"no database":       {[]string{"SAMPLE_DATABASE=true"}, "sample: DATABASE_URL is not set" + setDatabase},
		"a dead database":   {[]string{"SAMPLE_DATABASE=true", "DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x"}, "sample: DATABASE_URL: cannot use PostgreSQL at 127.0.0.1:1 (connection refused)" + setDatabase},
		"a secret's folder": {[]string{"SAMPLE_DATABASE=true", "DATABASE_URL_FILE=/"}, "sample: DATABASE_URL_FILE: read a secret: read /: is a directory\n"},
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

// lambdaAnswer is what the runtime sends back for an invocation.
type lambdaAnswer struct {
	StatusCode int
	Headers    map[string]string
	Body       io.Reader `json:"-"`
}

func (a lambdaAnswer) text(t *testing.T) string {
	t.Helper()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lambdaRuntime is a stand-in for the Lambda Runtime API, as its documentation
// tells: it hands out invocations and takes the answers, as they come.
func lambdaRuntime(t *testing.T) (address string, invoke func(request string) lambdaAnswer) {
	t.Helper()
	invocations, answers := make(chan string), make(chan lambdaAnswer)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case event := <-invocations:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request-1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", "9999999999999")
			_, _ = io.WriteString(w, event)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/request-1/response", func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Content-Type"); got != "application/vnd.awslambda.http-integration-response" {
			t.Errorf("content type %q is not that of a streamed answer", got)
		}
		var answer lambdaAnswer
		decoder := json.NewDecoder(r.Body)
		if err := decoder.Decode(&answer); err != nil {
			t.Errorf("the head of the answer: %v", err)
		}
		body := io.MultiReader(decoder.Buffered(), r.Body)
		if separator := make([]byte, 8); !readAll(body, separator) || !bytes.Equal(separator, make([]byte, 8)) {
			t.Errorf("after the head comes %q, want eight zeros", separator)
		}
		reader, writer := io.Pipe()
		answer.Body = reader
		answers <- answer
		_, err := io.Copy(writer, body)
		_ = writer.CloseWithError(err)
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/request-1/error", func(_ http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		t.Errorf("the runtime reports an error: %s, %v", text, err)
		answers <- lambdaAnswer{Body: http.NoBody}
	})
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "extension-1")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), func(request string) lambdaAnswer {
		invocations <- request
		return <-answers
	}
}

func readAll(r io.Reader, into []byte) bool {
	_, err := io.ReadFull(r, into)
	return err == nil
}

func TestLambda(t *testing.T) {
	t.Parallel()
	address, invoke := lambdaRuntime(t)
	cmd := command(t, "AWS_LAMBDA_RUNTIME_API="+address)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	event := func(method, path, query, body string) string {
		return fmt.Sprintf(`{"version":"2.0","rawPath":%q,"rawQueryString":%q,"body":%q,
			"headers":{"content-type":"text/plain"},
			"requestContext":{"domainName":"x.lambda-url.example","http":{"method":%q,"path":%[1]q,"sourceIp":"192.0.2.1"}}}`,
			path, query, body, method)
	}

	got := invoke(event("POST", "/echo", "q=1", "hello"))
	if text := got.text(t); got.StatusCode != http.StatusAccepted || got.Headers["Content-Type"] != "text/plain" || text != "x.lambda-url.example\n1\nhello\n" {
		t.Errorf("echo: %d %v %q", got.StatusCode, got.Headers, text)
	}
	got = invoke(event("GET", "/_/ready", "", ""))
	if text := got.text(t); got.StatusCode != http.StatusOK || text != "ready\n" {
		t.Errorf("ready: %d %q", got.StatusCode, text)
	}
	got = invoke(event("POST", "/echo", "", strings.Repeat("x", host.DefaultBodyLimit+1)))
	if text := got.text(t); got.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, `"code":"body_too_large"`) {
		t.Errorf("too large: %d %s", got.StatusCode, text)
	}
	got = invoke(event("GET", "/panic", "", ""))
	if text := got.text(t); got.StatusCode != http.StatusInternalServerError || !strings.Contains(text, `"code":"internal"`) {
		t.Errorf("panic: %d %s", got.StatusCode, text)
	}

	stream := bufio.NewReader(invoke(event("GET", "/stream", "", "")).Body)
	if line, err := stream.ReadString('\n'); line != "data: first\n" {
		t.Errorf("the stream begins with %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(stream); string(rest) != "data: last\n" {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
	p := &process{cmd: cmd, log: bufio.NewScanner(stderr)}
	p.logged(t, "closed")
	_ = cmd.Process.Kill() // as Lambda does
	_ = cmd.Wait()
}
