package openfaas_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/ingest/enrich"
)

// image is the image of a Dockerfile, as built by buildImage.
type image struct {
	files      map[string]string // path in the image to path on this machine
	user       string
	entrypoint string
}

// instruction is an instruction of a Dockerfile, with its lines joined.
type instruction struct{ name, rest string }

func readDockerfile(t *testing.T, file string) []instruction {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []instruction
	var joined string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if before, more := strings.CutSuffix(line, `\`); more {
			joined += before
			continue
		}
		name, rest, _ := strings.Cut(joined+line, " ")
		all, joined = append(all, instruction{name, strings.TrimSpace(rest)}), ""
	}
	return all
}

var golang = regexp.MustCompile(`^--platform=\S+ golang:(1\.\d+)-alpine AS build$`)

// buildImage builds the Dockerfile in a directory of faas-cli. It supports only what our
// Dockerfile uses: a build stage, which it runs on this machine with its Go and its
// certificates, and a final stage from scratch.
func buildImage(t *testing.T, folder string, args map[string]string) (image, error) {
	t.Helper()
	base, built := t.TempDir(), image{files: map[string]string{}}
	declared, workdir, last := map[string]string{}, "/", false
	for _, i := range readDockerfile(t, filepath.Join(folder, "Dockerfile")) {
		switch {
		case i.name == "FROM" && golang.MatchString(i.rest) && workdir == "/":
		case i.name == "FROM" && i.rest == "scratch" && !last:
			last = true
		case i.name == "WORKDIR" && !last:
			workdir = i.rest
			if err := os.MkdirAll(filepath.Join(base, workdir), 0o755); err != nil {
				t.Fatal(err)
			}
		case i.name == "COPY" && !last:
			paths := strings.Fields(i.rest)
			for j, from := range paths[:len(paths)-1] {
				if strings.HasSuffix(from, "/") {
					from += "." // copy the contents, not the directory
				}
				paths[j] = filepath.Clean(folder) + "/" + from
			}
			platformtest.Run(t, filepath.Join(base, workdir), nil, "cp", append([]string{"-R"}, paths...)...)
		case i.name == "ARG" && !last:
			declared[i.rest] = args[i.rest]
		case i.name == "RUN" && !last:
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", i.rest)
			cmd.Dir, cmd.Env = filepath.Join(base, workdir), append(os.Environ(), platformtest.Environment(declared)...)
			if output, err := cmd.CombinedOutput(); err != nil {
				return image{}, fmt.Errorf("%w: %s", err, output)
			}
		case i.name == "COPY":
			from, to, ok := strings.Cut(strings.TrimPrefix(i.rest, "--from=build "), " ")
			if !ok || !path.IsAbs(from) || !path.IsAbs(to) {
				t.Fatalf("COPY %s", i.rest)
			}
			if strings.HasSuffix(to, "/") {
				to += path.Base(from)
			}
			if built.files[to] = filepath.Join(base, from); !strings.HasPrefix(from, workdir+"/") {
				built.files[to] = from
			}
		case i.name == "USER" && last:
			built.user = i.rest
		case i.name == "EXPOSE" && last && i.rest == "8080":
		case i.name == "ENTRYPOINT" && last:
			built.entrypoint = i.rest
		default:
			t.Fatalf("this test does not support %s %s", i.name, i.rest)
		}
	}
	return built, nil
}

// TestDockerfile checks that the final stage has only the program and the certificates, and
// runs as an unprivileged user.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	root := platformtest.Root(t)
	var last []string
	for _, i := range readDockerfile(t, filepath.Join(root, "template/analytics-go/Dockerfile")) {
		if match := golang.FindStringSubmatch(i.rest); i.name == "FROM" && match != nil {
			if goMod, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || !strings.Contains(string(goMod), "\ngo "+match[1]+".") {
				t.Errorf("the Dockerfile has Go %s, unlike go.mod: %v", match[1], err)
			}
		}
		if i.name == "FROM" {
			last = nil
		}
		last = append(last, i.name+" "+i.rest)
	}
	want := []string{
		"FROM scratch",
		"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/",
		"COPY --from=build /src/server /server",
		"USER 65532:65532",
		"EXPOSE 8080",
		`ENTRYPOINT ["/server"]`,
	}
	if !slices.Equal(last, want) {
		t.Errorf("last stage: got %q, want %q", last, want)
	}
}

// start runs the image with its secrets where OpenFaaS mounts them. Under root it runs as in
// a container: as the image's user, in a read-only root directory with only the image and
// the secrets.
func (i image) start(t *testing.T, secrets, variables map[string]string) string {
	t.Helper()
	root := t.TempDir()
	write := func(name string, text []byte, mode os.FileMode) {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, mode)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(root, "server"))
	confined := confine(cmd, root)
	env := map[string]string{"PORT": "0"}
	for name, value := range variables {
		env[name] = value
	}
	for name, value := range secrets {
		file := "/var/openfaas/secrets/" + name
		write(file, []byte(value+"\n"), 0o444)
		if !confined {
			env[strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_FILE"] = filepath.Join(root, file)
		}
	}
	for name, from := range i.files {
		if text, err := os.ReadFile(from); err == nil {
			write(name, text, 0o555)
		} else if name == "/server" {
			t.Fatal(err)
		}
	}
	cmd.Env = platformtest.Environment(env)
	return serveLog(t, cmd)
}

// serveLog starts a function's program and returns its address once it is logged. At the end
// of the test the program must shut down cleanly.
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
		_ = cmd.Process.Signal(syscall.SIGTERM) // Wait reports a program that has exited already
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s exited with %v:\n%s", cmd, err, output)
		}
		if strings.Contains(output.String(), enrich.NoCountries) {
			t.Errorf("%s has no country database", cmd)
		}
	})
	select {
	case <-read:
		t.Fatalf("%s exited before it served:\n%s", cmd, output)
		return ""
	case url := <-address:
		return url
	}
}
