package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGenerated checks that the generated files are up to date.
func TestGenerated(t *testing.T) {
	t.Parallel()
	const root = "../.."
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is out of date, run `make generate`:\n%s", name, diff)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	document := `{
  "a": {
    "enum": ["x", "y"], "text": "old"
  }
}
`
	got, err := replace([]byte(document), "/a/enum", []string{"p", "q"})
	if err == nil {
		got, err = replace(got, "/a/text", "a \"new\" one")
	}
	want := `{
  "a": {
    "enum": ["p", "q"], "text": "a \"new\" one"
  }
}
`
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := replace([]byte(document), "/a/absent", "text"); err == nil {
		t.Error("replace accepts a pointer without a value")
	}
}
