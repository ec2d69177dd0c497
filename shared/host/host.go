// Package host is how a function is run: as plain HTTP (containers, OpenFaaS),
// on AWS Lambda, by Knative's func, or beside the others in one process. It
// gives every function the same configuration, secrets, health, metrics, logs and
// end, so that a function holds its HTTP surface and nothing else.
//
// Addresses that every function has:
//
//   - GET /_/health: 200 while the process lives.
//   - GET /_/ready: 200 when the function can do its work, else a 503 problem.
//   - GET /metrics: Prometheus metrics.
//
// What Main itself reads from the environment:
//
//   - PORT (8080): the TCP port to listen on.
//   - LOG_LEVEL (info): debug, info, warn or error.
//   - SHUTDOWN_GRACE (25s): how long requests may go on after SIGTERM.
//   - DATABASE_URL, REDIS_URL: secrets, for the functions that need them.
//   - AWS_LAMBDA_RUNTIME_API: set by Lambda, and then its protocol is spoken.
//   - AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN: set by Lambda, for the
//     secrets that are kept there; AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL_SSM,
//     AWS_ENDPOINT_URL: where they are, if not at AWS's own address.
//
// Logs go to standard error, as JSON, or as text on a terminal. Host must never
// log or count by an address, a user agent, a path, a query or a body: requests are
// named by method and route pattern only.
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

// Function is a function that has been built and can answer requests.
type Function struct {
	// Handler answers every request but those that all functions have in common.
	// To stream, it clears its deadlines with KeepOpen.
	Handler http.Handler
	// BodyLimit is the size, in bytes, that a request's body may have; 0 stands for
	// DefaultBodyLimit. What is over it is answered with a 413 problem.
	BodyLimit int64
	// Ready tells whether the function can do its work now: nil when it can. It is
	// called often, and has two seconds. A problem.Problem is shown to whoever asks,
	// of any other error only that there is one. Nil stands for: ready once built.
	Ready func(context.Context) error
	// Drain is called when the end begins: it ends open streams. Nil: nothing to do.
	Drain func()
	// Close is called after the last request. Nil: nothing to do.
	Close func(context.Context) error
}

// New builds a function. It returns once the function can be served; what it
// starts beyond that ends with Close.
type New func(ctx context.Context, env *Env) (*Function, error)

// DefaultBodyLimit is the size, in bytes, of the largest request body that a
// function takes unless it says otherwise.
const DefaultBodyLimit = 1 << 20

// Main runs a function until the platform ends the process, and exits: with 0
// after a shutdown in good order, with 1 and one line on standard error when the
// function could not be started or run.
//
// With the argument -health it asks the function that runs beside it, on the same PORT,
// whether it is ready, and exits with 0 if so: images have no program that could ask.
func Main(name string, build New) {
	if len(os.Args) > 1 {
		if err := command(os.Args[1:], Variables(os.Environ())); err != nil {
			fmt.Fprintln(os.Stderr, OneLine(name, err))
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The first signal begins the shutdown, the second one kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, name, build, Variables(os.Environ()), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, OneLine(name, err))
		os.Exit(1)
	}
	os.Exit(0)
}

// settings are what Main itself is told.
type settings struct {
	Port          uint16        `env:"PORT" envDefault:"8080" envDoc:"the TCP port to listen on"`
	ShutdownGrace time.Duration `env:"SHUTDOWN_GRACE" envDefault:"25s" envDoc:"how long requests may go on after SIGTERM"`
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
	if s.LambdaAPI != "" {
		return serveLambda(instance)
	}
	return Serve(ctx, instance, fmt.Sprintf(":%d", s.Port), s.ShutdownGrace)
}

// healthTimeout bounds -health.
const healthTimeout = 5 * time.Second

// command does what the arguments of the program say.
func command(arguments []string, variables map[string]string) error {
	if len(arguments) != 1 || arguments[0] != "-health" {
		return fmt.Errorf("there is no argument %q: use -health, or none to run the function", strings.Join(arguments, " "))
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
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("PORT: nothing answers on port %d (%s)", s.Port, reason(err))
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it is not ready: %s", answer.Status)
	}
	return nil
}

// OneLine is an error as a program shows it before it exits: its name and what is
// wrong, without line breaks.
func OneLine(name string, err error) string {
	return name + ": " + strings.Join(strings.Fields(err.Error()), " ")
}
