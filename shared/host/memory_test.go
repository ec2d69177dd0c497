package host_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/host"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	unlimited := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		cgroup      memlimit.Provider
		lambda, own string
		bytes, soft int64
		source      string
		err         error
	}{
		"no limit":              {cgroup: unlimited},
		"no cgroup":             {cgroup: func() (uint64, error) { return 0, memlimit.ErrNoCgroup }},
		"another system":        {cgroup: func() (uint64, error) { return 0, memlimit.ErrCgroupsNotSupported }},
		"an unreadable cgroup":  {cgroup: func() (uint64, error) { return 0, broken }, err: broken},
		"a container":           {cgroup: memlimit.Limit(1000 << 20), bytes: 1000 << 20, soft: 850 << 20, source: "cgroup"},
		"Lambda":                {cgroup: unlimited, lambda: "1000", bytes: 1000 << 20, soft: 850 << 20, source: "AWS Lambda"},
		"GOMEMLIMIT":            {cgroup: unlimited, own: "100MiB", bytes: 100 << 20, soft: 100 << 20, source: "GOMEMLIMIT"},
		"a lower GOMEMLIMIT":    {cgroup: memlimit.Limit(1000 << 20), own: "100MiB", bytes: 100 << 20, soft: 100 << 20, source: "GOMEMLIMIT"},
		"a GOMEMLIMIT between":  {cgroup: memlimit.Limit(1000 << 20), own: "900MiB", bytes: 900 << 20, soft: 850 << 20, source: "GOMEMLIMIT"},
		"a higher GOMEMLIMIT":   {cgroup: memlimit.Limit(1000 << 20), own: "2GiB", bytes: 1000 << 20, soft: 850 << 20, source: "cgroup"},
		"GOMEMLIMIT off":        {cgroup: memlimit.Limit(1000 << 20), own: "off", bytes: 1000 << 20, soft: 850 << 20, source: "cgroup"},
		"GOMEMLIMIT in bytes":   {cgroup: unlimited, own: "1000", bytes: 1000, soft: 1000, source: "GOMEMLIMIT"},
		"GOMEMLIMIT with B":     {cgroup: unlimited, own: "1000B", bytes: 1000, soft: 1000, source: "GOMEMLIMIT"},
		"GOMEMLIMIT in KiB":     {cgroup: unlimited, own: "1KiB", bytes: 1 << 10, soft: 1 << 10, source: "GOMEMLIMIT"},
		"GOMEMLIMIT in TiB":     {cgroup: unlimited, own: "1TiB", bytes: 1 << 40, soft: 1 << 40, source: "GOMEMLIMIT"},
		"a GOMEMLIMIT too high": {cgroup: unlimited, own: "9999999999TiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bytes, soft, source, err := host.FindLimit(map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": test.lambda, "GOMEMLIMIT": test.own}, test.cgroup)
			if bytes != test.bytes || soft != test.soft || source != test.source || !errors.Is(err, test.err) {
				t.Errorf("got %d, soft %d, by %s, %v; want %d, %d, %s, %v", bytes, soft, source, err, test.bytes, test.soft, test.source, test.err)
			}
		})
	}
}

// TestMemory checks what budgets of functions are based on.
func TestMemory(t *testing.T) {
	t.Parallel()
	env := host.NewProcess(map[string]string{"GOMEMLIMIT": "64MiB"}, slog.New(slog.DiscardHandler)).Env("test")
	if got := env.Memory(); got != 64<<20 {
		t.Errorf("Memory = %d", got)
	}
}

// TestShedding lets a request hold most of the memory of a function. Meanwhile the function
// refuses others, and goes on with what has begun; afterwards it serves again.
func TestShedding(t *testing.T) {
	t.Parallel()
	p := start(t, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=64", "METRICS_TOKEN="+metricsToken)
	if log := strings.Join(p.lines, "\n"); strings.Count(log, `"msg":"memory is limited","by":"AWS Lambda","bytes":67108864,"soft_limit":57042534`) != 1 {
		t.Errorf("the log does not say how memory is limited: %s", log)
	}
	if metrics := text(t, p.get(t, "/metrics")); !strings.Contains(metrics, "go_gc_gomemlimit_bytes 5.7042534e+07") {
		t.Errorf("Go's soft limit is not set: %s", metrics)
	}
	body, end := io.Pipe()
	held, err := http.Post(p.address+"/hold?megabytes=50", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Body.Close() })

	var refused *http.Response
	localtest.Eventually(t, "requests are refused", func() bool {
		refused = p.get(t, "/cookies")
		return refused.StatusCode != http.StatusOK
	})
	var document problem.Problem
	if err := json.NewDecoder(refused.Body).Decode(&document); err != nil || document.Status != http.StatusServiceUnavailable ||
		document.Code != problem.CodeOverloaded || refused.Header.Get("Retry-After") != "5" {
		t.Errorf("got %+v with %v, %v", document, refused.Header, err)
	}
	for _, path := range []string{"/_/health", "/_/ready", "/metrics"} {
		if got := p.get(t, path).StatusCode; got != http.StatusOK {
			t.Errorf("%s: got status %d", path, got)
		}
	}

	if err := end.Close(); err != nil {
		t.Fatal(err)
	}
	if got := text(t, held); got != "50" {
		t.Errorf("the request that had begun got %q", got)
	}
	localtest.Eventually(t, "requests are served again", func() bool { return p.get(t, "/cookies").StatusCode == http.StatusOK })
	p.logged(t, "memory is no longer short")
}

// TestCollections checks how often collections are started while memory is short. Without
// them nothing would show that it is no longer short.
func TestCollections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var collections atomic.Int32
		refuses := host.Refuses(func() { collections.Add(1) })
		now := time.Now()
		for second := range int32(3) {
			for range 10 {
				if !refuses(now) {
					t.Fatal("a request is served while memory is short")
				}
				synctest.Wait()
				if got := collections.Load(); got != second+1 {
					t.Fatalf("%d collections in second %d", got, second+1)
				}
				now = now.Add(100 * time.Millisecond)
			}
		}
	})
}

func text(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
