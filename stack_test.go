package analytics_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/host"
)

// stack is all that stack.yml may say. faas-cli itself ignores what it doesn't
// know, and builds nothing, without an error, for a function without a lang.
type stack struct {
	Version  string `yaml:"version"`
	Provider struct {
		Name    string `yaml:"name"`
		Gateway string `yaml:"gateway"`
	} `yaml:"provider"`
	Configuration struct {
		Copy []string `yaml:"copy"`
	} `yaml:"configuration"`
	Functions map[string]stackFunction `yaml:"functions"`
}

type stackFunction struct {
	Lang                   string            `yaml:"lang"`
	Handler                string            `yaml:"handler"`
	Image                  string            `yaml:"image"`
	BuildArgs              map[string]string `yaml:"build_args"`
	Secrets                []string          `yaml:"secrets"`
	Environment            map[string]string `yaml:"environment"`
	Labels                 map[string]string `yaml:"labels"`
	Annotations            map[string]string `yaml:"annotations"`
	ReadonlyRootFilesystem bool              `yaml:"readonly_root_filesystem"`
	Requests               resources         `yaml:"requests"`
	Limits                 resources         `yaml:"limits"`
}

type resources struct {
	CPU    string `yaml:"cpu" json:"cpu"`
	Memory string `yaml:"memory" json:"memory"`
}

// strictly reads the documents of a YAML file, with no key that into lacks.
func strictly[T any](t *testing.T, file string) []T {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var all []T
	for {
		var one T
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, one)
	}
}

func readStack(t *testing.T) stack {
	t.Helper()
	all := strictly[stack](t, "stack.yml")
	if len(all) != 1 {
		t.Fatalf("stack.yml has %d documents, want 1", len(all))
	}
	return all[0]
}

var quantity = regexp.MustCompile(`^[1-9][0-9]*(m|Mi)?$`)

func TestStackHasEveryFunction(t *testing.T) {
	t.Parallel()
	s := readStack(t)
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

func checkStackFunction(t *testing.T, f functions.Function, got stackFunction) {
	t.Helper()
	type template struct {
		Language      string `yaml:"language"`
		HandlerFolder string `yaml:"handler_folder"`
	}
	if got.Lang == "" {
		t.Error("no lang: faas-cli would build nothing, without an error")
	} else if templates := strictly[template](t, filepath.Join("template", got.Lang, "template.yml")); templates[0].Language != got.Lang || templates[0].HandlerFolder != "function" {
		t.Errorf("the template of %s is %+v", got.Lang, templates[0])
	}
	for what, path := range map[string]string{
		"Dockerfile": filepath.Join("template", got.Lang, "Dockerfile"), "program": filepath.Join(got.Handler, "cmd", "main.go"),
	} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the %s: %v", what, err)
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
	for _, q := range []string{got.Requests.CPU, got.Requests.Memory, got.Limits.CPU, got.Limits.Memory} {
		if !quantity.MatchString(q) {
			t.Errorf("%q is no quantity", q)
		}
	}
	if !got.ReadonlyRootFilesystem {
		t.Error("its file system can be written")
	}
	checkTimes(t, got.Environment)
}

// checkTimes checks that a run fits into a shutdown, and that into what the
// platform leaves for it.
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
		t.Errorf("a run may take %s, a shutdown %s, and the platform kills after %s", run, grace, platform)
	}
}

// TestStackSecrets starts every function with the secrets that stack.yml gives to
// it, as files, and with each of them missing.
func TestStackSecrets(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"admin-token": strings.Repeat("token", 4), "subject-key": strings.Repeat("key", 11),
		"redis-url": localtest.Redis(t), "database-url": localtest.Postgres(t),
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
	s := readStack(t)
	for _, f := range functions.All() { // in this order: the first one migrates the database
		given := s.Functions[f.Name].Secrets
		if err := start(t.Context(), f, given); err != nil {
			t.Errorf("%s with the secrets %v: %v", f.Name, given, err)
		}
		for i, missing := range given {
			if missing == "subject-key" { // without it subjects are refused
				continue
			}
			if err := start(t.Context(), f, slices.Delete(slices.Clone(given), i, i+1)); err == nil {
				t.Errorf("%s starts without the secret %s: it need not have it", f.Name, missing)
			}
		}
	}
	if !slices.Contains(s.Functions["track"].Secrets, "subject-key") {
		t.Error("track lacks the secret subject-key")
	}
}

// TestStackCopiesAllThatIsBuilt lays out what faas-cli gives to a build and asks
// Go whether anything is missing.
func TestStackCopiesAllThatIsBuilt(t *testing.T) {
	t.Parallel()
	source := t.TempDir()
	for _, path := range readStack(t).Configuration.Copy {
		from, to := path, filepath.Join(source, path)
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
		t.Errorf("a deployed function has code of infra in it:\n%s", output)
	}
}
