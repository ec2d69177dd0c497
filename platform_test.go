package analytics_test

import (
	"bufio"
	"bytes"
	"encoding/json"
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
	"syscall"
	"testing"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
)

// tool builds a program that a module in tools pins.
func tool(t *testing.T, module, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(program))
	command(t, "", nil, "go", "build", "-ldflags=-s -w", "-modfile=tools/"+module+"/go.mod", "-o", path, program)
	return path
}

// command runs a program in a folder, with variables added to this process's own,
// and returns what it printed.
func command(t *testing.T, folder string, variables map[string]string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), environment(variables)...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, output)
	}
	return string(output)
}

func environment(variables map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		all = append(all, name+"="+variables[name])
	}
	return all
}

// cleanClone is a copy of what Git has, or will have, of this tree.
func cleanClone(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	files := command(t, "", nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimRight(files, "\x00"), "\x00") {
		copyFile(t, name, filepath.Join(tree, name))
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
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, text, info.Mode().Perm())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// makeBuild adds what `make build` makes and Git has not.
func makeBuild(t *testing.T, tree string) {
	t.Helper()
	for _, made := range []string{"functions/dashboard/assets", "shared/ingest/enrich/data"} {
		if err := os.RemoveAll(filepath.Join(tree, made)); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(tree, made), os.DirFS(made)); err != nil {
			t.Fatal(err)
		}
	}
}

// serveLog starts a function's program and returns its address once its log tells it.
// It is asked to end when the test does, and must do so in good order.
func serveLog(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, output := make(chan string, 1), new(bytes.Buffer)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(io.TeeReader(log, output)); lines.Scan(); {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				_, port, _ := strings.Cut(line.Address, "]:")
				address <- "http://127.0.0.1:" + port
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // one that has ended already is found out next
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s ended with %v:\n%s", cmd, err, output)
		}
		if strings.Contains(output.String(), enrich.NoCountries) {
			t.Errorf("%s knows no countries", cmd)
		}
	})
	select {
	case <-read:
		t.Fatalf("%s ended before it served:\n%s", cmd, output)
		return ""
	case url := <-address:
		return url
	}
}

// post sends JSON and returns the answer, which must have the status.
func post(t *testing.T, url, token, body string, status int) string {
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
