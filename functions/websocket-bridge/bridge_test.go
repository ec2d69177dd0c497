package websocketbridge_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	websocketbridge "github.com/analytics-platform/analytics/functions/websocket-bridge"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/shared/edge/access"
	edgesource "github.com/analytics-platform/analytics/shared/edge/source"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const token = "the-owner-of-this-whole-installation"

// bridge is the function behind a real server, with the site example.com.
type bridge struct {
	url      string
	db       *pgxpool.Pool
	site     sites.Site
	instance *host.Instance
}

// start calls prepare with the migrated database, and starts the function.
func start(t *testing.T, redisURL string, prepare func(*bridge)) *bridge {
	t.Helper()
	process := host.NewProcess(map[string]string{
		"DATABASE_URL": localtest.Postgres(t), "REDIS_URL": redisURL, "ADMIN_TOKEN": token, "TRUSTED_PROXY_HOPS": "1",
	}, slog.New(slog.DiscardHandler))
	t.Cleanup(process.Close)
	env := process.Env("websocket-bridge")
	db, err := env.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	site, err := sites.Create(t.Context(), db, sites.Draft{Domain: "example.com", Name: "Example", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	b := &bridge{db: db, site: site}
	if prepare != nil {
		prepare(b)
	}
	if b.instance, err = host.Build(t.Context(), env, websocketbridge.New); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b.instance)
	t.Cleanup(func() {
		b.instance.Drain()
		server.Close()
		if err := b.instance.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	b.url = server.URL
	localtest.Eventually(t, "the function is ready", func() bool { return b.instance.Ready(t.Context()) == nil })
	return b
}

func (b *bridge) view(visitor int64) *event.Event {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return &event.Event{
		ID: uuid.New(), Site: b.site.ID, Time: now, Day: event.DayOf(now), Visitor: visitor, Type: event.View,
		Page: "/pricing", Attributes: event.Attributes{Source: "Google", Country: "FR", Browser: "Chrome", OS: "macOS", Device: "Desktop"},
	}
}

// tracker returns a function that appends to the queue, as track does.
func tracker(t *testing.T, url string) func(*event.Event) error {
	t.Helper()
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(options)
	writer := queue.NewWriter(client)
	t.Cleanup(func() {
		writer.Close()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(e *event.Event) error { return writer.Append(t.Context(), e) }
}

// message is a message to clients.
type message struct {
	Type     string         `json:"type"`
	Visitors *int           `json:"visitors"`
	Event    map[string]any `json:"event"`
}

func (m message) String() string {
	if m.Visitors != nil {
		return fmt.Sprint("visitors ", *m.Visitors)
	}
	return fmt.Sprint(m.Type, " ", m.Event["page"])
}

func request(t *testing.T, method, url string, headers map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for name, value := range headers {
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	return r
}

// socket follows the site as a WebSocket.
type socket struct{ conn *websocket.Conn }

func dial(t *testing.T, b *bridge) *socket {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), b.url+"/v1/live?site=example.com",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		t.Fatalf("dial: %v (response %v)", err, response)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &socket{conn}
}

func (s *socket) next(ctx context.Context) (m message, err error) {
	kind, data, err := s.conn.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		err = errors.New("got a binary frame")
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	return m, err
}

// stream follows the site by server-sent events.
type stream struct {
	lines  *bufio.Scanner
	lastID string
}

func listen(t *testing.T, b *bridge, lastID string) *stream {
	t.Helper()
	response, err := http.DefaultClient.Do(request(t, "GET", b.url+"/v1/live?site="+b.site.PublicID, map[string]string{
		"Accept": "text/event-stream", "Last-Event-ID": lastID,
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d: %v", response.StatusCode, response.Header)
	}
	s := &stream{lines: bufio.NewScanner(response.Body)}
	if !s.lines.Scan() || s.lines.Text() != "retry: 2000" || !s.lines.Scan() || s.lines.Text() != "" {
		t.Fatalf("the stream starts with %q", s.lines.Text())
	}
	return s
}

func (s *stream) next(context.Context) (m message, err error) {
	var kind string
	for s.lines.Scan() {
		line := s.lines.Text()
		switch name, value, _ := strings.Cut(line, ": "); name {
		case "id":
			s.lastID = value
		case "event":
			kind = value
		case "data":
			err = json.Unmarshal([]byte(value), &m)
		case "":
			if m.Type != kind {
				err = fmt.Errorf("event %q has type %q", kind, m.Type)
			}
			return m, err
		}
	}
	return m, errors.Join(errors.New("the stream ended"), s.lines.Err())
}

// source is a stream of messages.
type source interface {
	next(context.Context) (message, error)
}

// expect reads messages until it has received all of want, in order. It ignores others in
// between.
func expect(t *testing.T, from source, want ...string) {
	t.Helper()
	var got []string
	for _, wanted := range want {
		for {
			m, err := from.next(t.Context())
			if err != nil {
				t.Fatalf("waiting for %q after %q: %v", wanted, got, err)
			}
			got = append(got, m.String())
			if m.String() == wanted {
				break
			}
		}
	}
}

// first returns the next message.
func first(t *testing.T, from source) message {
	t.Helper()
	m, err := from.next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStreams(t *testing.T) {
	t.Parallel()
	redisURL := localtest.Redis(t)
	b := start(t, redisURL, nil)
	track := tracker(t, redisURL)
	for visitor, from := range []source{dial(t, b), listen(t, b, "")} {
		if m := first(t, from); m.String() != "visitors 0" {
			t.Fatalf("first message = %v, want no visitors", m)
		}
		e := b.view(int64(visitor))
		e.Page = fmt.Sprint("/", visitor)
		if err := track(e); err != nil {
			t.Fatal(err)
		}
		var got message
		for got.Type != "event" || got.Event["page"] != e.Page {
			got = first(t, from)
		}
		want := map[string]any{
			"time": e.Time.Format(time.RFC3339Nano), "type": "view", "name": "", "page": e.Page, "source": "Google",
			"country": "FR", "browser": "Chrome", "os": "macOS", "device": "Desktop",
		}
		if diff := cmp.Diff(want, got.Event); diff != "" {
			t.Error(diff)
		}
		expect(t, from, fmt.Sprint("visitors ", visitor+1))
	}
}

// TestGuests checks that a share link gives access to the stream of its site until it expires,
// and that anyone may follow a public site.
func TestGuests(t *testing.T) {
	t.Parallel()
	b := start(t, localtest.Redis(t), nil)
	other, err := sites.Create(t.Context(), b.db, sites.Draft{Domain: "public.example", Name: "Public", Timezone: "UTC", Public: true})
	if err != nil {
		t.Fatal(err)
	}
	link := func(site int32, ends *time.Time) string {
		_, secret, err := sites.CreateShareLink(t.Context(), b.db, site, "test", ends)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + secret
	}
	for name, test := range map[string]struct {
		header, site string
		status       int
	}{
		"link":                     {link(b.site.ID, nil), "example.com", 200},
		"link of another site":     {link(b.site.ID, nil), "public.example", 403},
		"unknown link":             {"Bearer sl_nothing", "public.example", 401},
		"anonymous, public site":   {"", "public.example", 200},
		"anonymous, private site":  {"", "example.com", 401},
		"anonymous, unknown site":  {"", "no.example", 401},
		"anonymous, public id":     {"", other.PublicID, 200},
		"anonymous, no site":       {"", "", 400},
		"wrong token, public site": {"Bearer wrong", "public.example", 401},
	} {
		response, err := http.DefaultClient.Do(request(t, "GET", b.url+"/v1/live?site="+test.site, map[string]string{
			"Accept": "text/event-stream", "Authorization": test.header,
		}))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != test.status {
			t.Errorf("%s: status %d, want %d", name, response.StatusCode, test.status)
		}
	}

	b.checkExpiry(t, func(lasts time.Duration) string { return link(b.site.ID, new(time.Now().Add(lasts))) })
}

// checkExpiry follows the site with a link that expires, and fails if the stream outlasts it.
func (b *bridge) checkExpiry(t *testing.T, link func(time.Duration) string) {
	t.Helper()
	for lasts := time.Second; ; lasts *= 2 { // until a link lasts long enough to connect on this machine
		conn, response, err := websocket.Dial(t.Context(), b.url+"/v1/live?site=example.com",
			&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {link(lasts)}}})
		if err != nil {
			if response == nil || response.StatusCode != http.StatusUnauthorized {
				t.Fatalf("dial: %v (response %v)", err, response)
			}
			continue
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		s := &socket{conn}
		if _, err := s.next(t.Context()); err != nil {
			continue
		}
		if m, err := s.next(t.Context()); err == nil {
			t.Errorf("the stream outlasts its link: got %v", m)
		}
		return
	}
}

// TestSignOut checks that streams that a session opened end soon after it was signed out, by
// another function.
func TestSignOut(t *testing.T) {
	t.Parallel()
	b := start(t, localtest.Redis(t), nil)
	gate, err := access.New(token, b.db, access.Keys(b.db, time.Now), edgesource.New(privacy.Proxies{}), slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	signedIn := httptest.NewRecorder()
	if err := gate.SignIn(signedIn, httptest.NewRequest(http.MethodPost, "/session", nil), token); err != nil {
		t.Fatal(err)
	}
	cookie := signedIn.Result().Cookies()[0]
	header := http.Header{"Cookie": {cookie.String()}}

	conn, response, err := websocket.Dial(t.Context(), b.url+"/v1/live?site=example.com", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatalf("dial: %v (response %v)", err, response)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	events, err := http.DefaultClient.Do(request(t, "GET", b.url+"/v1/live?site=example.com", map[string]string{
		"Accept": "text/event-stream", "Authorization": "", "Cookie": cookie.String(),
	}))
	if err != nil || events.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v", events, err)
	}
	t.Cleanup(func() { _ = events.Body.Close() })

	signOut := httptest.NewRequest(http.MethodDelete, "/session", nil)
	signOut.AddCookie(cookie)
	if err := gate.SignOut(httptest.NewRecorder(), signOut); err != nil {
		t.Fatal(err)
	}
	// Both return only when their stream ends.
	if _, err := io.Copy(io.Discard, events.Body); err != nil {
		t.Errorf("the server-sent events ended with %v", err)
	}
	for err == nil {
		_, _, err = conn.Read(t.Context())
	}
	if t.Context().Err() != nil {
		t.Error("the WebSocket goes on")
	}
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	redisURL := localtest.Redis(t)
	b := start(t, redisURL, nil)
	track := tracker(t, redisURL)
	s, witness := listen(t, b, ""), listen(t, b, "")
	first(t, s)
	missed := b.view(1)
	missed.Page = "/missed"
	if err := track(missed); err != nil {
		t.Fatal(err)
	}
	expect(t, witness, "event /missed")
	again := listen(t, b, s.lastID)
	if m := first(t, again); m.String() != "event /missed" {
		t.Errorf("first message = %v, want the missed event", m)
	}
	expect(t, again, "visitors 1")
}

func TestEarlierVisitors(t *testing.T) {
	t.Parallel()
	redisURL := localtest.Redis(t)
	b := start(t, redisURL, func(b *bridge) {
		recent, old := b.view(1), b.view(2)
		old.Time = old.Time.Add(-6 * time.Minute)
		if _, err := store.AddEvents(t.Context(), b.db, []*event.Event{recent, old}); err != nil {
			t.Fatal(err)
		}
		if err := tracker(t, redisURL)(b.view(3)); err != nil { // still in the queue
			t.Fatal(err)
		}
	})
	if m := first(t, dial(t, b)); m.String() != "visitors 2" {
		t.Errorf("first message = %v, want 2 visitors", m)
	}
}

func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := redis.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, server.URL(), nil)
	track := tracker(t, server.URL())
	s := dial(t, b)
	if err := track(b.view(1)); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "event /pricing", "visitors 1")

	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if server, err = redis.Start(t.Context(), dir, redis.Port(server.Port())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
	})
	// The visitor is counted whether or not the function follows the queue again by now.
	if err := track(b.view(2)); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "visitors 2")
}

func TestDrain(t *testing.T) {
	t.Parallel()
	b := start(t, localtest.Redis(t), nil)
	s, events := dial(t, b), listen(t, b, "")
	expect(t, s, "visitors 0")
	expect(t, events, "visitors 0")
	b.instance.Drain()
	if _, err := s.next(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the WebSocket ended with %v, want going away", err)
	}
	if m, err := events.next(t.Context()); err == nil || !strings.Contains(err.Error(), "the stream ended") {
		t.Errorf("the stream returned %v, %v, want its end", m, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	b := start(t, localtest.Redis(t), nil)
	upgrade := map[string]string{
		"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	}
	withUpgrade := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, headers := range []map[string]string{upgrade, more} {
			for name, value := range headers {
				all[name] = value
			}
		}
		return all
	}
	for name, test := range map[string]struct {
		method, path string
		headers      map[string]string
		status       int
		code, field  string
	}{
		"neither upgrade nor stream": {"GET", "/v1/live?site=example.com", nil, 426, "upgrade_required", ""},
		"no site":                    {"GET", "/v1/live", upgrade, 400, "invalid", "site"},
		"unknown site":               {"GET", "/v1/live?site=no.example", map[string]string{"Accept": "text/event-stream"}, 404, "site_unknown", "site"},
		"no key":                     {"GET", "/v1/live?site=example.com", withUpgrade(map[string]string{"Authorization": ""}), 401, "unauthorized", ""},
		"other origin": {
			"GET", "/v1/live?site=example.com", withUpgrade(map[string]string{"Origin": "https://evil.example"}), 403, "forbidden", "",
		},
		"cross-site Sec-Fetch-Site": {
			"GET", "/v1/live?site=example.com", withUpgrade(map[string]string{"Sec-Fetch-Site": "cross-site"}), 403, "forbidden", "",
		},
		"wrong method": {"POST", "/v1/live?site=example.com", nil, 405, "method_not_allowed", ""},
		"unknown path": {"GET", "/v1/dead", nil, 404, "not_found", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, err := http.DefaultClient.Do(request(t, test.method, b.url+test.path, test.headers))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			var p struct{ Code, Field, Detail string }
			if err := json.NewDecoder(response.Body).Decode(&p); err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.status || p.Code != test.code || p.Field != test.field || p.Detail == "" {
				t.Errorf("status %d, %+v, want %d %s %q", response.StatusCode, p, test.status, test.code, test.field)
			}
			if test.status == 426 && (response.Header.Get("Upgrade") != "websocket" || !strings.Contains(p.Detail, "text/event-stream")) {
				t.Errorf("headers %v, problem %+v: no hint how to connect", response.Header, p)
			}
		})
	}
}

func TestBehindGateway(t *testing.T) {
	t.Parallel()
	b := start(t, localtest.Redis(t), nil)
	conn, response, err := websocket.Dial(t.Context(), b.url+"/v1/live?site=example.com", &websocket.DialOptions{
		HTTPHeader: http.Header{
			"Authorization": {"Bearer " + token}, "Origin": {"https://stats.example.org"}, "X-Forwarded-Host": {"stats.example.org"},
		},
	})
	if err != nil {
		t.Fatalf("dial: %v (response %v)", err, response)
	}
	if err := conn.CloseNow(); err != nil {
		t.Error(err)
	}
}
