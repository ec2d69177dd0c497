// Package track is the function that accepts events. It responds with 202 only once the
// events are in the queue, and needs only Redis while it runs.
//
// It is the HTTP layer: shared/ingest/wire decodes the formats of trackers,
// shared/model/event validates events, and shared/ingest/pipeline processes them. It must
// never log or return an address, a user agent or a subject.
package track

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
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
	"github.com/analytics-platform/analytics/shared/model/writekey"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// Config is the configuration of the function.
type Config struct {
	SubjectKey  string           `env:"SUBJECT_KEY,secret" envDoc:"key of the hashes of subjects, at least 32 characters; without it, subjects are rejected"`
	SaltKeys    privacy.SaltKeys `env:"SALT_KEY,secret,required" envDoc:"key that encrypts the salts of visitors, at least 32 characters; to rotate it, set the new key, a comma and the old key"`
	RateLimit   int              `env:"RATE_LIMIT" envDefault:"6000" envDoc:"maximum number of events per minute from one address (for IPv6, one /64), where an event counts once for each 2 KiB; 0 means no limit"`
	GeoDatabase string           `env:"GEO_DATABASE" envDoc:"path of a city database in MaxMind's format (.mmdb), for regions and cities; reloaded when the file changes"`
	Datacenters string           `env:"DATACENTER_NETWORKS" envDoc:"path of a list of networks, one per line, whose events are dropped as a program's"`
	MemoryLimit int64            `env:"QUEUE_MEMORY_LIMIT" envDefault:"0" envDoc:"memory limit of Redis in bytes, if it has no maxmemory; 0 means 80 % of its machine's memory"`
}

type function struct {
	pipeline *pipeline.Pipeline
	registry *registry.Registry
	writer   *queue.Writer
	memory   *queue.MemoryGuard
	limiter  *limit.Limiter
	rate     int          // events per minute from one address; 0 means no limit
	limited  atomic.Int64 // when a sender over the limit was last logged, in seconds since 1970
	proxies  privacy.Proxies
	now      func() time.Time
	log      *slog.Logger
	metrics  metrics
}

