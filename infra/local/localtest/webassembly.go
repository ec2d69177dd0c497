package localtest

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// WebAssembly returns the URL of a new, empty TimescaleDB in WebAssembly, from the npm
// packages that `make build` installs. It is slow and accepts one connection at a time, but
// is available on every machine. It is stopped when the test ends.
func WebAssembly(tb testing.TB) NamedURL {
	tb.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		tb.Fatal("the directory of package localtest is unknown")
	}
	cmd := exec.CommandContext(context.Background(), "node", filepath.Join(filepath.Dir(file), "pglite.mjs"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	alive, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start TimescaleDB in WebAssembly: %v; it needs Node.js", err)
	}
	tb.Cleanup(func() {
		_ = alive.Close() // ends the process
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			tb.Errorf("stop TimescaleDB in WebAssembly: %v %s", err, stderr.String())
		}
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) || strings.TrimSpace(port) == "" {
		tb.Fatalf("start TimescaleDB in WebAssembly: %v %s; run `make build` to install its packages", err, stderr.String())
	}
	return NamedURL{"webassembly", "postgres://postgres:postgres@127.0.0.1:" + strings.TrimSpace(port) + "/postgres?sslmode=disable&pool_max_conns=1"}
}
