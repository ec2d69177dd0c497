package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/analytics-platform/analytics/shared/edge/bearer"
	"github.com/analytics-platform/analytics/shared/edge/httpbody"
	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// Instance is a function together with what all functions have in common. It is an
// http.Handler.
type Instance struct {
	function *Function
	log      *slog.Logger
	metrics  http.Handler
	scraper  bearer.Token // what GET /metrics needs; if zero, nobody gets the metrics
	shedder  *shedder     // not the Process: its methods would link Redis into functions without it
	draining atomic.Bool
	bodies   *httpbody.Memory

	inFlight prometheus.Gauge
	duration [6]prometheus.Observer // by first digit of the status
	failures failureLog
}

// readyTimeout is the time limit of a call of a function's Ready.
const readyTimeout = 2 * time.Second

// Build builds a function and returns its instance.
func Build(ctx context.Context, env *Env, build New) (*Instance, error) {
	secret, _, err := env.secret("METRICS_TOKEN")
	if err != nil {
		return nil, err
	}
	scraper, err := bearer.Optional("METRICS_TOKEN", secret)
	if err != nil {
		return nil, err
	}
	function, err := build(ctx, env)
	if err != nil {
		return nil, err
	}
	if function.BodyLimit == 0 {
		function.BodyLimit = DefaultBodyLimit
	}
	i := &Instance{
		function: function, scraper: scraper, log: env.Logger(), shedder: env.shedder, failures: failureLog{log: env.Logger()},
		bodies: env.bodies(),
	}
	labels := prometheus.Labels{"function": env.Name()}
	i.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "analytics_requests_in_flight", Help: "Requests in progress.", ConstLabels: labels,
	})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "analytics_request_duration_seconds", Help: "Time from the header of a request to the end of its response.",
		ConstLabels: labels,
		Buckets:     []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"status"})
	for class := 1; class < len(i.duration); class++ {
		i.duration[class] = duration.WithLabelValues(fmt.Sprintf("%dxx", class))
	}
	registry := env.Metrics()
	for _, collector := range []prometheus.Collector{
		i.inFlight, duration, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	i.metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return i, nil
}

// ServeHTTP handles a request.
func (i *Instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/_/health":
		readOnly(w, r, i.serveHealth)
	case "/_/ready":
		readOnly(w, r, i.serveReady)
	case "/metrics":
		readOnly(w, r, i.serveMetrics)
	default:
		i.serve(w, r)
	}
}

// serve handles a request with the function's handler.
func (i *Instance) serve(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	i.inFlight.Inc()
	rec := &recorder{ResponseWriter: w}
	defer i.finish(rec, r, start)

	if i.shedder.refuses(start) {
		shed(rec)
		return
	}
	if r.ContentLength > i.function.BodyLimit {
		problem.Write(rec, problem.Of(&http.MaxBytesError{Limit: i.function.BodyLimit}))
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		// Pass the server's writer, so that the connection is closed if the body is too large.
		rec.body.Begin(i.bodies, w, r, i.function.BodyLimit)
	}
	i.function.Handler.ServeHTTP(rec, r)
}

// finish measures a request and responds with a problem after a panic.
func (i *Instance) finish(rec *recorder, r *http.Request, start time.Time) {
	panicked := recover()
	rec.body.End()
	abort := panicked == http.ErrAbortHandler //nolint:errorlint // net/http compares it too
	if panicked != nil && !abort {
		i.log.Error("panic", "method", r.Method, "route", r.Pattern,
			"panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
		if rec.status == 0 {
			problem.Write(rec, problem.Of(errPanic))
		} else {
			abort = true // an incomplete response must not look complete
		}
	}
	status := rec.status
	switch {
	case problem.HungUp(r) && panicked == nil && (status == 0 || status >= 500):
		status = problem.StatusHungUp
	case status == 0:
		status = http.StatusOK
	}
	elapsed := time.Since(start)
	i.inFlight.Dec()
	if class := status / 100; class > 0 && class < len(i.duration) {
		i.duration[class].Observe(elapsed.Seconds())
	}
	switch {
	case status >= 500 && panicked == nil:
		i.failures.add(rec, r, status, elapsed)
	case i.log.Enabled(r.Context(), slog.LevelDebug):
		i.log.Debug("request", "method", r.Method, "route", r.Pattern, "status", status, "seconds", elapsed.Seconds())
	}
	if abort {
		panic(http.ErrAbortHandler)
	}
}

var errPanic = errors.New("panic")

// failureLog logs at most one failed request per second. During an outage every request
// fails in the same way.
type failureLog struct {
	log     *slog.Logger
	last    atomic.Int64 // time of the last message, in Unix nanoseconds
	skipped atomic.Int64 // number of failures since
}

func (f *failureLog) add(rec *recorder, r *http.Request, status int, elapsed time.Duration) {
	now, last := time.Now().UnixNano(), f.last.Load()
	if now-last < int64(time.Second) || !f.last.CompareAndSwap(last, now) {
		f.skipped.Add(1)
		return
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.Int("status", status), slog.Float64("seconds", elapsed.Seconds()),
	}
	if rec.err != nil {
		attrs = append(attrs, slog.String("error", rec.err.Error()))
	}
	if skipped := f.skipped.Swap(0); skipped > 0 {
		attrs = append(attrs, slog.Int64("failed_before", skipped))
	}
	f.log.LogAttrs(r.Context(), slog.LevelError, "request failed", attrs...)
}

// Ready returns nil if the function can do its work.
func (i *Instance) Ready(ctx context.Context) error {
	if i.draining.Load() {
		return problem.New(http.StatusServiceUnavailable, "draining", "the function is shutting down")
	}
	if i.function.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return i.function.Ready(ctx)
}

// Drain starts the shutdown: the function is no longer ready, and its streams end.
func (i *Instance) Drain() {
	if !i.draining.Swap(true) && i.function.Drain != nil {
		i.function.Drain()
	}
}

// Close ends the function. It must be called after the last request.
func (i *Instance) Close(ctx context.Context) error {
	i.Drain()
	if i.function.Close == nil {
		return nil
	}
	return i.function.Close(ctx)
}

func (i *Instance) serveHealth(w http.ResponseWriter, _ *http.Request) { serveText(w, "ok\n") }

func (i *Instance) serveMetrics(w http.ResponseWriter, r *http.Request) {
	switch {
	case i.scraper.IsZero():
		problem.Write(w, problem.New(http.StatusForbidden, problem.CodeForbidden,
			"the function has no METRICS_TOKEN: set it, and send it as: Authorization: Bearer TOKEN"))
	case !i.scraper.Sent(r):
		problem.Write(w, problem.New(http.StatusUnauthorized, problem.CodeUnauthorized,
			"send METRICS_TOKEN as: Authorization: Bearer TOKEN"))
	default:
		i.metrics.ServeHTTP(w, r)
	}
}

func (i *Instance) serveReady(w http.ResponseWriter, r *http.Request) {
	err := i.Ready(r.Context())
	if err == nil {
		serveText(w, "ready\n")
		return
	}
	p, ok := errors.AsType[problem.Problem](err)
	if !ok {
		i.log.Warn("not ready", "error", err.Error())
		p = problem.New(http.StatusServiceUnavailable, "not_ready", "the function is not ready; see its log")
	}
	p.Status = http.StatusServiceUnavailable
	problem.Write(w, p)
}

func serveText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, text) // fails only if the client has disconnected
}

func readOnly(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem.Write(w, problem.New(http.StatusMethodNotAllowed, problem.CodeMethodNotAllowed, "use GET"))
		return
	}
	serve(w, r)
}
