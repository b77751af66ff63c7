package agent_test

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	manifest "github.com/herald-network/herald/config/agent"
)

// An agent runs on every node, cannot be pushed off, and holds no right that it does not need.
func TestDaemonSet(t *testing.T) {
	var d appsv1.DaemonSet
	if err := yaml.UnmarshalStrict(manifest.DaemonSet(), &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	if !pod.HostNetwork || pod.PriorityClassName != "system-node-critical" {
		t.Errorf("hostNetwork %t, priority class %q", pod.HostNetwork, pod.PriorityClassName)
	}
	if len(pod.Tolerations) != 1 || pod.Tolerations[0] != (corev1.Toleration{Operator: corev1.TolerationOpExists}) {
		t.Errorf("tolerates %v, want every taint", pod.Tolerations)
	}
	rolling := d.Spec.UpdateStrategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable.String() != "1" {
		t.Errorf("rolls with %v, want one node at a time", rolling)
	}
	security := pod.Containers[0].SecurityContext
	if security.Capabilities == nil || len(security.Capabilities.Drop) != 1 || security.Capabilities.Drop[0] != "ALL" {
		t.Errorf("capabilities are %v", security.Capabilities)
	}
	// What each is for stands in the manifest.
	if add := []corev1.Capability{"NET_ADMIN", "NET_BIND_SERVICE"}; !slices.Equal(security.Capabilities.Add, add) {
		t.Errorf("adds capabilities %v, want %v", security.Capabilities.Add, add)
	}
	if security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem ||
		security.AllowPrivilegeEscalation == nil || *security.AllowPrivilegeEscalation {
		t.Errorf("security context is %v", security)
	}
}
