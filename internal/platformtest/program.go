package platformtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// softShare is the share of a function's memory, in percent, to which its garbage collector
// keeps: on a platform the program finds this limit itself.
const softShare = 85

// Program is the program of a function, in a process of its own.
type Program struct {
	URL string

	name    string
	limit   float64 // megabytes
	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
}

// Start builds the program of a function, starts it with variables of the form name=value, and
// waits until it is ready.
func Start(t *testing.T, name string, variables ...string) *Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	Run(t, Root(t), nil, "go", "build", "-o", path, "./functions/"+name+"/cmd")
	limit, err := strconv.ParseFloat(strings.TrimSuffix(ReadStack(t).Functions[name].Limits.Memory, "Mi"), 64)
	if err != nil {
		t.Fatalf("the memory of %s in stack.yml: %v", name, err)
	}
	port := localtest.FreePort(t)
	p := &Program{URL: "http://127.0.0.1:" + port, name: name, limit: limit, process: exec.CommandContext(context.WithoutCancel(t.Context()), path), ended: make(chan struct{})}
	p.process.Env = append(os.Environ(), "PORT="+port, fmt.Sprintf("GOMEMLIMIT=%dMiB", int(limit)*softShare/100),
		"SALT_KEY="+localtest.SaltKey, "METRICS_TOKEN="+localtest.MetricsToken)
	p.process.Env = append(p.process.Env, variables...)
	p.process.Stderr = os.Stderr
	if err := p.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.process.Wait() // fails if it was killed
	}()
	t.Cleanup(func() {
		_ = p.process.Process.Kill()
		<-p.ended
	})
	localtest.Eventually(t, name+" is ready", func() bool {
		p.CheckAlive(t)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/_/ready", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

// CheckMemory fails the test if the program has ended, or has ever taken more memory than
// stack.yml gives it, which would have killed it there. The pages of the program's file don't
// count: the kernel drops them before it kills.
func (p *Program) CheckMemory(t *testing.T) {
	t.Helper()
	p.CheckAlive(t)
	peak := PeakMemory(t, p.process.Process.Pid) - readMemory(t, p.process.Process.Pid, "RssFile")
	t.Logf("peak memory of %s: %.0f of %.0f MB", p.name, peak, p.limit)
	if peak > p.limit {
		t.Errorf("peak memory of %s: %.0f MB, it would have been killed at %.0f MB", p.name, peak, p.limit)
	}
}

// CheckAlive fails the test if the program has ended.
func (p *Program) CheckAlive(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		t.Fatalf("%s has ended", p.name)
	default:
	}
}

// PeakMemory returns the peak memory of a process, in megabytes.
func PeakMemory(tb testing.TB, pid int) float64 {
	tb.Helper()
	return readMemory(tb, pid, "VmHWM")
}

// readMemory returns a number of the status of a process, in megabytes.
func readMemory(tb testing.TB, pid int, name string) float64 {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), name+":")
	var kilobytes float64
	if _, err := fmt.Sscan(after, &kilobytes); err != nil {
		tb.Fatal(err)
	}
	return kilobytes / 1024
}
