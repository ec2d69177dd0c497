package track_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/shared/host"
)

const (
	benchConnections = 64
	benchEvent       = 400 // bytes
	benchRound       = 4 * time.Second
	benchRounds      = 5
	// baselinePort is the environment variable that makes the test binary serve the baseline,
	// a handler that does nothing, on its port.
	baselinePort = "ANALYTICS_BENCH_DO_NOTHING"
)

func TestMain(m *testing.M) {
	if port := os.Getenv(baselinePort); port != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.Handler())
		mux.HandleFunc("GET /_/ready", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
		// The timeouts are those of functions.
		server := &http.Server{
			Addr: "127.0.0.1:" + port, Handler: mux, ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout: host.RequestTimeout, WriteTimeout: host.RequestTimeout, IdleTimeout: host.RequestTimeout,
		}
		panic(server.ListenAndServe())
	}
	os.Exit(m.Run())
}

// BenchmarkTrack sends events of 400 bytes over 64 connections, to the function and to the
// baseline in turn. Each connection waits for the response before it sends the next event.
// It reports the median ratio of the rounds. Client, function and Redis share the machine.
func BenchmarkTrack(b *testing.B) {
	program := filepath.Join(b.TempDir(), "track")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "./cmd").CombinedOutput(); err != nil {
		b.Fatalf("build the function: %v\n%s", err, out)
	}
	database := localtest.Postgres(b)
	if _, err := localtest.Record(b, database).Exec(b.Context(),
		`INSERT INTO sites (public_id, domain, timezone) VALUES ('s_1', 'example.com', 'Europe/Paris')`); err != nil {
		b.Fatal(err)
	}
	baseline := serve(b, os.Args[0], func(port string) []string { return []string{baselinePort + "=" + port} })
	for _, fsync := range []string{redis.FsyncEverySecond, redis.FsyncAlways} {
		b.Run("fsync="+fsync, func(b *testing.B) {
			queue, err := redis.Start(b.Context(), b.TempDir(), redis.Fsync(fsync))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = queue.Stop(context.Background()) })
			track := serve(b, program, func(port string) []string {
				return []string{
					"PORT=" + port, "DATABASE_URL=" + database, "REDIS_URL=" + queue.URL(), "TRUSTED_PROXY_HOPS=1", "LOG_LEVEL=warn",
					"SALT_KEY=" + localtest.SaltKey, "METRICS_TOKEN=" + localtest.MetricsToken,
				}
			})
			compare(b, track, baseline)
		})
	}
}

