package kubeobject

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// What a kubelet with graceful node shutdown says in the condition Ready as soon as its host begins to shut down, and takes
// back where the shutdown is cancelled (pkg/kubelet/nodeshutdown). The message joins all that keeps the node from being
// ready; no other field tells a shutdown from the rest.
const (
	notReadyReason  = "KubeletNotReady"
	shutdownMessage = "node is shutting down"
)

// Shutdown returns the condition of a Node that says that its host shuts down; nil where none does. A node that is not ready
// for another reason may still forward, and so may one whose kubelet is silent.
func Shutdown(n *corev1.Node) *corev1.NodeCondition {
	for i := range n.Status.Conditions {
		c := &n.Status.Conditions[i]
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionFalse && c.Reason == notReadyReason &&
			strings.Contains(c.Message, shutdownMessage) {
			return c
		}
	}
	return nil
}

// IsSilent reports whether the node's kubelet is not heard of any more, by the judgement of the node lifecycle controller,
// which then writes over what the kubelet said last.
func IsSilent(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown
	})
}
