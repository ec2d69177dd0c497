// Package track is the function that takes events in. It answers 202 only once
// the queue has the events, and needs nothing but Redis while it runs.
//
// It holds the HTTP surface: what trackers send is read by shared/ingest/wire, what an event
// may be is in shared/model/event, what becomes of it in shared/ingest/pipeline. It must never log or
// answer with an address, a user agent or a subject.
package track

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/edge/httpbody"
	"github.com/analytics-platform/analytics/shared/edge/limit"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
	"github.com/analytics-platform/analytics/shared/ingest/wire"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/queue"
)

// Config is what the function can be told.
type Config struct {
	SubjectKey  string `env:"SUBJECT_KEY,secret" envDoc:"keys the hashes of subjects, 32 characters at least; without it subjects are refused"`
	TrustedHops int    `env:"TRUSTED_PROXY_HOPS" envDefault:"0" envDoc:"how many proxies before the function tell for whom they ask; 1 behind an OpenFaaS gateway, 2 on Knative"`
	TrustedName string `env:"TRUSTED_PROXY_HEADER" envDefault:"X-Forwarded-For" envDoc:"the header in which they do: X-Forwarded-For, Forwarded, or one with a single address such as CF-Connecting-IP"`
	RateLimit   int    `env:"RATE_LIMIT" envDefault:"6000" envDoc:"how many events a minute are taken from one address (of IPv6, one /64); 0 for no limit"`
	GeoDatabase string `env:"GEO_DATABASE" envDoc:"path of a database of cities in MaxMind's format (.mmdb), for regions and cities; read again when it changes"`
	Datacenters string `env:"DATACENTER_NETWORKS" envDoc:"path of a list of networks, one a line, whose events are dropped as those of programs"`
	MemoryLimit int64  `env:"QUEUE_MEMORY_LIMIT" envDefault:"0" envDoc:"how many bytes of memory Redis may use, for one that has no maxmemory; 0 stands for 80 % of its machine's"`
}

