package functions_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// coldStarts is the number of starts of each program.
const coldStarts = 20

// nothing is a minimal program that responds to requests.
const nothing = `package main

import (
	"net/http"
	"os"
)

func main() {
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) })))
}
`

// BenchmarkStart starts each function as in its image. It reports the median time from the
// start of the process to the first successful response (for track, the 202 for an event),
// the ratio to the time of a minimal program, and the memory that the process uses then.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	source := filepath.Join(dir, "nothing.go")
	if err := os.WriteFile(source, []byte(nothing), 0o600); err != nil {
		b.Fatal(err)
	}
	build := func(name, what string) string {
		program := filepath.Join(dir, name)
		command := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-tags=timetzdata,lambda.norpc,countries", "-o", program, what)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", name, err, out)
		}
		return program
	}
	database, redis := localtest.Postgres(b), localtest.Redis(b)
	db := localtest.Record(b, database)
	if _, err := db.Exec(b.Context(), `INSERT INTO sites (public_id, domain, timezone) VALUES ('s_1', 'example.com', 'Europe/Paris')`); err != nil {
		b.Fatal(err)
	}
	environment := []string{"ADMIN_TOKEN=" + "the owner's token of this installation", "DATABASE_URL=" + database, "REDIS_URL=" + redis, "LOG_LEVEL=warn", "SALT_KEY=" + localtest.SaltKey}
	post := func(at string) bool { return answers(b, http.MethodPost, at, http.StatusAccepted) }
	var least time.Duration
	b.Run("nothing", func(b *testing.B) { least = measureStarts(b, build("nothing", source), nil, post, 0) })
	for _, f := range functions.All() {
		answered := func(at string) bool { return answers(b, http.MethodGet, at+"_/ready", http.StatusOK) }
		if f.Name == "track" {
			answered = post
		}
		b.Run(f.Name, func(b *testing.B) {
			measureStarts(b, build(f.Name, "./"+f.Name+"/cmd"), environment, answered, least)
		})
	}
}

// measureStarts returns the median of the times.
func measureStarts(b *testing.B, program string, environment []string, answered func(at string) bool, least time.Duration) time.Duration {
	b.Helper()
	var took []time.Duration
	var memory []float64
	for b.Loop() {
		for range coldStarts {
			port := localtest.FreePort(b)
			process := exec.CommandContext(b.Context(), program)
			process.Env, process.Stderr = append([]string{"PORT=" + port}, environment...), os.Stderr
			began := time.Now()
			if err := process.Start(); err != nil {
				b.Fatal(err)
			}
			at := "http://127.0.0.1:" + port + "/"
			for !answered(at) {
				if time.Since(began) > 10*time.Second {
					b.Fatal("the program does not respond")
				}
			}
			took = append(took, time.Since(began))
			memory = append(memory, residentMegabytes(b, process.Process.Pid))
			_ = process.Process.Kill()
			_ = process.Wait()
		}
	}
	slices.Sort(took)
	slices.Sort(memory)
	middle := took[len(took)/2]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(middle.Microseconds())/1000, "ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-slowest")
	b.ReportMetric(memory[len(memory)/2], "MB")
	if least > 0 {
		b.ReportMetric(float64(middle)/float64(least), "times-as-long-as-nothing")
	}
	return middle
}

// answers reports whether a function responds with a status. It uses a new connection for
// each request.
func answers(b *testing.B, method, url string, status int) bool {
	b.Helper()
	const view = `{"site":"example.com","type":"view","url":"https://example.com/"}`
	ctx, cancel := context.WithTimeout(b.Context(), time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(view)))
	if err != nil {
		b.Fatal(err)
	}
	r.Close = true
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == status
}

// residentMegabytes returns the resident memory of a process.
func residentMegabytes(b *testing.B, process int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kilobytes) / 1024
}
