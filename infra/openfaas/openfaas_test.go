package openfaas_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/platformtest"
)

// maxImage is the maximum compressed size of an image in bytes.
const maxImage = 20 << 20

// faasCLI is faas-cli in a clean clone: the pinned version, or the program in FAAS_CLI.
type faasCLI struct{ path, tree string }

func newFaasCLI(t *testing.T) faasCLI {
	t.Helper()
	path := os.Getenv("FAAS_CLI")
	if path == "" {
		path = platformtest.Tool(t, "faas", "github.com/openfaas/faas-cli")
	}
	return faasCLI{path, platformtest.Clone(t)}
}

func (f faasCLI) run(t *testing.T, args ...string) string {
	t.Helper()
	// Settings of the user must have no effect, and secrets must not be printed.
	variables := map[string]string{
		"HOME": f.tree, "OPENFAAS_CONFIG": f.tree, "OPENFAAS_URL": "", "IMAGES": "registry.example.com/us", "VERSION": "1.2.3",
		"ADMIN_TOKEN": "must-not-be-printed", "DATABASE_URL": "must-not-be-printed",
	}
	output := platformtest.Run(t, f.tree, variables, f.path, args...)
	if strings.Contains(output, "must-not-be-printed") {
		t.Errorf("faas-cli %s prints secrets:\n%s", args[0], output)
	}
	return output
}

// folder returns the build context of a function's image.
func (f faasCLI) folder(function string) string { return filepath.Join(f.tree, "build", function) }

// TestOpenFaaS does what `faas-cli up` does in a clean clone, as far as possible without a
// registry and a cluster, and counts an event with the images.
func TestOpenFaaS(t *testing.T) {
	t.Parallel()
	cli := newFaasCLI(t)

	cli.run(t, "build", "--shrinkwrap", "-f", "stack.yml")
	_, err := buildImage(t, cli.folder("dashboard"), map[string]string{"FUNCTION": "dashboard"})
	const missing = "exit status 1: functions/dashboard/assets/index.html is missing: run make build, then build the images again\n"
	if err == nil || err.Error() != missing {
		t.Errorf("build without the dashboard: got %v, want an error", err)
	}

	platformtest.AddBuilt(t, cli.tree)
	cli.run(t, "build", "--shrinkwrap", "-f", "stack.yml")
	images := map[string]image{}
	for _, f := range functions.All() { // not in parallel: the first build compiles for all
		images[f.Name], err = buildImage(t, cli.folder(f.Name), map[string]string{"FUNCTION": f.Name, "TARGETOS": "linux", "TARGETARCH": "amd64"})
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if bytes := compressed(t, f.Name, images[f.Name]); bytes > maxImage {
			t.Errorf("the image of %s has %d bytes, more than %d", f.Name, bytes, maxImage)
		}
	}
	t.Run("arm64", func(t *testing.T) {
		t.Parallel()
		if _, err := buildImage(t, cli.folder("track"), map[string]string{"FUNCTION": "track", "TARGETOS": "linux", "TARGETARCH": "arm64"}); err != nil {
			t.Error(err)
		}
	})
	t.Run("event", func(t *testing.T) {
		t.Parallel()
		countEvent(t, images, platformtest.ReadStack(t))
	})
	t.Run("manifests", func(t *testing.T) {
		t.Parallel()
		checkManifests(t, cli, platformtest.ReadStack(t))
	})
}

