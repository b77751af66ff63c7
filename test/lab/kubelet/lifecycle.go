package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
	"github.com/herald-network/herald/test/lab/kubelet/probe"
	"github.com/herald-network/herald/test/lab/proc"
)

// Reasons of containers that could not be started, as a kubelet has them.
const (
	reasonImagePull = "ErrImagePull"
	reasonConfig    = "CreateContainerConfigError"
	reasonRun       = "RunContainerError"
)

// startError is why a container could not be started.
type startError struct {
	reason string
	err    error
}

func (e startError) Error() string { return e.err.Error() }
func (e startError) Unwrap() error { return e.err }

// start starts a container, or notes why it could not be.
func (w *worker) start(ctx context.Context, c *container) {
	process, stopSignal, err := w.startProcess(ctx, c)
	if err != nil {
		reason := reasonRun
		if e, ok := errors.AsType[startError](err); ok {
			reason = e.reason
		}
		c.couldNotStart(reason, err, time.Now())
		w.node.events.Eventf(w.pod, corev1.EventTypeWarning, "Failed", "Container %s: %s: %v", c.spec.Name, reason, err)
		return
	}
	c.runs(process, stopSignal, time.Now())
	w.node.events.Eventf(w.pod, corev1.EventTypeNormal, "Started", "Started container %s", c.spec.Name)
	if w.processes.Add(1) == 1 {
		w.paused.Store(false) // What was paused has ended.
	}
	go func() {
		<-process.Done()
		w.processes.Add(-1)
		w.mailbox.post(func(context.Context) { c.ended(time.Now()) })
	}()
	w.startProbes(ctx, c)
}

func (w *worker) startProcess(ctx context.Context, c *container) (process, os.Signal, error) {
	known, err := w.objects.read(ctx, w.pod)
	if err != nil {
		return nil, nil, startError{reasonConfig, err}
	}
	facts, err := w.facts(ctx)
	if err != nil {
		return nil, nil, startError{reasonConfig, err}
	}
	plan, err := podplan.Plan(w.pod, c.spec, facts, w.dirs, known)
	if _, unknown := errors.AsType[podplan.UnknownImageError](err); unknown {
		return nil, nil, startError{reasonImagePull, err}
	}
	if err != nil {
		return nil, nil, startError{reasonConfig, err}
	}
	if err := prepareMounts(plan, w.dirs, c.spec); err != nil {
		return nil, nil, err
	}
	log := filepath.Join(logDir(w.node.config, w.pod.Namespace, w.pod.Name, string(w.pod.UID)), c.spec.Name+".log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return nil, nil, err
	}
	plan.View.Netns = w.netns()
	process, err := w.node.host.start(ctx, proc.Spec{
		Name:    fmt.Sprintf("container %s of pod %s/%s", c.spec.Name, w.pod.Namespace, w.pod.Name),
		Args:    plan.Args,
		Env:     plan.Env,
		LogPath: log,
		NewPID:  true,
		View:    plan.View,
	})
	return process, plan.StopSignal, err
}

// startProbes runs the probes of a container that has just been started: the startup probe alone as long as it has not
// succeeded, then the others.
func (w *worker) startProbes(ctx context.Context, c *container) {
	ctx, c.stopProbes = context.WithCancel(ctx)
	if c.spec.StartupProbe == nil {
		w.startSteadyProbes(ctx, c)
		return
	}
	w.startProbe(ctx, c, c.spec.StartupProbe, func(healthy bool, cause error) {
		if !healthy {
			w.unhealthy(ctx, c, "Startup", cause)
			return
		}
		c.setStarted(true)
		w.startSteadyProbes(ctx, c)
	})
}

func (w *worker) startSteadyProbes(ctx context.Context, c *container) {
	w.startProbe(ctx, c, c.spec.ReadinessProbe, func(healthy bool, cause error) {
		c.status.Ready = healthy
		if !healthy {
			w.node.events.Eventf(w.pod, corev1.EventTypeWarning, "Unhealthy", "Readiness probe failed: %v", cause)
		}
	})
	w.startProbe(ctx, c, c.spec.LivenessProbe, func(healthy bool, cause error) {
		if !healthy {
			w.unhealthy(ctx, c, "Liveness", cause)
		}
	})
}

