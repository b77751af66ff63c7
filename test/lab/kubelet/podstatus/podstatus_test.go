package podstatus_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/test/lab/kubelet/podstatus"
)

// Containers in the states that they can be in.
func running(ready bool) podstatus.Container {
	return podstatus.Container{
		Name: "c", Started: true, Ready: ready, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}
}

func waiting() podstatus.Container {
	return podstatus.Container{Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}
}

func exited(code int32) podstatus.Container {
	return podstatus.Container{Name: "c", State: terminated(code)}
}

func backingOff(code int32) podstatus.Container {
	c := waiting()
	c.State.Waiting.Reason, c.Last = "CrashLoopBackOff", terminated(code)
	return c
}

func terminated(code int32) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}
}

func list(containers ...podstatus.Container) []podstatus.Container { return containers }

func TestPhaseFollowsTheContainers(t *testing.T) {
	const always, onFailure, never = corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	for name, tc := range map[string]struct {
		policy   corev1.RestartPolicy
		observed podstatus.Observed
		want     corev1.PodPhase
	}{
		"nothing started yet":                 {always, podstatus.Observed{Containers: list(waiting())}, corev1.PodPending},
		"one of two runs":                     {always, podstatus.Observed{Containers: list(running(true), waiting())}, corev1.PodPending},
		"all run":                             {always, podstatus.Observed{Containers: list(running(true), running(false))}, corev1.PodRunning},
		"one ended, one runs":                 {never, podstatus.Observed{Containers: list(running(true), exited(1))}, corev1.PodRunning},
		"waiting for a restart":               {always, podstatus.Observed{Containers: list(backingOff(1))}, corev1.PodRunning},
		"about to be restarted":               {always, podstatus.Observed{Containers: list(exited(0))}, corev1.PodRunning},
		"done":                                {never, podstatus.Observed{Containers: list(exited(0), exited(0))}, corev1.PodSucceeded},
		"done, restarts on failure":           {onFailure, podstatus.Observed{Containers: list(exited(0))}, corev1.PodSucceeded},
		"failed for good":                     {never, podstatus.Observed{Containers: list(exited(0), exited(1))}, corev1.PodFailed},
		"failed, restarts on failure":         {onFailure, podstatus.Observed{Containers: list(backingOff(1))}, corev1.PodRunning},
		"init container runs":                 {always, podstatus.Observed{Init: list(running(false)), Containers: list(waiting())}, corev1.PodPending},
		"init container failed for good":      {never, podstatus.Observed{Init: list(exited(1)), Containers: list(waiting())}, corev1.PodFailed},
		"init container failed, tries again":  {always, podstatus.Observed{Init: list(exited(1)), Containers: list(waiting())}, corev1.PodPending},
		"init container done":                 {always, podstatus.Observed{Init: list(exited(0)), Containers: list(running(true))}, corev1.PodRunning},
		"deleted, ended well":                 {always, podstatus.Observed{Ended: true, Containers: list(exited(0))}, corev1.PodSucceeded},
		"deleted, ended with an error":        {always, podstatus.Observed{Ended: true, Containers: list(exited(137))}, corev1.PodFailed},
		"deleted before anything was started": {always, podstatus.Observed{Ended: true, Containers: list(waiting())}, corev1.PodSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: tc.policy}}
			if got := podstatus.Compute(pod, tc.observed, metav1.Now()).Phase; got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestConditionsFollowTheContainers(t *testing.T) {
	ip := []netip.Addr{netip.MustParseAddr("10.48.1.2")}
	for name, tc := range map[string]struct {
		observed podstatus.Observed
		gates    string
		want     string // the types that are True
	}{
		"bound only":                     {podstatus.Observed{Containers: list(waiting())}, "", "Initialized PodScheduled"},
		"network is there":               {podstatus.Observed{PodIPs: ip, Containers: list(waiting())}, "", "Initialized PodReadyToStartContainers PodScheduled"},
		"init container runs":            {podstatus.Observed{PodIPs: ip, Init: list(running(false)), Containers: list(waiting())}, "", "PodReadyToStartContainers PodScheduled"},
		"one of two is ready":            {podstatus.Observed{PodIPs: ip, Containers: list(running(true), running(false))}, "", "Initialized PodReadyToStartContainers PodScheduled"},
		"all are ready":                  {podstatus.Observed{PodIPs: ip, Containers: list(running(true))}, "", "ContainersReady Initialized PodReadyToStartContainers PodScheduled Ready"},
		"a readiness gate is missing":    {podstatus.Observed{PodIPs: ip, Containers: list(running(true))}, "False", "ContainersReady Initialized PodReadyToStartContainers PodScheduled"},
		"the readiness gate is met":      {podstatus.Observed{PodIPs: ip, Containers: list(running(true))}, "True", "ContainersReady Initialized PodReadyToStartContainers PodScheduled Ready gate"},
		"nothing runs any more":          {podstatus.Observed{Ended: true, Containers: list(exited(0))}, "", "Initialized PodScheduled"},
		"still ready while it is ending": {podstatus.Observed{PodIPs: ip, Containers: list(running(true))}, "", "ContainersReady Initialized PodReadyToStartContainers PodScheduled Ready"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways}}
			if tc.gates != "" {
				pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "gate"}}
				pod.Status.Conditions = []corev1.PodCondition{{Type: "gate", Status: corev1.ConditionStatus(tc.gates)}}
			}
			var got []string
			for _, c := range podstatus.Compute(pod, tc.observed, metav1.Now()).Conditions {
				if c.Status == corev1.ConditionTrue {
					got = append(got, string(c.Type))
				}
			}
			slices.Sort(got)
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("True are %s\n        want %s", got, tc.want)
			}
		})
	}
}

