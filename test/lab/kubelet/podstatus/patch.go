package podstatus

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// owned are the conditions that the kubelet writes; others belong to those who set the pod's readiness gates.
func owned(t corev1.PodConditionType) bool {
	switch t {
	case corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled:
		return true
	default:
		return false
	}
}

// Adopt returns the status that the kubelet goes on from after the API server has sent the pod anew: its own, with the
// conditions of others as they are now.
func Adopt(own, sent corev1.PodStatus) corev1.PodStatus {
	next := *own.DeepCopy()
	next.Conditions = append(only(next.Conditions, owned), only(sent.Conditions, foreign)...)
	return next
}

// Patch returns a strategic merge patch from one status to another, which is refused for a pod with another UID. changed
// is false where there is nothing to say. Conditions of others are left alone.
func Patch(uid types.UID, from, to corev1.PodStatus) (patch []byte, changed bool, err error) {
	from.Conditions = only(from.Conditions, owned)
	to.Conditions = only(to.Conditions, owned)
	before, err := json.Marshal(corev1.Pod{Status: from})
	if err != nil {
		return nil, false, fmt.Errorf("encode the present status: %w", err)
	}
	after, err := json.Marshal(corev1.Pod{Status: to})
	if err != nil {
		return nil, false, fmt.Errorf("encode the next status: %w", err)
	}
	difference, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
	if err != nil {
		return nil, false, fmt.Errorf("compare the statuses: %w", err)
	}
	if string(difference) == "{}" {
		return nil, false, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(difference, &fields); err != nil {
		return nil, false, fmt.Errorf("decode the patch: %w", err)
	}
	fields["metadata"] = map[string]any{"uid": uid}
	patch, err = json.Marshal(fields)
	return patch, true, err
}

func foreign(t corev1.PodConditionType) bool { return !owned(t) }

func only(conditions []corev1.PodCondition, which func(corev1.PodConditionType) bool) []corev1.PodCondition {
	return slices.DeleteFunc(slices.Clone(conditions), func(c corev1.PodCondition) bool { return !which(c.Type) })
}
