// Package knative_test validates the manifests of infra/knative with Knative's own types.
package knative_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	sources "knative.dev/eventing/pkg/apis/sources/v1"
	"knative.dev/pkg/apis"
	serving "knative.dev/serving/pkg/apis/serving/v1"
	proxy "knative.dev/serving/pkg/http"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// functions returns the names of all functions.
func functions(t *testing.T) []string {
	t.Helper()
	programs, err := filepath.Glob(filepath.Join(root, "functions/*/cmd"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("no functions: %v", err)
	}
	var names []string
	for _, program := range programs {
		names = append(names, filepath.Base(filepath.Dir(program)))
	}
	return names
}

// object is the common interface of Knative's types.
type object interface {
	SetDefaults(context.Context)
	Validate(context.Context) *apis.FieldError
}

// decodeValid decodes a manifest, rejects unknown keys, and applies defaults and validation
// as Knative's webhooks do. It ignores warnings.
func decodeValid(t *testing.T, manifest []byte, into object) {
	t.Helper()
	if err := yaml.UnmarshalStrict(manifest, into); err != nil {
		t.Fatalf("%v in\n%s", err, manifest)
	}
	ctx := apis.WithinCreate(t.Context())
	into.SetDefaults(ctx)
	if err := into.Validate(ctx).Filter(apis.ErrorLevel); err != nil {
		t.Errorf("%v in\n%s", err, manifest)
	}
}

// manifests returns the objects that `kubectl apply -k infra/knative` applies, by kind.
func manifests(t *testing.T) (services []*serving.Service, pings []*sources.PingSource) {
	t.Helper()
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "infra/knative"))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all.Resources() {
		text, err := one.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		switch kind := one.GetKind(); kind {
		case "Service":
			services = append(services, new(serving.Service))
			decodeValid(t, text, services[len(services)-1])
		case "PingSource":
			pings = append(pings, new(sources.PingSource))
			decodeValid(t, text, pings[len(pings)-1])
		default:
			t.Errorf("unexpected kind %s", kind)
		}
	}
	return services, pings
}

