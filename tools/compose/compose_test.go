// Package compose checks infra/compose/compose.yml with Compose's own loader.
package compose

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

const folder = "../../infra/compose"

// load loads the project as `docker compose` does, with environment variables.
func load(t *testing.T, environment ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose.yml")},
		cli.WithEnv(environment), cli.WithWorkingDirectory(folder), cli.WithResolvedPaths(true), cli.WithConsistency(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// stackFunction is a function of stack.yml.
type stackFunction struct {
	Secrets     []string
	Annotations map[string]string
}

// secrets are those that the function needs. OpenFaaS's schedule can't send a token.
func (f stackFunction) secrets() []string {
	if f.Annotations["schedule"] == "" {
		return f.Secrets
	}
	return append(slices.Clone(f.Secrets), "schedule-token")
}

// stack returns the functions of stack.yml, which other tests check.
func stack(t *testing.T) map[string]stackFunction {
	t.Helper()
	text, err := os.ReadFile("../../stack.yml")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Functions map[string]stackFunction
	}
	if err := yaml.Unmarshal(text, &s); err != nil || len(s.Functions) == 0 {
		t.Fatal(err)
	}
	return s.Functions
}

func TestEveryFunction(t *testing.T) {
	t.Parallel()
	project := load(t)
	for name, want := range stack(t) {
		f, err := project.GetService(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if f.Image != "analytics-platform/"+name+":latest" || f.Build == nil || *f.Build.Args["FUNCTION"] != name {
			t.Errorf("%s: image %q, build %+v", name, f.Image, f.Build)
			continue
		}
		if _, err := os.Stat(filepath.Join(f.Build.Context, f.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(f.Build.Context, "functions", name, "cmd")); err != nil {
			t.Error(err)
		}
		if got := secrets(f); !slices.Equal(got, want.secrets()) {
			t.Errorf("%s has the secrets %v, want %v", name, got, want.secrets())
		}
		if !slices.Equal(f.HealthCheck.Test, []string{"CMD", "/server", "-health"}) {
			t.Errorf("%s: health check %v", name, f.HealthCheck.Test)
		}
		for secret, store := range map[string]string{"database-url": "database", "redis-url": "redis"} {
			_, waits := f.DependsOn[store]
			if needs := slices.Contains(want.Secrets, secret); needs != waits {
				t.Errorf("%s has %s: %t, but waits for %s: %t", name, secret, needs, store, waits)
			}
			if _, reaches := f.Networks["back"]; waits && !reaches {
				t.Errorf("%s is not in the network of %s", name, store)
			}
		}
		grace := 25 * time.Second // the default
		if text := f.Environment["SHUTDOWN_GRACE"]; text != nil {
			if grace, err = time.ParseDuration(*text); err != nil {
				t.Error(err)
			}
		}
		if time.Duration(*f.StopGracePeriod) <= grace {
			t.Errorf("%s is killed after %s, but its shutdown may take %s", name, f.StopGracePeriod, grace)
		}
	}
	if got := secrets(project.Services["scheduler"]); !slices.Equal(got, []string{"schedule-token"}) {
		t.Errorf("the scheduler has the secrets %v", got)
	}
	for port, name := range map[string]string{"4001": "track", "4002": "aggregate", "4003": "query", "4004": "websocket-bridge", "4005": "schema-guard"} {
		f := project.Services[name]
		if len(f.Ports) != 1 || f.Ports[0].Published != port || f.Ports[0].HostIP != "127.0.0.1" || f.Ports[0].Target != 8080 {
			t.Errorf("%s: ports %+v", name, f.Ports)
		}
	}
}

func secrets(s types.ServiceConfig) (names []string) {
	for _, secret := range s.Secrets {
		names = append(names, secret.Source)
	}
	return names
}

func TestEveryService(t *testing.T) {
	t.Parallel()
	project := load(t)
	for name, s := range project.Services {
		if s.Restart != "unless-stopped" || !s.ReadOnly || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || !slices.Contains(s.CapDrop, "ALL") {
			t.Errorf("%s: restart %q, read-only %t, security %v, dropped %v", name, s.Restart, s.ReadOnly, s.SecurityOpt, s.CapDrop)
		}
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes == 0 || s.Deploy.Resources.Limits.NanoCPUs == 0 {
			t.Errorf("%s has no limits", name)
		}
		if s.Privileged || s.NetworkMode != "" {
			t.Errorf("%s: privileged %t, network %q", name, s.Privileged, s.NetworkMode)
		}
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || s.Build == nil && tag == "latest" {
			t.Errorf("%s: the image %q is not pinned", name, s.Image)
		}
		for _, secret := range s.Secrets {
			if project.Secrets[secret.Source].File == "" {
				t.Errorf("%s: the secret %s is not a file", name, secret.Source)
			}
		}
		for variable, value := range s.Environment {
			if value != nil && secret.MatchString(variable+"="+*value) {
				t.Errorf("%s: %s looks like a secret in the environment", name, variable)
			}
		}
		for other, how := range s.DependsOn {
			if how.Condition != types.ServiceConditionHealthy || project.Services[other].HealthCheck == nil {
				t.Errorf("%s waits for %s until %s", name, other, how.Condition)
			}
		}
		for _, port := range s.Ports {
			if name != "proxy" && port.HostIP != "127.0.0.1" {
				t.Errorf("%s is public at port %s", name, port.Published)
			}
		}
		for _, volume := range s.Volumes {
			if volume.Type == types.VolumeTypeBind {
				if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
					t.Errorf("%s: %s, read-only %t, %v", name, volume.Source, volume.ReadOnly, err)
				}
			}
		}
	}
	for _, name := range []string{"database", "redis", "backup"} {
		if networks := project.Services[name].Networks; len(networks) != 1 || !project.Networks["back"].Internal {
			t.Errorf("%s is in the networks %v", name, networks)
		}
	}
}

var secret = regexp.MustCompile(`(?i)(password|token|key|secret)=|://[^/]*:[^/]*@`)

// TestSettings checks that every variable of .env.example has an effect.
func TestSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(folder, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^#?([A-Z_]+)=`).FindAllSubmatch(text, -1)
	if len(names) < 10 {
		t.Errorf("%d variables", len(names))
	}
	plain, err := load(t).MarshalYAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range names {
		name := string(match[1])
		changed, err := load(t, name+"=7777").MarshalYAML()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(changed), "7777") && !strings.Contains(string(changed), "8154775552") || string(changed) == string(plain) { // 7777 MiB
			t.Errorf("%s has no effect", name)
		}
	}
	if site := *load(t, "DOMAIN=").Services["proxy"].Environment["SITE"]; site != ":80" {
		t.Errorf("without a domain the proxy serves %q", site)
	}
	if site := *load(t, "DOMAIN=stats.example.com").Services["proxy"].Environment["SITE"]; site != "stats.example.com" {
		t.Errorf("with a domain the proxy serves %q", site)
	}
}
