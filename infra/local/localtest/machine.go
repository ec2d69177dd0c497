package localtest

import (
	"io/fs"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// Eventually waits until a condition is true. It waits until shortly before the deadline of
// go test, so that no test fails because the machine is slow.
func Eventually(tb testing.TB, name string, condition func() bool) {
	tb.Helper()
	const margin = 5 * time.Second // to report the condition before go test ends the process
	var end <-chan time.Time
	if t, ok := tb.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := t.Deadline(); ok {
			end = time.After(time.Until(deadline) - margin)
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-end:
			tb.Fatalf("test timed out waiting for: %s", name)
		}
	}
}

// FreePort returns a TCP port of this machine that is currently free.
func FreePort(tb testing.TB) string {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if err := listener.Close(); err != nil {
		tb.Fatal(err)
	}
	return port
}

// Reads makes go test invalidate the cached result of the test when a file in the
// directories changes. Go does not track files that only child processes read.
func Reads(tb testing.TB, folders ...string) {
	tb.Helper()
	for _, folder := range folders {
		if err := filepath.WalkDir(folder, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			tb.Fatal(err)
		}
	}
}
