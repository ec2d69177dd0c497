package knative_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// funcFile has all allowed keys of a func.yaml.
type funcFile struct {
	SpecVersion string    `yaml:"specVersion"`
	Name        string    `yaml:"name"`
	Runtime     string    `yaml:"runtime"`
	Created     time.Time `yaml:"created"`
	Build       struct {
		Builder string `yaml:"builder"`
	} `yaml:"build"`
	Run struct {
		Envs []struct {
			Name  string `yaml:"name"`
			Value string `yaml:"value"`
		} `yaml:"envs"`
		Volumes []struct {
			Secret string `yaml:"secret"`
			Path   string `yaml:"path"`
		} `yaml:"volumes"`
	} `yaml:"run"`
	Deploy struct {
		Annotations     map[string]string `yaml:"annotations"`
		HealthEndpoints struct {
			Liveness  string `yaml:"liveness"`
			Readiness string `yaml:"readiness"`
		} `yaml:"healthEndpoints"`
		Options struct {
			Scale struct {
				Min int `yaml:"min"`
				Max int `yaml:"max"`

				Metric string `yaml:"metric"`
				Target int    `yaml:"target"`
			} `yaml:"scale"`
			Resources struct {
				Requests platformtest.Resources `yaml:"requests"`
				Limits   platformtest.Resources `yaml:"limits"`
			} `yaml:"resources"`
		} `yaml:"options"`
	} `yaml:"deploy"`
}

func readFunc(t *testing.T, file string) funcFile {
	t.Helper()
	f := platformtest.ReadYAML[funcFile](t, file)[0]
	if f.SpecVersion != "0.36.0" || f.Runtime != "go" || f.Build.Builder != "host" || f.Created.IsZero() {
		t.Errorf("%s: %+v", file, f)
	}
	return f
}

func TestKnativeFiles(t *testing.T) {
	t.Parallel()
	readFunc(t, filepath.Join(platformtest.Root(t), "func.yaml"))
	found, err := filepath.Glob("*/func.yaml")
	if err != nil || len(found) != len(functions.All()) {
		t.Errorf("got %v, %v; want one per function", found, err)
	}
	for _, f := range functions.All() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			got := readFunc(t, filepath.Join(f.Name, "func.yaml"))
			envs := map[string]string{}
			for _, env := range got.Run.Envs {
				envs[env.Name] = env.Value
			}
			if got.Name != f.Name || envs["FUNCTION"] != f.Name {
				t.Errorf("name %q, FUNCTION %q", got.Name, envs["FUNCTION"])
			}
			if len(got.Run.Volumes) != 1 || got.Run.Volumes[0].Secret != "analytics" || got.Run.Volumes[0].Path != "/etc/secrets" {
				t.Errorf("volumes %+v", got.Run.Volumes)
			}
			if health := got.Deploy.HealthEndpoints; health.Liveness != "/health/liveness" || health.Readiness != "/health/readiness" {
				t.Errorf("health endpoints %+v", health)
			}
			if scale := got.Deploy.Options.Scale; scale.Min < 0 || scale.Max < max(1, scale.Min) {
				t.Errorf("scale %+v", scale)
			}
			got.Deploy.Options.Resources.Requests.Check(t)
			got.Deploy.Options.Resources.Limits.Check(t)
		})
	}
}

// pingSource has all allowed keys of a PingSource.
type pingSource struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		Schedule    string `yaml:"schedule"`
		ContentType string `yaml:"contentType"`
		Data        string `yaml:"data"`
		Sink        struct {
			Ref struct {
				APIVersion string `yaml:"apiVersion"`
				Kind       string `yaml:"kind"`
				Name       string `yaml:"name"`
			} `yaml:"ref"`
		} `yaml:"sink"`
	} `yaml:"spec"`
}

