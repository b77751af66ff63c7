package supervisor

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/herald-network/herald/test/lab/controlplane"
	"github.com/herald-network/herald/test/lab/topology"
)

// bringUp starts everything, as much of it at once as depends on nothing else.
func (s *Supervisor) bringUp(ctx context.Context) error {
	if err := s.prepare(); err != nil {
		return err
	}
	s.reporter.progress("the rack is wired: %s", summary(s.lab))
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range s.rack.With(topology.RoleRouter) {
		group.Go(func() error { return s.start(ctx, r.Name) })
	}
	group.Go(func() error { return s.startCluster(ctx) })
	if err := group.Wait(); err != nil {
		return err
	}
	return nil
}

func (s *Supervisor) startCluster(ctx context.Context) error {
	for _, name := range []string{controlplane.Etcd, controlplane.APIServer} {
		if err := s.start(ctx, name); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range []string{controlplane.ControllerManager, controlplane.Scheduler} {
		group.Go(func() error { return s.start(ctx, name) })
	}
	for _, node := range s.rack.With(topology.RoleNode) {
		group.Go(func() error { return s.start(ctx, controlplane.KubeProxy+"/"+node.Name) })
	}
	return group.Wait()
}

func (s *Supervisor) start(ctx context.Context, name string) error {
	if err := s.runners[name].Start(ctx); err != nil {
		return err
	}
	s.reporter.progress("%s is ready", name)
	return nil
}
