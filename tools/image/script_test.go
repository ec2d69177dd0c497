package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is a repository with the script, and a Makefile that prints its variables.
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
	// A stand-in for ssh runs the remote command on this machine.
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

// run runs the script with variables.
func (c checkout) run(t *testing.T, variables ...string) (out, log string, err error) {
	t.Helper()
	var stdout, stderr strings.Builder
	run := exec.CommandContext(t.Context(), "./images.sh")
	run.Dir, run.Stdout, run.Stderr = c.dir, &stdout, &stderr
	run.Env = append([]string{"PATH=" + c.path + ":" + os.Getenv("PATH")}, variables...)
	err = run.Run()
	return stdout.String(), stderr.String(), err
}

// TestBuildHost builds on another machine: it gets the committed files, the names and digests
// come back, and no file remains there.
func TestBuildHost(t *testing.T) {
	t.Parallel()
	c := newCheckout(t)
	revision := c.git(t, "rev-parse", "HEAD")
	out, log, err := c.run(t, "IMAGES=registry.example:5000/team", "VERSION=v1.2.3", "BUILD_HOST=builder")
	if err != nil || out != "registry.example:5000/team/track:v1.2.3@"+revision+"+1790000000 on local\n" {
		t.Errorf("%q, %s, %v", out, log, err)
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != 4 || lines[0] != "ssh -- builder" || lines[2] != "Makefile" || lines[3] != "images.sh" {
		t.Fatalf("log %q", lines)
	}
	if _, err := os.Stat(lines[1]); !os.IsNotExist(err) {
		t.Errorf("%s still exists: %v", lines[1], err)
	}
}

func TestScriptErrors(t *testing.T) {
	t.Parallel()
	const images = "IMAGES=registry.example/team"
	for name, test := range map[string]struct {
		variables []string
		dirty     bool
		want      string
	}{
		"no name":             {nil, false, "set IMAGES"},
		"uncommitted changes": {[]string{images}, true, "uncommitted"},
		"injected command":    {[]string{images, "VERSION=v1'; touch /x; '", "BUILD_HOST=builder"}, false, "characters"},
		"injected ssh option": {[]string{images, "BUILD_HOST=-oProxyCommand=x"}, false, "characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t)
			if test.dirty {
				c.write(t, filepath.Join(c.dir, "new"), "")
			}
			if out, log, err := c.run(t, test.variables...); err == nil || !strings.Contains(log, test.want) || strings.Count(log, "\n") != 1 || out != "" {
				t.Errorf("%q, %q, %v", out, log, err)
			}
		})
	}
}