func TestKnativeSchedules(t *testing.T) {
	t.Parallel()
	got, want := map[string]string{}, map[string]string{}
	for _, source := range platformtest.ReadYAML[pingSource](t, "schedules.yaml") {
		if source.APIVersion != "sources.knative.dev/v1" || source.Kind != "PingSource" || source.Spec.Sink.Ref.Kind != "Service" {
			t.Errorf("%+v", source)
		}
		got[source.Spec.Sink.Ref.Name] = source.Spec.Schedule
	}
	for _, f := range functions.All() {
		if f.Schedule != "" {
			want[f.Name] = f.Schedule
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// knativeFunc is Knative's func with a directory prepared by infra/knative/copy.sh.
type knativeFunc struct{ path, folder string }

func newKnativeFunc(t *testing.T, function string) knativeFunc {
	t.Helper()
	tree, folder := platformtest.Clone(t), filepath.Join(t.TempDir(), function)
	platformtest.AddBuilt(t, tree)
	platformtest.Run(t, tree, nil, "infra/knative/copy.sh", function, folder)
	// func builds without tags, so copy.sh replaces the sample database.
	platformtest.Run(t, platformtest.Root(t), nil, "cmp", "shared/ingest/enrich/data/country.mmdb", filepath.Join(folder, "shared/ingest/enrich/data/sample.mmdb"))
	return knativeFunc{platformtest.Tool(t, "func", "knative.dev/func/cmd/func"), folder}
}

// command returns a func command, with flags for the Go commands that it runs. It leaves
// go.mod in a state that Go rejects without -mod=mod.
func (f knativeFunc) command(ctx context.Context, flags string, variables map[string]string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, f.path, args...)
	cmd.Dir = f.folder
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod "+flags, "XDG_CONFIG_HOME="+f.folder+"-config")
	cmd.Env = append(cmd.Env, platformtest.Environment(variables)...)
	return cmd
}

// TestKnativeFunc builds an image with `func build`, and sends an event to a function
// started by `func run`.
func TestKnativeFunc(t *testing.T) {
	t.Parallel()
	f := newKnativeFunc(t, "track")
	t.Run("run", func(t *testing.T) {
		t.Parallel()
		runTrack(t, f)
	})
	t.Run("build", func(t *testing.T) {
		t.Parallel()
		const secret = "must-not-be-printed"
		build := f.command(t.Context(), "-trimpath -ldflags=-w", map[string]string{"REDIS_URL": secret}, "build", "--builder=host", "--registry=registry.example.com/us")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		checkLayout(t, filepath.Join(f.folder, ".func/build/oci"), secret)
	})
}

// runTrack starts the function and sends it an event.
func runTrack(t *testing.T, f knativeFunc) {
	t.Helper()
	database, redis := localtest.Postgres(t), localtest.Redis(t)
	db := localtest.Record(t, database)
	if _, err := schema.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.Create(t.Context(), db, sites.Draft{Domain: "example.com", Name: "Example", Timezone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	run := f.command(context.WithoutCancel(t.Context()), "", map[string]string{"DATABASE_URL": database, "REDIS_URL": redis, "SALT_KEY": localtest.SaltKey},
		"run", "--builder=host", "--json", "--start-timeout=5m")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	run.Stderr = log
	output, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGTERM) // Wait reports a process that has exited
		for lines.Scan() {
		}
		var exit *exec.ExitError
		if err := run.Wait(); err != nil && !errors.As(err, &exit) {
			t.Errorf("func run: %v", err)
		}
	})
	var at struct{ Address string }
	for at.Address == "" && lines.Scan() {
		_ = json.Unmarshal(lines.Bytes(), &at) // other lines are not JSON
	}
	if at.Address == "" {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("func run exited before the function was ready:\n%s", text)
	}
	address := "http://" + strings.TrimPrefix(at.Address, "http://")
	platformtest.Post(t, address, "", `{"site":"example.com","type":"view","url":"https://example.com/pricing"}`, http.StatusAccepted)
	if n, err := localtest.Client(t, redis).Keys(t.Context(), "*").Result(); err != nil || len(n) == 0 {
		t.Errorf("keys of the queue: %v, %v", n, err)
	}
}

// descriptor is a descriptor of an OCI image layout.
type descriptor struct {
	Digest   string
	Platform struct{ OS, Architecture string }
}

// checkLayout checks the platforms, the user and the configuration of the image built by
// func.
func checkLayout(t *testing.T, layout, secret string) {
	t.Helper()
	load := func(path string, into any) {
		text, err := os.ReadFile(filepath.Join(layout, path))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) {
			t.Errorf("%s contains a secret: %s", path, text)
		}
	}
	blob := func(d descriptor) string { return "blobs/" + strings.ReplaceAll(d.Digest, ":", "/") }
	var index struct{ Manifests []descriptor }
	load("index.json", &index)
	platforms := map[string]bool{}
	for _, one := range index.Manifests {
		platforms[one.Platform.OS+"/"+one.Platform.Architecture] = true
		var manifest struct {
			Config descriptor
			Layers []struct {
				descriptor
				Size int64
			}
		}
		load(blob(one), &manifest)
		var image struct {
			Config struct {
				User string
				Env  []string
				Cmd  []string
			}
		}
		load(blob(manifest.Config), &image)
		env := strings.Join(image.Config.Env, " ")
		if image.Config.User != "1000:1000" || !strings.Contains(env, "FUNCTION=track") || len(image.Config.Cmd) != 1 {
			t.Errorf("image config %+v", image.Config)
		}
		var size int64
		for _, layer := range manifest.Layers {
			size += layer.Size
		}
		t.Logf("%s/%s: %.1f MB compressed", one.Platform.OS, one.Platform.Architecture, float64(size)/1e6)
	}
	if !platforms["linux/amd64"] || !platforms["linux/arm64"] {
		t.Errorf("platforms %v, want linux/amd64 and linux/arm64", platforms)
	}
}
