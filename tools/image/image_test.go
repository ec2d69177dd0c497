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

// root is the checkout to test.
const root = "../.."

// The maximum size of a program, and of the download of its image, in bytes.
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

func testOptions(prefix string) *options {
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

// TestImages builds the images of all functions, pushes them to a registry and checks them.
func TestImages(t *testing.T) {
	t.Parallel()
	o := testOptions(newRegistry(t))
	references, progress := build(t, o)
	t.Log(progress)
	all, err := functions(root)
	if err != nil || len(references) != len(all) {
		t.Fatal(references, err)
	}
	if !strings.Contains(progress, "MB peak memory") {
		t.Errorf("the progress lacks the memory: %s", progress)
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
				t.Errorf("tag: %v, %v", tagged, err)
			}
			manifest, err := index.IndexManifest()
			if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Platform.String() != "linux/amd64" {
				t.Fatalf("%+v, %v", manifest, err)
			}
			if revision := manifest.Annotations["org.opencontainers.image.revision"]; revision != o.Revision {
				t.Errorf("revision %q", revision)
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
				t.Errorf("the provenance has another image or commit: %+v", statement)
			}
		})
	}
}

// checkImage checks that an image is small, has two files, and runs as an unprivileged user.
func checkImage(t *testing.T, image v1.Image) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/server"}) || len(config.Config.Env)+len(config.Config.Volumes)+len(config.Config.Cmd) > 0 {
		t.Errorf("config %+v", config.Config)
	}
	if size, err := sizeOf(image); err != nil || size > maxImage {
		t.Errorf("download size %d bytes (%v)", size, err)
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
		t.Fatalf("files %v", names)
	}
	if n := strings.Count(string(certificates), "BEGIN CERTIFICATE"); n < 100 {
		t.Errorf("%d root certificates", n)
	}
	if size := files["server"].Size; size > maxProgram || files["server"].Mode != 0o755 {
		t.Errorf("program of %d bytes, mode %o", size, files["server"].Mode)
	}
	// Without configuration, the program prints one line about what is missing.
	start := func() ([]byte, error) {
		start := exec.CommandContext(t.Context(), program)
		start.Env = []string{}
		return start.CombinedOutput()
	}
	output, err := start()
	for errors.Is(err, syscall.ETXTBSY) { // a process forked by another test may still have the file open
		output, err = start()
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != 1 || strings.Count(string(output), "\n") != 1 || !strings.Contains(string(output), " is not set") {
		t.Errorf("without configuration: output %q, %v", output, err)
	}
}

// attached decodes the document that is attached to an image in a registry.
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

// checkParts checks that the SBOM lists known components, and no foreign ones.
func checkParts(t *testing.T, function string, bom *cyclonedx.BOM) {
	t.Helper()
	if bom.Components == nil {
		t.Fatal("the SBOM has no components")
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
			t.Errorf("%s in the SBOM: %t", test.part, got)
		}
	}
}

// TestReproducible builds the same files in two directories, for two platforms.
func TestReproducible(t *testing.T) {
	t.Parallel()
	copied := t.TempDir()
	for _, path := range []string{"go.mod", "go.sum", "functions", "shared", "migrations"} {
		from, to := filepath.Join(root, path), filepath.Join(copied, path)
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
	for i, place := range []string{root, copied} {
		o := testOptions("example.com/analytics")
		o.Root, o.Functions, o.Platforms, o.Layout = place, []string{"aggregate"}, []string{"linux/amd64", "linux/arm64"}, t.TempDir()
		all[i], _ = build(t, o)
		if _, err := os.Stat(filepath.Join(o.Layout, "aggregate", "index.json")); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(all[0], all[1]) {
		t.Errorf("digests differ between directories: %v and %v", all[0], all[1])
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	bare := t.TempDir()
	if err := os.MkdirAll(filepath.Join(bare, "functions", "dashboard", "cmd"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*options)
		want   string
	}{
		"unknown function":     {func(o *options) { o.Functions = []string{"tracks"} }, "there is no function tracks; the functions are admin, aggregate"},
		"invalid platform":     {func(o *options) { o.Platforms = []string{"arm64"} }, `"arm64" is not a platform`},
		"no checkout":          {func(o *options) { o.Root = t.TempDir() }, "has no functions/*/cmd"},
		"no dashboard":         {func(o *options) { o.Root = bare }, "functions/dashboard/assets/index.html is missing: run make build first"},
		"build error":          {func(o *options) { o.Functions, o.Platforms = []string{"aggregate"}, []string{"linux/none"} }, "aggregate: go build for linux/none"},
		"invalid image name":   {func(o *options) { o.Functions, o.Prefix = []string{"aggregate"}, "Not A Name" }, "IMAGES"},
		"unreachable registry": {func(o *options) { o.Functions, o.Prefix = []string{"aggregate"}, "127.0.0.1:1/a" }, "push the image"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := testOptions("example.com/analytics")
			test.change(o)
			var out strings.Builder
			if err := o.run(t.Context(), &out, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) || out.Len() > 0 {
				t.Errorf("error %v, output %q; want error %q", err, out.String(), test.want)
			}
		})
	}
}

// TestDockerfile checks that the Dockerfile builds with the same settings.
func TestDockerfile(t *testing.T) {
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
