// Package host runs functions: as plain HTTP servers (containers, OpenFaaS), on AWS Lambda,
// with Knative's func, or several in one process. It provides configuration, secrets,
// health checks, metrics, logs and shutdown, so that a function consists only of its HTTP
// handler.
//
// Every function has these paths:
//
//   - GET /_/health: 200 while the process runs.
//   - GET /_/ready: 200 if the function is ready, otherwise a 503 problem.
//   - GET /metrics: Prometheus metrics, for requests with METRICS_TOKEN.
//
// Main reads these environment variables:
//
//   - PORT (8080): TCP port to listen on.
//   - LOG_LEVEL (info): debug, info, warn or error.
//   - SHUTDOWN_GRACE (25s): how long requests may continue after SIGTERM.
//   - DATABASE_URL, REDIS_URL: secrets, for the functions that need them.
//   - METRICS_TOKEN: a secret, for metrics.
//   - GOMEMLIMIT, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: limits of memory, see Process.Memory.
//   - AWS_LAMBDA_RUNTIME_API: set by Lambda; selects the Lambda protocol.
//   - AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN: set by Lambda; used to
//     read secrets from AWS.
//   - AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL_SSM, AWS_ENDPOINT_URL: endpoints
//     of AWS services, if not the default ones.
//
// Logs are written to standard error as JSON, or as text if it is a terminal. Logs and
// metrics must never contain an address, a user agent, a path, a query or a body. They
// identify requests only by method and route pattern.
package host

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Function is a function that can handle requests.
type Function struct {
	// Handler handles all requests except those for the paths of every function. To
	// stream, it calls KeepOpen.
	Handler http.Handler
	// BodyLimit is the maximum size of a request body in bytes; 0 for DefaultBodyLimit.
	// The response to a larger body is a 413 problem.
	BodyLimit int64
	// Ready returns nil if the function can do its work. It is called often and has two
	// seconds. The response contains the error if it is a problem.Problem; otherwise it
	// does not. A nil Ready means always ready.
	Ready func(context.Context) error
	// Drain ends open streams when a shutdown begins. It may be nil.
	Drain func()
	// Close is called after the last request. It may be nil.
	Close func(context.Context) error
}

// New builds a function. Everything that it starts must end with the function's Close.
type New func(ctx context.Context, env *Env) (*Function, error)

// DefaultBodyLimit is the default maximum size of a request body in bytes.
const DefaultBodyLimit = 1 << 20

// Main runs a function until the process receives a signal, and exits. The status is 0
// after a clean shutdown. It is 1 if the function could not be started or failed, after
// one line on standard error.
//
// With the argument -health it checks instead whether the function that listens on PORT is
// ready, and exits with status 0 if so. Container images have no other program for this.
func Main(name string, build New) {
	if len(os.Args) > 1 {
		if err := command(os.Args[1:], Variables(os.Environ())); err != nil {
			fmt.Fprintln(os.Stderr, OneLine(name, err))
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The first signal starts the shutdown, the second one kills the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, name, build, Variables(os.Environ()), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, OneLine(name, err))
		os.Exit(1)
	}
	os.Exit(0)
}

// settings are the variables that Main reads.
type settings struct {
	Port          uint16        `env:"PORT" envDefault:"8080" envDoc:"TCP port to listen on"`
	ShutdownGrace time.Duration `env:"SHUTDOWN_GRACE" envDefault:"25s" envDoc:"how long requests may continue after SIGTERM"`
	LambdaAPI     string        `env:"AWS_LAMBDA_RUNTIME_API" envDoc:"set by AWS Lambda"`
}

func run(ctx context.Context, name string, build New, variables map[string]string, stderr io.Writer) error {
	log, err := NewLogger(stderr, variables)
	if err != nil {
		return err
	}
	process := NewProcess(variables, log)
	defer process.Close()
	process.AdoptLibraryLogs()

	env := process.Env(name)
	var s settings
	if err := env.Parse(&s); err != nil {
		return err
	}
	instance, err := Build(ctx, env, build)
	if err != nil {
		return err
	}
	process.LimitMemory() // only now: a wrong configuration is reported in one line
	if s.LambdaAPI != "" {
		return serveLambda(instance)
	}
	return Serve(ctx, instance, fmt.Sprintf(":%d", s.Port), s.ShutdownGrace)
}

// healthTimeout is the time limit of -health.
const healthTimeout = 5 * time.Second

// command executes the arguments of the program.
func command(arguments []string, variables map[string]string) error {
	if len(arguments) != 1 || arguments[0] != "-health" {
		return fmt.Errorf("unknown argument %q: use -health, or none to run the function", strings.Join(arguments, " "))
	}
	var s settings
	if err := NewProcess(variables, slog.New(slog.DiscardHandler)).Env("").Parse(&s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/_/ready", s.Port), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("PORT: no response on port %d (%s)", s.Port, reason(err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the function is not ready: %s", response.Status)
	}
	return nil
}

// OneLine returns the error message of a program: its name and the error, without line
// breaks.
func OneLine(name string, err error) string {
	return name + ": " + strings.Join(strings.Fields(err.Error()), " ")
}
