package kubelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// componentLabel says which part of Herald a pod is.
const componentLabel = "app.kubernetes.io/component"

// Selector selects pods of a node: one by its name, or those of a component. It is comparable.
type Selector struct {
	// Namespace is the pods'.
	Namespace string
	// Name is that of the one pod; empty for all.
	Name string
	// Component is the value of the label app.kubernetes.io/component; empty for any.
	Component string
}

func (s Selector) matches(pod *corev1.Pod) bool {
	return pod.Namespace == s.Namespace &&
		(s.Name == "" || pod.Name == s.Name) &&
		(s.Component == "" || pod.Labels[componentLabel] == s.Component)
}

// Stop ends the processes of the selected pods as a termination would, and keeps them and their successors on this node
// from being started until Start. It returns when the processes have ended, with how many pods it found.
func (k *Kubelet) Stop(ctx context.Context, s Selector) (pods int, err error) {
	k.node.hold(s)
	return k.end(ctx, s, func(ctx context.Context, w *worker, c *container) {
		if w.paused.Swap(false) { // It could not end in the ordinary way.
			w.signalAll(syscall.SIGCONT)
		}
		w.end(ctx, c, grace(w.pod))
	})
}

// Kill sends SIGKILL to the processes of the selected pods; they are restarted as after any crash. It returns when the
// processes have ended, with how many pods it found.
func (k *Kubelet) Kill(ctx context.Context, s Selector) (pods int, err error) {
	return k.end(ctx, s, func(_ context.Context, w *worker, c *container) { w.signal(c.process, syscall.SIGKILL) })
}

// Pause sends SIGSTOP to the processes of the selected pods, which are there then and do nothing until Resume. Their probes
// fail meanwhile. It returns how many pods have a process.
func (k *Kubelet) Pause(ctx context.Context, s Selector) (pods int, err error) {
	return k.signal(ctx, s, syscall.SIGSTOP)
}

// Resume ends what Pause began. It returns how many pods have a process.
func (k *Kubelet) Resume(ctx context.Context, s Selector) (pods int, err error) {
	return k.signal(ctx, s, syscall.SIGCONT)
}

// signal sends SIGSTOP or SIGCONT to every running container of the selected pods.
func (k *Kubelet) signal(ctx context.Context, s Selector, signal syscall.Signal) (pods int, err error) {
	for _, w := range k.selected(s) {
		sent := make(chan bool, 1)
		w.mailbox.post(func(context.Context) {
			runs := w.processes.Load() > 0
			w.paused.Store(runs && signal == syscall.SIGSTOP)
			w.signalAll(signal)
			sent <- runs
		})
		select {
		case runs := <-sent:
			if runs {
				pods++
			}
		case <-w.done:
		case <-ctx.Done():
			return pods, context.Cause(ctx)
		}
	}
	return pods, nil
}

// end has every running container of the selected pods ended and waits for it.
func (k *Kubelet) end(ctx context.Context, s Selector, end func(context.Context, *worker, *container)) (pods int, err error) {
	selected := k.selected(s)
	ended := make([]<-chan struct{}, 0, len(selected))
	for _, w := range selected {
		ended = append(ended, w.endAnd(end))
	}
	for i, w := range selected {
		if err := await(ctx, ended[i], w.done); err != nil {
			return len(selected), err
		}
	}
	return len(selected), nil
}

// endAnd calls end for each running container and closes the channel when the processes have ended.
func (w *worker) endAnd(end func(context.Context, *worker, *container)) <-chan struct{} {
	ended := make(chan struct{})
	w.mailbox.post(func(ctx context.Context) {
		var processes []process
		for _, c := range w.all() {
			if c.process != nil {
				end(ctx, w, c)
				processes = append(processes, c.process)
			}
		}
		go func() {
			defer close(ended)
			for _, p := range processes {
				<-p.Done()
			}
		}()
	})
	return ended
}

// Start ends what Stop with the same selector began. It returns when the containers of the pods that it found have been
// started, which happens without back-off, or could not be.
func (k *Kubelet) Start(ctx context.Context, s Selector) (pods int, err error) {
	k.node.release(s)
	selected := k.selected(s)
	for _, w := range selected {
		started := make(chan struct{})
		w.mailbox.post(func(context.Context) {
			for _, c := range w.all() {
				c.backoff, c.retryAt = backoff{}, time.Time{}
			}
			// The worker starts what is due before it takes what is posted from here.
			w.mailbox.post(func(context.Context) { close(started) })
		})
		if err := await(ctx, started, w.done); err != nil {
			return len(selected), err
		}
	}
	return len(selected), nil
}

// await waits for either event.
func await(ctx context.Context, event, orElse <-chan struct{}) error {
	select {
	case <-event:
	case <-orElse:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// running returns how many of the selected pods have a process.
func (k *Kubelet) running(s Selector) int {
	running := 0
	for _, w := range k.selected(s) {
		if w.processes.Load() > 0 {
			running++
		}
	}
	return running
}

// paused says whether any of the selected pods is paused.
func (k *Kubelet) paused(s Selector) bool {
	return slices.ContainsFunc(k.selected(s), func(w *worker) bool { return w.paused.Load() && w.processes.Load() > 0 })
}

func (k *Kubelet) selected(s Selector) []*worker {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []*worker
	for _, w := range k.workers {
		if s.matches(w.identity) {
			list = append(list, w)
		}
	}
	return list
}

// Logs returns the paths of the logs of the selected pods' containers, the one that was written to last at the end. A
// selector with a name finds the logs of pods that are gone, too.
func (k *Kubelet) Logs(s Selector) ([]string, error) {
	var patterns []string
	if s.Name != "" {
		patterns = append(patterns, logDir(k.node.config, s.Namespace, s.Name, "*"))
	} else {
		for _, w := range k.selected(s) {
			patterns = append(patterns, logDir(k.node.config, w.identity.Namespace, w.identity.Name, string(w.identity.UID)))
		}
	}
	var paths []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(pattern, "*.log"))
		if err != nil {
			return nil, fmt.Errorf("find logs: %w", err)
		}
		paths = append(paths, found...)
	}
	slices.SortFunc(paths, byModification)
	return paths, nil
}

// logDir returns where the logs of a pod's containers are, over all of their restarts.
func logDir(c Config, namespace, name, uid string) string {
	return filepath.Join(c.Dir, "logs", namespace+"_"+name+"_"+uid)
}

func byModification(a, b string) int { return modified(a).Compare(modified(b)) }

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
