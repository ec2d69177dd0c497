// Package websocketbridge is the function that streams what happens on a site now: the number
// of visitors in the last five minutes and each event, as a WebSocket or as server-sent
// events.
//
// This package has the HTTP surface and feeds events from the queue to package shared/live,
// which decides what clients receive. All clients of a process share one feed.
package websocketbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/edge/source"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/live"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// Config is the function's configuration.
type Config struct {
	AdminToken string `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token, at least 32 characters"`
}

type function struct {
	db      *pgxpool.Pool
	log     *slog.Logger
	now     func() time.Time
	gate    *access.Access
	feed    *live.Feed
	sources *source.Sources
	seats   *live.Seats
	crowded atomic.Int64 // when a client with too many streams was last logged, in Unix seconds
	streams sync.WaitGroup
	open    *prometheus.GaugeVec // open streams, by kind
}

// New returns the function. It follows the queue until it is closed.
func New(ctx context.Context, env *host.Env) (*host.Function, error) {
	var config Config
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	client, err := env.Redis(ctx)
	if err != nil {
		return nil, err
	}
	db, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := env.Sources()
	if err != nil {
		return nil, err
	}
	gate, err := access.New(config.AdminToken, db, access.Keys(db, time.Now), sources, env.Logger(), time.Now)
	if err != nil {
		return nil, err
	}
	if err := env.AwaitTables(ctx, db); err != nil {
		return nil, err
	}
	f := &function{
		db: db, log: env.Logger(), now: time.Now, gate: gate, feed: live.NewFeed(env.Memory() / 4),
		sources: sources, seats: live.NewSeats(env.Memory() / 4),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "analytics_live_streams", Help: "Clients that follow a site, by kind of stream.",
		}, []string{"kind"}),
	}
	env.Metrics().MustRegister(f.open)

	follower := &follower{client: client, db: db, feed: f.feed, log: f.log, now: f.now, warm: make(chan struct{})}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() { follower.run(running) })
	work.Go(func() { f.tick(running) })

	mux := http.NewServeMux()
	mux.Handle("GET /v1/live", gate.RequireOrPublic(sites.ScopeLive, http.HandlerFunc(f.live)))
	return &host.Function{
		Handler: jsonhttp.Routes(mux),
		Ready:   follower.ready,
		Drain:   f.feed.Close,
		Close: func(ctx context.Context) error {
			f.feed.Close()
			stop()
			return wait(ctx, &f.streams, &work)
		},
	}, nil
}

// wait waits until all groups are done. It returns an error if ctx ends first.
func wait(ctx context.Context, groups ...*sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		for _, group := range groups {
			group.Wait()
		}
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("streams did not end in time")
	}
}

// tickEvery is how often the feed checks for visitors who have left.
const tickEvery = 250 * time.Millisecond

func (f *function) tick(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.feed.Tick(f.now())
		}
	}
}

// live answers GET /v1/live with a stream.
func (f *function) live(w http.ResponseWriter, r *http.Request) {
	serve := f.webSocket
	switch {
	case isUpgrade(r):
	case r.Method == http.MethodGet && accepts(r, "text/event-stream"):
		serve = f.serverSent
	default:
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		problem.Write(w, problem.New(http.StatusUpgradeRequired, "upgrade_required",
			"open this URL as a WebSocket, or, behind a gateway without WebSockets (such as OpenFaaS's), as server-sent events with Accept: text/event-stream"))
		return
	}
	name := r.URL.Query().Get("site")
	if name == "" {
		problem.Write(w, problem.Invalid("site", "must be the domain or the public id of a site"))
		return
	}
	site, err := access.Site(r.Context(), f.db, "site", name)
	if err == nil {
		err = f.gate.CheckOrigin(r)
	}
	if err != nil {
		jsonhttp.Fail(w, r, f.log, err)
		return
	}
	leave, err := f.takeSeat(r, site.ID)
	if err != nil {
		jsonhttp.Fail(w, r, f.log, err)
		return
	}
	defer leave()
	f.streams.Add(1)
	defer f.streams.Done()
	serve(w, r, site.ID)
}

// takeSeat takes a seat for a stream. The error is a problem.
func (f *function) takeSeat(r *http.Request, site int32) (leave func(), err error) {
	if access.GrantFrom(r.Context()).Guest() {
		leave, err = f.seats.TakeAsGuest(uint64(f.sources.Of(r)), site)
	} else {
		leave, err = f.seats.Take()
	}
	if err == nil {
		return leave, nil
	}
	p := problem.New(http.StatusServiceUnavailable, problem.CodeOverloaded, "too many live streams are open: try again later")
	if errors.Is(err, live.ErrClientFull) {
		f.logCrowded(r.Context())
		p = problem.New(http.StatusTooManyRequests, problem.CodeRateLimited, fmt.Sprintf("at most %d live streams from one address: close one", live.MostOfClient))
	}
	p.RetryAfter = seatRetry
	return nil, p
}

// seatRetry is when a client without a seat should try again.
const seatRetry = 30 * time.Second

// logCrowded logs that a client has too many streams, once a minute.
func (f *function) logCrowded(ctx context.Context) {
	now, last := f.now().Unix(), f.crowded.Load()
	if now-last >= 60 && f.crowded.CompareAndSwap(last, now) {
		f.log.WarnContext(ctx, "an address has as many live streams as one may have; further ones are refused: if it is a proxy, set TRUSTED_PROXY_HOPS")
	}
}

func isUpgrade(r *http.Request) bool {
	return listed(r.Header.Values("Connection"), "upgrade") && listed(r.Header.Values("Upgrade"), "websocket")
}

func accepts(r *http.Request, media string) bool { return listed(r.Header.Values("Accept"), media) }

// listed reports whether a header's list has a token, ignoring parameters.
func listed(values []string, token string) bool {
	for value := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, _, _ := strings.Cut(value, ";")
		if strings.EqualFold(strings.TrimSpace(name), token) {
			return true
		}
	}
	return false
}
