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
		w.end(ctx, c, grace(w.pod))
	})
}

// Kill sends SIGKILL to the processes of the selected pods; they are restarted as after any crash. It returns when the
// processes have ended, with how many pods it found.
func (k *Kubelet) Kill(ctx context.Context, s Selector) (pods int, err error) {
	return k.end(ctx, s, func(_ context.Context, w *worker, c *container) {
		w.signal(c.process, syscall.SIGKILL)
	})
}

// Start ends what Stop with the same selector began, and returns how many pods it found. Containers start without back-off.
func (k *Kubelet) Start(s Selector) (pods int) {
	k.node.release(s)
	selected := k.selected(s)
	for _, w := range selected {
		w.mailbox.post(func(ctx context.Context) {
			for _, c := range w.all() {
				c.backoff, c.retryAt = backoff{}, time.Time{}
			}
		})
	}
	return len(selected)
}

// end has every running container of the selected pods ended and waits for it.
func (k *Kubelet) end(ctx context.Context, s Selector, end func(context.Context, *worker, *container)) (pods int, err error) {
	selected := k.selected(s)
	for _, w := range selected {
		ending := make(chan []process, 1)
		w.mailbox.post(func(ctx context.Context) {
			var list []process
			for _, c := range w.all() {
				if c.process != nil {
					end(ctx, w, c)
					list = append(list, c.process)
				}
			}
			ending <- list
		})
		if err := awaitEnd(ctx, w, ending); err != nil {
			return len(selected), err
		}
	}
	return len(selected), nil
}

func awaitEnd(ctx context.Context, w *worker, ending <-chan []process) error {
	var list []process
	select {
	case list = <-ending:
	case <-w.done: // Nothing of the pod is left.
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for _, p := range list {
		select {
		case <-p.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
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

// Netns returns the name of the network namespace of a pod that runs on this node.
func (k *Kubelet) Netns(namespace, name string) (string, bool) {
	for _, w := range k.selected(Selector{Namespace: namespace, Name: name}) {
		return w.netns(), true
	}
	return "", false
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
	slices.SortFunc(paths, func(a, b string) int { return modified(a).Compare(modified(b)) })
	return paths, nil
}

// logDir returns where the logs of a pod's containers are, over all of their restarts.
func logDir(c Config, namespace, name, uid string) string {
	return filepath.Join(c.Dir, "logs", namespace+"_"+name+"_"+uid)
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
