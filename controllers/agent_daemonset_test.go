package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/internal/config"
)

// What the configuration says holds; what it leaves out stays as the manifest has it.
func TestAgentDaemonSetIsAsConfigured(t *testing.T) {
	owner := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "herald-manager", Namespace: "network", UID: "1"}}
	d, err := agentDaemonSet(owner, config.Agent{
		Image: "registry.example/herald:v1", LogLevel: "debug", NodeSelector: map[string]string{"role": "worker"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != AgentDaemonSetName || d.Namespace != "network" {
		t.Errorf("it is %s/%s", d.Namespace, d.Name)
	}
	if len(d.OwnerReferences) != 1 || d.OwnerReferences[0].UID != "1" || d.OwnerReferences[0].BlockOwnerDeletion != nil {
		t.Errorf("owners are %v", d.OwnerReferences)
	}
	pod := d.Spec.Template.Spec
	if pod.Containers[0].Image != "registry.example/herald:v1" || pod.Containers[0].Args[0] != "--log-level=debug" {
		t.Errorf("container is %v %v", pod.Containers[0].Image, pod.Containers[0].Args)
	}
	if pod.NodeSelector["role"] != "worker" || len(pod.Tolerations) == 0 {
		t.Errorf("selects %v, tolerates %v", pod.NodeSelector, pod.Tolerations)
	}

	none, err := agentDaemonSet(owner, config.Agent{Image: "i", LogLevel: "info", Tolerations: []corev1.Toleration{}})
	if err != nil {
		t.Fatal(err)
	}
	if got := none.Spec.Template.Spec.Tolerations; len(got) != 0 {
		t.Errorf("an empty list of tolerations became %v", got)
	}
}
