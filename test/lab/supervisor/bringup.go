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
	group, groupContext := errgroup.WithContext(ctx)
	for _, r := range s.rack.With(topology.RoleRouter) {
		group.Go(func() error { return s.start(groupContext, r.Name) })
	}
	group.Go(func() error {
		for _, name := range []string{controlplane.Etcd, controlplane.APIServer} {
			if err := s.start(groupContext, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.startKubelets(ctx); err != nil {
		return err
	}
	return s.startRest(ctx)
}

// startRest starts what needs the API server.
func (s *Supervisor) startRest(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range []string{controlplane.ControllerManager, controlplane.Scheduler} {
		group.Go(func() error { return s.start(ctx, name) })
	}
	for _, node := range s.rack.With(topology.RoleNode) {
		group.Go(func() error { return s.start(ctx, controlplane.KubeProxy+"/"+node.Name) })
	}
	group.Go(func() error {
		if err := s.awaitNodes(ctx); err != nil {
			return err
		}
		s.reporter.progress("all nodes are Ready")
		if !s.lab.Herald {
			return nil
		}
		if err := s.installHerald(ctx); err != nil {
			return err
		}
		s.reporter.progress("Herald runs on every node")
		return nil
	})
	return group.Wait()
}

func (s *Supervisor) start(ctx context.Context, name string) error {
	if err := s.parts[name].Start(ctx); err != nil {
		return err
	}
	s.reporter.progress("%s is ready", name)
	return nil
}