type function struct {
	pipeline *pipeline.Pipeline
	registry *registry.Registry
	writer   *queue.Writer
	room     *queue.MemoryGuard
	limiter  *limit.Limiter
	rate     int          // events a minute from one address; 0 is no limit
	limited  atomic.Int64 // when the operator was told of an address that sends more, in seconds since 1970
	proxies  privacy.Proxies
	now      func() time.Time
	log      *slog.Logger
	metrics  metrics
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
	proxies, err := privacy.TrustProxies(config.TrustedHops, config.TrustedName)
	if err != nil {
		return nil, fmt.Errorf("TRUSTED_PROXY_HOPS, TRUSTED_PROXY_HEADER: %w", err)
	}
	enricher, err := enrich.Load(enrich.Files{Places: config.GeoDatabase, Datacenters: config.Datacenters})
	if err != nil {
		return nil, err
	}
	client, err := env.Redis(ctx)
	if err != nil {
		return nil, err
	}
	db, err := env.LazyDatabase()
	if err != nil {
		return nil, err
	}
	enricher.LogPlaces(ctx, env.Logger()) // only now: a wrong configuration is reported in one line
	room := queue.NewMemoryGuard(client, config.MemoryLimit)
	if err := room.Load(ctx); errors.Is(err, queue.ErrEvicts) { // of any other Run tells
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	f := &function{
		pipeline: &pipeline.Pipeline{Enricher: enricher, SubjectKey: []byte(config.SubjectKey), NewID: newID},
		registry: registry.New(client, db, time.Now),
		writer:   queue.NewWriter(client),
		room:     room,
		limiter:  limit.New(client, time.Now),
		rate:     config.RateLimit,
		proxies:  proxies,
		now:      time.Now,
		log:      env.Logger(),
		metrics:  newMetrics(env.Metrics(), room),
	}
	if err := f.registry.Load(ctx); err != nil {
		f.writer.Close()
		return nil, fmt.Errorf("learn the sites: %w", err)
	}
	scripts, err := newScripts()
	if err != nil {
		f.writer.Close()
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() {
		f.registry.Run(running, func(err error) { f.log.Warn("the sites could not be refreshed", "error", err) })
	})
	background.Go(func() { room.Run(running, f.log) })
	background.Go(func() {
		f.limiter.Run(running, func(err error) { f.log.Warn("limits are not shared with other replicas for now", "error", err) })
	})
	background.Go(func() { refresh(running, enricher, f.log) })
	return &host.Function{
		Handler: f.routes(scripts),
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

func (f *function) routes(scripts http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", f.speak(native{}))
	mux.HandleFunc("POST /api/event", f.plausible)
	mux.HandleFunc("POST /api/send", f.speak(umami{}))
	mux.HandleFunc("POST /api/batch", f.speak(umami{batch: true}))
	mux.HandleFunc("POST /v1/{type}", f.segment)
	mux.HandleFunc("GET /pixel.gif", f.speak(pixel{}))
	mux.Handle("GET /{script}", scripts)
	for _, path := range []string{"/{$}", "/api/event", "/api/send", "/api/batch", "/v1/{type}"} {
		mux.HandleFunc(path, postOnly)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound(w) })
	return anyOrigin(mux)
}

func postOnly(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", "POST, OPTIONS")
	problem.Write(w, problem.New(http.StatusMethodNotAllowed, problem.CodeMethodNotAllowed, "events are sent with POST"))
}

func notFound(w http.ResponseWriter) {
	problem.Write(w, problem.New(http.StatusNotFound, problem.CodeNotFound,
		"this function has POST /, /api/event, /api/send, /api/batch, /v1/batch, /v1/track and /v1/page, and GET /pixel.gif and /script.js"))
}

// anyOrigin lets pages of every site send events and load the script: neither
// carries credentials.
func anyOrigin(next http.Handler) http.Handler {
	origins, policy := []string{"*"}, []string{"cross-origin"} // the same for all answers, which only read them
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Access-Control-Allow-Origin"] = origins
		if r.Method == http.MethodGet { // only what pages hold needs it, not what they send
			h["Cross-Origin-Resource-Policy"] = policy
		}
		if r.Method == http.MethodOptions {
			preflight(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tell sets a header that scripts of any site may read.
func tell(w http.ResponseWriter, name, value string) {
	w.Header().Set(name, value)
	w.Header().Add("Access-Control-Expose-Headers", name)
}

func preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Encoding, Content-Type, X-Debug-Request, X-Umami-Cache")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// read reads the events of a request; ok is false when it was answered instead.
func (f *function) read(w http.ResponseWriter, r *http.Request, of format) (batch wire.Batch, ok bool) {
	if f.room.Full() {
		f.shed(w, of)
		return batch, false
	}
	request := wire.Request{Header: r.Header, Arrived: f.now(), Subjects: len(f.pipeline.SubjectKey) > 0}
	var err error
	if r.Method == http.MethodPost {
		request.Body, err = httpbody.Read(r.Header, r.Body, event.MaxBody)
	} else {
		request.Query = r.URL.Query()
	}
	if err == nil {
		batch, err = of.read(request)
	}
	if err != nil {
		p := asProblem(err)
		f.drop(pipeline.Result{}, f.now(), reasonOf(p))
		of.refuse(w, p)
		return batch, false
	}
	return batch, true
}

// take queues the events of a request, and answers once they are safe.
func (f *function) take(w http.ResponseWriter, r *http.Request, of format, batch wire.Batch) {
	sender := pipeline.Request{
		Address:   f.proxies.ClientAddress(r.RemoteAddr, r.Header),
		UserAgent: r.UserAgent(),
		Refused:   privacy.Refused(r.Header),
		Hints:     enrich.ReadHints(r.Header),
		Arrived:   f.now(),
	}
	out := answer{array: batch.Array}
	limited := f.senderKey(sender)
	var left []leftOut
	over := 0 // the rate
	accepted := f.writer.Group()
	for i := range batch.Events {
		sent := &batch.Events[i]
		collected, err := f.collect(r.Context(), sender, sent)
		if err == nil && collected.Dropped == "" && !f.allow(limited, &collected) {
			collected.Dropped = overRate
		}
		switch {
		case errors.Is(err, pipeline.ErrNoSalt):
			f.unavailable(w, of, err)
			return
		case err != nil:
			if bad, ok := errors.AsType[*validation.Error](err); ok && sent.Err == nil {
				err = batch.Name(bad)
			}
			p := asProblem(err)
			p.Index = new(i)
			out.Errors = append(out.Errors, p)
			left = append(left, leftOut{collected, reasonOf(p)})
		case collected.Dropped != "":
			if collected.Dropped == overRate {
				over++
			}
			out.Dropped = append(out.Dropped, dropped{Index: i, Reason: collected.Dropped})
			left = append(left, leftOut{collected, collected.Dropped})
		default:
			if collected.Skewed {
				f.metrics.skewed.Inc()
			}
			for _, key := range collected.PersonalProps {
				name := batch.Name(&validation.Error{Field: "props." + key}).Field
				out.Warnings = append(out.Warnings, warning{i, name, "left out: its name says that it is personal data"})
			}
			for _, path := range sent.LeftOut {
				out.Warnings = append(out.Warnings, warning{i, path, "left out: a property must be a string, a number or a boolean"})
			}
			accepted.Add(&collected.Event)
		}
	}
	out.Accepted = accepted.Len()
	if err := f.writer.AppendGroup(r.Context(), accepted); err != nil {
		f.unavailable(w, of, err)
		return
	}
	for _, l := range left { // only now: a request that is sent again is counted again
		f.drop(l.event, sender.Arrived, l.reason)
	}
	if over > 0 && over == len(batch.Events) {
		f.tooMany(w, of)
		return
	}
	f.metrics.accepted.Add(float64(out.Accepted))
	of.answer(w, out)
}

// leftOut is an event that is not taken, as far as it is known.
type leftOut struct {
	event  pipeline.Result
	reason pipeline.Reason
}

// The reasons for which an event is left out before collect has seen it, or since it is
// wrong.
const (
	invalid     pipeline.Reason = "invalid"
	oversize    pipeline.Reason = "oversize"
	unknownSite pipeline.Reason = "unknown_site"
	overRate    pipeline.Reason = "rate" // more than the site takes in a minute, or than are taken from the address
)

// reasonOf is the reason for which an event is counted as left out that was refused.
func reasonOf(p problem.Problem) pipeline.Reason {
	switch {
	case p.Code == validation.CodeUnknownSite:
		return unknownSite
	case p.Code == problem.CodeBodyTooLarge, p.Field == "" && (p.Code == validation.CodeTooMany || p.Code == validation.CodeTooLong):
		return oversize
	default:
		return invalid
	}
}

// senderKey names whoever sends a request for its limit, 0 when that is not known. It is
// the address of the request: whom a server sends for, it can make up.
func (f *function) senderKey(r pipeline.Request) limit.Key {
	salt, ok := f.registry.Directory().Salt(event.DayOf(r.Arrived.UTC()))
	if !ok || !r.Address.IsValid() {
		return 0
	}
	return limit.Key(privacy.Sender(salt, r.Address))
}

// allow counts an event against the limits of its sender and of its site.
func (f *function) allow(sender limit.Key, c *pipeline.Result) bool {
	if sender != 0 && !f.limiter.Allow(sender, f.rate) {
		f.tellLimited()
		return false
	}
	return f.limiter.Allow(limit.Key(c.Event.Site), c.Rate)
}

// tellLimited tells the operator, once a minute: what is taken for one client may be a
// proxy with all of the visitors behind it.
func (f *function) tellLimited() {
	now, last := f.now().Unix(), f.limited.Load()
	if now-last >= 60 && f.limited.CompareAndSwap(last, now) {
		f.log.Warn("an address sends more than RATE_LIMIT events a minute, and the others are left out: if it is a proxy's set TRUSTED_PROXY_HOPS, if it is a server's of yours raise RATE_LIMIT")
	}
}

// tooMany asks the client to send the same again in the next minute.
func (f *function) tooMany(w http.ResponseWriter, of format) {
	tell(w, "Retry-After", strconv.Itoa(1+int(f.limiter.Left().Seconds())))
	of.refuse(w, problem.New(http.StatusTooManyRequests, problem.CodeRateLimited,
		"more events than are taken in a minute: send the same again later, with the same ids"))
}

// drop counts an event that is left out, for its site and day as far as they are known.
func (f *function) drop(of pipeline.Result, at time.Time, reason pipeline.Reason) {
	day := of.Event.Day
	if of.Event.Site == 0 {
		day = event.DayOf(at.UTC())
	}
	f.metrics.dropped.WithLabelValues(of.Domain, string(reason)).Inc()
	f.writer.Drop(queue.Drops{Site: of.Event.Site, Day: day, Reason: string(reason), Events: 1})
}

// collect makes an event of what a client sent. What the registry doesn't know may
// have been added a moment ago, so the record is asked before that is an answer.
func (f *function) collect(ctx context.Context, sender pipeline.Request, sent *wire.Event) (pipeline.Result, error) {
	if sent.Err != nil || sent.Ignored != "" {
		known := pipeline.Attribute(f.registry.Directory(), sent.Input.Site, sender.Arrived)
		known.Dropped = pipeline.Reason(sent.Ignored)
		return known, sent.Err
	}
	if sent.Address.IsValid() {
		sender.Address = sent.Address
	}
	if sent.UserAgent != "" {
		sender.UserAgent = sent.UserAgent
	}
	in := sent.Input
	collected, err := f.pipeline.Run(f.registry.Directory(), sender, in)
	if bad, ok := errors.AsType[*validation.Error](err); ok && bad.Code == validation.CodeUnknownSite || errors.Is(err, pipeline.ErrNoSalt) {
		if asked := f.registry.Refresh(ctx); asked != nil {
			f.log.Warn("the record could not be asked for a site", "error", asked)
		}
		return f.pipeline.Run(f.registry.Directory(), sender, in)
	}
	return collected, err
}

// unavailable asks the client to send the same again.
func (f *function) unavailable(w http.ResponseWriter, of format, err error) {
	f.log.Error("events could not be queued", "error", err)
	f.metrics.unavailable.Inc()
	tell(w, "Retry-After", strconv.Itoa(retryAfter))
	of.refuse(w, problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable,
		"the events could not be queued: send the same again, with the same ids"))
}

// codeOverloaded: so much is queued that no event is taken for now.
const codeOverloaded = "overloaded"

// shed is unavailable before anything was done, for want of memory in Redis. It is
// the MemoryGuard that logs it, once.
func (f *function) shed(w http.ResponseWriter, of format) {
	f.metrics.shed.Inc()
	tell(w, "Retry-After", strconv.Itoa(retryAfter))
	of.refuse(w, problem.New(http.StatusServiceUnavailable, codeOverloaded,
		"too many events are queued: send the same again later, with the same ids"))
}

// retryAfter is in seconds.
const retryAfter = 5
