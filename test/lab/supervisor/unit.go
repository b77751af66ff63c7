package supervisor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/herald-network/herald/test/lab/kubelet"
	"github.com/herald-network/herald/test/lab/part"
	"github.com/herald-network/herald/test/lab/topology"
)

// unit is what the command line calls by one name: a part of the lab, which stays down until it is started by command, or
// pods, which their kubelets start again unless they were stopped by command.
type unit interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Kill(ctx context.Context) error
	pausable
	// Logs returns the paths of its logs.
	Logs() ([]string, error)
}

// pausable is what can be stopped where it is, with SIGSTOP, and go on later.
type pausable interface {
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
}

var (
	_ unit = (*part.Runner)(nil)
	_ unit = kubelet.Target{}
)

// unit returns what a name stands for.
func (s *Supervisor) unit(name string) (unit, error) {
	if runner, ok := s.parts[name]; ok {
		return runner, nil
	}
	if target, ok := s.fleet.Find(name); ok {
		return target, nil
	}
	names := append(slices.Sorted(maps.Keys(s.parts)), s.heraldPods()...)
	return nil, fmt.Errorf("no %q in this lab: there are %s, and pod/NAMESPACE/NAME", name, strings.Join(names, ", "))
}

// heraldPods returns the names of Herald's pods.
func (s *Supervisor) heraldPods() []string {
	if !s.lab.Herald {
		return nil
	}
	names := []string{"manager"}
	for _, node := range s.rack.With(topology.RoleNode) {
		names = append(names, "agent/"+node.Name)
	}
	return names
}

// process returns the id of a process of what a name stands for.
func (s *Supervisor) process(ctx context.Context, name string) (int, error) {
	target, ok := s.fleet.Find(name)
	if !ok {
		return 0, fmt.Errorf("no %q in this lab: a pod is named pod/NAMESPACE/NAME", name)
	}
	return target.Process(ctx)
}
