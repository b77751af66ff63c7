package kubeobject_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/kubeobject"
)

// What kubelets of Kubernetes 1.33 to 1.37 write, from their own sources.
func TestOnlyAShutdownTakesANodeThatIsNotReadyOutOfService(t *testing.T) {
	ready := func(status corev1.ConditionStatus, reason, message string) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory"},
				{Type: corev1.NodeReady, Status: status, Reason: reason, Message: message},
			}
		}
	}
	for name, row := range map[string]struct {
		node func(*corev1.Node)
		want intent.OutOfServiceReason
	}{
		"ready":                  {ready("True", "KubeletReady", "kubelet is posting ready status"), ""},
		"shutting down":          {ready("False", "KubeletNotReady", "node is shutting down"), intent.ShuttingDown},
		"shutting down and more": {ready("False", "KubeletNotReady", "[container runtime is down, node is shutting down]"), intent.ShuttingDown},
		"runtime down":           {ready("False", "KubeletNotReady", "container runtime is down"), ""},
		"kubelet silent":         {ready("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."), ""},
		"cancelled":              {ready("True", "KubeletReady", "kubelet is posting ready status. WARNING: node is shutting down"), ""},
		"cordoned": {func(n *corev1.Node) {
			n.Spec.Unschedulable = true
			n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{}
			row.node(node)
			if got := kubeobject.Node(node).OutOfService(); got != row.want {
				t.Errorf("out of service: %q, want %q", got, row.want)
			}
			if got := kubeobject.IsSilent(node); got != (name == "kubelet silent") {
				t.Errorf("silent: %v", got)
			}
		})
	}
}
