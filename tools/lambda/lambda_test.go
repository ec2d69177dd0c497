package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"go.yaml.in/yaml/v3"
)

const (
	root   = "../.."
	folder = root + "/infra/lambda"
)

// schedules maps cron schedules to those of EventBridge.
var schedules = map[string]string{"": "", "* * * * *": "rate(1 minute)"}

func TestEveryFunction(t *testing.T) {
	t.Parallel()
	var stack struct {
		Functions map[string]struct {
			Secrets     []string
			Annotations map[string]string
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "stack.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &stack); err != nil {
		t.Fatal(err)
	}
	all, err := functions(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(stack.Functions) {
		t.Errorf("%d functions, want %d", len(all), len(stack.Functions))
	}
	for name, f := range stack.Functions {
		got, ok := all[name]
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		want := slices.DeleteFunc(f.Secrets, func(s string) bool { return s == "metrics-token" }) // Prometheus can't reach the processes
		if !slices.Equal(want, got.Secrets) {
			t.Errorf("%s has the secrets %v, want %v as in stack.yml", name, got.Secrets, want)
		}
		if want, ok := schedules[f.Annotations["schedule"]]; !ok || got.Schedule != want {
			t.Errorf("%s: schedule %q, want %q", name, got.Schedule, want)
		}
		if got.Schedule != "" && (got.Concurrency < 1 || got.Concurrency > 2) {
			t.Errorf("%s has the concurrency %d, want 1 or 2", name, got.Concurrency)
		}
		if got.Memory < 128 || got.Timeout < 10 || got.Timeout > 900 {
			t.Errorf("%s: memory %d, timeout %d", name, got.Memory, got.Timeout)
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
	all, err := bodies(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range all {
		for _, block := range body.Blocks {
			if block.Type != "resource" {
				continue
			}
			name := strings.Join(block.Labels, ".")
			if want, ok := forEach[name]; ok {
				delete(forEach, name)
				if got := block.Body.Attributes["for_each"]; got == nil || path(got.Expr) != want {
					t.Errorf("%s: for_each is not %s", name, want)
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
		t.Errorf("%s is missing", missing)
	}
}

// path returns the path of a reference.
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