// functionConfig is the configuration of a function in stack.yml or a func.yaml.
type functionConfig struct {
	Secrets []string
	Deploy  struct {
		Annotations map[string]string
		Options     struct {
			Scale     struct{ Min, Max int }
			Resources struct{ Requests, Limits struct{ CPU, Memory string } }
		}
	}
	Run struct {
		Envs []struct{ Name, Value string }
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	var stack struct{ Functions map[string]functionConfig }
	read(t, "stack.yml", &stack)
	services, pings := manifests(t)
	var names []string
	for _, service := range services {
		names = append(names, service.Name)
		t.Run(service.Name, func(t *testing.T) {
			t.Parallel()
			var function functionConfig
			read(t, "infra/knative/"+service.Name+"/func.yaml", &function)
			function.Secrets = stack.Functions[service.Name].Secrets
			checkService(t, service, function)
		})
	}
	slices.Sort(names)
	if want := functions(t); !slices.Equal(names, want) {
		t.Errorf("services %v, want %v", names, want)
	}
	for _, ping := range pings {
		if to := ping.Spec.Sink.Ref; to == nil || to.APIVersion != "serving.knative.dev/v1" || to.Kind != "Service" || !slices.Contains(names, to.Name) {
			t.Errorf("%s has the sink %+v", ping.Name, to)
		}
	}
	if len(pings) != 2 {
		t.Errorf("%d schedules, want 2", len(pings))
	}
}

func checkService(t *testing.T, service *serving.Service, function functionConfig) {
	t.Helper()
	template := service.Spec.Template
	container, spec := template.Spec.Containers[0], template.Spec
	if name := service.Name; container.Image != "ghcr.io/example/analytics/"+name+":v1.0.0" {
		t.Errorf("image %s", container.Image)
	}
	if scale := function.Deploy.Options.Scale; template.Annotations["autoscaling.knative.dev/min-scale"] != strconv.Itoa(scale.Min) ||
		template.Annotations["autoscaling.knative.dev/max-scale"] != strconv.Itoa(scale.Max) {
		t.Errorf("annotations %v, but func.yaml has %+v", template.Annotations, scale)
	}
	for name, value := range function.Deploy.Annotations {
		if template.Annotations[name] != value {
			t.Errorf("annotations %v, but func.yaml has %s: %s", template.Annotations, name, value)
		}
	}
	want := function.Deploy.Options.Resources
	if got := container.Resources; got.Requests.Cpu().String() != want.Requests.CPU || !got.Requests.Memory().Equal(resource.MustParse(want.Requests.Memory)) ||
		got.Limits.Cpu().String() != want.Limits.CPU || !got.Limits.Memory().Equal(resource.MustParse(want.Limits.Memory)) {
		t.Errorf("resources %v, but func.yaml has %+v", got, want)
	}

	// The variables are those of func.yaml, except for the function's name, which the
	// image has, and for the grace period. None is a secret.
	variables := map[string]string{}
	for _, env := range container.Env {
		variables[env.Name] = env.Value
	}
	delete(variables, "SHUTDOWN_GRACE")
	for _, env := range function.Run.Envs {
		if env.Name != "FUNCTION" && variables[env.Name] != env.Value {
			t.Errorf("%s is %q, but func.yaml has %q", env.Name, variables[env.Name], env.Value)
		}
		delete(variables, env.Name)
	}
	if len(variables) > 0 {
		t.Errorf("func.yaml lacks %v", variables)
	}
	var secrets []string
	for _, item := range spec.Volumes[0].Secret.Items {
		secrets = append(secrets, item.Path)
		if item.Key != item.Path {
			t.Errorf("secret %+v", item)
		}
	}
	if !slices.Equal(secrets, function.Secrets) {
		t.Errorf("secrets %v, but stack.yml has %v", secrets, function.Secrets)
	}
	if mount := container.VolumeMounts[0]; mount.MountPath != "/etc/secrets" || !mount.ReadOnly || spec.Volumes[0].Secret.SecretName != "analytics" {
		t.Errorf("secrets mounted at %+v from %s", mount, spec.Volumes[0].Secret.SecretName)
	}

	if ready, alive := container.ReadinessProbe, container.LivenessProbe; ready.HTTPGet.Path != "/_/ready" || alive.HTTPGet.Path != "/_/health" {
		t.Errorf("probes %v, %v", ready, alive)
	}
	secure := container.SecurityContext
	if !*secure.RunAsNonRoot || !*secure.ReadOnlyRootFilesystem || *secure.AllowPrivilegeEscalation ||
		len(secure.Capabilities.Drop) != 1 || secure.Capabilities.Drop[0] != "ALL" || len(secure.Capabilities.Add) > 0 ||
		secure.SeccompProfile.Type != "RuntimeDefault" || *spec.AutomountServiceAccountToken {
		t.Errorf("security context %+v", secure)
	}
}

// TestTrustedProxies checks the number of trusted proxies. A request passes the ingress, which
// adds the client to X-Forwarded-For, and Knative's queue proxy, which adds the ingress. The
// activator would be a third proxy, so it must be bypassed.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-For"))
	}))
	t.Cleanup(function.Close)
	queue := httptest.NewServer(proxy.NewHeaderPruningReverseProxy(strings.TrimPrefix(function.URL, "http://"), proxy.NoHostOverride, nil, false))
	t.Cleanup(queue.Close)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, queue.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", "203.0.113.9") // the client, added by the ingress
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "203.0.113.9, 127.0.0.1" {
		t.Errorf("the function gets %s, %v", got, err)
	}
	services, _ := manifests(t)
	track := services[slices.IndexFunc(services, func(s *serving.Service) bool { return s.Name == "track" })].Spec.Template
	if env := track.Spec.Containers[0].Env; env[0].Name != "TRUSTED_PROXY_HOPS" || env[0].Value != "2" || track.Annotations["autoscaling.knative.dev/target-burst-capacity"] != "0" {
		t.Errorf("track trusts %v with %v", env, track.Annotations)
	}
}
