package analytics_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/functions"
)

// funcFile is all that a func.yaml may say here.
type funcFile struct {
	SpecVersion string    `yaml:"specVersion"`
	Name        string    `yaml:"name"`
	Runtime     string    `yaml:"runtime"`
	Created     time.Time `yaml:"created"`
	Build       struct {
		Builder string `yaml:"builder"`
	} `yaml:"build"`
	Run struct {
		Envs []struct {
			Name  string `yaml:"name"`
			Value string `yaml:"value"`
		} `yaml:"envs"`
		Volumes []struct {
			Secret string `yaml:"secret"`
			Path   string `yaml:"path"`
		} `yaml:"volumes"`
	} `yaml:"run"`
	Deploy struct {
		HealthEndpoints struct {
			Liveness  string `yaml:"liveness"`
			Readiness string `yaml:"readiness"`
		} `yaml:"healthEndpoints"`
		Options struct {
			Scale struct {
				Min int `yaml:"min"`
				Max int `yaml:"max"`
			} `yaml:"scale"`
			Resources struct {
				Requests resources `yaml:"requests"`
				Limits   resources `yaml:"limits"`
			} `yaml:"resources"`
		} `yaml:"options"`
	} `yaml:"deploy"`
}

func readFunc(t *testing.T, file string) funcFile {
	t.Helper()
	f := strictly[funcFile](t, file)[0]
	if f.SpecVersion != "0.36.0" || f.Runtime != "go" || f.Build.Builder != "host" || f.Created.IsZero() {
		t.Errorf("%s: %+v", file, f)
	}
	return f
}

func TestKnativeFiles(t *testing.T) {
	t.Parallel()
	readFunc(t, "func.yaml")
	found, err := filepath.Glob("infra/knative/*/func.yaml")
	if err != nil || len(found) != len(functions.All()) {
		t.Errorf("infra/knative has %v, %v", found, err)
	}
	for _, f := range functions.All() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			got := readFunc(t, filepath.Join("infra/knative", f.Name, "func.yaml"))
			envs := map[string]string{}
			for _, env := range got.Run.Envs {
				envs[env.Name] = env.Value
			}
			if got.Name != f.Name || envs["FUNCTION"] != f.Name {
				t.Errorf("name %q, FUNCTION %q", got.Name, envs["FUNCTION"])
			}
			if len(got.Run.Volumes) != 1 || got.Run.Volumes[0].Secret != "analytics" || got.Run.Volumes[0].Path != "/etc/secrets" {
				t.Errorf("volumes %+v", got.Run.Volumes)
			}
			if health := got.Deploy.HealthEndpoints; health.Liveness != "/health/liveness" || health.Readiness != "/health/readiness" {
				t.Errorf("health endpoints %+v", health)
			}
			if scale := got.Deploy.Options.Scale; scale.Min < 0 || scale.Max < max(1, scale.Min) {
				t.Errorf("scale %+v", scale)
			}
			limits := got.Deploy.Options.Resources
			for _, q := range []string{limits.Requests.CPU, limits.Requests.Memory, limits.Limits.CPU, limits.Limits.Memory} {
				if !quantity.MatchString(q) {
					t.Errorf("%q is no quantity", q)
				}
			}
		})
	}
}

// pingSource is all that a PingSource may say here.
type pingSource struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		Schedule    string `yaml:"schedule"`
		ContentType string `yaml:"contentType"`
		Data        string `yaml:"data"`
		Sink        struct {
			Ref struct {
				APIVersion string `yaml:"apiVersion"`
				Kind       string `yaml:"kind"`
				Name       string `yaml:"name"`
			} `yaml:"ref"`
		} `yaml:"sink"`
	} `yaml:"spec"`
}

func TestKnativeSchedules(t *testing.T) {
	t.Parallel()
	got, want := map[string]string{}, map[string]string{}
	for _, source := range strictly[pingSource](t, "infra/knative/schedules.yaml") {
		if source.APIVersion != "sources.knative.dev/v1" || source.Kind != "PingSource" || source.Spec.Sink.Ref.Kind != "Service" {
			t.Errorf("%+v", source)
		}
		got[source.Spec.Sink.Ref.Name] = source.Spec.Schedule
	}
	for _, f := range functions.All() {
		if f.Schedule != "" {
			want[f.Name] = f.Schedule
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
