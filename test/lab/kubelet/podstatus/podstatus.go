// Package podstatus computes the status of a Pod from what its containers are doing. It is pure, and follows the kubelet's
// rules for the phase and the conditions.
package podstatus

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Container is what is known of one container.
type Container struct {
	// Name and Image are those of the pod's spec.
	Name, Image string
	// ID names the running or last process.
	ID string
	// State and Last are the present state and the last termination before it.
	State, Last corev1.ContainerState
	// Restarts counts the starts after the first.
	Restarts int32
	// Started says that it runs and its startup probe, if it has one, has succeeded.
	Started bool
	// Ready says that its readiness probe succeeds, or that it runs and has none.
	Ready bool
}

// Observed is what is known of a pod.
type Observed struct {
	// Init and Containers are in the order of the spec.
	Init, Containers []Container
	// PodIPs is empty before the pod's network is there.
	PodIPs []netip.Addr
	// HostIPs are the node's addresses.
	HostIPs []netip.Addr
	// StartTime is when the kubelet first saw the pod.
	StartTime metav1.Time
	// Ended says that the pod is being deleted and nothing of it runs any more.
	Ended bool
}

// Compute returns the pod's next status: the one that it has, with what the kubelet knows put in. A condition keeps the
// time of its last transition unless it changes now.
func Compute(pod *corev1.Pod, o Observed, now metav1.Time) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.Phase = phase(pod.Spec.RestartPolicy, o)
	status.StartTime = &o.StartTime
	status.HostIP, status.HostIPs = hostIPs(o.HostIPs)
	status.PodIP, status.PodIPs = podIPs(o.PodIPs)
	status.InitContainerStatuses = containerStatuses(o.Init)
	status.ContainerStatuses = containerStatuses(o.Containers)
	status.ObservedGeneration = pod.Generation
	for _, c := range conditions(pod, status.Phase, o) {
		setCondition(&status, c, pod.Generation, now)
	}
	return status
}

func phase(policy corev1.RestartPolicy, o Observed) corev1.PodPhase {
	if policy == corev1.RestartPolicyNever && slices.ContainsFunc(o.Init, failed) {
		return corev1.PodFailed
	}
	pending := slices.ContainsFunc(o.Init, unfinished) || slices.ContainsFunc(o.Containers, neverRan)
	if pending && !o.Ended {
		return corev1.PodPending
	}
	running := slices.ContainsFunc(o.Containers, func(c Container) bool { return c.State.Running != nil })
	anyFailed := slices.ContainsFunc(slices.Concat(o.Init, o.Containers), func(c Container) bool { return lastExit(c) != 0 })
	switch {
	case running:
		return corev1.PodRunning
	case anyFailed && (o.Ended || policy == corev1.RestartPolicyNever):
		return corev1.PodFailed
	case o.Ended, policy != corev1.RestartPolicyAlways && !anyFailed:
		return corev1.PodSucceeded
	default:
		return corev1.PodRunning // It is about to be restarted.
	}
}

func unfinished(c Container) bool {
	return c.State.Terminated == nil || c.State.Terminated.ExitCode != 0
}

func failed(c Container) bool { return c.State.Terminated != nil && c.State.Terminated.ExitCode != 0 }

func neverRan(c Container) bool {
	return c.State.Running == nil && c.State.Terminated == nil && c.Last.Terminated == nil
}

// lastExit returns the exit status of a container that does not run; 0 for one that runs or never did.
func lastExit(c Container) int32 {
	switch {
	case c.State.Running != nil:
		return 0
	case c.State.Terminated != nil:
		return c.State.Terminated.ExitCode
	case c.Last.Terminated != nil:
		return c.Last.Terminated.ExitCode
	default:
		return 0
	}
}

func containerStatuses(containers []Container) []corev1.ContainerStatus {
	var list []corev1.ContainerStatus
	for _, c := range containers {
		started := c.Started
		list = append(list, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, ContainerID: c.ID,
			State: c.State, LastTerminationState: c.Last,
			Ready: c.Ready, RestartCount: c.Restarts, Started: &started,
		})
	}
	return list
}

func conditions(pod *corev1.Pod, phase corev1.PodPhase, o Observed) []corev1.PodCondition {
	network := corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: statusOf(len(o.PodIPs) > 0 && !o.Ended)}
	initialized := corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}
	if pending := names(o.Init, unfinished); pending != "" {
		initialized.Status = corev1.ConditionFalse
		initialized.Reason = "ContainersNotInitialized"
		initialized.Message = fmt.Sprintf("containers with incomplete status: [%s]", pending)
	}
	containersReady := readyCondition(phase, o)
	ready := containersReady
	ready.Type = corev1.PodReady
	if missing := missingGates(pod); ready.Status == corev1.ConditionTrue && missing != "" {
		ready.Status = corev1.ConditionFalse
		ready.Reason = "ReadinessGatesNotReady"
		ready.Message = fmt.Sprintf("readiness gates that are not True: [%s]", missing)
	}
	scheduled := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}
	return []corev1.PodCondition{network, initialized, ready, containersReady, scheduled}
}

func readyCondition(phase corev1.PodPhase, o Observed) corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionFalse}
	switch phase {
	case corev1.PodSucceeded:
		c.Reason = "PodCompleted"
		return c
	case corev1.PodFailed:
		c.Reason = "PodFailed"
		return c
	default:
	}
	if unready := names(o.Containers, func(c Container) bool { return !c.Ready }); unready != "" {
		c.Reason = "ContainersNotReady"
		c.Message = fmt.Sprintf("containers with unready status: [%s]", unready)
		return c
	}
	c.Status = corev1.ConditionTrue
	return c
}

func missingGates(pod *corev1.Pod) string {
	var missing []string
	for _, gate := range pod.Spec.ReadinessGates {
		met := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == gate.ConditionType && c.Status == corev1.ConditionTrue
		})
		if !met {
			missing = append(missing, string(gate.ConditionType))
		}
	}
	return strings.Join(missing, " ")
}

func names(containers []Container, which func(Container) bool) string {
	var list []string
	for _, c := range containers {
		if which(c) {
			list = append(list, c.Name)
		}
	}
	return strings.Join(list, " ")
}

func statusOf(b bool) corev1.ConditionStatus {
	if b {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

func setCondition(status *corev1.PodStatus, c corev1.PodCondition, generation int64, now metav1.Time) {
	c.ObservedGeneration = generation
	c.LastTransitionTime = now
	i := slices.IndexFunc(status.Conditions, func(old corev1.PodCondition) bool { return old.Type == c.Type })
	if i < 0 {
		status.Conditions = append(status.Conditions, c)
		return
	}
	if status.Conditions[i].Status == c.Status {
		c.LastTransitionTime = status.Conditions[i].LastTransitionTime
	}
	status.Conditions[i] = c
}

func hostIPs(addrs []netip.Addr) (string, []corev1.HostIP) {
	var list []corev1.HostIP
	for _, a := range addrs {
		list = append(list, corev1.HostIP{IP: a.String()})
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0].IP, list
}

func podIPs(addrs []netip.Addr) (string, []corev1.PodIP) {
	var list []corev1.PodIP
	for _, a := range addrs {
		list = append(list, corev1.PodIP{IP: a.String()})
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0].IP, list
}
