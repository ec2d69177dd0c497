// Package platformtest provides helpers for tests of platforms: to copy the tree, and to
// build and call the functions.
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

// Root returns the root directory of this repository.
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
			t.Fatal("no parent directory has a stack.yml")
		}
		folder = parent
	}
}

// Tool builds a program whose version a module in tools pins, and returns its path.
func Tool(t *testing.T, module, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(program))
	Run(t, Root(t), nil, "go", "build", "-ldflags=-s -w", "-modfile=tools/"+module+"/go.mod", "-o", path, program)
	return path
}

// Run runs a program in a directory, with variables added to the environment of this process,
// and returns its output.
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

// Environment returns variables in the form of exec.Cmd.Env, sorted by name.
func Environment(variables map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		all = append(all, name+"="+variables[name])
	}
	return all
}

// Clone returns a copy of the files of this repository that Git tracks or does not ignore.
func Clone(t *testing.T) string {
	t.Helper()
	root, tree := Root(t), t.TempDir()
	files := Run(t, root, nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimRight(files, "\x00"), "\x00") {
		copyFile(t, filepath.Join(root, name), filepath.Join(tree, name))
	}
	return tree
}

// copyFile copies a regular file. It ignores other files and files that do not exist.
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
		err = os.WriteFile(to, text, info.Mode().Perm()) //nolint:gosec // the path is a file of Git in a temporary directory
	}
	if err != nil {
		t.Fatal(err)
	}
}

// AddBuilt adds the files that `make build` generates to a clone.
func AddBuilt(t *testing.T, tree string) {
	t.Helper()
	for _, folder := range []string{"functions/dashboard/assets", "shared/ingest/enrich/data"} {
		if err := os.RemoveAll(filepath.Join(tree, folder)); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(tree, folder), os.DirFS(filepath.Join(Root(t), folder))); err != nil {
			t.Fatal(err)
		}
	}
}

// Post posts JSON and returns the body of the response, which must have the status.
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
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status {
		t.Fatalf("POST %s: %s %s", url, response.Status, text)
	}
	return string(text)
}
