// Package local runs the whole platform in one process: every function, behind a small
// gateway with OpenFaaS's URLs, and a PostgreSQL and a Redis that it starts itself. `make
// run` runs it.
//
// It is for evaluation, development and tests, and listens on the loopback address only.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/demo"
	"github.com/analytics-platform/analytics/infra/local/gateway"
	"github.com/analytics-platform/analytics/infra/local/internal/child"
	"github.com/analytics-platform/analytics/infra/local/internal/secret"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	"github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/shared/host"
)

// settings are the environment variables.
type settings struct {
	Port          uint16 `env:"PORT" envDefault:"8080" envDoc:"TCP port to listen on; 0 means any free port"`
	DataDir       string `env:"DATA_DIR" envDefault:".data" envDoc:"directory for all data"`
	AdminToken    string `env:"ADMIN_TOKEN,secret" envDoc:"owner token"`
	SubjectKey    string `env:"SUBJECT_KEY,secret" envDoc:"key of the hashes of subjects"`
	SaltKey       string `env:"SALT_KEY,secret" envDoc:"key that encrypts the salts of visitors"`
	ScheduleToken string `env:"SCHEDULE_TOKEN,secret" envDoc:"token that starts aggregate and schema-guard"`
	MetricsToken  string `env:"METRICS_TOKEN,secret" envDoc:"token for /metrics"`
	Plain         bool   `env:"PLAIN_POSTGRES" envDoc:"start PostgreSQL without TimescaleDB even if it is installed; for a new DATA_DIR"`
	DatabaseURL   string `env:"DATABASE_URL,secret" envDoc:"PostgreSQL server to use instead of starting one"`
	RedisURL      string `env:"REDIS_URL,secret" envDoc:"Redis server to use instead of starting one"`

	Gateway        gatewayKind   `env:"GATEWAY" envDefault:"direct" envDoc:"how the gateway forwards requests: direct (unchanged) or openfaas (as OpenFaaS's gateway does)"`
	GatewayTimeout time.Duration `env:"GATEWAY_TIMEOUT" envDefault:"60s" envDoc:"request timeout with GATEWAY=openfaas"`
}

// gatewayKind is the way in which the gateway forwards requests.
type gatewayKind string

const (
	direct   gatewayKind = "direct"
	openFaaS gatewayKind = "openfaas"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *gatewayKind) UnmarshalText(text []byte) error {
	switch kind := gatewayKind(text); kind {
	case direct, openFaaS:
		*k = kind
		return nil
	default:
		return errors.New("use direct or openfaas")
	}
}

// interval returns how often a scheduled function is called. For aggregate it is shorter
// than cron allows, so that the dashboard is up to date.
func interval(function string) time.Duration {
	if function == "aggregate" {
		return time.Second
	}
	return time.Minute
}

// site is the site that every installation has.
const site = `{"domain":"localhost","name":"This machine","timezone":"UTC"}`

// readyTimeout limits how long the functions may take to become ready.
const readyTimeout = 2 * time.Minute

// stopTimeout limits each step of Stop.
const stopTimeout = 10 * time.Second

// Installation is a platform that runs in this process.
type Installation struct {
	// URL is the URL of the gateway, without a trailing slash.
	URL string
	// Token is the owner's token.
	Token string

	log       *slog.Logger
	process   *host.Process
	instances map[string]*host.Instance
	failed    chan error
	cron      sync.WaitGroup
	undo      []func(context.Context) error // steps of Stop, in reverse order
}

// Start starts the platform and returns once everything is ready. The error is one line that
// tells the user what to do. The variables are those of settings and of the functions'
// configurations.
func Start(ctx context.Context, variables map[string]string, log *slog.Logger) (*Installation, error) {
	i := &Installation{log: log, instances: map[string]*host.Instance{}, failed: make(chan error, 3)}
	if err := i.start(ctx, maps.Clone(variables)); err != nil {
		return nil, errors.Join(err, i.Stop())
	}
	return i, nil
}

