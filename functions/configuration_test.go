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

// reference is the document that lists all variables. UPDATE=1 writes it.
const reference = "../docs/configuration.md"

const aboutConfiguration = `# Configuration

Functions are configured with environment variables. If a value is invalid or a name is
misspelled by one letter, the function does not start and prints one line that says what is
valid.

Secrets can also be read from files: from the file that the variable with the suffix ` + "`_FILE`" + ` names,
or from ` + "`admin-token` or `ADMIN_TOKEN` in `/var/openfaas/secrets`, `/run/secrets` or `/etc/secrets`" + `,
where OpenFaaS, Docker and Kubernetes mount them. On AWS Lambda they can be read from Secrets Manager
or SSM; the variable with the suffix ` + "`_ARN`" + ` contains the ARN. Blanks and line breaks
around a secret are not part of it.

This document is generated from the code by ` + "`UPDATE=1 go test -run Configuration ./functions`" + `.
`

// TestConfiguration compares the reference with the configurations of the functions.
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
			if strings.ToUpper(name) == name { // others belong to OpenFaaS
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
		t.Errorf("%s is out of date; update it with UPDATE=1 go test -run Configuration ./functions: -code +document\n%s", reference, diff)
	}
}

// TestInvalidValues starts each function with an invalid value of each of its variables, on an empty
// database: it must say so before it waits for the tables.
func TestInvalidValues(t *testing.T) {
	t.Parallel()
	database, redis := localtest.Postgres(t), localtest.Redis(t)
	for _, f := range functions.All() {
		variables, err := host.Describe(t.Context(), f.New)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variables {
			var invalid []string
			switch {
			case v.Secret && v.Required:
				invalid = []string{"", "short"}
			case v.Name == "SUBJECT_KEY", v.Name == "SCHEDULE_TOKEN":
				invalid = []string{"short"}
			case v.Name == "GEO_DATABASE", v.Name == "DATACENTER_NETWORKS":
				invalid = []string{"/no/such/file", "configuration_test.go"}
			case v.Name == "TRUSTED_PROXY_HEADER":
				invalid = []string{"not a header"}
			case strings.Contains(v.Kind, "duration"):
				invalid = []string{"5", "-5s", "soon"}
			case strings.Contains(v.Kind, "whole number"):
				invalid = []string{"1.5", "-5", "many"}
			default:
				t.Errorf("the test has no invalid value for %s of %s", v.Name, f.Name)
			}
			for _, value := range invalid {
				t.Run(fmt.Sprintf("%s/%s=%s", f.Name, v.Name, value), func(t *testing.T) {
					t.Parallel()
					checkInvalid(t, f, database, redis, v.Name, value)
				})
			}
		}
	}
}

func checkInvalid(t *testing.T, f functions.Function, database, redis, name, value string) {
	t.Helper()
	environment := map[string]string{
		"ADMIN_TOKEN": "the owner's token of this installation", "DATABASE_URL": database, "REDIS_URL": redis, "TRUSTED_PROXY_HOPS": "1",
		"SALT_KEY": localtest.SaltKey, name: value,
	}
	process := host.NewProcess(environment, slog.New(slog.DiscardHandler))
	defer process.Close()
	if _, err := host.Build(t.Context(), process.Env(f.Name), f.New); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(host.OneLine(f.Name, err), "\n") {
		t.Errorf("got error %v, want one line that names %s", err, name)
	}
}
