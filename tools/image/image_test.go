package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// root is the checkout that is tested.
const root = "../.."

// maxProgram and maxImage are how many bytes a program has at most, and what is fetched of
// its image.
const (
	maxProgram = 30_000_000
	maxImage   = 12_000_000
)

func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://") + "/analytics"
}

func some(prefix string) *options {
	return &options{
		Root: root, Platforms: []string{"linux/amd64"}, Prefix: prefix, Version: "v1.2.3", Created: 1_790_000_000,
		Revision: strings.Repeat("ab", 20), Source: "https://example.com/source", Builder: "https://example.com/builder",
	}
}

func build(t *testing.T, o *options) (references []string, progress string) {
	t.Helper()
	var out, said strings.Builder
	if err := o.run(t.Context(), &out, &said); err != nil {
		t.Fatal(err)
	}
	return strings.Fields(out.String()), said.String()
}

// TestImages builds all functions, pushes them to a registry and looks at what is there.
func TestImages(t *testing.T) {
	t.Parallel()
	o := some(newRegistry(t))
	references, progress := build(t, o)
	t.Log(progress)
	all, err := functions(root)
	if err != nil || len(references) != len(all) {
		t.Fatal(references, err)
	}
	if !strings.Contains(progress, "MB of memory at most") {
		t.Errorf("nobody says how much memory it took: %s", progress)
	}
	for i, reference := range references {
		t.Run(all[i], func(t *testing.T) {
			t.Parallel()
			digest, err := name.NewDigest(reference)
			if err != nil {
				t.Fatal(err)
			}
			index, err := remote.Index(digest)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Index(index); err != nil {
				t.Error(err)
			}
			tagged, err := remote.Head(digest.Tag(o.Version))
			if err != nil || tagged.Digest.String() != digest.DigestStr() {
				t.Errorf("the tag is of %v, %v", tagged, err)
			}
			manifest, err := index.IndexManifest()
			if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Platform.String() != "linux/amd64" {
				t.Fatalf("%+v, %v", manifest, err)
			}
			if revision := manifest.Annotations["org.opencontainers.image.revision"]; revision != o.Revision {
				t.Errorf("it says that it is of the commit %q", revision)
			}
			image, err := index.Image(manifest.Manifests[0].Digest)
			if err != nil {
				t.Fatal(err)
			}
			checkImage(t, image)
			var bom cyclonedx.BOM
			attached(t, digest.Digest(manifest.Manifests[0].Digest.String()), sbomType, &bom)
			checkParts(t, all[i], &bom)
			var statement struct {
				Subject []struct {
					Digest map[string]string `json:"digest"`
				} `json:"subject"`
				Predicate struct {
					BuildDefinition struct {
						ResolvedDependencies []struct {
							Digest map[string]string `json:"digest"`
						} `json:"resolvedDependencies"`
					} `json:"buildDefinition"`
				} `json:"predicate"`
			}
			attached(t, digest, provenanceType, &statement)
			if "sha256:"+statement.Subject[0].Digest["sha256"] != digest.DigestStr() || statement.Predicate.BuildDefinition.ResolvedDependencies[0].Digest["gitCommit"] != o.Revision {
				t.Errorf("the provenance is of another image or commit: %+v", statement)
			}
		})
	}
}

