package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	k8slabels "k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// Objects of kinds that others bring have only fields that these kinds have. The kinds that Kubernetes brings, the API server
// of test/envtest judges.
func TestForeignKinds(t *testing.T) {
	kinds := map[string]func() any{
		"monitoring.coreos.com/v1 ServiceMonitor": func() any { return &monitoring.ServiceMonitor{} },
		"monitoring.coreos.com/v1 PodMonitor":     func() any { return &monitoring.PodMonitor{} },
		"cert-manager.io/v1 Certificate":          func() any { return &certmanager.Certificate{} },
		"cert-manager.io/v1 Issuer":               func() any { return &certmanager.Issuer{} },
	}
	rendered := map[string]string{}
	for _, directory := range []string{"overlays/prometheus", "overlays/cert-manager"} {
		rendered["config/"+directory] = kustomize(t, filepath.Join(checkout, "config", directory))
	}
	for name, file := range valueFiles(t) {
		rendered["the chart with "+name] = render(t, "--values", file)
	}
	seen := map[string]bool{}
	for source, text := range rendered {
		for id, object := range parse(t, text) {
			kind := object.apiVersion() + " " + object.kind()
			decoded, foreign := kinds[kind]
			if !foreign {
				continue
			}
			seen[kind] = true
			text, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			if err := yaml.UnmarshalStrict(text, decoded()); err != nil {
				t.Errorf("%s, %s: %v", source, id, err)
			}
		}
	}
	for kind := range kinds {
		if !seen[kind] {
			t.Errorf("nothing is a %s", kind)
		}
	}
}

// Prometheus finds what the monitors name: ports by their names, pods and Services by their labels, and a token.
func TestMonitorsFind(t *testing.T) {
	objects := parse(t, kustomize(t, filepath.Join(checkout, "config", "overlays", "prometheus")))
	decode := func(id string, into any) {
		t.Helper()
		text, err := yaml.Marshal(objects[id])
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil || objects[id] == nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	var (
		services monitoring.ServiceMonitor
		pods     monitoring.PodMonitor
		service  core.Service
		manager  apps.Deployment
		agents   apps.DaemonSet
		token    core.Secret
	)
	decode("monitoring.coreos.com/v1 ServiceMonitor herald-system/herald-manager", &services)
	decode("monitoring.coreos.com/v1 PodMonitor herald-system/herald-agent", &pods)
	decode("v1 Service herald-system/herald-manager-metrics", &service)
	decode("apps/v1 Deployment herald-system/herald-manager", &manager)
	decode("v1 Secret herald-system/herald-metrics", &token)
	daemonSet, err := os.ReadFile(filepath.Join(checkout, "config", "agent", "daemonset.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(daemonSet, &agents); err != nil {
		t.Fatal(err)
	}

	selects := func(what string, selector, labels map[string]string) {
		t.Helper()
		if !k8slabels.SelectorFromSet(selector).Matches(k8slabels.Set(labels)) {
			t.Errorf("%s selects %v, not %v", what, selector, labels)
		}
	}
	selects("the ServiceMonitor", services.Spec.Selector.MatchLabels, service.Labels)
	selects("the Service", service.Spec.Selector, manager.Spec.Template.Labels)
	selects("the PodMonitor", pods.Spec.Selector.MatchLabels, agents.Spec.Template.Labels)
	if got, want := services.Spec.Endpoints[0].Port, service.Spec.Ports[0].Name; got != want {
		t.Errorf("the ServiceMonitor asks port %q, the Service has %q", got, want)
	}
	if target := service.Spec.Ports[0].TargetPort.StrVal; !hasPort(manager.Spec.Template.Spec, target) {
		t.Errorf("the manager has no port %q", target)
	}
	if port := *pods.Spec.PodMetricsEndpoints[0].Port; !hasPort(agents.Spec.Template.Spec, port) {
		t.Errorf("agents have no port %q", port)
	}
	for _, name := range []string{services.Spec.Endpoints[0].Authorization.Credentials.Name, pods.Spec.PodMetricsEndpoints[0].Authorization.Credentials.Name} {
		if name != token.Name {
			t.Errorf("a monitor shows the token of Secret %q, there is %q", name, token.Name)
		}
	}
}

func hasPort(pod core.PodSpec, name string) bool {
	return slices.ContainsFunc(pod.Containers[0].Ports, func(p core.ContainerPort) bool { return p.Name == name })
}