func (i *Installation) start(ctx context.Context, variables map[string]string) error {
	var s settings
	if err := host.NewProcess(variables, i.log).Env("local").Parse(&s); err != nil {
		return err
	}
	listener, err := listen(ctx, s.Port)
	if err != nil {
		return err
	}
	i.onStop(func(context.Context) error { return ignoreClosed(listener.Close()) })
	i.URL = "http://localhost:" + portOf(listener)

	if err := i.lock(s.DataDir); err != nil {
		return err
	}
	if err := i.provide(ctx, &s); err != nil {
		return err
	}
	s.DatabaseURL = limitConnections(s.DatabaseURL)
	i.Token = s.AdminToken
	for name, value := range map[string]string{
		"ADMIN_TOKEN": s.AdminToken, "SUBJECT_KEY": s.SubjectKey, "SALT_KEY": s.SaltKey,
		"SCHEDULE_TOKEN": s.ScheduleToken, "METRICS_TOKEN": s.MetricsToken,
		"DATABASE_URL": s.DatabaseURL, "REDIS_URL": s.RedisURL,
	} {
		variables[name] = value
		delete(variables, name+"_FILE")
	}
	if _, set := variables["TRUSTED_PROXY_HOPS"]; s.Gateway == openFaaS && !set {
		variables["TRUSTED_PROXY_HOPS"] = "1"
	}
	if err := i.build(ctx, variables); err != nil {
		return err
	}
	i.process.LimitMemory()
	if err := i.createSite(ctx); err != nil {
		return err
	}
	i.startCron()
	if err := i.waitReady(ctx); err != nil {
		return err
	}
	return i.serve(ctx, listener, &s)
}

// maxConnections is how many connections to the database each function may have. All of them
// together have fewer than PostgreSQL allows, on a machine with any number of processors.
const maxConnections = 12

// limitConnections returns the URL of a database with a limit of connections, if it has none.
func limitConnections(address string) string {
	const parameter = "pool_max_conns"
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Query().Has(parameter) {
		return address
	}
	values := u.Query()
	values.Set(parameter, strconv.Itoa(maxConnections))
	u.RawQuery = values.Encode()
	return u.String()
}

// listen listens on a port of the loopback address; 0 means any free port.
func listen(ctx context.Context, port uint16) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return nil, fmt.Errorf("PORT: cannot listen on port %d (%s): set PORT to a free port", port, innermost(err))
	}
	return listener, nil
}

func portOf(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // the address of a TCP listener has a port
	return port
}

// lock locks the data directory for this process.
func (i *Installation) lock(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("DATA_DIR: cannot create the directory %s (%s): set DATA_DIR to a directory that can be created", dir, innermost(err))
	}
	lock, err := child.Lock(filepath.Join(dir, "lock"))
	if errors.Is(err, child.ErrLocked) {
		return fmt.Errorf("DATA_DIR: %s is in use by another process: stop that process, or set DATA_DIR to another directory", dir)
	}
	if err != nil {
		return fmt.Errorf("DATA_DIR: cannot use the directory %s (%s): set DATA_DIR to a writable directory", dir, innermost(err))
	}
	i.onStop(func(context.Context) error { return lock.Close() })
	return nil
}

// provide generates the secrets and starts the servers that the environment does not set. It
// stores the addresses of the servers, which contain passwords, for other programs.
func (i *Installation) provide(ctx context.Context, s *settings) error {
	var err error
	for name, value := range map[string]*string{
		"admin-token": &s.AdminToken, "subject-key": &s.SubjectKey, "salt-key": &s.SaltKey,
		"schedule-token": &s.ScheduleToken, "metrics-token": &s.MetricsToken,
	} {
		if *value == "" {
			if *value, err = secret.Stored(filepath.Join(s.DataDir, name)); err != nil {
				return err
			}
		}
	}
	if s.DatabaseURL == "" {
		if s.DatabaseURL, err = i.startPostgres(ctx, filepath.Join(s.DataDir, "postgres"), s.Plain); err != nil {
			return err
		}
		if err := secret.Store(filepath.Join(s.DataDir, "database-url"), s.DatabaseURL); err != nil {
			return err
		}
	}
	if s.RedisURL == "" {
		if s.RedisURL, err = i.startRedis(ctx, filepath.Join(s.DataDir, "redis")); err != nil {
			return err
		}
		if err := secret.Store(filepath.Join(s.DataDir, "redis-url"), s.RedisURL); err != nil {
			return err
		}
	}
	return nil
}

