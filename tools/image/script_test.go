package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is a repository with the script and, in the place of the rest, a Makefile that
// says what it was called with.
type checkout struct{ dir, path string }

func newCheckout(t *testing.T) checkout {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(root, "tools", "images.sh"))
	if err != nil {
		t.Fatal(err)
	}
	c := checkout{dir: t.TempDir(), path: t.TempDir()}
	c.write(t, filepath.Join(c.dir, "images.sh"), string(script))
	c.write(t, filepath.Join(c.dir, "Makefile"), "images:\n\t@echo $(IMAGES)/track:$(VERSION)@$(REVISION)+$(SOURCE_DATE_EPOCH) on $(BUILD_HOST); pwd >&2; ls >&2\n")
	// It stands for ssh, and runs here what is to run there.
	c.write(t, filepath.Join(c.path, "ssh"), "#!/bin/sh\necho \"ssh $1 $2\" >&2\nexec env -i PATH=\"$PATH\" sh -c \"$3\"\n")
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "a", "--date", "@1790000000"}} {
		c.git(t, args...)
	}
	return c
}

func (c checkout) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

func (c checkout) git(t *testing.T, args ...string) string {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", args...)
	git.Dir, git.Env = c.dir, append(os.Environ(), "GIT_COMMITTER_DATE=@1790000000 +0000")
	out, err := git.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %s", args, out)
	}
	return strings.TrimSpace(string(out))
}

// run runs the script with some variables.
func (c checkout) run(t *testing.T, variables ...string) (out, said string, err error) {
	t.Helper()
	var stdout, stderr strings.Builder
	run := exec.CommandContext(t.Context(), "./images.sh")
	run.Dir, run.Stdout, run.Stderr = c.dir, &stdout, &stderr
	run.Env = append([]string{"PATH=" + c.path + ":" + os.Getenv("PATH")}, variables...)
	err = run.Run()
	return stdout.String(), stderr.String(), err
}

// TestElsewhere builds on another machine: what is committed goes there, the names and
// digests come back, and nothing is left.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	c := newCheckout(t)
	revision := c.git(t, "rev-parse", "HEAD")
	out, said, err := c.run(t, "IMAGES=registry.example:5000/team", "VERSION=v1.2.3", "BUILD_HOST=builder")
	if err != nil || out != "registry.example:5000/team/track:v1.2.3@"+revision+"+1790000000 on local\n" {
		t.Errorf("%q, %s, %v", out, said, err)
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if len(lines) != 4 || lines[0] != "ssh -- builder" || lines[2] != "Makefile" || lines[3] != "images.sh" {
		t.Fatalf("it says %q", lines)
	}
	if _, err := os.Stat(lines[1]); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", lines[1], err)
	}
}

func TestElsewhereRefused(t *testing.T) {
	t.Parallel()
	const images = "IMAGES=registry.example/team"
	for name, test := range map[string]struct {
		variables []string
		dirty     bool
		says      string
	}{
		"no name":             {nil, false, "set IMAGES"},
		"uncommitted changes": {[]string{images}, true, "not committed"},
		"a command":           {[]string{images, "VERSION=v1'; touch /x; '", "BUILD_HOST=builder"}, false, "characters"},
		"an option of ssh":    {[]string{images, "BUILD_HOST=-oProxyCommand=x"}, false, "characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t)
			if test.dirty {
				c.write(t, filepath.Join(c.dir, "new"), "")
			}
			if out, said, err := c.run(t, test.variables...); err == nil || !strings.Contains(said, test.says) || strings.Count(said, "\n") != 1 || out != "" {
				t.Errorf("%q, %q, %v", out, said, err)
			}
		})
	}
}
