// Package layout holds the source tree to the layout that docs/architecture.md describes.
package layout

import (
	"bufio"
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/analytics-platform/analytics/"
)

// stages lists the folders of shared in the order of imports: a package imports from its
// own stage and the ones before it.
func stages() []string {
	return []string{"model", "privacy", "queue", "storage", "ingest", "aggregate", "query", "live", "edge", "host"}
}

// source is a folder with Go files that are not tests.
type source struct {
	folder  string // from the root
	imports []string
	lines   int
}

// sources reads the packages of this module below a folder.
func sources(t *testing.T, folder string) (all []source) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, folder), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if entry.Name() == "node_modules" || entry.Name() == "testdata" {
			return fs.SkipDir
		}
		s, err := read(name)
		if len(s.imports) > 0 || s.lines > 0 {
			all = append(all, s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(folder string) (s source, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return s, err
	}
	s.folder, err = filepath.Rel(root, folder)
	for _, file := range files {
		if err != nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		var text []byte
		if text, err = os.ReadFile(file); err != nil {
			return s, err
		}
		s.lines += bytes.Count(text, []byte("\n"))
		parsed, parseErr := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if parseErr != nil {
			return s, parseErr
		}
		for _, spec := range parsed.Imports {
			imported, unquoteErr := strconv.Unquote(spec.Path.Value)
			if unquoteErr != nil {
				return s, unquoteErr
			}
			if inside, ok := strings.CutPrefix(imported, module); ok {
				s.imports = append(s.imports, inside)
			}
		}
	}
	return s, err
}

func TestStages(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(filepath.Join(root, "shared"))
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, entry := range entries {
		folders = append(folders, entry.Name())
	}
	want := slices.Sorted(slices.Values(stages()))
	if !slices.Equal(folders, want) {
		t.Errorf("shared has %q, want %q", folders, want)
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	stageOf := func(folder string) int { return slices.Index(stages(), strings.Split(folder+"/", "/")[1]) }
	for _, s := range sources(t, "shared") {
		for _, imported := range s.imports {
			switch {
			case imported == "migrations":
			case !strings.HasPrefix(imported, "shared/"):
				t.Errorf("%s imports %s: shared imports nothing but shared", s.folder, imported)
			case stageOf(imported) > stageOf(s.folder):
				t.Errorf("%s imports %s of a later stage", s.folder, imported)
			}
		}
	}
}

// TestPurePackages checks that packages that must be pure import nothing that is not.
func TestPurePackages(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t, "shared/model") {
		for _, imported := range s.imports {
			if !strings.HasPrefix(imported, "shared/model/") {
				t.Errorf("%s imports %s: package model is pure", s.folder, imported)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	const most = 2500 // lines that are not tests
	for _, s := range append(sources(t, "shared"), sources(t, "functions")...) {
		if s.lines > most {
			t.Errorf("%s has %d lines that are not tests, at most %d are readable", s.folder, s.lines, most)
		}
	}
}

// TestDocument checks that docs/architecture.md lists every package of shared, and no other.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if cell, ok := strings.CutPrefix(lines.Text(), "| `shared/"); ok {
			name, _, _ := strings.Cut(cell, "`")
			listed[path.Join("shared", name)] = true
		}
	}
	for _, s := range sources(t, "shared") {
		if !listed[s.folder] {
			t.Errorf("docs/architecture.md does not list %s", s.folder)
		}
		delete(listed, s.folder)
	}
	for name := range listed {
		t.Errorf("docs/architecture.md lists %s, which does not exist", name)
	}
}
