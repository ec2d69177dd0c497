// Package attack_test attacks all functions of an installation at once, as strangers and
// holders of weak credentials could, while honest clients, an analyst and the schedule go on.
// Each function runs in a process of its own, with the memory that stack.yml gives it.
//
// Defences have tests of their own, next to their code. This one checks what they come to:
// no function dies or takes more memory than it has, no acknowledged event is lost, and
// honest callers are served in the end.
package attack_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/clientstest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// owner is the owner's token.
	owner = "8d4f1c0e7ab35926d1f08b7c6e2a94350fbd1e73"
	// attacked is a public site. All attackers send its events.
	attacked = "attacked.example"
	// large is a public site with stored pages that take long to match.
	large = "large.example"
	agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
)

// rounds is how often each attack is repeated. `make test` does so once, `make attack` many
// times.
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("ATTACK_ROUNDS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ATTACK_ROUNDS is %q, want a number of rounds, 1 or more", text)
	}
	return n
}

// TestAttack attacks with one attack after another, and in the end with all at once.
func TestAttack(t *testing.T) {
	t.Parallel()
	i := install(t)
	n := rounds(t)
	all := attacks()
	for _, a := range all {
		began := time.Now()
		for range n {
			a.run(t, i)
		}
		i.checkServed(t, a.name)
		t.Logf("%s: %s", a.name, time.Since(began).Round(time.Millisecond))
	}
	for range n {
		var together sync.WaitGroup
		for _, a := range all {
			together.Go(func() { a.run(t, i) })
		}
		together.Wait()
		i.checkServed(t, "all at once")
	}
	i.check(t)
}

// attack is something that somebody could do to an installation.
type attack struct {
	name string
	run  func(t *testing.T, i *installation)
}

func attacks() []attack {
	return slices.Concat(ingestAttacks(), runAttacks(), queryAttacks(), liveAttacks(), accessAttacks())
}

// installation is all functions as processes, and the honest callers.
type installation struct {
	programs map[string]*platformtest.Program
	db       *pgxpool.Pool
	weak     string // a key that may query the attacked site, and that an attacker has
	program  string // the key of an honest program

	clients *clientstest.Clients
	events  func() error // waits until the clients have stopped
	stop    chan struct{}
	others  sync.WaitGroup // the schedule
	botnet  *http.Client
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{programs: map[string]*platformtest.Program{}, stop: make(chan struct{})}
	database, queue := localtest.Postgres(t), localtest.Redis(t)
	i.db = localtest.Record(t, database)
	for n := range clientstest.Sites {
		i.addSite(t, fmt.Sprintf("site%d.example", n), false)
	}
	site := i.addSite(t, attacked, true)
	i.addPages(t, i.addSite(t, large, true))
	for _, key := range []*string{&i.weak, &i.program} {
		var err error
		if _, *key, err = sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, []int32{site}); err != nil {
			t.Fatal(err)
		}
	}
	for name := range platformtest.ReadStack(t).Functions {
		i.programs[name] = platformtest.Start(t, name,
			"DATABASE_URL="+database, "REDIS_URL="+queue, "ADMIN_TOKEN="+owner, "TRUSTED_PROXY_HOPS=1", "QUEUE_MEMORY_LIMIT=400000000",
			"LOG_LEVEL=error")
	}
	i.botnet = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Cleanup(i.botnet.CloseIdleConnections)

	i.clients = clientstest.New(i.programs["track"].URL, 200)
	sent := make(chan error, 1)
	go func() { sent <- i.clients.Run(t.Context(), rand.New(rand.NewPCG(1, 2)), i.stop) }()
	i.events = func() error { return <-sent }
	i.schedule(t)
	return i
}