func (i *Installation) startPostgres(ctx context.Context, dir string, plain bool) (string, error) {
	var options []postgres.Option
	if plain {
		options = append(options, postgres.Plain())
	}
	server, err := postgres.Start(ctx, dir, options...)
	if errors.Is(err, postgres.ErrNotInstalled) {
		return "", fmt.Errorf("%w, or set DATABASE_URL to a running server", err)
	}
	if err != nil {
		return "", err
	}
	i.onStop(server.Stop)
	i.watch("PostgreSQL", filepath.Join(dir, "log"), server.Done())
	i.log.Info("PostgreSQL started", "port", server.Port())
	return server.URL(), nil
}

func (i *Installation) startRedis(ctx context.Context, dir string) (string, error) {
	server, err := redis.Start(ctx, dir)
	if errors.Is(err, redis.ErrNotInstalled) {
		memory, err := redis.InProcess()
		if err != nil {
			return "", err
		}
		i.onStop(memory.Stop)
		i.log.Warn("no redis-server found: the queue is in memory only, and its events are lost when this process dies; " +
			"install the Debian package redis-server, or set REDIS_URL")
		return memory.URL(), nil
	}
	if err != nil {
		return "", err
	}
	i.onStop(server.Stop)
	i.watch("Redis", filepath.Join(dir, "log"), server.Done())
	i.log.Info("Redis started", "port", server.Port())
	return server.URL(), nil
}

// watch makes Wait return when a server ends on its own.
func (i *Installation) watch(name, log string, done <-chan struct{}) {
	go func() {
		<-done
		i.fail(fmt.Errorf("%s has exited: see its log %s", name, log))
	}()
}

func (i *Installation) fail(err error) {
	select {
	case i.failed <- err:
	default: // one error is enough for Wait
	}
}

// build builds all functions. The first one migrates the database.
func (i *Installation) build(ctx context.Context, variables map[string]string) error {
	i.process = host.NewProcess(variables, i.log)
	i.process.AdoptLibraryLogs()
	i.onStop(func(context.Context) error { i.process.Close(); return nil })
	for _, f := range functions.All() {
		instance, err := host.Build(ctx, i.process.Env(f.Name), f.New)
		if err != nil {
			return fmt.Errorf("start %s: %w", f.Name, err)
		}
		i.instances[f.Name] = instance
		i.onStop(instance.Close)
	}
	return nil
}

func (i *Installation) createSite(ctx context.Context) error {
	switch status, body := i.call(ctx, "admin", "/v1/sites", site); status {
	case http.StatusCreated, http.StatusConflict:
		return nil
	default:
		return fmt.Errorf("create the site localhost: status %d: %s", status, body)
	}
}

// waitReady returns when every function is ready.
func (i *Installation) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for name, instance := range i.instances {
		for {
			err := instance.Ready(ctx)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s is not ready: %w", name, err)
			case err := <-i.failed:
				return err
			case <-ticker.C:
			}
		}
	}
	return nil
}

// startCron calls the scheduled functions until Stop.
func (i *Installation) startCron() {
	ctx, stop := context.WithCancel(context.Background())
	i.onStop(func(context.Context) error {
		stop()
		i.cron.Wait()
		return nil
	})
	for _, f := range functions.All() {
		if f.Schedule == "" {
			continue
		}
		i.cron.Go(func() {
			ticker := time.NewTicker(interval(f.Name))
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					i.call(ctx, f.Name, "/", "") // the function logs its own errors
				}
			}
		})
	}
}

// call calls a function as the owner, and returns the status and the body of the response.
func (i *Installation) call(ctx context.Context, function, path, body string) (int, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	if err != nil {
		panic(err) // paths are constants
	}
	request.Header.Set("Authorization", "Bearer "+i.Token)
	request.Header.Set("Content-Type", "application/json")
	response := &responseRecorder{header: http.Header{}, status: http.StatusOK}
	i.instances[function].ServeHTTP(response, request)
	return response.status, response.body.String()
}

