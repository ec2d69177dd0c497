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

// image is what a Dockerfile makes, by a small reader of Dockerfiles that knows what
// the one here has and no more. It has a first stage, which is run on this machine,
// and a last one from scratch.
type image struct {
	files      map[string]string // path in the image to path on this machine
	user       string
	entrypoint string
}

// instruction is one of a Dockerfile's, with its lines joined.
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

// buildImage carries out the Dockerfile in a folder that faas-cli has made. The base
// image is this machine: its Go, and its certificates where it has them.
func buildImage(t *testing.T, folder string, args map[string]string) (image, error) {
	t.Helper()
	base, made := t.TempDir(), image{files: map[string]string{}}
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
					from += "." // what is in it, not the folder
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
			if made.files[to] = filepath.Join(base, from); !strings.HasPrefix(from, workdir+"/") {
				made.files[to] = from
			}
		case i.name == "USER" && last:
			made.user = i.rest
		case i.name == "EXPOSE" && last && i.rest == "8080":
		case i.name == "ENTRYPOINT" && last:
			made.entrypoint = i.rest
		default:
			t.Fatalf("the Dockerfile has %s %s, which this test does not know", i.name, i.rest)
		}
	}
	return made, nil
}

// TestDockerfile: an image holds a program and certificates, and is nobody's in particular.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	root := platformtest.Root(t)
	var last []string
	for _, i := range readDockerfile(t, filepath.Join(root, "template/analytics-go/Dockerfile")) {
		if match := golang.FindStringSubmatch(i.rest); i.name == "FROM" && match != nil {
			if goMod, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || !strings.Contains(string(goMod), "\ngo "+match[1]+".") {
				t.Errorf("it builds with Go %s, and go.mod says otherwise: %v", match[1], err)
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
		t.Errorf("the last stage is %q", last)
	}
}

// start runs the image with secrets where OpenFaaS mounts them. As root it does so as
// a container would: as the image's user, in a root folder that holds the image and
// the secrets alone, and that it can't write.
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
