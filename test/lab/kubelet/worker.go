package kubelet

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
	"github.com/herald-network/herald/test/lab/kubelet/podstatus"
)

// worker runs one pod.
type worker struct {
	node *node
	// identity is the pod as it was first seen, for its name and labels.
	identity *corev1.Pod
	dirs     podplan.Dirs
	mailbox  *mailbox
	reporter *reporter
	objects  *objects
	// done is closed when nothing of the pod is left.
	done chan struct{}
	// processes is how many of its containers run.
	processes atomic.Int32
	// paused says that the processes, if any, were sent SIGSTOP.
	paused atomic.Bool

	state
}

// state is what belongs to the goroutine of run alone.
type state struct {
	pod *corev1.Pod
	// addrs are the pod's addresses, once its network is there.
	addrs     []netip.Addr
	startTime metav1.Time
	// prepared says that the volumes are there, too.
	prepared         bool
	init, containers []*container
	refresh          refresh
	// phase says how far the end of the pod is.
	phase phase
}

// phase is how far the end of a pod is.
type phase uint8

const (
	alive phase = iota
	// dormant is a pod that had ended before this kubelet saw it.
	dormant
	// vanished is a pod that is gone from the API server while something of it may still run.
	vanished
	// over is a pod of which nothing is left here.
	over
)

func newWorker(n *node, pod *corev1.Pod) *worker {
	w := &worker{
		node:     n,
		identity: pod,
		dirs:     n.config.dirsOf(string(pod.UID)),
		mailbox:  newMailbox(),
		reporter: newReporter(n.client, n.log.WithValues("pod", pod.Namespace+"/"+pod.Name), pod),
		objects:  newObjects(n.client),
		done:     make(chan struct{}),
		state:    state{pod: pod.DeepCopy(), startTime: metav1.Now()},
	}
	w.init = newContainers(w.pod.Spec.InitContainers, true)
	w.containers = newContainers(w.pod.Spec.Containers, false)
	if p := pod.Status.Phase; p == corev1.PodSucceeded || p == corev1.PodFailed {
		w.phase = dormant
	}
	return w
}

// update takes the pod as the API server has it now. The specification that containers were made of stays: all that may
// change of it is no business of a kubelet's.
func (w *worker) update(pod *corev1.Pod) {
	w.mailbox.post(func(context.Context) {
		next := pod.DeepCopy()
		next.Spec = w.pod.Spec
		next.Status = podstatus.Adopt(w.pod.Status, pod.Status)
		w.pod = next
	})
}

// vanish tells that the pod is gone from the API server.
func (w *worker) vanish() {
	w.mailbox.post(func(context.Context) { w.phase = max(w.phase, vanished) })
}

// run runs the pod until nothing is left of it, here and at the API server. When the context is over it kills what runs.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		w.reporter.run(ctx)
	}()
	for w.phase != over {
		due := w.step(ctx)
		if w.phase != over {
			w.publish()
			w.await(ctx, due)
		}
		for _, letter := range w.mailbox.take() {
			letter(ctx)
		}
		if ctx.Err() != nil {
			w.phase = max(w.phase, vanished)
		}
	}
	<-reported
}

// await returns when there is something to do.
func (w *worker) await(ctx context.Context, due time.Time) {
	var timer <-chan time.Time
	if !due.IsZero() {
		timer = time.After(time.Until(due))
	}
	done := ctx.Done()
	if w.phase == vanished {
		done = nil // It is known; what is awaited is the end of the processes.
	}
	select {
	case <-w.mailbox.nudge:
	case <-timer:
	case <-done:
	}
}

// step does what is due and returns when more will be; zero for not before something is posted.
func (w *worker) step(ctx context.Context) (due time.Time) {
	switch {
	case w.phase == vanished:
		w.signalAll(syscall.SIGKILL)
		w.endIfNothingRuns(ctx)
		return time.Time{}
	case w.pod.DeletionTimestamp != nil:
		w.endAll(ctx, deletionGrace(w.pod))
		w.endIfNothingRuns(ctx)
		return time.Time{}
	case w.phase == dormant:
		return time.Time{}
	case !w.prepared:
		if err := w.prepare(ctx); err != nil {
			w.node.events.Event(w.pod, corev1.EventTypeWarning, "FailedMount", err.Error())
			return time.Now().Add(retryPeriod)
		}
	}
	return earliest(w.startDue(ctx), w.refreshDue(ctx))
}

// startDue starts the containers that are to run now: init containers one after another, then all others.
func (w *worker) startDue(ctx context.Context) (due time.Time) {
	for _, c := range w.init {
		if done := c.status.State.Terminated; done == nil || done.ExitCode != 0 {
			return w.startIfDue(ctx, c)
		}
	}
	for _, c := range w.containers {
		due = earliest(due, w.startIfDue(ctx, c))
	}
	return due
}

func (w *worker) startIfDue(ctx context.Context, c *container) (due time.Time) {
	now := time.Now()
	switch {
	case !c.mayStart(w.pod.Spec.RestartPolicy):
		return time.Time{}
	case w.node.holds(w.pod):
		c.wait("Stopped", "the lab was told to stop it")
		return time.Time{}
	case c.retryAt.After(now):
		if last := c.status.State.Terminated; last != nil {
			c.wait("CrashLoopBackOff", "back-off "+c.retryAt.Sub(now).Round(time.Second).String()+" restarting failed container")
			w.node.events.Eventf(w.pod, corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container %s", c.spec.Name)
		}
		return c.retryAt
	}
	w.start(ctx, c)
	if c.process == nil {
		return c.retryAt
	}
	return time.Time{}
}

// endIfNothingRuns removes what there is of the pod once no process is left, and tells the API server.
func (w *worker) endIfNothingRuns(ctx context.Context) {
	if slices.ContainsFunc(w.all(), func(c *container) bool { return c.process != nil }) {
		return
	}
	if err := w.remove(); err != nil {
		w.node.log.Error(err, "Removing a pod failed", "pod", w.pod.Namespace+"/"+w.pod.Name)
	}
	switch {
	case w.phase == vanished || ctx.Err() != nil:
		w.reporter.leave()
	case w.phase == dormant:
		w.reporter.finish(w.pod.Status)
	default:
		w.reporter.finish(podstatus.Compute(w.pod, w.observed(true), metav1.Now()))
	}
	w.phase = over
}

func (w *worker) publish() {
	if w.phase != alive {
		return
	}
	w.pod.Status = podstatus.Compute(w.pod, w.observed(false), metav1.Now())
	w.reporter.report(w.pod.Status)
}

func (w *worker) observed(ended bool) podstatus.Observed {
	o := podstatus.Observed{PodIPs: w.addrs, HostIPs: w.node.config.Addresses, StartTime: w.startTime, Ended: ended}
	for _, c := range w.init {
		o.Init = append(o.Init, c.status)
	}
	for _, c := range w.containers {
		o.Containers = append(o.Containers, c.status)
	}
	return o
}

func (w *worker) all() []*container { return slices.Concat(w.init, w.containers) }

// deletionGrace returns how long the processes of a pod that is being deleted may take to end.
func deletionGrace(pod *corev1.Pod) time.Duration {
	if pod.DeletionGracePeriodSeconds == nil {
		return grace(pod)
	}
	return time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
}

func grace(pod *corev1.Pod) time.Duration {
	if pod.Spec.TerminationGracePeriodSeconds == nil {
		return corev1.DefaultTerminationGracePeriodSeconds * time.Second
	}
	return time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
}

// earliest returns the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
