package supervisor

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/herald-network/herald/test/lab/control"
	"github.com/herald-network/herald/test/lab/controlplane"
	"github.com/herald-network/herald/test/lab/statedir"
)

// handle carries out a command of the command line.
func (s *Supervisor) handle(ctx context.Context, verb control.Verb, name string) (control.Answer, error) {
	switch verb {
	case control.Status:
		return control.Answer{Parts: s.status()}, nil
	case control.Pod:
		pid, err := s.process(ctx, name)
		return control.Answer{PID: pid}, err
	case control.Cut:
		return control.Answer{}, s.network.Cut(name)
	case control.Mend:
		return control.Answer{}, s.network.Mend(name)
	}
	unit, err := s.unit(name)
	if err != nil {
		return control.Answer{}, err
	}
	switch verb {
	case control.Start:
		if err := unit.Start(ctx); err != nil {
			return control.Answer{}, err
		}
		return control.Answer{}, s.afterStart(ctx, name)
	case control.Stop:
		return control.Answer{}, unit.Stop(ctx)
	case control.Kill:
		return control.Answer{}, unit.Kill(ctx)
	case control.Logs:
		paths, err := unit.Logs()
		return control.Answer{Paths: paths}, err
	}
	return control.Answer{}, fmt.Errorf("a lab can't %s", verb)
}

// afterStart starts those again that follow the API server. In a real cluster they lose their lease while it is away, end,
// and are started again by their kubelet; here they have no lease, and would take up to a minute to notice its return.
func (s *Supervisor) afterStart(ctx context.Context, name string) error {
	if name != controlplane.APIServer {
		return nil
	}
	for _, follower := range []string{controlplane.ControllerManager, controlplane.Scheduler} {
		runner := s.parts[follower]
		if !runner.Running() {
			continue // Stopped by command.
		}
		if err := runner.Kill(ctx); err != nil {
			return err
		}
		if err := runner.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Supervisor) status() []control.PartStatus {
	var list []control.PartStatus
	for _, name := range slices.Sorted(maps.Keys(s.parts)) {
		list = append(list, control.PartStatus{Name: name, Running: s.parts[name].Running()})
	}
	for _, name := range s.heraldPods() {
		pods, _ := s.fleet.Find(name)
		list = append(list, control.PartStatus{Name: name, Running: pods.Running() > 0})
	}
	return list
}

func summary(lab statedir.Lab) string {
	families := "IPv4"
	if lab.IPv6 {
		families = "IPv4 and IPv6"
	}
	return fmt.Sprintf("%d nodes, %d routers (%s), %s", lab.Nodes, lab.Routers, lab.Router, families)
}
