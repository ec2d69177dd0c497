// Package infra_test has the tests that concern all platforms.
package infra_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoSecretOnCommandLine checks that no documented command has a secret as an argument,
// where the list of processes would show it.
func TestNoSecretOnCommandLine(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"README.md", "stack.yml", "docs", "infra", "template"} {
		err := filepath.WalkDir(filepath.Join("..", folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), "--from-literal") {
				t.Errorf("%s passes a secret on a command line: read it from a file", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
