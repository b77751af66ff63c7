package supervisor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/herald-network/herald/test/lab/control"
	"github.com/herald-network/herald/test/lab/controlplane"
	"github.com/herald-network/herald/test/lab/statedir"
)

// handle carries out a command of the command line.
func (s *Supervisor) handle(ctx context.Context, verb control.Verb, name string) (answer control.Answer, err error) {
	switch verb {
	case control.Status:
		answer.Parts = s.status()
	case control.Cut:
		err = s.network.Cut(name)
	case control.Mend:
		err = s.network.Mend(name)
	case control.Pod:
		answer.PID, err = s.process(ctx, name)
	case control.Start:
		err = s.startAgain(ctx, name)
	case control.Stop:
		err = s.with(name, func(u unit) error { return u.Stop(ctx) })
	case control.Kill:
		err = s.with(name, func(u unit) error { return u.Kill(ctx) })
	case control.Pause:
		err = s.with(name, func(u unit) error { return u.Pause(ctx) })
	case control.Resume:
		err = s.with(name, func(u unit) error { return u.Resume(ctx) })
	case control.Logs:
		err = s.with(name, func(u unit) (err error) {
			answer.Paths, err = u.Logs()
			return err
		})
	default:
		err = fmt.Errorf("a lab can't %s", verb)
	}
	return answer, err
}

// with calls do with what the name stands for.
func (s *Supervisor) with(name string, do func(unit) error) error {
	unit, err := s.unit(name)
	if err != nil {
		return err
	}
	return do(unit)
}

// startAgain starts what was stopped, and after the API server those that follow it. In a real cluster they lose their
// lease while it is away, end, and are started again by their kubelet; here they have no lease, and would take up to a
// minute to notice its return.
func (s *Supervisor) startAgain(ctx context.Context, name string) error {
	if err := s.with(name, func(u unit) error { return u.Start(ctx) }); err != nil || name != controlplane.APIServer {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, follower := range []string{controlplane.ControllerManager, controlplane.Scheduler} {
		group.Go(func() error { return s.parts[follower].Restart(ctx) })
	}
	return group.Wait()
}

func (s *Supervisor) status() []control.PartStatus {
	var list []control.PartStatus
	for _, name := range slices.Sorted(maps.Keys(s.parts)) {
		part := s.parts[name]
		list = append(list, control.PartStatus{Name: name, Running: part.Running(), Paused: part.Paused()})
	}
	for _, name := range s.heraldPods() {
		pods, _ := s.fleet.Find(name)
		list = append(list, control.PartStatus{Name: name, Running: pods.Running() > 0, Paused: pods.Paused()})
	}
	return list
}

// summary describes a rack in a few words.
func summary(lab statedir.Lab) string {
	families := "IPv4"
	if lab.IPv6 {
		families = "IPv4 and IPv6"
	}
	return fmt.Sprintf("nodes: %d, routers: %d (%s), families: %s", lab.Nodes, lab.Routers, daemons(lab), families)
}

// daemons names what the routers run: once where it is the same on all.
func daemons(lab statedir.Lab) string {
	var names []string
	for _, kind := range lab.Daemons {
		names = append(names, string(kind))
	}
	if len(slices.Compact(slices.Clone(names))) == 1 {
		return names[0]
	}
	return strings.Join(names, ", ")
}
