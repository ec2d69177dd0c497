// Package track is the function that takes events in. It answers 202 only once
// the queue has the events, and needs nothing but Redis while it runs.
//
// It holds the HTTP surface: what an event may be is in shared/event, what becomes
// of it in shared/collect. It must never log or answer with an address, a user
// agent or a subject.
package track

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/collect"
	"github.com/analytics-platform/analytics/shared/enrich"
	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/problem"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/registry"
)

// Config is what the function can be told.
type Config struct {
	SubjectKey  string `env:"SUBJECT_KEY,secret" envDoc:"keys the hashes of subjects, 32 characters at least; without it subjects are refused"`
	TrustedHops int    `env:"TRUSTED_PROXY_HOPS" envDefault:"0" envDoc:"how many proxies before the function append to X-Forwarded-For; 1 behind an OpenFaaS gateway"`
	GeoDatabase string `env:"GEO_DATABASE" envDoc:"path of a database of cities in MaxMind's format (.mmdb), for regions and cities; read again when it changes"`
	Datacenters string `env:"DATACENTER_NETWORKS" envDoc:"path of a list of networks, one a line, whose events are dropped as those of programs"`
	MemoryLimit int64  `env:"QUEUE_MEMORY_LIMIT" envDefault:"0" envDoc:"how many bytes of memory Redis may use, for one that has no maxmemory; 0 stands for 80 % of its machine's"`
}

type function struct {
	collector *collect.Collector
	registry  *registry.Registry
	writer    *queue.Writer
	room      *queue.Room
	hops      int
	now       func() time.Time
	log       *slog.Logger
	metrics   metrics
}

// New makes the function. It needs Redis; the database only when Redis has no copy
// of the sites.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	if config.SubjectKey != "" && len(config.SubjectKey) < 32 {
		return nil, errors.New("SUBJECT_KEY is too short: it needs 32 characters at least, e.g. from `openssl rand -hex 32`")
	}
	if config.TrustedHops < 0 {
		return nil, errors.New("TRUSTED_PROXY_HOPS must be 0 or more")
	}
	if config.MemoryLimit < 0 {
		return nil, errors.New("QUEUE_MEMORY_LIMIT must be 0 or more")
	}
	client, err := env.Redis(ctx)
	if err != nil {
		return nil, err
	}
	db, err := env.LazyDatabase()
	if err != nil {
		return nil, err
	}
	room := queue.NewRoom(client, config.MemoryLimit)
	if err := room.Load(ctx); errors.Is(err, queue.ErrEvicts) { // of any other Run tells
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	enricher, err := enrich.Load(enrich.Files{Places: config.GeoDatabase, Datacenters: config.Datacenters})
	if err != nil {
		return nil, err
	}
	if !enricher.KnowsPlaces() {
		env.Logger().Warn("built without a database of countries: every country will be unknown; run `make build`")
	}
	f := &function{
		collector: &collect.Collector{Enricher: enricher, SubjectKey: []byte(config.SubjectKey), NewID: newID},
		registry:  registry.New(client, db, time.Now),
		writer:    queue.NewWriter(client),
		room:      room,
		hops:      config.TrustedHops,
		now:       time.Now,
		log:       env.Logger(),
		metrics:   newMetrics(env.Metrics(), room),
	}
	if err := f.registry.Load(ctx); err != nil {
		f.writer.Close()
		return nil, fmt.Errorf("learn the sites: %w", err)
	}
	running, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() {
		f.registry.Run(running, func(err error) { f.log.Warn("the sites could not be refreshed", "error", err) })
	})
	background.Go(func() { room.Run(running, f.log) })
	background.Go(func() { refresh(running, enricher, f.log) })
	return &host.Function{
		Handler: f.routes(),
		Ready:   func(ctx context.Context) error { return client.Ping(ctx).Err() },
		Close: func(context.Context) error {
			stop()
			background.Wait()
			f.writer.Close()
			return nil
		},
	}, nil
}

// refresh reads the operator's files again within a minute of their change.
func refresh(ctx context.Context, enricher *enrich.Enricher, log *slog.Logger) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := enricher.Refresh(); err != nil {
				log.Warn("GEO_DATABASE could not be read again: the one before stays in use", "error", err)
			}
		}
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func (f *function) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", f.events)
	mux.Handle("GET /script.js", newScript())
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "POST, OPTIONS")
		problem.Write(w, problem.New(http.StatusMethodNotAllowed, problem.CodeMethodNotAllowed, "events are sent with POST"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound, "this function has POST / and GET /script.js"))
	})
	return anyOrigin(mux)
}

