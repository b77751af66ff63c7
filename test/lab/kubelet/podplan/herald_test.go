package podplan_test

import (
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
)

// Herald's own pods run in the lab as they are: whatever their manifests say, the lab carries out.
func TestNothingOfHeraldsPodsIsIgnored(t *testing.T) {
	t.Parallel()
	config := filepath.Join("..", "..", "..", "..", "config")
	var (
		manager appsv1.Deployment
		agent   appsv1.DaemonSet
	)
	for file, object := range map[string]any{"manager/deployment.yaml": &manager, "agent/daemonset.yaml": &agent} {
		text, err := os.ReadFile(filepath.Join(config, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			t.Fatal(err)
		}
	}
	for name, template := range map[string]corev1.PodTemplateSpec{"manager": manager.Spec.Template, "agent": agent.Spec.Template} {
		fields, err := podplan.Ignored(&corev1.Pod{Spec: template.Spec})
		if err != nil {
			t.Fatal(err)
		}
		if len(fields) > 0 {
			t.Errorf("of the %s's pods the lab ignores %v", name, fields)
		}
	}
}
