// Package kubernetes builds infra/kubernetes with Kustomize and checks the objects.
package kubernetes

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// cluster has the used fields of CloudNativePG's Cluster. The module with the original type
// includes the whole operator.
type cluster struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		ImageName       string
		Instances       int
		MinSyncReplicas int
		MaxSyncReplicas int
		Storage         struct{ Size string }
		Affinity        struct {
			EnablePodAntiAffinity bool
			PodAntiAffinityType   string
		}
		Bootstrap struct {
			Initdb struct {
				Database, Owner        string
				Secret                 struct{ Name string }
				DataChecksums          bool
				PostInitApplicationSQL []string
			}
		}
		Postgresql struct {
			SharedPreloadLibraries []string `json:"shared_preload_libraries"`
			Parameters             map[string]string
		}
		Resources core.ResourceRequirements
	}
}

// installation has all objects of an overlay, by name.
type installation struct {
	text        string
	deployments map[string]*apps.Deployment
	stateful    map[string]*apps.StatefulSet
	cron        map[string]*batch.CronJob
	services    map[string]*core.Service
	budgets     map[string]*policy.PodDisruptionBudget
	scalers     map[string]*autoscaling.HorizontalPodAutoscaler
	policies    map[string]*networking.NetworkPolicy
	routes      map[string]*gateway.HTTPRoute
	monitors    map[string]*monitoring.ServiceMonitor
	rules       map[string]*monitoring.PrometheusRule
	clusters    map[string]*cluster
}

// add decodes an object into the map of its kind. It rejects unknown fields.
func add[T any](t *testing.T, all *map[string]*T, name string, text []byte) {
	t.Helper()
	if *all == nil {
		*all = map[string]*T{}
	}
	object := new(T)
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		t.Errorf("%T %s: %v", object, name, err)
	}
	if (*all)[name] != nil {
		t.Errorf("duplicate %T %s", object, name)
	}
	(*all)[name] = object
}

func build(t *testing.T, overlay string) *installation {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("../../infra/kubernetes/overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	i := new(installation)
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		i.text += string(text)
		if r.GetNamespace() != "analytics" {
			t.Errorf("%s %s is in the namespace %q", r.GetKind(), r.GetName(), r.GetNamespace())
		}
		switch kind, name := r.GetApiVersion()+" "+r.GetKind(), r.GetName(); kind {
		case "apps/v1 Deployment":
			add(t, &i.deployments, name, text)
		case "apps/v1 StatefulSet":
			add(t, &i.stateful, name, text)
		case "batch/v1 CronJob":
			add(t, &i.cron, name, text)
		case "v1 Service":
			add(t, &i.services, name, text)
		case "policy/v1 PodDisruptionBudget":
			add(t, &i.budgets, name, text)
		case "autoscaling/v2 HorizontalPodAutoscaler":
			add(t, &i.scalers, name, text)
		case "networking.k8s.io/v1 NetworkPolicy":
			add(t, &i.policies, name, text)
		case "gateway.networking.k8s.io/v1 HTTPRoute":
			add(t, &i.routes, name, text)
		case "monitoring.coreos.com/v1 ServiceMonitor":
			add(t, &i.monitors, name, text)
		case "monitoring.coreos.com/v1 PrometheusRule":
			add(t, &i.rules, name, text)
		case "postgresql.cnpg.io/v1 Cluster":
			add(t, &i.clusters, name, text)
		default:
			t.Errorf("unexpected kind %s of %s", kind, name)
		}
	}
	return i
}

// stackFunction is a function in stack.yml, which other tests check.
type stackFunction struct {
	Secrets     []string          `json:"secrets"`
	Annotations map[string]string `json:"annotations"`
}

func stack(t *testing.T) map[string]stackFunction {
	t.Helper()
	text, err := os.ReadFile("../../stack.yml")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Functions map[string]stackFunction `json:"functions"`
	}
	if err := yaml.Unmarshal(text, &s); err != nil || len(s.Functions) == 0 {
		t.Fatal(err)
	}
	return s.Functions
}

func overlays(t *testing.T, check func(*testing.T, string, *installation)) {
	t.Helper()
	for _, overlay := range []string{"small", "large"} {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			check(t, overlay, build(t, overlay))
		})
	}
}

