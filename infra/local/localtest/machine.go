package localtest

import (
	"io/fs"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// Eventually waits until something is so, for as long as the test may take: a slow machine
// fails no test.
func Eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	const margin = 5 * time.Second // to say what was waited for, before go test ends the process
	var end <-chan time.Time
	if t, ok := tb.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := t.Deadline(); ok {
			end = time.After(time.Until(deadline) - margin)
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			tb.Fatalf("the test's time is up before this is so: %s", what)
		}
	}
}

// FreePort is a TCP port of this machine that nobody listens on just now.
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

// Reads makes Go run the test again when a file of the folders has changed: of files that
// only programs read which the test starts, it would not know.
func Reads(tb testing.TB, folders ...string) {
	tb.Helper()
	for _, folder := range folders {
		if err := filepath.WalkDir(folder, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			tb.Fatal(err)
		}
	}
}
