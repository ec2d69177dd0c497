package localtest

import (
	"io/fs"
	"net"
	"path/filepath"
	"testing"
)

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