func (i *installation) addSite(t *testing.T, domain string, public bool) int32 {
	t.Helper()
	site, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: domain, Name: domain, Timezone: "UTC"})
	if err == nil && public {
		_, err = i.db.Exec(t.Context(), `UPDATE sites SET public = true WHERE id = $1`, site.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return site.ID
}

// addPages stores views of pages that differ from each other.
func (i *installation) addPages(t *testing.T, site int32) {
	t.Helper()
	const pages, length = 20_000, 1900
	if _, err := i.db.Exec(t.Context(), `
INSERT INTO events (site_id, time, id, day, utc_offset, visitor, type, name, hostname, page, title, referrer, source, channel, utm_source,
    utm_medium, utm_campaign, utm_term, utm_content, country, region, city, browser, browser_version, os, os_version, device, language, screen,
    currency, funnel, funnel_step)
SELECT $1, date '2026-03-10' + n * interval '1 ms', gen_random_uuid(), '2026-03-10', 0, n, 1, '', '', '/' || n || repeat('x', $3), '', '', '', '', '', '', '', '', '',
    'FR', '', '', '', '', '', '', '', '', '', '', '', 0
FROM generate_series(1, $2) AS n`, site, pages, length); err != nil {
		t.Fatal(err)
	}
	if _, err := i.db.Exec(t.Context(), `INSERT INTO rollup_day VALUES ($1, 0, '2026-03-10', '', $2, $2, $2, $2, $2, 0, 0)`, site, pages); err != nil {
		t.Fatal(err)
	}
}

// schedule calls aggregate and schema-guard, without a token, until stop is closed.
func (i *installation) schedule(t *testing.T) {
	t.Helper()
	for _, name := range []string{"aggregate", "schema-guard"} {
		i.others.Go(func() {
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-i.stop:
					return
				case <-t.Context().Done():
					return
				case <-tick.C:
				}
				i.send(t, name, request{method: http.MethodPost, path: "/"})
			}
		})
	}
}

// request is a request to a function. Without an address it comes from a random one.
type request struct {
	method, path, secret string
	address              string
	headers              map[string]string
	body                 []byte
}

// answer is what a function answered. The status is 0 if the function closed the connection.
type answer struct {
	status int
	body   string
}

// refused reports whether the function took the caller for a stranger, or for one who asks
// too often. On a slow machine an honest caller may get another error, and tries again.
func (a answer) refused() bool {
	return a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status == http.StatusTooManyRequests
}

func (i *installation) send(t *testing.T, function string, r request) answer {
	t.Helper()
	return i.sendWith(t, t.Context(), function, r)
}

func (i *installation) sendWith(t *testing.T, ctx context.Context, function string, r request) answer { //nolint:revive // tests have t first
	t.Helper()
	out, err := http.NewRequestWithContext(ctx, r.method, i.programs[function].URL+r.path, bytes.NewReader(r.body))
	if err != nil {
		t.Error(err)
		return answer{}
	}
	if r.address == "" {
		r.address = randomAddress()
	}
	out.Header.Set("Content-Type", "application/json")
	out.Header.Set("User-Agent", agent)
	out.Header.Set("X-Forwarded-For", r.address)
	if r.secret != "" {
		out.Header.Set("Authorization", "Bearer "+r.secret)
	}
	for name, value := range r.headers {
		out.Header.Set(name, value)
	}
	response, err := i.botnet.Do(out)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return answer{body: err.Error()}
	}
	return answer{response.StatusCode, string(text)}
}

// randomAddress returns an address of a botnet, which the honest clients don't have.
func randomAddress() string {
	return fmt.Sprintf("198.%d.%d.%d", 18+rand.IntN(2), rand.IntN(256), rand.IntN(256))
}

// flood sends n requests, some at once. No answer may be an internal error.
func (i *installation) flood(t *testing.T, function string, n int, next func(n int) request) map[int]int {
	t.Helper()
	const atOnce = 50
	statuses := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for start := range atOnce {
		all.Go(func() {
			for k := start; k < n; k += atOnce {
				r := next(k)
				got := i.send(t, function, r)
				mu.Lock()
				statuses[got.status]++
				mu.Unlock()
				if got.status >= 500 && got.status != http.StatusServiceUnavailable && got.status != http.StatusGatewayTimeout {
					t.Errorf("%s answered %.200q with %d: %.500s", function, r.path+" "+string(r.body), got.status, got.body)
				}
			}
		})
	}
	all.Wait()
	return statuses
}