// startProbe has verdict called in the worker's goroutine, as long as the process that the probe was started for runs.
func (w *worker) startProbe(ctx context.Context, c *container, p *corev1.Probe, verdict func(healthy bool, cause error)) {
	if p == nil {
		return
	}
	pace := probe.Steady
	if p == c.spec.ReadinessProbe {
		pace = probe.EagerAtFirst
	}
	process := c.process
	check := probe.CheckOf(p.Exec, p.HTTPGet, p.TCPSocket, w.probeTarget(c))
	go probe.Run(ctx, p, pace, check, func(healthy bool, cause error) {
		w.mailbox.post(func(context.Context) {
			if c.process == process {
				verdict(healthy, cause)
			}
		})
	})
}

func (w *worker) probeTarget(c *container) probe.Target {
	process := c.process
	return probe.Target{
		Host:  w.addrs[0].String(),
		Ports: c.spec.Ports,
		Dial:  w.node.host.dial(w.netns()),
		Exec: func(ctx context.Context, command []string) ([]byte, error) {
			return w.node.host.exec(ctx, process, command)
		},
	}
}

// unhealthy ends a container whose startup or liveness probe failed; the restart policy says what follows.
func (w *worker) unhealthy(ctx context.Context, c *container, kind string, cause error) {
	if c.ending {
		return
	}
	w.node.events.Eventf(w.pod, corev1.EventTypeWarning, "Unhealthy",
		"%s probe failed, container %s will be restarted: %v", kind, c.spec.Name, cause)
	w.end(ctx, c, grace(w.pod))
}

// endAll asks everything that runs to end.
func (w *worker) endAll(ctx context.Context, grace time.Duration) {
	for _, c := range w.all() {
		if c.process == nil {
			continue
		}
		if !c.ending {
			w.node.events.Eventf(w.pod, corev1.EventTypeNormal, "Killing", "Stopping container %s", c.spec.Name)
		}
		w.end(ctx, c, grace)
	}
}

// end asks a container's process to end, as a kubelet does: the preStop hook, then the stop signal, and SIGKILL when the
// grace period is over. Where that is under way, a grace period that ends earlier holds from now on.
func (w *worker) end(ctx context.Context, c *container, grace time.Duration) {
	killAt := time.Now().Add(grace)
	if c.ending && !killAt.Before(c.killAt) {
		return
	}
	c.killAt = killAt
	w.killAfter(ctx, c.process, grace)
	if c.ending {
		return
	}
	c.ending = true
	process, stopSignal, hook := c.process, c.stopSignal, w.preStop(c)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		if err := hook(ctx); err != nil {
			w.node.events.Eventf(w.pod, corev1.EventTypeWarning, "FailedPreStopHook", "Container %s: %v", c.spec.Name, err)
		}
		w.signal(process, stopSignal)
	}()
}

// killAfter kills a process that still runs after the grace period.
func (w *worker) killAfter(ctx context.Context, p process, grace time.Duration) {
	go func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.Done():
		case <-ctx.Done():
		case <-timer.C:
			w.signal(p, syscall.SIGKILL)
		}
	}()
}

func (w *worker) preStop(c *container) probe.Check {
	if c.spec.Lifecycle == nil || c.spec.Lifecycle.PreStop == nil {
		return func(context.Context) error { return nil }
	}
	hook := c.spec.Lifecycle.PreStop
	if hook.Sleep == nil {
		return probe.CheckOf(hook.Exec, hook.HTTPGet, nil, w.probeTarget(c))
	}
	process, length := c.process, time.Duration(hook.Sleep.Seconds)*time.Second
	return func(ctx context.Context) error {
		select {
		case <-time.After(length):
		case <-process.Done():
		case <-ctx.Done():
		}
		return nil
	}
}

// signalAll signals everything that runs.
func (w *worker) signalAll(signal os.Signal) {
	for _, c := range w.all() {
		if c.process != nil {
			w.signal(c.process, signal)
		}
	}
}

func (w *worker) signal(p process, signal os.Signal) {
	if err := p.Signal(signal); err != nil {
		w.node.log.Error(err, "Signalling a container failed", "pod", w.dirs.Pod)
	}
}
