package podplan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// honoured are the fields of a PodSpec that the kubelet carries out, each with all that is below it. A [] stands for
// every element of a list.
func honoured() []string {
	return []string{
		"automountServiceAccountToken", "hostAliases", "hostNetwork", "hostname", "nodeName", "readinessGates",
		"restartPolicy", "serviceAccount", "serviceAccountName", "terminationGracePeriodSeconds", "volumes",
	}
}

// withoutEffect are the fields that change nothing about how a pod runs in the lab, and so deserve no warning: they are
// for the scheduler and the admission plugins, or they confine a process further than the lab's root is confined, or say
// how to fetch an image.
func withoutEffect() []string {
	return []string{
		"affinity", "dnsPolicy", "enableServiceLinks", "imagePullSecrets", "nodeSelector", "os", "overhead",
		"preemptionPolicy", "priority", "priorityClassName", "resources", "schedulerName", "schedulingGates",
		"securityContext", "tolerations", "topologySpreadConstraints",
	}
}

// ofContainer are the fields of both kinds in a container.
func ofContainer() []string {
	fields := []string{
		"args", "command", "env", "envFrom", "image", "imagePullPolicy", "name", "resizePolicy", "resources", "securityContext",
		"terminationMessagePath", "terminationMessagePolicy", "workingDir",
		"lifecycle.preStop.exec", "lifecycle.preStop.httpGet", "lifecycle.preStop.sleep",
		"ports[].containerPort", "ports[].name", "ports[].protocol",
		"volumeMounts[].mountPath", "volumeMounts[].name", "volumeMounts[].readOnly", "volumeMounts[].subPath", "volumeMounts[].subPathExpr",
	}
	for _, probe := range []string{"livenessProbe.", "readinessProbe.", "startupProbe."} {
		for _, field := range []string{
			"exec", "failureThreshold", "httpGet", "initialDelaySeconds", "periodSeconds", "successThreshold",
			"tcpSocket", "terminationGracePeriodSeconds", "timeoutSeconds",
		} {
			fields = append(fields, probe+field)
		}
	}
	return fields
}

// Ignored returns the paths of the fields that are set in the pod and that the lab neither honours nor may pass over in
// silence, sorted; it is empty for most pods.
func Ignored(pod *corev1.Pod) ([]string, error) {
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&pod.Spec)
	if err != nil {
		return nil, fmt.Errorf("read the spec of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	known := slices.Concat(honoured(), withoutEffect())
	for _, field := range ofContainer() {
		known = append(known, "containers[]."+field, "initContainers[]."+field)
	}
	if pod.Spec.HostNetwork { // The API server sets hostPort to containerPort, and so it is.
		known = append(known, "containers[].ports[].hostPort", "initContainers[].ports[].hostPort")
	}
	found := make(map[string]struct{})
	collectUnknown(spec, "", known, found)
	return slices.Sorted(maps.Keys(found)), nil
}

func collectUnknown(value any, path string, known []string, found map[string]struct{}) {
	switch {
	case slices.Contains(known, path):
	case path != "" && !slices.ContainsFunc(known, func(k string) bool { return isBelow(k, path) }):
		found["spec."+path] = struct{}{}
	default:
		collectUnknownBelow(value, path, known, found)
	}
}

func collectUnknownBelow(value any, path string, known []string, found map[string]struct{}) {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			childPath := key
			if path != "" {
				childPath = path + "." + key
			}
			collectUnknown(child, childPath, known, found)
		}
	case []any:
		for _, child := range v {
			collectUnknown(child, path+"[]", known, found)
		}
	}
}

func isBelow(path, ancestor string) bool {
	rest, ok := strings.CutPrefix(path, ancestor)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "["))
}