// dial opens n connections to a function, and writes text to each. The connections are
// closed when the test ends.
func (i *installation) dial(t *testing.T, function string, n int, text string) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for range n {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(i.programs[function].URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, text) // fails if the function has closed the connection
		conns = append(conns, conn)
	}
	return conns
}

// eventually waits until a condition is true, or a function has died.
func (i *installation) eventually(t *testing.T, name string, condition func() bool) {
	t.Helper()
	localtest.Eventually(t, name, func() bool {
		for _, p := range i.programs {
			p.CheckAlive(t)
		}
		return condition()
	})
}

// checkServed checks that all functions are alive, and serve honest callers.
func (i *installation) checkServed(t *testing.T, after string) {
	t.Helper()
	sent, now := i.clients.Count(), time.Now()
	i.eventually(t, "track accepts events after: "+after, func() bool { return i.clients.Count() > sent })
	i.eventually(t, "events are stored after: "+after, func() bool {
		var stored bool
		err := i.db.QueryRow(t.Context(), `
SELECT EXISTS (SELECT FROM events JOIN sites ON sites.id = site_id WHERE domain LIKE 'site_.example' AND time > $1)`, now).Scan(&stored)
		return err == nil && stored
	})
	i.eventually(t, "queries are answered after: "+after, func() bool {
		got := i.send(t, "query", request{method: http.MethodPost, path: "/api/v2/query", secret: owner, body: []byte(question("site0.example", `"metrics":["visitors"],"date_range":"7d"`))})
		return got.status == http.StatusOK && strings.Contains(got.body, `"results"`)
	})
	for function, path := range map[string]string{"admin": "/v1/sites", "dashboard": "/", "schema-guard": "/_/ready"} {
		i.eventually(t, function+" answers after: "+after, func() bool {
			return i.send(t, function, request{method: http.MethodGet, path: path, secret: owner}).status == http.StatusOK
		})
	}
	i.eventually(t, "live numbers arrive after: "+after, func() bool { return i.follows(t) })
}

// follows reports whether the owner gets a message about a site.
func (i *installation) follows(t *testing.T) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, i.programs["websocket-bridge"].URL+"/v1/live?site=site0.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+owner)
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	response, err := i.botnet.Do(r)
	if err != nil || response.StatusCode != http.StatusOK {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	first := make([]byte, 1)
	_, err = response.Body.Read(first)
	return err == nil
}

func question(site, rest string) string { return `{"site_id":"` + site + `",` + rest + `}` }

// check stops the honest callers, and checks that all acknowledged events are stored once, that
// visits and rollups are those of the events, and how much memory each function took.
func (i *installation) check(t *testing.T) {
	t.Helper()
	close(i.stop)
	if err := i.events(); err != nil {
		t.Fatal(err)
	}
	i.others.Wait()
	i.eventually(t, "the queue is empty", func() bool {
		got := i.send(t, "aggregate", request{method: http.MethodPost, path: "/", secret: owner})
		return got.status == http.StatusOK && strings.Contains(got.body, `"backlog":0`)
	})
	rows, err := i.db.Query(t.Context(), `SELECT e.id FROM events AS e JOIN sites ON sites.id = site_id WHERE domain LIKE 'site_.example'`)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	i.clients.Check(t, stored)
	counts := i.clients.Counts()
	t.Logf("%d events of honest clients, %d refused requests", counts.Events, counts.Refused)
	if _, err := i.db.Exec(t.Context(), `DELETE FROM rollup_day USING sites WHERE sites.id = site_id AND domain = $1`, large); err != nil {
		t.Fatal(err)
	}
	if _, err := i.db.Exec(t.Context(), `DELETE FROM events USING sites WHERE sites.id = site_id AND domain = $1`, large); err != nil {
		t.Fatal(err)
	}
	differences, err := oracle.Differences(t.Context(), i.db)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Error(d)
	}
	var letters int
	if err := i.db.QueryRow(t.Context(), `SELECT count(*) FROM dead_letters`).Scan(&letters); err != nil || letters != 0 {
		t.Errorf("%d dead letters, %v", letters, err)
	}
	for _, name := range slices.Sorted(maps.Keys(i.programs)) {
		i.programs[name].CheckMemory(t)
	}
}
