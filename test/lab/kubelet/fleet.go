package kubelet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// heraldNamespace is where Herald's own manifests put it.
const heraldNamespace = "herald-system"

// Fleet is the kubelets of a lab by the names of their nodes.
type Fleet map[string]*Kubelet

// Target is what a name of the lab's command line stands for: pods on one node or on all.
type Target struct {
	name     string
	kubelets []*Kubelet
	selector Selector
}

// Find returns what a name stands for: agent/NODE, manager for the managers on all nodes, manager/NODE, or
// pod/NAMESPACE/NAME. Whether there are such pods shows when something is done with it.
func (f Fleet) Find(name string) (t Target, ok bool) {
	kind, rest, qualified := strings.Cut(name, "/")
	switch kind {
	case "agent", "manager":
		t = Target{name: name, selector: Selector{Namespace: heraldNamespace, Component: kind}}
		if !qualified {
			t.kubelets = f.all()
			return t, kind == "manager"
		}
		k, ok := f[rest]
		t.kubelets = []*Kubelet{k}
		return t, ok
	case "pod":
		namespace, pod, ok := strings.Cut(rest, "/")
		return Target{name: name, kubelets: f.all(), selector: Selector{Namespace: namespace, Name: pod}}, ok
	default:
		return Target{}, false
	}
}

func (f Fleet) all() []*Kubelet {
	list := make([]*Kubelet, 0, len(f))
	for _, node := range slices.Sorted(maps.Keys(f)) {
		list = append(list, f[node])
	}
	return list
}

// Stop ends the target's processes and keeps them from being started until Start. It returns when they have ended.
func (t Target) Stop(ctx context.Context) error {
	return t.each(func(k *Kubelet) (int, error) { return k.Stop(ctx, t.selector) })
}

// Start ends what Stop began. It returns when the containers have been started, not when they are ready.
func (t Target) Start(ctx context.Context) error {
	return t.each(func(k *Kubelet) (int, error) { return k.Start(ctx, t.selector) })
}

// Kill kills the target's processes, which are restarted as after any crash. It returns when they have ended.
func (t Target) Kill(ctx context.Context) error {
	return t.each(func(k *Kubelet) (int, error) { return k.Kill(ctx, t.selector) })
}

// Pause stops the target's processes with SIGSTOP, until Resume. None that runs is an error.
func (t Target) Pause(ctx context.Context) error {
	return t.eachRunning(func(k *Kubelet) (int, error) { return k.Pause(ctx, t.selector) })
}

// Resume lets the target's processes go on. None that runs is an error.
func (t Target) Resume(ctx context.Context) error {
	return t.eachRunning(func(k *Kubelet) (int, error) { return k.Resume(ctx, t.selector) })
}

// each calls do for each kubelet, which returns how many pods it found; none at all is an error.
func (t Target) each(do func(*Kubelet) (pods int, err error)) error {
	return t.some(fmt.Errorf("no pod of the lab is %s", t.name), do)
}

// eachRunning calls do for each kubelet, which returns how many pods with a process it found; none at all is an error.
func (t Target) eachRunning(do func(*Kubelet) (pods int, err error)) error {
	return t.some(fmt.Errorf("no process of %s runs", t.name), do)
}

func (t Target) some(none error, do func(*Kubelet) (pods int, err error)) error {
	var errs []error
	pods := 0
	for _, k := range t.kubelets {
		n, err := do(k)
		pods += n
		errs = append(errs, err)
	}
	if pods == 0 {
		errs = append(errs, none)
	}
	return errors.Join(errs...)
}

// Running returns how many of the target's pods have a process.
func (t Target) Running() int {
	running := 0
	for _, k := range t.kubelets {
		running += k.running(t.selector)
	}
	return running
}

// Paused says whether any of the target's pods is paused.
func (t Target) Paused() bool {
	return slices.ContainsFunc(t.kubelets, func(k *Kubelet) bool { return k.paused(t.selector) })
}

// Logs returns the paths of the logs of the target's containers, the one that was written to last at the end.
func (t Target) Logs() ([]string, error) {
	var paths []string
	for _, k := range t.kubelets {
		found, err := k.Logs(t.selector)
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("there is no log of %s", t.name)
	}
	slices.SortFunc(paths, byModification)
	return paths, nil
}

// Netns returns the name of the network namespace of the first pod that is the target.
func (t Target) Netns() (string, error) {
	for _, k := range t.kubelets {
		for _, w := range k.selected(t.selector) {
			return w.netns(), nil
		}
	}
	return "", fmt.Errorf("no pod of the lab is %s", t.name)
}