// New returns the function. It needs Redis, and the database only if Redis has no copy of
// the sites.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	if config.SubjectKey != "" && len(config.SubjectKey) < 32 {
		return nil, errors.New("SUBJECT_KEY is too short: it needs at least 32 characters, e.g. from `openssl rand -hex 32`")
	}
	proxies, err := env.Proxies()
	if err != nil {
		return nil, err
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
	memory := queue.NewMemoryGuard(client, config.MemoryLimit)
	if err := memory.Load(ctx); errors.Is(err, queue.ErrEvicts) { // Run logs other errors
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	enricher.LogPlaces(ctx, env.Logger()) // only now: a wrong configuration is reported in one line
	f := &function{
		pipeline: &pipeline.Pipeline{Enricher: enricher, SubjectKey: []byte(config.SubjectKey), NewID: newID},
		registry: registry.New(client, db, &config.SaltKeys, time.Now),
		writer:   queue.NewWriter(client),
		memory:   memory,
		limiter:  limit.New(client, time.Now),
		rate:     config.RateLimit,
		proxies:  proxies,
		now:      time.Now,
		log:      env.Logger(),
		metrics:  newMetrics(env.Metrics(), memory),
	}
	if err := f.load(ctx, env); err != nil {
		f.writer.Close()
		return nil, fmt.Errorf("load the sites: %w", err)
	}
	scripts, err := newScripts()
	if err != nil {
		f.writer.Close()
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() {
		f.registry.Run(running, func(err error) { f.log.Warn("reloading the sites failed; the previous ones stay in use", "error", err) })
	})
	background.Go(func() { memory.Run(running, f.log) })
	background.Go(func() {
		f.limiter.Run(running, func(err error) { f.log.Warn("rate-limit sync with Redis failed; limiting locally", "error", err) })
	})
	background.Go(func() { refreshFiles(running, enricher, f.log) })
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

// load loads the sites. If there are no tables to load them from, it waits for schema-guard.
func (f *function) load(ctx context.Context, env *host.Env) error {
	err := f.registry.Load(ctx)
	if !database.Outdated(err) {
		return err
	}
	if _, err := env.Record(ctx); err != nil {
		return err
	}
	return f.registry.Load(ctx)
}

// refreshFiles reloads the operator's files within a minute after they change.
func refreshFiles(ctx context.Context, enricher *enrich.Enricher, log *slog.Logger) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := enricher.Refresh(); err != nil {
				log.Warn("reloading GEO_DATABASE failed; the previous one stays in use", "error", err)
			}
		}
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func (f *function) routes(scripts http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", f.handle(native{}))
	mux.HandleFunc("POST /api/event", f.plausible)
	mux.HandleFunc("POST /api/send", f.handle(umami{}))
	mux.HandleFunc("POST /api/batch", f.handle(umami{batch: true}))
	mux.HandleFunc("POST /v1/{type}", f.segment)
	mux.HandleFunc("GET /pixel.gif", f.handle(pixel{}))
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

// anyOrigin allows pages of any site to send events and to load the script. Some trackers send
// events with the cookies of this host (credentials "include", beacons), which mean nothing
// here; browsers then want the page's own origin in the answer, not any.
func anyOrigin(next http.Handler) http.Handler {
	// Shared by all responses, which don't modify them.
	all, yes, byOrigin, policy := []string{"*"}, []string{"true"}, []string{"Origin"}, []string{"cross-origin"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Access-Control-Allow-Origin"] = all
		if r.Method == http.MethodGet { // the same for all pages, so that caches keep one answer
			h["Cross-Origin-Resource-Policy"] = policy // needed for embedded resources only
		} else if origin := r.Header["Origin"]; len(origin) == 1 {
			h["Access-Control-Allow-Origin"], h["Access-Control-Allow-Credentials"], h["Vary"] = origin, yes, byOrigin
		}
		if r.Method == http.MethodOptions {
			preflight(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// setExposed sets a header that scripts of any site may read.
func setExposed(w http.ResponseWriter, name, value string) {
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

// received is the content of a request.
type received struct {
	wire.Batch
	key *writekey.Key // in its headers; nil if there is none
}

// read decodes the events of a request. ok is false if it has written a response instead.
func (f *function) read(w http.ResponseWriter, r *http.Request, c codec) (in received, ok bool) {
	if f.memory.Full() {
		f.shed(w, c, "too many events are queued: retry later with the same ids")
		return in, false
	}
	request := wire.Request{Header: r.Header, Arrived: f.now(), Subjects: len(f.pipeline.SubjectKey) > 0}
	if r.URL.RawQuery != "" {
		request.Query = r.URL.Query()
	}
	var err error
	in.key, err = f.key(r.Context(), wire.WriteKey(r.Header)) // a wrong key costs no body
	switch {
	case err != nil:
	case r.Method == http.MethodPost:
		request.Body, err = httpbody.Read(r, event.MaxBody)
	}
	if err == nil {
		in.Batch, err = c.decode(request)
	}
	if err != nil {
		p := toProblem(err)
		if p.Code == problem.CodeOverloaded {
			f.shed(w, c, p.Detail)
			return in, false
		}
		f.drop(pipeline.Result{}, f.now(), reasonOf(p))
		c.reject(w, p)
		return in, false
	}
	return in, true
}

// key returns what a write key allows, or nil for "". Like a site, it may have been added
// just now.
func (f *function) key(ctx context.Context, secret string) (*writekey.Key, error) {
	if secret == "" {
		return nil, nil //nolint:nilnil // no key is sent
	}
	hash := writekey.HashOf(secret)
	if key, ok := f.registry.WriteKey(hash); ok {
		return key, nil
	}
	f.refresh(ctx)
	if key, ok := f.registry.WriteKey(hash); ok {
		return key, nil
	}
	return nil, problem.New(http.StatusUnauthorized, problem.CodeUnauthorized, "the write key is wrong, or was revoked")
}

// refresh reads the sites and keys anew.
func (f *function) refresh(ctx context.Context) {
	if err := f.registry.Refresh(ctx); err != nil {
		f.log.Warn("refreshing the sites failed", "error", err)
	}
}

// enqueue queues the events of a request, and responds once they are safe.
func (f *function) enqueue(w http.ResponseWriter, r *http.Request, c codec, batch received) {
	sender := pipeline.Request{
		Address:   f.proxies.ClientAddress(r.RemoteAddr, r.Header),
		UserAgent: r.UserAgent(),
		Refused:   privacy.Refused(r.Header),
		Hints:     enrich.ReadHints(r.Header),
		Arrived:   f.now(),
		Key:       batch.key,
	}
	sender.For.Forwarded = f.proxies.Forwarded(sender.Address, r.Header)
	out := response{array: batch.Array}
	limitKey := f.senderKey(sender)
	var rejected, changed []rejection
	over := 0         // number of events over the rate limit
	var named []int32 // sites of a batch that is one event
	accepted := f.writer.Group()
	reserved := groupFree // bytes of accepted for which there is memory
	for i := range batch.Events {
		sent := &batch.Events[i]
		result, err := f.process(r.Context(), sender, sent)
		if batch.Same && result.Event.Site != 0 {
			if slices.Contains(named, result.Event.Site) {
				continue // the site has the event already
			}
			named = append(named, result.Event.Site)
		}
		if err == nil && result.Dropped == "" {
			err = f.add(accepted, limitKey, &result)
		}
		if accepted.Size() > reserved {
			if short := httpbody.Reserve(r, 2*groupStep); short != nil { // the group grows by copying
				f.shed(w, c, toProblem(short).Detail)
				return
			}
			reserved += groupStep
		}
		if err == nil { // a dropped event too: what was ignored may be why
			for _, change := range result.Changes {
				name := batch.Name(&validation.Error{Field: change.Field}).Field
				out.Warnings = append(out.Warnings, warning{i, name, change.Detail()})
			}
		}
		switch {
		case errors.Is(err, pipeline.ErrNoSalt):
			f.unavailable(w, r, c, err)
			return
		case err != nil:
			if bad, ok := errors.AsType[*validation.Error](err); ok && sent.Err == nil {
				err = batch.Name(bad)
			}
			p := toProblem(err)
			p.Index = new(i)
			out.Errors = append(out.Errors, p)
			rejected = append(rejected, rejection{result, reasonOf(p)})
		case result.Dropped != "":
			if result.Dropped == overRate {
				over++
			}
			out.Dropped = append(out.Dropped, droppedEvent{Index: i, Reason: result.Dropped})
			rejected = append(rejected, rejection{result, result.Dropped})
		default:
			if result.Skewed {
				f.metrics.skewed.Inc()
			}
			for _, reason := range result.ChangedFor() {
				changed = append(changed, rejection{result, reason})
			}
		}
	}
	out.Accepted = accepted.Len()
	if err := f.writer.AppendGroup(r.Context(), accepted); err != nil {
		f.unavailable(w, r, c, err)
		return
	}
	for _, r := range rejected { // not earlier: a failed request is retried, and its events are counted then
		f.drop(r.event, sender.Arrived, r.reason)
	}
	for _, c := range changed {
		f.change(c.event, c.reason)
	}
	if over > 0 && over == out.size() {
		f.tooMany(w, c)
		return
	}
	f.metrics.accepted.Add(float64(out.Accepted))
	c.respond(w, out)
}

// rejection is an event that is not queued, or only in part, as far as it is known, and the
// reason.
type rejection struct {
	event  pipeline.Result
	reason pipeline.Reason
}

// The reasons for rejecting an event that the pipeline does not have.
const (
	invalid     pipeline.Reason = "invalid"
	oversize    pipeline.Reason = "oversize"
	unknownSite pipeline.Reason = "unknown_site"
	refusedKey  pipeline.Reason = "unauthorized" // the write key is wrong, or for other sites
	overRate    pipeline.Reason = "rate"         // over the rate limit of the site or of the address
)

// reasonOf returns the reason under which a problem is counted.
func reasonOf(p problem.Problem) pipeline.Reason {
	switch {
	case p.Code == validation.CodeUnknownSite:
		return unknownSite
	case p.Status == http.StatusUnauthorized, p.Status == http.StatusForbidden:
		return refusedKey
	case p.Code == problem.CodeBodyTooLarge, p.Field == "" && (p.Code == validation.CodeTooMany || p.Code == validation.CodeTooLong):
		return oversize
	default:
		return invalid
	}
}

// senderKey returns the key of the sender's rate limit, or 0 if the sender is not known.
func (f *function) senderKey(r pipeline.Request) limit.Key {
	salt, ok := f.registry.Directory().Salt(event.DayOf(r.Arrived.UTC()))
	if !ok || !r.Address.IsValid() {
		return 0
	}
	return limit.Key(privacy.Sender(salt, r.Address))
}

// groupStep is for how many bytes of encoded events memory is reserved at a time. The first
// groupFree bytes need none, so that most requests don't wait for others.
const (
	groupStep = 64 << 10
	groupFree = 8 << 10
)

// maxQueued is how many bytes the events of a request may have in the queue. A body has at most
// half of it, but its events may share what stands there once.
const maxQueued = 2 * event.MaxBody

// add adds an event to those that are to be queued, unless its sender or its site has sent too
// much in this minute; then it sets the reason. It returns an error if the request is too large.
func (f *function) add(accepted *queue.Group, sender limit.Key, c *pipeline.Result) error {
	before := accepted.Size()
	accepted.Add(&c.Event)
	if accepted.Size() > maxQueued {
		accepted.RemoveLast()
		return errTooMuch
	}
	if !f.allow(sender, c, accepted.Size()-before) {
		accepted.RemoveLast()
		c.Dropped = overRate
	}
	return nil
}

// errTooMuch is the error for an event that is too much for its request.
var errTooMuch = &validation.Error{
	Code: validation.CodeTooMany, Detail: fmt.Sprintf("the events of a request may take at most %d bytes in the queue, with what they share: send fewer at a time", maxQueued),
}

// allow counts an event of a size against the limits of its sender and its site, and reports
// whether it is within both. A trusted server sends for many visitors: only its site has a limit.
func (f *function) allow(sender limit.Key, c *pipeline.Result, size int) bool {
	if sender != 0 && !c.Trusted && !f.limiter.Allow(sender, size, f.rate) {
		f.logLimited()
		return false
	}
	return f.limiter.Allow(limit.Key(c.Event.Site), size, c.Rate)
}

// logLimited warns the operator, at most once a minute: the address may be a proxy's, with
// all visitors behind it.
func (f *function) logLimited() {
	now, last := f.now().Unix(), f.limited.Load()
	if now-last >= 60 && f.limited.CompareAndSwap(last, now) {
		f.log.Warn("an address sends more than RATE_LIMIT events per minute; the excess is dropped: if it is a proxy, set TRUSTED_PROXY_HOPS; if it is your own server, give it a write key")
	}
}

// tooMany asks the client to retry in the next minute.
func (f *function) tooMany(w http.ResponseWriter, c codec) {
	setExposed(w, "Retry-After", strconv.Itoa(1+int(f.limiter.Left().Seconds())))
	c.reject(w, problem.New(http.StatusTooManyRequests, problem.CodeRateLimited,
		"too many events per minute: retry later with the same ids"))
}

// drop counts a dropped event for its site and day, as far as they are known.
func (f *function) drop(r pipeline.Result, at time.Time, reason pipeline.Reason) {
	day := r.Event.Day
	if r.Event.Site == 0 {
		day = event.DayOf(at.UTC())
	}
	f.metrics.dropped.WithLabelValues(r.PublicID, string(reason)).Inc()
	f.writer.Drop(queue.Drops{Site: r.Event.Site, Day: day, Reason: string(reason), Events: 1})
}

// change counts a queued event that was changed, where drops are counted.
func (f *function) change(r pipeline.Result, reason pipeline.Reason) {
	f.metrics.changed.WithLabelValues(r.PublicID, string(reason)).Inc()
	f.writer.Drop(queue.Drops{Site: r.Event.Site, Day: r.Event.Day, Reason: string(reason), Events: 1})
}

// process runs the pipeline for an event. If the registry does not know the site or the
// salt, it may have been added just now, so process refreshes the registry and tries again.
func (f *function) process(ctx context.Context, sender pipeline.Request, sent *wire.Event) (pipeline.Result, error) {
	if sent.Err != nil || sent.Ignored != "" {
		known := pipeline.Attribute(f.registry.Directory(), sent.Input.Site, sender.Arrived)
		known.Dropped = pipeline.Reason(sent.Ignored)
		return known, sent.Err
	}
	in := sent.Input
	if sent.WriteKey != "" {
		var err error
		if sender.Key, err = f.key(ctx, sent.WriteKey); err != nil {
			return pipeline.Attribute(f.registry.Directory(), in.Site, sender.Arrived), err
		}
	}
	if in.Site == "" && sender.Key != nil {
		in.Site = sender.Key.Only
	}
	sender.For.Address, sender.For.UserAgent = sent.Address, sent.UserAgent
	result, err := f.pipeline.Run(f.registry.Directory(), sender, in)
	if bad, ok := errors.AsType[*validation.Error](err); ok && bad.Code == validation.CodeUnknownSite || errors.Is(err, pipeline.ErrNoSalt) {
		f.refresh(ctx)
		return f.pipeline.Run(f.registry.Directory(), sender, in)
	}
	return result, err
}

// unavailable asks the client to retry, since the events could not be queued.
func (f *function) unavailable(w http.ResponseWriter, r *http.Request, c codec, err error) {
	if problem.HungUp(r) {
		return
	}
	f.log.Error("queueing events failed", "error", err)
	f.metrics.unavailable.Inc()
	setExposed(w, "Retry-After", strconv.Itoa(retryAfter))
	c.reject(w, problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable,
		"the events could not be queued: retry with the same ids"))
}

// shed rejects a request because Redis or the function is short of memory. The MemoryGuard
// logs the former once.
func (f *function) shed(w http.ResponseWriter, c codec, detail string) {
	f.metrics.shed.Inc()
	setExposed(w, "Retry-After", strconv.Itoa(retryAfter))
	c.reject(w, problem.New(http.StatusServiceUnavailable, problem.CodeOverloaded, detail))
}

// retryAfter is the value of the Retry-After header, in seconds.
const retryAfter = 5