// checkImage checks that an image is small, has two files, and runs as nobody.
func checkImage(t *testing.T, image v1.Image) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/server"}) || len(config.Config.Env)+len(config.Config.Volumes)+len(config.Config.Cmd) > 0 {
		t.Errorf("it is configured as %+v", config.Config)
	}
	if size, err := sizeOf(image); err != nil || size > maxImage {
		t.Errorf("%d bytes of it are fetched (%v)", size, err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	text, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = text.Close() }()
	files := map[string]*tar.Header{}
	reader := tar.NewReader(text)
	var certificates []byte
	program := filepath.Join(t.TempDir(), "server")
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = header
		if header.Name == "server" {
			err = os.WriteFile(program, content, 0o700)
		} else {
			certificates = content
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if names := slices.Sorted(maps.Keys(files)); !slices.Equal(names, []string{"etc/ssl/certs/ca-certificates.crt", "server"}) {
		t.Fatalf("it has the files %v", names)
	}
	if n := strings.Count(string(certificates), "BEGIN CERTIFICATE"); n < 100 {
		t.Errorf("it trusts %d authorities", n)
	}
	if size := files["server"].Size; size > maxProgram || files["server"].Mode != 0o755 {
		t.Errorf("the program has %d bytes and the mode %o", size, files["server"].Mode)
	}
	// With nothing but itself it says in one line what it lacks.
	start := func() ([]byte, error) {
		start := exec.CommandContext(t.Context(), program)
		start.Env = []string{}
		return start.CombinedOutput()
	}
	said, err := start()
	for errors.Is(err, syscall.ETXTBSY) { // a process that was forked meanwhile still has it open, for a moment
		said, err = start()
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != 1 || strings.Count(string(said), "\n") != 1 || !strings.Contains(string(said), " is not set") {
		t.Errorf("started with no configuration it says %q, %v", said, err)
	}
}

// attached reads what a registry says is attached to an image.
func attached(t *testing.T, to name.Digest, kind types.MediaType, into any) {
	t.Helper()
	referrers, err := remote.Referrers(to)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := referrers.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].ArtifactType != string(kind) {
		t.Fatalf("%+v, %v", manifest, err)
	}
	image, err := remote.Image(to.Digest(manifest.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	text, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = text.Close() }()
	if err := json.NewDecoder(text).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// checkParts checks that what is known to be in a program is listed, and what is not, isn't.
func checkParts(t *testing.T, function string, bom *cyclonedx.BOM) {
	t.Helper()
	if bom.Components == nil {
		t.Fatal("nothing is listed")
	}
	for _, test := range []struct {
		part      string
		functions []string
	}{
		{"pkg:golang/std@", nil}, {"pkg:golang/github.com/prometheus/client_golang@v", nil},
		{"pkg:npm/%40ip-location-db/geo-whois-asn-country-mmdb@", []string{"track"}},
		{"pkg:npm/react-dom@", []string{"dashboard"}}, {"pkg:npm/d3-path@", []string{"dashboard"}}, {"pkg:npm/vite@", []string{}},
	} {
		want := test.functions == nil || slices.Contains(test.functions, function)
		got := slices.ContainsFunc(*bom.Components, func(c cyclonedx.Component) bool { return strings.HasPrefix(c.PackageURL, test.part) })
		if got != want {
			t.Errorf("%s is listed: %t", test.part, got)
		}
	}
}

// TestSameBytes builds one commit in two places, for two kinds of processors.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	for _, path := range []string{"go.mod", "go.sum", "functions", "shared", "migrations"} {
		from, to := filepath.Join(root, path), filepath.Join(elsewhere, path)
		info, err := os.Stat(from)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
		} else {
			var text []byte
			if text, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(to, text, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var all [2][]string
	for i, place := range []string{root, elsewhere} {
		o := some("example.com/analytics")
		o.Root, o.Functions, o.Platforms, o.Layout = place, []string{"aggregate"}, []string{"linux/amd64", "linux/arm64"}, t.TempDir()
		all[i], _ = build(t, o)
		if _, err := os.Stat(filepath.Join(o.Layout, "aggregate", "index.json")); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(all[0], all[1]) {
		t.Errorf("%v is %v when it is built elsewhere", all[0], all[1])
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	bare := t.TempDir()
	if err := os.MkdirAll(filepath.Join(bare, "functions", "dashboard", "cmd"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*options)
		says   string
	}{
		"no such function":    {func(o *options) { o.Functions = []string{"tracks"} }, "there is no function tracks: there are admin, aggregate"},
		"no platform":         {func(o *options) { o.Platforms = []string{"arm64"} }, `"arm64" is no platform`},
		"no checkout":         {func(o *options) { o.Root = t.TempDir() }, "has no functions/*/cmd"},
		"no pages":            {func(o *options) { o.Root = bare }, "functions/dashboard/assets/index.html is missing: make it first, with make build"},
		"what does not build": {func(o *options) { o.Functions, o.Platforms = []string{"aggregate"}, []string{"linux/none"} }, "aggregate: go build for linux/none"},
		"no name for images":  {func(o *options) { o.Functions, o.Prefix = []string{"aggregate"}, "Not A Name" }, "IMAGES"},
		"no registry listens": {func(o *options) { o.Functions, o.Prefix = []string{"aggregate"}, "127.0.0.1:1/a" }, "push the image"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := some("example.com/analytics")
			test.change(o)
			var out strings.Builder
			if err := o.run(t.Context(), &out, io.Discard); err == nil || !strings.Contains(err.Error(), test.says) || out.Len() > 0 {
				t.Errorf("%v, and %q", err, out.String())
			}
		})
	}
}

// TestAsTheDockerfile: both make the same program.
func TestAsTheDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "template", "analytics-go", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`-trimpath`, `-ldflags="` + linkerFlags + `"`, `-tags ` + tags + ` `, `USER ` + user, `ENTRYPOINT ["/server"]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the Dockerfile lacks %s", want)
		}
	}
}