func TestEveryFunction(t *testing.T) {
	t.Parallel()
	overlays(t, func(t *testing.T, overlay string, i *installation) {
		t.Helper()
		want := stack(t)
		if got := slices.Sorted(maps.Keys(i.deployments)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Errorf("deployments %v", got)
		}
		for name, d := range i.deployments {
			pod := d.Spec.Template
			if len(pod.Spec.Containers) != 1 || pod.Spec.Containers[0].Image != "analytics-platform/"+name {
				t.Errorf("%s runs %+v", name, pod.Spec.Containers)
				continue
			}
			container := pod.Spec.Containers[0]
			if p := container.LivenessProbe; p == nil || p.HTTPGet.Path != "/_/health" || p.HTTPGet.Port.StrVal != "http" {
				t.Errorf("%s: liveness %+v", name, p)
			}
			if p := container.ReadinessProbe; p == nil || p.HTTPGet.Path != "/_/ready" || p.HTTPGet.Port.StrVal != "http" {
				t.Errorf("%s: readiness %+v", name, p)
			}
			if container.StartupProbe == nil || len(container.Ports) != 1 || container.Ports[0].Name != "http" || container.Ports[0].ContainerPort != 8080 {
				t.Errorf("%s: startup %+v, ports %+v", name, container.StartupProbe, container.Ports)
			}
			var secrets []string
			for _, item := range pod.Spec.Volumes[0].Secret.Items {
				secrets = append(secrets, item.Path)
				wantKey := item.Path
				if overlay == "large" && name == "query" && item.Path == "database-url" {
					wantKey = "database-read-url"
				}
				if item.Key != wantKey {
					t.Errorf("%s has the key %s as %s", name, item.Key, item.Path)
				}
			}
			wantSecrets := slices.Clone(want[name].Secrets)
			if want[name].Annotations["schedule"] != "" { // OpenFaaS's schedule can't send a token
				wantSecrets = append(wantSecrets, "schedule-token")
			}
			if slices.Sort(secrets); !slices.Equal(secrets, slices.Sorted(slices.Values(wantSecrets))) {
				t.Errorf("%s has the secrets %v, want %v", name, secrets, wantSecrets)
			}
			if pod.Spec.Volumes[0].Secret.SecretName != "analytics" || container.VolumeMounts[0].MountPath != "/etc/secrets" || !container.VolumeMounts[0].ReadOnly {
				t.Errorf("%s: %+v, %+v", name, pod.Spec.Volumes[0], container.VolumeMounts)
			}
			for label, secret := range map[string]string{"analytics/uses-database": "database-url", "analytics/uses-redis": "redis-url"} {
				if got := pod.Labels[label] == "true"; got != slices.Contains(want[name].Secrets, secret) {
					t.Errorf("%s: %s is %t", name, label, got)
				}
			}
			for _, variable := range container.Env {
				if strings.HasSuffix(variable.Name, "_DEADLINE") && *pod.Spec.TerminationGracePeriodSeconds != 60 {
					t.Errorf("%s is killed after %d s", name, *pod.Spec.TerminationGracePeriodSeconds)
				}
			}
			checkPod(t, name, pod.Spec)
			checkService(t, i.services[name], pod)
			if b := i.budgets[name]; b == nil || b.Spec.MaxUnavailable.IntVal != 1 || !selects(t, b.Spec.Selector, pod.Labels) {
				t.Errorf("%s: disruption budget %+v", name, b)
			}
			if !selects(t, d.Spec.Selector, pod.Labels) {
				t.Errorf("%s does not select its own pods", name)
			}
		}
	})
}

// checkPod checks the requirements for every pod.
func checkPod(t *testing.T, name string, pod core.PodSpec) {
	t.Helper()
	if c := pod.SecurityContext; c == nil || !*c.RunAsNonRoot || *c.RunAsUser == 0 || c.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: security context %+v", name, c)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Errorf("%s has a service account token", name)
	}
	for _, container := range pod.Containers {
		c := container.SecurityContext
		if c == nil || *c.AllowPrivilegeEscalation || !*c.ReadOnlyRootFilesystem || !slices.Contains(c.Capabilities.Drop, "ALL") {
			t.Errorf("%s: security context %+v", name, c)
		}
		r := container.Resources
		if r.Limits.Cpu().IsZero() || r.Limits.Memory().IsZero() || r.Requests.Cpu().IsZero() || r.Requests.Memory().IsZero() {
			t.Errorf("%s: resources %+v", name, r)
		}
		if r.Limits.Memory().Cmp(*r.Requests.Memory()) < 0 || r.Limits.Cpu().Cmp(*r.Requests.Cpu()) < 0 {
			t.Errorf("%s requests more than its limits: %+v", name, r)
		}
		for _, variable := range container.Env {
			if strings.HasSuffix(variable.Name, "_URL") || strings.HasSuffix(variable.Name, "_TOKEN") || strings.HasSuffix(variable.Name, "_KEY") || variable.ValueFrom != nil {
				t.Errorf("%s has %s in its environment", name, variable.Name)
			}
		}
	}
}

