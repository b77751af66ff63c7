package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/herald-network/herald/test/lab/kubelet"
	"github.com/herald-network/herald/test/lab/part"
)

// unit is what the command line calls by one name: a part of the lab, or some of Herald's pods.
type unit interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Kill(ctx context.Context) error
	// Running says whether it runs.
	Running(ctx context.Context) (bool, error)
	// Logs returns the paths of its logs.
	Logs() ([]string, error)
}

var (
	_ unit = (*part.Runner)(nil)
	_ unit = pods{}
)

// pods are pods of one component of Herald. One that is killed is started again by its kubelet, one that is stopped only
// by command.
type pods struct {
	name     string
	selector kubelet.Selector
	kubelets []*kubelet.Kubelet
}

// Start lets the pods' processes start.
func (p pods) Start(ctx context.Context) error {
	var errs []error
	for _, k := range p.kubelets {
		_, err := k.Start(ctx, p.selector)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Stop terminates the pods' processes.
func (p pods) Stop(ctx context.Context) error {
	return p.end(func(k *kubelet.Kubelet) (int, error) { return k.Stop(ctx, p.selector) })
}

// Kill kills the pods' processes.
func (p pods) Kill(ctx context.Context) error {
	return p.end(func(k *kubelet.Kubelet) (int, error) { return k.Kill(ctx, p.selector) })
}

func (p pods) end(end func(*kubelet.Kubelet) (int, error)) error {
	var errs []error
	found := 0
	for _, k := range p.kubelets {
		n, err := end(k)
		found += n
		errs = append(errs, err)
	}
	if found == 0 {
		errs = append(errs, fmt.Errorf("no pod of %s is there", p.name))
	}
	return errors.Join(errs...)
}

// Running says whether any of the pods has a process.
func (p pods) Running(ctx context.Context) (bool, error) {
	for _, k := range p.kubelets {
		pids, err := k.Processes(ctx, p.selector)
		if err != nil || len(pids) > 0 {
			return len(pids) > 0, err
		}
	}
	return false, nil
}

// Logs returns the logs of the pods that there are.
func (p pods) Logs() ([]string, error) {
	var paths []string
	var errs []error
	for _, k := range p.kubelets {
		found, err := k.Logs(p.selector)
		paths = append(paths, found...)
		errs = append(errs, err)
	}
	return paths, errors.Join(errs...)
}

// podProcess returns the id of the first process of a pod, named namespace/name.
func (s *Supervisor) podProcess(ctx context.Context, name string) (int, error) {
	namespace, pod, ok := strings.Cut(name, "/")
	if !ok {
		return 0, fmt.Errorf("pod %q: name it pod/NAMESPACE/NAME", name)
	}
	for _, k := range s.kubelets {
		pids, err := k.Processes(ctx, kubelet.Selector{Namespace: namespace, Name: pod})
		if err != nil {
			return 0, err
		}
		if len(pids) > 0 {
			return pids[0], nil
		}
	}
	return 0, fmt.Errorf("no process of a pod %s runs in this lab", name)
}