func TestConditionKeepsItsTransitionTimeUntilItChanges(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways}}
	ready := func(isReady bool, now metav1.Time) metav1.Time {
		pod.Status = podstatus.Compute(pod, podstatus.Observed{Containers: list(running(isReady))}, now)
		i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
		return pod.Status.Conditions[i].LastTransitionTime
	}
	first := metav1.Now()
	later, latest := metav1.NewTime(first.Add(time.Minute)), metav1.NewTime(first.Add(time.Hour))
	if got := ready(false, first); !got.Equal(&first) {
		t.Errorf("new condition is of %s", got)
	}
	if got := ready(false, later); !got.Equal(&first) {
		t.Errorf("unchanged condition is of %s, want %s", got, first)
	}
	if got := ready(true, latest); !got.Equal(&latest) {
		t.Errorf("changed condition is of %s, want %s", got, latest)
	}
}

func TestAddressesAreThoseOfPodAndNode(t *testing.T) {
	status := podstatus.Compute(&corev1.Pod{}, podstatus.Observed{
		PodIPs:  []netip.Addr{netip.MustParseAddr("10.48.1.2"), netip.MustParseAddr("fd00:48:0:1::2")},
		HostIPs: []netip.Addr{netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("fd00:1::11")},
	}, metav1.Now())
	if status.PodIP != "10.48.1.2" || status.HostIP != "192.168.1.11" || len(status.PodIPs) != 2 || len(status.HostIPs) != 2 {
		t.Errorf("got %s of %v on %s of %v", status.PodIP, status.PodIPs, status.HostIP, status.HostIPs)
	}
}

func TestPatchSaysWhatChangedAndForWhichPod(t *testing.T) {
	foreign := corev1.PodCondition{Type: "gate", Status: corev1.ConditionTrue}
	from := corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBestEffort}
	to := corev1.PodStatus{Phase: corev1.PodRunning, QOSClass: corev1.PodQOSBestEffort, Conditions: []corev1.PodCondition{foreign}}
	patch, changed, err := podstatus.Patch("u-1", from, to)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	var got map[string]any
	if err := json.Unmarshal(patch, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"metadata": map[string]any{"uid": "u-1"}, "status": map[string]any{"phase": "Running"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
}

func TestNothingToSayIsNoPatch(t *testing.T) {
	status := podstatus.Compute(&corev1.Pod{}, podstatus.Observed{Containers: list(running(true))}, metav1.Now())
	if patch, changed, err := podstatus.Patch("u-1", status, status); changed || err != nil {
		t.Errorf("got %s, %v", patch, err)
	}
}

func TestAdoptTakesTheConditionsOfOthersOnly(t *testing.T) {
	own := corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue}, {Type: "gate", Status: corev1.ConditionFalse},
	}}
	sent := corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: "gate", Status: corev1.ConditionTrue},
	}}
	got := podstatus.Adopt(own, sent)
	want := corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue}, {Type: "gate", Status: corev1.ConditionTrue},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}
