package functions_test

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/host"
)

// reference is where all variables are listed. With UPDATE=1 the test writes it.
const reference = "../docs/configuration.md"

const aboutConfiguration = `# Configuration

A function is configured by environment variables. A value that is wrong, or a name that is
wrong by one letter, stops its start with one line that says what would be right.

Secrets can come as files, too: in the file that the variable with ` + "`_FILE`" + ` added names, or as
` + "`admin-token` or `ADMIN_TOKEN` in `/var/openfaas/secrets`, `/run/secrets` or `/etc/secrets`" + `, which is
where OpenFaaS, Docker and Kubernetes put them; on AWS Lambda from Secrets Manager or SSM, under the
ARN that the variable with ` + "`_ARN`" + ` added has.

This is written by ` + "`UPDATE=1 go test -run Configuration ./functions`" + ` from the code; change it there.
`

// TestConfiguration compares the reference with what the functions say.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	s := platformtest.ReadStack(t)
	text := new(strings.Builder)
	text.WriteString(aboutConfiguration)
	section := func(title string, variables []host.Variable, set map[string]string) {
		fmt.Fprintf(text, "\n## %s\n\n| variable | default | |\n|---|---|---|\n", title)
		for _, v := range variables {
			name, value, about := "`"+v.Name+"`", v.Default, v.About
			if v.Secret {
				name += ", a secret"
			}
			if value != "" {
				value = "`" + value + "`"
			}
			if v.Required {
				value = "must be set"
			}
			if v.Kind != "" {
				about += ": " + v.Kind
			}
			fmt.Fprintf(text, "| %s | %s | %s |\n", name, value, about)
		}
		var changed []string
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if strings.ToUpper(name) == name { // others are OpenFaaS's own
				changed = append(changed, fmt.Sprintf("`%s=%s`", name, set[name]))
			}
		}
		if len(changed) > 0 {
			fmt.Fprintf(text, "\nOn OpenFaaS, `stack.yml` sets %s.\n", strings.Join(changed, ", "))
		}
	}
	section("All functions", host.Common(), nil)
	for _, f := range functions.All() {
		variables, err := host.Describe(t.Context(), f.New)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		section("`"+f.Name+"`", variables, s.Functions[f.Name].Environment)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(reference, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(filepath.FromSlash(reference))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text.String(), string(written)); diff != "" {
		t.Errorf("%s is not what the code says; UPDATE=1 go test -run Configuration ./functions writes it anew: -code +document\n%s", reference, diff)
	}
}

// TestWrongValues starts each function with each of its variables wrong.
func TestWrongValues(t *testing.T) {
	t.Parallel()
	database, redis := localtest.Postgres(t), localtest.Redis(t)
	for _, f := range functions.All() {
		variables, err := host.Describe(t.Context(), f.New)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variables {
			var wrong []string
			switch {
			case v.Secret && v.Required:
				wrong = []string{"", "short"}
			case v.Name == "SUBJECT_KEY":
				wrong = []string{"short"}
			case v.Name == "GEO_DATABASE", v.Name == "DATACENTER_NETWORKS":
				wrong = []string{"/no/such/file", "configuration_test.go"}
			case v.Name == "TRUSTED_PROXY_HEADER":
				wrong = []string{"not a header"}
			case strings.Contains(v.Kind, "duration"):
				wrong = []string{"5", "-5s", "soon"}
			case strings.Contains(v.Kind, "whole number"):
				wrong = []string{"1.5", "-5", "many"}
			default:
				t.Errorf("nobody knows what is wrong for %s of %s", v.Name, f.Name)
			}
			for _, value := range wrong {
				t.Run(fmt.Sprintf("%s/%s=%s", f.Name, v.Name, value), func(t *testing.T) {
					t.Parallel()
					checkRefused(t, f, database, redis, v.Name, value)
				})
			}
		}
	}
}

func checkRefused(t *testing.T, f functions.Function, database, redis, name, value string) {
	t.Helper()
	environment := map[string]string{
		"ADMIN_TOKEN": strings.Repeat("token", 4), "DATABASE_URL": database, "REDIS_URL": redis, "TRUSTED_PROXY_HOPS": "1", name: value,
	}
	process := host.NewProcess(environment, slog.New(slog.DiscardHandler))
	defer process.Close()
	if _, err := host.Build(t.Context(), process.Env(f.Name), f.New); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(host.OneLine(f.Name, err), "\n") {
		t.Errorf("%v", err)
	}
}
