package lambda_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
)

var secretValue = regexp.MustCompile(`(postgres(ql)?|rediss?)://[^$]|(?i)(password|token|key)"?\s*=\s*"[^"]{8,}"`)

func TestNoSecrets(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*.tf", "tests/*.hcl", "*.js"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(text) {
				if secretValue.Match(line) && !bytes.Contains(line, []byte(`"arn:aws:`)) {
					t.Errorf("%s: %s", file, line)
				}
			}
		}
	}
}

// TestTerraform validates and plans with Terraform, and with a stand-in for its AWS provider,
// which would need a registry.
func TestTerraform(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("install terraform to run this test: its licence (BUSL) does not allow us to depend on it; the test of tools/lambda parses the same files")
	}
	localtest.Reads(t, ".", "../../tools/terraform")
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "terraform-provider-aws"), ".")
	build.Dir = "../../tools/terraform"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	config := filepath.Join(folder, "config.tfrc")
	text := `provider_installation {
  dev_overrides { "hashicorp/aws" = "` + folder + `" }
}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bundles := t.TempDir()
	for _, f := range functions.All() {
		if err := os.WriteFile(filepath.Join(bundles, f.Name+".zip"), []byte(f.Name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arguments := range [][]string{
		{"fmt", "-check", "-diff", "-recursive"}, {"validate", "-no-color"}, {"test", "-no-color", "-var", "bundles=" + bundles},
	} {
		cmd := exec.CommandContext(t.Context(), "terraform", arguments...)
		cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+config, "TF_DATA_DIR="+filepath.Join(folder, "data"), "CHECKPOINT_DISABLE=1")
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("terraform %s: %v\n%s", arguments[0], err, output)
		}
		if arguments[0] == "test" && !bytes.Contains(output, []byte("3 passed, 0 failed")) {
			t.Errorf("terraform test: %s", output)
		}
	}
}

// TestFront runs the CloudFront function.
func TestFront(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("front.js")
	if err != nil {
		t.Fatal(err)
	}
	type value struct {
		Value string `json:"value"`
	}
	type result struct {
		URI        string           `json:"uri"`
		StatusCode int              `json:"statusCode"`
		Headers    map[string]value `json:"headers"`
	}
	for _, test := range []struct {
		method, uri, want string
		status            int
	}{
		{"POST", "/function/track/", "/", 0},
		{"POST", "/function/track", "/", 0},
		{"GET", "/function/query/v1/trends", "/v1/trends", 0},
		{"GET", "/function/dashboard/assets/a%2Fb.js", "/assets/a%2Fb.js", 0},
		{"GET", "/function/dashboard", "/function/dashboard/", 308},
		{"GET", "/", "/function/dashboard/", 302},
		{"GET", "/function/", "", 404},
		{"GET", "/favicon.ico", "", 404},
	} {
		event, err := json.Marshal(map[string]any{
			"viewer": map[string]string{"ip": "2001:db8::1"},
			"request": map[string]any{
				"method": test.method, "uri": test.uri,
				"headers": map[string]value{"host": {"stats.example.com"}, "x-viewer-address": {"192.0.2.66"}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "node", "-e", string(script)+"\nconsole.log(JSON.stringify(handler("+string(event)+")))")
		output, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got result
		if err := json.Unmarshal(output, &got); err != nil {
			t.Fatalf("%s: %v", output, err)
		}
		if got.StatusCode != test.status {
			t.Errorf("%s %s: status %d, want %d", test.method, test.uri, got.StatusCode, test.status)
		}
		if test.status == 0 {
			if got.URI != test.want || got.Headers["x-viewer-address"].Value != "2001:db8::1" || got.Headers["x-forwarded-host"].Value != "stats.example.com" {
				t.Errorf("%s %s becomes %+v", test.method, test.uri, got)
			}
		} else if got.Headers["location"].Value != test.want {
			t.Errorf("%s %s redirects to %q, want %q", test.method, test.uri, got.Headers["location"].Value, test.want)
		}
	}
}