// responseRecorder is an http.ResponseWriter that records the response.
type responseRecorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *responseRecorder) Header() http.Header         { return r.header }
func (r *responseRecorder) WriteHeader(status int)      { r.status = status }
func (r *responseRecorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// serve starts the gateway.
func (i *Installation) serve(ctx context.Context, listener net.Listener, s *settings) error {
	handlers, addresses := map[string]gateway.Function{}, map[string]string{}
	for name, instance := range i.instances {
		handlers[name] = instance
		if s.Gateway == openFaaS {
			own, err := listen(ctx, 0)
			if err != nil {
				return err
			}
			addresses[name] = own.Addr().String()
			i.serveAt(own, instance)
		}
	}
	const home = "dashboard"
	if s.Gateway == openFaaS {
		i.serveAt(listener, gateway.OpenFaaS(handlers, addresses, home, s.GatewayTimeout))
	} else {
		i.serveAt(listener, gateway.New(handlers, home))
	}
	i.onStop(func(context.Context) error {
		for _, instance := range i.instances {
			instance.Drain()
		}
		return nil
	})
	return nil
}

// serveAt serves requests on a listener until Stop.
func (i *Installation) serveAt(listener net.Listener, handler http.Handler) {
	server := host.NewServer(handler, i.log)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			i.fail(fmt.Errorf("serve: %w", err))
		}
	}()
	i.onStop(func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(fmt.Errorf("requests did not finish in time and were aborted: %w", err), server.Close())
		}
		return nil
	})
}

// Wait returns nil when ctx ends, or an error when a part of the installation ends on its
// own. The caller must call Stop in both cases.
func (i *Installation) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-i.failed:
		return err
	}
}

// Stop stops everything in order: streams, requests, functions, servers.
func (i *Installation) Stop() error {
	var err error
	for len(i.undo) > 0 {
		last := i.undo[len(i.undo)-1]
		i.undo = i.undo[:len(i.undo)-1]
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		err = errors.Join(err, last(ctx))
		cancel()
	}
	return err
}

func (i *Installation) onStop(undo func(context.Context) error) { i.undo = append(i.undo, undo) }

// Main is the main function of the program. It starts an installation, prints its URL and
// token on standard output, and stops it on SIGTERM or Ctrl-C. With the argument "demo" it
// adds a month of generated traffic, once. It exits with 0 after a regular stop, or with 1
// and one line on standard error after an error.
func Main() {
	// The first signal starts the shutdown, and a second one kills the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], host.Variables(os.Environ()), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, host.OneLine("local", err))
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, args []string, variables map[string]string, stdout, stderr io.Writer) error {
	withDemo := slices.Equal(args, []string{"demo"})
	if len(args) > 0 && !withDemo {
		return errors.New(`the only argument is "demo": it adds a month of generated traffic`)
	}
	log, err := host.NewLogger(stderr, variables)
	if err != nil {
		return err
	}
	installation, err := Start(ctx, variables, log)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "dashboard: %s/function/dashboard/\ntoken: %s\n", installation.URL, installation.Token)
	if err == nil && withDemo {
		err = installation.fillDemo(ctx, stderr)
	}
	if err == nil {
		err = installation.Wait(ctx)
	}
	log.Info("stopping")
	return errors.Join(err, installation.Stop())
}

// fillDemo creates the demo's sites and traffic, once, and shows the progress.
func (i *Installation) fillDemo(ctx context.Context, progress io.Writer) error {
	env := i.process.Env("demo")
	db, err := env.Database(ctx)
	if err != nil {
		return err
	}
	client, err := env.Redis(ctx)
	if err != nil {
		return err
	}
	bar := progressbar.NewOptions(demo.Events, progressbar.OptionSetWriter(progress),
		progressbar.OptionSetDescription("generating a month of traffic"), progressbar.OptionSetItsString("events"),
		progressbar.OptionShowIts(), progressbar.OptionShowCount(), progressbar.OptionFullWidth())
	err = demo.Fill(ctx, db, client, time.Now(), demo.Events, func(stored int) { _ = bar.Set(min(stored, demo.Events)) })
	switch {
	case errors.Is(err, demo.ErrDone):
		i.log.Info("the demo's traffic exists already")
		return nil
	case err != nil && ctx.Err() != nil:
		return nil //nolint:nilerr // stopped on purpose
	case err != nil:
		return err
	}
	_ = bar.Finish() // the error is about drawing only
	_, _ = fmt.Fprintln(progress)
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// innermost returns the message of the innermost wrapped error, such as "permission denied".
func innermost(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
