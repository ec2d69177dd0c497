package lambda_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// configured is a function as main.tf has it.
type configured struct {
	Memory      int               `cty:"memory"`
	Timeout     int               `cty:"timeout"`
	Database    bool              `cty:"database"`
	Schedule    string            `cty:"schedule"`
	Concurrency int               `cty:"concurrency"`
	Secrets     []string          `cty:"secrets"`
	Environment map[string]string `cty:"environment"`
}

// module is the bodies of all Terraform files here.
func module(t *testing.T) []*hclsyntax.Body {
	t.Helper()
	files, err := filepath.Glob("*.tf")
	if err != nil || len(files) == 0 {
		t.Fatalf("Terraform's files: %v, %v", files, err)
	}
	parser := hclparse.NewParser()
	var bodies []*hclsyntax.Body
	for _, name := range files {
		file, problems := parser.ParseHCLFile(name)
		if problems.HasErrors() {
			t.Fatal(problems)
		}
		bodies = append(bodies, file.Body.(*hclsyntax.Body))
	}
	return bodies
}

// readFunctions is what main.tf says of each function.
func readFunctions(t *testing.T) map[string]configured {
	t.Helper()
	context := &hcl.EvalContext{Variables: map[string]cty.Value{
		"var": cty.ObjectVal(map[string]cty.Value{"live_viewers": cty.NumberIntVal(20)}),
	}}
	for _, body := range module(t) {
		for _, block := range body.Blocks {
			attribute, ok := block.Body.Attributes["functions"]
			if block.Type != "locals" || !ok {
				continue
			}
			all := map[string]configured{}
			for _, pair := range attribute.Expr.(*hclsyntax.ObjectConsExpr).Items {
				name, problems := pair.KeyExpr.Value(context)
				var f configured
				problems = append(problems, gohcl.DecodeExpression(pair.ValueExpr, context, &f)...)
				if problems.HasErrors() {
					t.Fatal(problems)
				}
				all[name.AsString()] = f
			}
			return all
		}
	}
	t.Fatal("main.tf has no locals.functions")
	return nil
}

// schedules are EventBridge's words for those of cron.
var schedules = map[string]string{"": "", "* * * * *": "rate(1 minute)"}

func TestEveryFunction(t *testing.T) {
	t.Parallel()
	var stack struct {
		Functions map[string]struct{ Secrets []string }
	}
	text, err := os.ReadFile("../../stack.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &stack); err != nil {
		t.Fatal(err)
	}
	all := readFunctions(t)
	if len(all) != len(functions.All()) {
		t.Errorf("%d functions, want %d", len(all), len(functions.All()))
	}
	for _, f := range functions.All() {
		got, ok := all[f.Name]
		if !ok {
			t.Errorf("%s is missing", f.Name)
			continue
		}
		if diff := cmp.Diff(stack.Functions[f.Name].Secrets, got.Secrets); diff != "" {
			t.Errorf("%s has other secrets than in stack.yml: %s", f.Name, diff)
		}
		if want, ok := schedules[f.Schedule]; !ok || got.Schedule != want {
			t.Errorf("%s: schedule %q, want %q", f.Name, got.Schedule, want)
		}
		if got.Schedule != "" && (got.Concurrency < 1 || got.Concurrency > 2) {
			t.Errorf("%s may run %d times at once", f.Name, got.Concurrency)
		}
		if needs := slices.ContainsFunc(got.Secrets, func(s string) bool { return strings.HasSuffix(s, "-url") }); got.Database != needs {
			t.Errorf("%s: database = %t, with the secrets %v", f.Name, got.Database, got.Secrets)
		}
		if got.Memory < 128 || got.Timeout < 10 || got.Timeout > 900 {
			t.Errorf("%s: memory %d, timeout %d", f.Name, got.Memory, got.Timeout)
		}
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	forEach := map[string]string{
		"aws_lambda_function.this": "local.functions", "aws_iam_role.function": "local.functions", "aws_iam_role_policy.function": "local.functions",
		"aws_cloudwatch_log_group.function": "local.functions", "aws_lambda_function_url.served": "local.served",
		"aws_lambda_permission.url": "local.served", "aws_lambda_permission.invoke": "local.served",
		"aws_scheduler_schedule.this": "local.scheduled", "aws_lambda_function_event_invoke_config.scheduled": "local.scheduled",
	}
	values := map[string]map[string]string{
		"aws_lambda_function.this":       {"runtime": "provided.al2023", "handler": "bootstrap"},
		"aws_lambda_function_url.served": {"invoke_mode": "RESPONSE_STREAM", "authorization_type": "NONE"},
	}
	for _, body := range module(t) {
		for _, block := range body.Blocks {
			if block.Type != "resource" {
				continue
			}
			name := strings.Join(block.Labels, ".")
			if want, ok := forEach[name]; ok {
				delete(forEach, name)
				if got := block.Body.Attributes["for_each"]; got == nil || path(got.Expr) != want {
					t.Errorf("%s is not for each of %s", name, want)
				}
			}
			for attribute, want := range values[name] {
				got, problems := block.Body.Attributes[attribute].Expr.Value(nil)
				if problems.HasErrors() || got.AsString() != want {
					t.Errorf("%s: %s is not %q: %v", name, attribute, want, problems)
				}
			}
		}
	}
	for missing := range forEach {
		t.Errorf("there is no %s", missing)
	}
}

// path is a reference as it is written.
func path(expression hclsyntax.Expression) string {
	var names []string
	for _, traversal := range expression.Variables() {
		names = append(names, traversal.RootName())
		for _, step := range traversal[1:] {
			if attribute, ok := step.(hcl.TraverseAttr); ok {
				names = append(names, attribute.Name)
			}
		}
	}
	return strings.Join(names, ".")
}

var secretValue = regexp.MustCompile(`(postgres(ql)?|rediss?)://[^$]|(?i)(password|token|key)"?\s*=\s*"[^"]{8,}"`)

func TestNoSecretIsWrittenDown(t *testing.T) {
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

// TestTerraform lets Terraform itself check and plan, with a stand-in for its provider of
// AWS, which can't be built here.
func TestTerraform(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("install terraform to run this: its licence (BUSL) keeps it out of what this project brings along; the other tests here read the same files with its own parser")
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

// TestFront runs what CloudFront does to a request.
func TestFront(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("front.js")
	if err != nil {
		t.Fatal(err)
	}
	type value struct {
		Value string `json:"value"`
	}
	type answer struct {
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
		var got answer
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
			t.Errorf("%s %s leads to %q, want %q", test.method, test.uri, got.Headers["location"].Value, test.want)
		}
	}
}
