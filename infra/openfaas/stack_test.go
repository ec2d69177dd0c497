package openfaas_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/host"
)

func TestStack(t *testing.T) {
	t.Parallel()
	s := platformtest.ReadStack(t)
	if s.Version != "1.0" || s.Provider.Name != "openfaas" || s.Provider.Gateway == "" {
		t.Errorf("version %q, provider %+v", s.Version, s.Provider)
	}
	got := slices.Sorted(maps.Keys(s.Functions))
	var want []string
	for _, f := range functions.All() {
		want = append(want, f.Name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	for _, f := range functions.All() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			checkStackFunction(t, f, s.Functions[f.Name])
		})
	}
}

func checkStackFunction(t *testing.T, f functions.Function, got platformtest.StackFunction) {
	t.Helper()
	root := platformtest.Root(t)
	type template struct {
		Language      string `yaml:"language"`
		HandlerFolder string `yaml:"handler_folder"`
	}
	if got.Lang == "" {
		t.Error("no lang: faas-cli would silently build nothing")
	} else if templates := platformtest.ReadYAML[template](t, filepath.Join(root, "template", got.Lang, "template.yml")); templates[0].Language != got.Lang || templates[0].HandlerFolder != "function" {
		t.Errorf("the template of %s is %+v", got.Lang, templates[0])
	}
	for name, path := range map[string]string{
		"Dockerfile": filepath.Join(root, "template", got.Lang, "Dockerfile"), "program": filepath.Join(root, got.Handler, "cmd", "main.go"),
	} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got.Handler != "./functions/"+f.Name || got.BuildArgs["FUNCTION"] != f.Name || !strings.Contains(got.Image, "/"+f.Name+":") {
		t.Errorf("handler %q, build_args %v, image %q", got.Handler, got.BuildArgs, got.Image)
	}
	if topic, schedule := got.Annotations["topic"], got.Annotations["schedule"]; schedule != f.Schedule || (topic == "cron-function") != (f.Schedule != "") {
		t.Errorf("topic %q, schedule %q, want schedule %q", topic, schedule, f.Schedule)
	}
	if got.Annotations["com.openfaas.health.http.path"] != "/_/health" || got.Annotations["com.openfaas.ready.http.path"] != "/_/ready" {
		t.Errorf("health annotations %v", got.Annotations)
	}
	got.Requests.Check(t)
	got.Limits.Check(t)
	if !got.ReadonlyRootFilesystem {
		t.Error("the root file system is writable")
	}
	checkTimes(t, got.Environment)
}

// checkTimes checks that a run is shorter than the grace period of a shutdown, and that the
// platform's timeout is longer.
func checkTimes(t *testing.T, environment map[string]string) {
	t.Helper()
	duration := func(name, missing string) time.Duration {
		text, ok := environment[name]
		if !ok {
			text = missing
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return d
	}
	run := max(duration("AGGREGATE_DEADLINE", "0s"), duration("SCHEMA_GUARD_DEADLINE", "0s"))
	grace, platform := duration("SHUTDOWN_GRACE", ""), duration("write_timeout", "")
	if run >= grace || grace >= platform {
		t.Errorf("run deadline %s, shutdown grace %s, platform timeout %s: each must be longer than the one before", run, grace, platform)
	}
}

// TestStackSecrets starts every function with its secrets in stack.yml, as files, and then
// without each of them.
func TestStackSecrets(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"admin-token": "the owner's token of this installation", "subject-key": strings.Repeat("key", 11), "salt-key": strings.Repeat("salt", 8),
		"metrics-token": localtest.MetricsToken, "redis-url": localtest.Redis(t), "database-url": localtest.Postgres(t),
	}
	folder := t.TempDir()
	for name, value := range values {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func(ctx context.Context, f functions.Function, secrets []string) error {
		variables := map[string]string{}
		for _, name := range secrets {
			variables[strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_FILE"] = filepath.Join(folder, name)
		}
		process := host.NewProcess(variables, slog.New(slog.DiscardHandler))
		defer process.Close()
		instance, err := host.Build(ctx, process.Env(f.Name), f.New)
		if err != nil {
			return err
		}
		return instance.Close(ctx)
	}
	s := platformtest.ReadStack(t)
	for _, f := range functions.All() { // in order: the first function migrates the database
		given := s.Functions[f.Name].Secrets
		if err := start(t.Context(), f, given); err != nil {
			t.Errorf("%s with the secrets %v: %v", f.Name, given, err)
		}
		for i, missing := range given {
			if missing == "subject-key" || missing == "metrics-token" { // optional: without them subjects and scrapes are refused
				continue
			}
			if err := start(t.Context(), f, slices.Delete(slices.Clone(given), i, i+1)); err == nil {
				t.Errorf("%s starts without the secret %s, so it should not have it", f.Name, missing)
			}
		}
	}
	if !slices.Contains(s.Functions["track"].Secrets, "subject-key") {
		t.Error("track lacks the secret subject-key")
	}
	for name, f := range s.Functions {
		if !slices.Contains(f.Secrets, "metrics-token") {
			t.Errorf("%s lacks the secret metrics-token", name)
		}
	}
}

// TestStackCopy checks that the files that stack.yml copies suffice to build the functions.
func TestStackCopy(t *testing.T) {
	t.Parallel()
	root, source := platformtest.Root(t), t.TempDir()
	for _, path := range platformtest.ReadStack(t).Configuration.Copy {
		from, to := filepath.Join(root, path), filepath.Join(source, path)
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
	args := []string{"list", "-deps", "-tags", "timetzdata,lambda.norpc,countries", "-f", "{{.ImportPath}}"}
	for _, f := range functions.All() {
		args = append(args, "./functions/"+f.Name+"/cmd")
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = source
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if bytes.Contains(output, []byte("/infra/")) {
		t.Errorf("a function depends on a package of infra:\n%s", output)
	}
}