// compare runs the rounds and reports the metrics.
func compare(b *testing.B, track, baseline string) {
	b.Helper()
	for b.Loop() {
		load(b, baseline, benchRound/4)
		load(b, track, benchRound/4)
		var ratios, rates, p99s, idle, idleP99s []float64
		began := scrape(b, track)
		warm, events := began["process_resident_memory_bytes"], 0
		for range benchRounds {
			a, c := load(b, baseline, benchRound), load(b, track, benchRound)
			ratios = append(ratios, 100*c.rate()/a.rate())
			rates, p99s = append(rates, c.rate()), append(p99s, c.p99())
			idle, idleP99s = append(idle, a.rate()), append(idleP99s, a.p99())
			events += len(c.waits)
		}
		ended := scrape(b, track)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(ratios), "%-of-nothing")
		b.ReportMetric(slices.Min(ratios), "%-min")
		b.ReportMetric(slices.Max(ratios), "%-max")
		b.ReportMetric(median(rates), "events/s")
		b.ReportMetric(median(p99s), "p99-ms")
		b.ReportMetric(median(idle), "nothing/s")
		b.ReportMetric(median(idleP99s), "nothing-p99-ms")
		b.ReportMetric((ended["go_memstats_mallocs_total"]-began["go_memstats_mallocs_total"])/float64(events), "allocs/event")
		b.ReportMetric((ended["go_memstats_alloc_bytes_total"]-began["go_memstats_alloc_bytes_total"])/float64(events), "B/event")
		b.ReportMetric(1e6*(ended["process_cpu_seconds_total"]-began["process_cpu_seconds_total"])/float64(events), "cpu-us/event")
		b.ReportMetric(warm/(1<<20), "MB-before")
		b.ReportMetric(ended["process_resident_memory_bytes"]/(1<<20), "MB-after")
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// serve starts a program on a free port and returns its URL once it is ready.
func serve(b *testing.B, program string, env func(port string) []string) string {
	b.Helper()
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	process := exec.Command(program)
	process.Env = append(os.Environ(), env(port)...)
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	url := "http://127.0.0.1:" + port
	localtest.Eventually(b, program+" is ready", func() bool {
		response, err := http.Get(url + "/_/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return url
}

// scrape returns the metrics of a process.
func scrape(b *testing.B, url string) map[string]float64 {
	b.Helper()
	values := map[string]float64{}
	for name, value := range localtest.Metrics(b, url) {
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = n
		}
	}
	return values
}

// measurement is the result of a load.
type measurement struct {
	waits []time.Duration // response time of every request
	took  time.Duration
}

func (m measurement) rate() float64 { return float64(len(m.waits)) / m.took.Seconds() }

// p99 returns the 99th percentile of the response times, in milliseconds.
func (m measurement) p99() float64 {
	slices.Sort(m.waits)
	return float64(m.waits[len(m.waits)*99/100].Microseconds()) / 1000
}

// load sends events for a duration.
func load(b *testing.B, url string, length time.Duration) (all measurement) {
	b.Helper()
	address := strings.TrimPrefix(url, "http://")
	began := time.Now()
	ends := began.Add(length)
	var mu sync.Mutex
	var failed error
	var connections sync.WaitGroup
	for n := range benchConnections {
		connections.Go(func() {
			waits, err := converse(b.Context(), address, requests(uint64(n)), ends)
			mu.Lock()
			defer mu.Unlock()
			all.waits = append(all.waits, waits...)
			failed = errors.Join(failed, err)
		})
	}
	connections.Wait()
	if failed != nil {
		b.Fatal(failed)
	}
	all.took = time.Since(began)
	return all
}

// converse sends requests over one connection, each after the response to the previous one.
func converse(ctx context.Context, address string, requests [][]byte, ends time.Time) (waits []time.Duration, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	responses := bufio.NewReader(conn)
	for at := time.Now(); at.Before(ends); {
		if _, err := conn.Write(requests[len(waits)%len(requests)]); err != nil {
			return nil, err
		}
		if err := readAccepted(responses); err != nil {
			return nil, err
		}
		now := time.Now()
		waits = append(waits, now.Sub(at))
		at = now
	}
	return waits, nil
}

// readAccepted reads a response, which must have status 202.
func readAccepted(r *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read a response: %w", err)
		}
		switch line = bytes.TrimSpace(line); {
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 202")):
			return fmt.Errorf("got %s, want status 202", line)
		case len(line) == 0:
			if _, err := io.CopyN(io.Discard, r, int64(length)); err != nil {
				return fmt.Errorf("read a response: %w", err)
			}
			return nil
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(string(line[len("Content-Length: "):])); err != nil {
				return fmt.Errorf("read a response: %w", err)
			}
		}
	}
}

// requests returns requests of fifty visitors.
func requests(seed uint64) [][]byte {
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
	}
	referrers := []string{"https://www.google.com/", "https://t.co/x", "https://news.ycombinator.com/item?id=1", "https://blog.example.org/post"}
	r := rand.New(rand.NewPCG(seed, 1))
	all := make([][]byte, 50)
	for i := range all {
		body := fmt.Sprintf(`{"site":"example.com","type":"view","url":"https://example.com/blog/%d?utm_source=newsletter&utm_medium=email&utm_campaign=autumn","referrer":"%s","title":"%%s","language":"en-GB","screen":"1440x900","props":{"plan":"pro","author":"jane","words":%d}}`,
			r.IntN(2000), referrers[r.IntN(len(referrers))], r.IntN(1000))
		body = fmt.Sprintf(body, strings.Repeat("x", benchEvent-len(body)+len("%s")))
		all[i] = fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: stats.example.com\r\nUser-Agent: %s\r\nX-Forwarded-For: 81.%d.%d.%d\r\nContent-Type: text/plain;charset=UTF-8\r\nAccept: */*\r\nOrigin: https://example.com\r\nContent-Length: %d\r\n\r\n%s",
			agents[r.IntN(len(agents))], r.IntN(256), r.IntN(256), r.IntN(256), len(body), body)
	}
	return all
}
