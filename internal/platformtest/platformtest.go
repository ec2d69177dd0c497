// Package platformtest helps to test what a platform does with this repository: how it
// copies the tree, builds the functions and starts them.
package platformtest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Root is the root folder of this repository.
func Root(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "stack.yml")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			t.Fatal("no folder above the test's has a stack.yml")
		}
		folder = parent
	}
}

// Tool builds a program that a module in tools pins, and returns its path.
func Tool(t *testing.T, module, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(program))
	Run(t, Root(t), nil, "go", "build", "-ldflags=-s -w", "-modfile=tools/"+module+"/go.mod", "-o", path, program)
	return path
}

// Run runs a program in a folder, with variables added to this process's own, and returns
// what it printed.
func Run(t *testing.T, folder string, variables map[string]string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), Environment(variables)...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, output)
	}
	return string(output)
}

// Environment returns variables as a process takes them, in the order of their names.
func Environment(variables map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		all = append(all, name+"="+variables[name])
	}
	return all
}

// Clone returns a copy of the files of this repository that Git has, or will have.
func Clone(t *testing.T) string {
	t.Helper()
	root, tree := Root(t), t.TempDir()
	files := Run(t, root, nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimRight(files, "\x00"), "\x00") {
		copyFile(t, filepath.Join(root, name), filepath.Join(tree, name))
	}
	return tree
}

// copyFile copies a file. One that is none, or that is there no more, is passed over.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(from)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o750)
	}
	if err == nil {
		err = os.WriteFile(to, text, info.Mode().Perm()) //nolint:gosec // the path is a name that Git has, in a temporary folder
	}
	if err != nil {
		t.Fatal(err)
	}
}

// AddBuilt adds to a clone what `make build` makes and Git has not.
func AddBuilt(t *testing.T, tree string) {
	t.Helper()
	for _, made := range []string{"functions/dashboard/assets", "shared/ingest/enrich/data"} {
		if err := os.RemoveAll(filepath.Join(tree, made)); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(tree, made), os.DirFS(filepath.Join(Root(t), made))); err != nil {
			t.Fatal(err)
		}
	}
}

// Post sends JSON and returns the answer, which must have the status.
func Post(t *testing.T, url, token, body string, status int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status {
		t.Fatalf("POST %s: %s %s", url, response.Status, answer)
	}
	return string(answer)
}