// compressed returns the compressed size of an image in bytes.
func compressed(t *testing.T, name string, i image) int64 {
	t.Helper()
	var size counter
	writer := gzip.NewWriter(&size)
	var total int64
	for _, file := range i.files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // this machine has no certificates
		}
		if err == nil {
			_, err = writer.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		total += int64(len(text))
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %.1f MB, compressed %.1f MB", name, float64(total)/1e6, float64(size)/1e6)
	return int64(size)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// countEvent starts the images as OpenFaaS does, sends an event and queries it.
func countEvent(t *testing.T, images map[string]image, s platformtest.Stack) {
	t.Helper()
	const token = "the-owner-of-this-whole-installation"
	values := map[string]string{
		"admin-token": token, "subject-key": strings.Repeat("key", 11), "salt-key": strings.Repeat("salt", 8),
		"redis-url": localtest.Redis(t), "database-url": localtest.Postgres(t),
		"metrics-token": localtest.MetricsToken,
	}
	urls := map[string]string{}
	for _, name := range []string{"schema-guard", "admin", "track", "aggregate", "query"} {
		secrets := map[string]string{}
		for _, secret := range s.Functions[name].Secrets {
			secrets[secret] = values[secret]
		}
		urls[name] = images[name].start(t, secrets, s.Functions[name].Environment)
	}
	platformtest.Post(t, urls["admin"]+"/v1/sites", token, `{"domain":"example.com","name":"Example","timezone":"Europe/Paris"}`, http.StatusCreated)
	platformtest.Post(t, urls["track"], "", `{"site":"example.com","type":"view","url":"https://example.com/pricing"}`, http.StatusAccepted)
	platformtest.Post(t, urls["aggregate"], token, `{}`, http.StatusOK)
	result := platformtest.Post(t, urls["query"]+"/api/v2/query", token, `{"site_id":"example.com","metrics":["pageviews"],"date_range":"all"}`, http.StatusOK)
	if !strings.Contains(result, `"metrics":[1]`) {
		t.Errorf("query: got %s, want one page view", result)
	}
	if got := localtest.Metrics(t, urls["track"])["analytics_track_events_total"]; got != "1" {
		t.Errorf("the metrics count %q events, want 1", got)
	}
}

// deployment is a function as faas-cli sends it to a gateway.
type deployment struct {
	Service                string                 `json:"service"`
	Image                  string                 `json:"image"`
	EnvVars                map[string]string      `json:"envVars"`
	Labels                 map[string]string      `json:"labels"`
	Annotations            map[string]string      `json:"annotations"`
	Secrets                []string               `json:"secrets"`
	Limits                 platformtest.Resources `json:"limits"`
	Requests               platformtest.Resources `json:"requests"`
	ReadOnlyRootFilesystem bool                   `json:"readOnlyRootFilesystem"`
	EnvProcess             string                 `json:"envProcess"`
	Network                string                 `json:"network"`
	Constraints            []string               `json:"constraints"`
}

// customResource is a function as faas-cli generates it for Kubernetes.
type customResource struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Spec struct {
		Name                   string                 `yaml:"name"`
		Image                  string                 `yaml:"image"`
		Environment            map[string]string      `yaml:"environment"`
		Labels                 map[string]string      `yaml:"labels"`
		Annotations            map[string]string      `yaml:"annotations"`
		Secrets                []string               `yaml:"secrets"`
		Limits                 platformtest.Resources `yaml:"limits"`
		Requests               platformtest.Resources `yaml:"requests"`
		ReadOnlyRootFilesystem bool                   `yaml:"readOnlyRootFilesystem"`
	} `yaml:"spec"`
}

// checkManifests deploys to a gateway that records the requests, and generates manifests for
// Kubernetes. Both must have exactly the content of stack.yml.
func checkManifests(t *testing.T, cli faasCLI, s platformtest.Stack) {
	t.Helper()
	want := map[string]deployment{}
	for name, f := range s.Functions {
		want[name] = deployment{
			Service: name, Image: "registry.example.com/us/" + name + ":1.2.3", EnvVars: f.Environment, Labels: f.Labels,
			Annotations: f.Annotations, Secrets: f.Secrets, Limits: f.Limits, Requests: f.Requests, ReadOnlyRootFilesystem: true,
		}
	}

	var mu sync.Mutex
	deployed := map[string]deployment{}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/system/functions" || r.Method != http.MethodPut {
			http.NotFound(w, r)
			return
		}
		var one deployment
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&one); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		deployed[one.Service] = one
	}))
	t.Cleanup(gateway.Close)
	cli.run(t, "deploy", "-f", "stack.yml", "--gateway", gateway.URL)
	if diff := cmp.Diff(want, deployed); diff != "" {
		t.Errorf("deployed: %s", diff)
	}

	generated := map[string]deployment{}
	manifests := cli.run(t, "generate", "-f", "stack.yml")
	// faas-cli of 2021 sends this to a gateway, but omits it from manifests.
	readOnly := !strings.Contains(manifests, "readOnlyRootFilesystem:")
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(manifests)))
	decoder.KnownFields(true)
	for {
		var r customResource
		err := decoder.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, manifests)
		}
		if r.APIVersion != "openfaas.com/v1" || r.Kind != "Function" || r.Metadata.Name != r.Spec.Name {
			t.Errorf("%+v", r)
		}
		generated[r.Spec.Name] = deployment{
			Service: r.Spec.Name, Image: r.Spec.Image, EnvVars: r.Spec.Environment, Labels: r.Spec.Labels, Annotations: r.Spec.Annotations,
			Secrets: r.Spec.Secrets, Limits: r.Spec.Limits, Requests: r.Spec.Requests, ReadOnlyRootFilesystem: readOnly || r.Spec.ReadOnlyRootFilesystem,
		}
	}
	if diff := cmp.Diff(want, generated); diff != "" {
		t.Errorf("generated: %s", diff)
	}
}