// checkService checks that a service targets a port of a pod.
func checkService(t *testing.T, s *core.Service, pod core.PodTemplateSpec) {
	t.Helper()
	if s == nil {
		t.Errorf("a service is missing")
		return
	}
	if !selects(t, &meta.LabelSelector{MatchLabels: s.Spec.Selector}, pod.Labels) {
		t.Errorf("the service %s selects %v", s.Name, s.Spec.Selector)
	}
	for _, port := range s.Spec.Ports {
		if !slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(p core.ContainerPort) bool { return p.Name == port.TargetPort.StrVal }) {
			t.Errorf("the service %s targets the unknown port %s", s.Name, port.TargetPort.StrVal)
		}
	}
}

func selects(t *testing.T, selector *meta.LabelSelector, podLabels map[string]string) bool {
	t.Helper()
	s, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return !s.Empty() && s.Matches(labels.Set(podLabels))
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	overlays(t, func(t *testing.T, _ string, i *installation) {
		t.Helper()
		for name, f := range stack(t) {
			job := i.cron[name]
			if (job != nil) != (f.Annotations["schedule"] != "") {
				t.Errorf("%s has the schedule %q, but a CronJob: %t", name, f.Annotations["schedule"], job != nil)
			}
			if job == nil {
				continue
			}
			pod := job.Spec.JobTemplate.Spec.Template
			if job.Spec.Schedule != f.Annotations["schedule"] || job.Spec.ConcurrencyPolicy != batch.ForbidConcurrent || *job.Spec.JobTemplate.Spec.BackoffLimit != 0 {
				t.Errorf("%s: %+v", name, job.Spec)
			}
			checkCall(t, name, pod.Spec)
			checkPod(t, "the schedule of "+name, pod.Spec)
			if selects(t, i.deployments[name].Spec.Selector, pod.Labels) {
				t.Errorf("the Deployment %s selects the pods of its CronJob", name)
			}
		}
	})
}

