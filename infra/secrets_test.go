// Package infra_test holds what all platforms have in common.
package infra_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoSecretOnACommandLine: what the documents and the manifests say to do shows no secret
// in a list of processes.
func TestNoSecretOnACommandLine(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"README.md", "stack.yml", "docs", "infra", "template"} {
		err := filepath.WalkDir(filepath.Join("..", folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), "--from-literal") {
				t.Errorf("%s has a secret on a command line: take it from a file", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
