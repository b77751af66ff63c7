package kubelet

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/test/lab/kubelet/podstatus"
)

// container is one container of a pod through all of its restarts. Its methods only keep the books.
type container struct {
	spec   *corev1.Container
	init   bool
	status podstatus.Container
	// process is nil while the container does not run.
	process process
	// stopSignal asks the process to end.
	stopSignal os.Signal
	// ending says that the process was asked to end, and will be killed at killAt.
	ending     bool
	killAt     time.Time
	stopProbes context.CancelFunc
	backoff    backoff
	// retryAt is the earliest time of the next start.
	retryAt time.Time
}

func newContainers(specs []corev1.Container, init bool) []*container {
	list := make([]*container, len(specs))
	for i := range specs {
		c := &container{spec: &specs[i], init: init}
		c.status = podstatus.Container{Name: c.spec.Name, Image: c.spec.Image}
		c.wait("ContainerCreating", "")
		list[i] = c
	}
	return list
}

// wait puts a container that does not run into the state Waiting; how it ended the last time stays known.
func (c *container) wait(reason, message string) {
	if c.status.State.Terminated != nil {
		c.status.Last = c.status.State
	}
	c.status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// couldNotStart notes a failed start.
func (c *container) couldNotStart(reason string, err error, now time.Time) {
	c.retryAt = now.Add(c.backoff.after(0))
	if reason == reasonImagePull && c.retryAt.After(now) {
		reason = "ImagePullBackOff"
	}
	c.wait(reason, err.Error())
}

// runs notes a start.
func (c *container) runs(p process, stopSignal os.Signal, now time.Time) {
	if c.status.State.Terminated != nil {
		c.status.Last = c.status.State
	}
	if c.status.ID != "" {
		c.status.Restarts++
	}
	c.process, c.stopSignal, c.ending = p, stopSignal, false
	c.status.ID = fmt.Sprintf("lab://%d", p.Pid())
	c.status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(now)}}
	c.setStarted(c.spec.StartupProbe == nil)
}

// setStarted notes the verdict of the startup probe.
func (c *container) setStarted(started bool) {
	c.status.Started = started
	c.status.Ready = started && c.spec.ReadinessProbe == nil
}

// ended notes the end of the process and when it may be started again.
func (c *container) ended(now time.Time) {
	code := c.process.ExitCode()
	terminated := &corev1.ContainerStateTerminated{
		ExitCode: int32(code), Reason: "Completed", ContainerID: c.status.ID, FinishedAt: metav1.NewTime(now),
	}
	if code != 0 {
		terminated.Reason = "Error"
	}
	if running := c.status.State.Running; running != nil {
		terminated.StartedAt = running.StartedAt
	}
	c.process = nil
	c.stopProbes()
	c.status.State = corev1.ContainerState{Terminated: terminated}
	c.status.Started, c.status.Ready = false, c.init && code == 0
	c.retryAt = now.Add(c.backoff.after(now.Sub(terminated.StartedAt.Time)))
}

// mayStart tells whether the pod's restart policy lets the container be started, now or after the back-off.
func (c *container) mayStart(policy corev1.RestartPolicy) bool {
	last := c.status.State.Terminated
	switch {
	case c.process != nil:
		return false
	case last == nil:
		return true
	case policy == corev1.RestartPolicyNever:
		return false
	case policy == corev1.RestartPolicyOnFailure, c.init:
		return last.ExitCode != 0
	default:
		return true
	}
}