// checkCall runs the command of a schedule with a stand-in for wget and its secret in a file.
func checkCall(t *testing.T, name string, pod core.PodSpec) {
	t.Helper()
	container := pod.Containers[0]
	if secret := pod.Volumes[0].Secret; secret.SecretName != "analytics" || len(secret.Items) != 1 ||
		secret.Items[0] != (core.KeyToPath{Key: "schedule-token", Path: "schedule-token"}) || container.VolumeMounts[0].MountPath != "/etc/secrets" {
		t.Errorf("%s: secret %+v at %+v", name, secret, container.VolumeMounts)
	}
	folder := t.TempDir()
	for file, text := range map[string]string{"wget": "#!/bin/sh\nprintf '%s\\n' \"$@\"\n", "schedule-token": "the token\n"} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	command := slices.Clone(container.Command)
	for i := range command {
		command[i] = strings.ReplaceAll(command[i], "/etc/secrets", folder)
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	output, err := cmd.CombinedOutput()
	want := "-q\n-T\n58\n-O\n/dev/null\n--header\nAuthorization: Bearer the token\n--post-data\n{}\nhttp://" + name + ":8080/\n"
	if err != nil || string(output) != want {
		t.Errorf("the schedule of %s calls wget %q, %v; want %q", name, output, err, want)
	}
}

func TestScaling(t *testing.T) {
	t.Parallel()
	overlays(t, func(t *testing.T, overlay string, i *installation) {
		t.Helper()
		if len(i.scalers) == 0 || len(i.budgets) != len(i.deployments) {
			t.Errorf("%d scalers, %d budgets", len(i.scalers), len(i.budgets))
		}
		for name, s := range i.scalers {
			target := i.deployments[s.Spec.ScaleTargetRef.Name]
			if s.Spec.ScaleTargetRef.Kind != "Deployment" || target == nil {
				t.Errorf("%s scales %+v", name, s.Spec.ScaleTargetRef)
			} else if target.Spec.Replicas != nil {
				t.Errorf("%s sets replicas, to which every apply would reset the autoscaler", name)
			}
			if *s.Spec.MinReplicas < 1 || s.Spec.MaxReplicas <= *s.Spec.MinReplicas {
				t.Errorf("%s: from %d to %d", name, *s.Spec.MinReplicas, s.Spec.MaxReplicas)
			}
		}
		if overlay != "large" {
			return
		}
		for name, d := range i.deployments {
			if name == "schema-guard" { // no request waits for it
				continue
			}
			if s := i.scalers[name]; s == nil && (d.Spec.Replicas == nil || *d.Spec.Replicas < 2) || s != nil && *s.Spec.MinReplicas < 2 {
				t.Errorf("%s has a single replica", name)
			}
		}
	})
}

// TestRoutes checks that the routes lead to services.
func TestRoutes(t *testing.T) {
	t.Parallel()
	overlays(t, func(t *testing.T, _ string, i *installation) {
		t.Helper()
		route := i.routes["analytics"]
		strips := map[string]bool{}
		for _, rule := range route.Spec.Rules {
			for _, backend := range rule.BackendRefs {
				name := string(backend.Name)
				service := i.services[name]
				if service == nil || service.Spec.Ports[0].Port != *backend.Port {
					t.Errorf("a route leads to the unknown port %s:%d", name, *backend.Port)
				}
				path := rule.Matches[0].Path
				rewrite := rule.Filters[0].URLRewrite
				strips[name] = len(rule.Matches) == 1 && *path.Type == gateway.PathMatchPathPrefix && *path.Value == "/function/"+name &&
					rewrite != nil && *rewrite.Path.ReplacePrefixMatch == "/"
			}
			if len(rule.BackendRefs) > 0 {
				continue
			}
			if len(rule.Filters) != 1 || *rule.Filters[0].RequestRedirect.Path.ReplaceFullPath != "/function/dashboard/" {
				t.Errorf("rule without a service: %+v", rule)
			}
			for _, match := range rule.Matches {
				if *match.Path.Type != gateway.PathMatchExact {
					t.Errorf("%s is redirected with all paths below it", *match.Path.Value)
				}
			}
		}
		for name := range i.deployments {
			if _, scheduled := i.cron[name]; strips[name] == scheduled {
				t.Errorf("%s has a schedule: %t, a route that strips its prefix: %t; want one of them", name, scheduled, strips[name])
			}
		}
	})
}

// TestNetwork checks which connections are allowed.
func TestNetwork(t *testing.T) {
	t.Parallel()
	overlays(t, func(t *testing.T, _ string, i *installation) {
		t.Helper()
		pods := map[string]map[string]string{"redis": i.stateful["redis"].Spec.Template.Labels}
		for name, d := range i.deployments {
			pods[name] = d.Spec.Template.Labels
		}
		for name, c := range i.cron {
			pods["schedule "+name] = c.Spec.JobTemplate.Spec.Template.Labels
		}
		for name, podLabels := range pods {
			if !selects(t, &i.policies["nothing"].Spec.PodSelector, podLabels) {
				t.Errorf("%s may connect to anything", name)
			}
		}
		for name, p := range i.policies {
			if p.Spec.PodSelector.MatchLabels["cnpg.io/cluster"] == "database" {
				continue // the operator creates these pods
			}
			if !slices.ContainsFunc(slices.Collect(maps.Values(pods)), func(podLabels map[string]string) bool { return selects(t, &p.Spec.PodSelector, podLabels) }) {
				t.Errorf("the policy %s selects no pod", name)
			}
		}
		for name, podLabels := range pods {
			uses := i.policies["redis"].Spec.Ingress[0].From[0].PodSelector
			if got, want := selects(t, uses, podLabels), podLabels["analytics/uses-redis"] == "true"; got != want {
				t.Errorf("%s may connect to Redis: %t", name, got)
			}
			calls := i.policies["schedules"]
			if got, want := selects(t, &calls.Spec.PodSelector, podLabels), strings.HasPrefix(name, "schedule "); got != want {
				t.Errorf("%s may call functions: %t", name, got)
			}
		}
	})
}

func TestStores(t *testing.T) {
	t.Parallel()
	overlays(t, func(t *testing.T, overlay string, i *installation) {
		t.Helper()
		redis := i.stateful["redis"]
		args := strings.Join(redis.Spec.Template.Spec.Containers[0].Args, " ")
		for _, want := range []string{"--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction", "--dir /data", "--aclfile /etc/secrets/redis-users"} {
			if !strings.Contains(args, want) {
				t.Errorf("Redis lacks %s", want)
			}
		}
		checkPod(t, "redis", redis.Spec.Template.Spec)
		checkService(t, i.services["redis"], redis.Spec.Template)
		if !selects(t, redis.Spec.Selector, redis.Spec.Template.Labels) || redis.Spec.ServiceName != "redis" {
			t.Error("Redis does not select its own pods")
		}
		database := i.clusters["database"]
		if !slices.Contains(database.Spec.Postgresql.SharedPreloadLibraries, "timescaledb") || database.Spec.Bootstrap.Initdb.Secret.Name != "database-user" {
			t.Errorf("database %+v", database.Spec)
		}
		if want := map[string]int{"small": 1, "large": 3}[overlay]; database.Spec.Instances != want {
			t.Errorf("the database has %d instances, want %d", database.Spec.Instances, want)
		}
		if overlay == "large" {
			for name, d := range i.deployments {
				if !selects(t, &i.monitors["analytics"].Spec.Selector, i.services[name].Labels) || d.Labels["app.kubernetes.io/component"] != "function" {
					t.Errorf("no monitor scrapes %s", name)
				}
			}
			for _, endpoint := range i.monitors["analytics"].Spec.Endpoints {
				token := core.SecretKeySelector{LocalObjectReference: core.LocalObjectReference{Name: "analytics"}, Key: "metrics-token"}
				if a := endpoint.Authorization; endpoint.Port != "http" || endpoint.Path != "/metrics" || a == nil || a.Credentials == nil || *a.Credentials != token {
					t.Errorf("metrics endpoint %+v", endpoint)
				}
			}
		}
	})
}

var secret = regexp.MustCompile(`(postgres(ql)?|rediss?)://|(?i)(password|token|key):\s*["']?[^\s"'{]{12,}|kind: Secret\b`)

func TestNoSecrets(t *testing.T) {
	t.Parallel()
	overlays(t, func(t *testing.T, _ string, i *installation) {
		t.Helper()
		for line := range strings.Lines(i.text) {
			name := strings.TrimSpace(line)
			if found := secret.FindString(line); found != "" && !slices.Contains([]string{"- key: database-read-url", "- key: database-url", "- key: metrics-token", "key: metrics-token", "- key: schedule-token"}, name) && !strings.HasPrefix(name, "topologyKey:") {
				t.Errorf("%s", line)
			}
		}
	})
}

// TestSecrets checks that secrets.sh prints all required secrets.
func TestSecrets(t *testing.T) {
	t.Parallel()
	output, err := exec.CommandContext(t.Context(), "../../infra/kubernetes/secrets.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	var secrets map[string]*core.Secret
	for text := range strings.SplitSeq(string(output), "---\n") {
		var one core.Secret
		if err := yaml.UnmarshalStrict([]byte(text), &one); err != nil {
			t.Fatal(err)
		}
		add(t, &secrets, one.Name, []byte(text))
	}
	values := secrets["analytics"].StringData
	overlays(t, func(t *testing.T, _ string, i *installation) {
		t.Helper()
		pods := []core.PodSpec{i.stateful["redis"].Spec.Template.Spec}
		for _, d := range i.deployments {
			pods = append(pods, d.Spec.Template.Spec)
		}
		for _, c := range i.cron {
			pods = append(pods, c.Spec.JobTemplate.Spec.Template.Spec)
		}
		for _, pod := range pods {
			for _, item := range pod.Volumes[0].Secret.Items {
				if len(values[item.Key]) < 32 {
					t.Errorf("secrets.sh does not print %s", item.Key)
				}
			}
		}
		if user := secrets[i.clusters["database"].Spec.Bootstrap.Initdb.Secret.Name]; user == nil || user.Type != core.SecretTypeBasicAuth ||
			!strings.Contains(values["database-url"], user.StringData["username"]+":"+user.StringData["password"]+"@database-rw:") ||
			values["database-read-url"] != strings.Replace(values["database-url"], "-rw", "-ro", 1) {
			t.Error("secrets.sh prints different passwords for the database and the functions")
		}
	})
}