// anyOrigin lets pages of every site send events and load the script: neither
// carries credentials.
func anyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method == http.MethodOptions {
			preflight(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// events takes one event or an array of events.
func (f *function) events(w http.ResponseWriter, r *http.Request) {
	if privacy.Refused(r.Header) {
		f.metrics.dropped(collect.Consent, 1)
		answer{Dropped: []dropped{{Reason: collect.Consent}}}.write(w)
		return
	}
	if f.room.Full() {
		f.shed(w)
		return
	}
	if err := readable(r.Header); err != nil {
		problem.Write(w, problem.Of(err))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.refuse(w, fmt.Errorf("read the body: %w", err))
		return
	}
	values, array, err := event.Split(body)
	if err != nil {
		f.metrics.invalid(1)
		problem.Write(w, asProblem(err))
		return
	}

	sender := collect.Request{
		Address:   privacy.ClientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), f.hops),
		UserAgent: r.UserAgent(),
		Hints:     enrich.ReadHints(r.Header),
		Arrived:   f.now(),
	}
	var out answer
	var accepted []*event.Event
	for i, value := range values {
		collected, err := f.collect(r.Context(), sender, value)
		switch {
		case errors.Is(err, collect.ErrNoSalt):
			f.unavailable(w, err)
			return
		case err != nil:
			p := asProblem(err)
			p.Index = new(i)
			out.Errors = append(out.Errors, p)
		case collected.Dropped != "":
			out.Dropped = append(out.Dropped, dropped{Index: i, Reason: collected.Dropped})
		default:
			if collected.Skewed {
				f.metrics.skewed.Inc()
			}
			for _, key := range collected.PersonalProps {
				out.Warnings = append(out.Warnings, warning{i, "props." + key, "left out: its name says that it is personal data"})
			}
			accepted = append(accepted, &collected.Event)
		}
	}
	if err := f.writer.Append(r.Context(), accepted...); err != nil {
		f.unavailable(w, err)
		return
	}
	out.Accepted = len(accepted)
	f.metrics.count(out)
	if out.Accepted == 0 && len(out.Dropped) == 0 {
		problem.Write(w, allBad(out.Errors, array))
		return
	}
	out.write(w)
}

// collect makes an event of what a client sent. What the registry doesn't know may
// have been added a moment ago, so the record is asked before that is an answer.
func (f *function) collect(ctx context.Context, sender collect.Request, value []byte) (collect.Collected, error) {
	in, err := event.Decode(value)
	if err != nil {
		return collect.Collected{}, err
	}
	collected, err := f.collector.Collect(f.registry.Directory(), sender, in)
	var bad *event.FieldError
	if errors.As(err, &bad) && bad.Code == event.CodeUnknownSite || errors.Is(err, collect.ErrNoSalt) {
		if asked := f.registry.Ask(ctx); asked != nil {
			f.log.Warn("the record could not be asked for a site", "error", asked)
		}
		return f.collector.Collect(f.registry.Directory(), sender, in)
	}
	return collected, err
}

// unavailable asks the client to send the same again.
func (f *function) unavailable(w http.ResponseWriter, err error) {
	f.log.Error("events could not be queued", "error", err)
	f.metrics.unavailable.Inc()
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	problem.Write(w, problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable,
		"the events could not be queued: send the same again, with the same ids"))
}

// codeOverloaded: so much is queued that no event is taken for now.
const codeOverloaded = "overloaded"

// shed is unavailable before anything was done, for want of memory in Redis. It is
// the Room that logs it, once.
func (f *function) shed(w http.ResponseWriter) {
	f.metrics.shed.Inc()
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	problem.Write(w, problem.New(http.StatusServiceUnavailable, codeOverloaded,
		"too many events are queued: send the same again later, with the same ids"))
}

// retryAfter is in seconds.
const retryAfter = 5

func (f *function) refuse(w http.ResponseWriter, err error) {
	p := problem.Of(err)
	if p.Status == http.StatusInternalServerError {
		p = problem.New(http.StatusBadRequest, event.CodeMalformed, "the body could not be read to its end")
	}
	f.metrics.invalid(1)
	problem.Write(w, p)
}

// readable tells whether the body is of a kind that can be read. Browsers send
// text/plain to spare the preflight request.
func readable(h http.Header) error {
	if encoding := h.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return problem.New(http.StatusUnsupportedMediaType, "unsupported_encoding", "the body must not be compressed")
	}
	content := h.Get("Content-Type")
	if content == "" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(content)
	if err != nil || kind != "application/json" && kind != "text/plain" {
		return problem.New(http.StatusUnsupportedMediaType, "unsupported_type", "the body must be application/json or text/plain, holding JSON")
	}
	switch params["charset"] {
	case "", "utf-8", "UTF-8":
		return nil
	default:
		return problem.New(http.StatusUnsupportedMediaType, "unsupported_encoding", "the body must be UTF-8")
	}
}
