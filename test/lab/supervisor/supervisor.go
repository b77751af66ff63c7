// Package supervisor is the lab while it is up: it wires the rack, starts what belongs on its hosts, and carries out the
// command line's commands. It runs inside a sandbox, on the control plane's host.
package supervisor

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"github.com/herald-network/herald/test/lab/cluster"
	"github.com/herald-network/herald/test/lab/control"
	"github.com/herald-network/herald/test/lab/host"
	"github.com/herald-network/herald/test/lab/kubelet"
	"github.com/herald-network/herald/test/lab/network"
	"github.com/herald-network/herald/test/lab/part"
	"github.com/herald-network/herald/test/lab/router"
	"github.com/herald-network/herald/test/lab/statedir"
	"github.com/herald-network/herald/test/lab/topology"
)

// Supervisor is one lab.
type Supervisor struct {
	dir      statedir.Dir
	lab      statedir.Lab
	rack     topology.Rack
	cluster  cluster.Cluster
	network  *network.Network
	reporter *Reporter
	log      logr.Logger

	// parts and fleet are complete once the lab is up.
	parts map[string]*part.Runner
	fleet kubelet.Fleet
}

// Run brings the lab of a directory up, tells the reporter when it is, and keeps it up until the context is over. While it
// is not up yet it ends with the one that waits for it: when the tether ends. What it started ends with the sandbox.
func Run(ctx context.Context, dir statedir.Dir, reporter *Reporter, tether io.Reader) error {
	s, err := newSupervisor(dir, reporter)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var up atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, tether)
		if !up.Load() {
			cancel()
		}
	}()
	if err := s.bringUp(ctx); err != nil {
		return err
	}
	up.Store(true)
	return control.Serve(ctx, dir.Socket(), s.handle, reporter.ready)
}

func newSupervisor(dir statedir.Dir, reporter *Reporter) (*Supervisor, error) {
	lab, err := dir.Read()
	if err != nil {
		return nil, err
	}
	rack, err := topology.New(lab.Options)
	if err != nil {
		return nil, err
	}
	parts := cluster.New(rack, lab.Binaries, dir)
	if lab.Audit {
		parts = parts.Audited()
	}
	return &Supervisor{
		dir: dir, lab: lab, rack: rack, reporter: reporter,
		cluster: parts,
		log:     funcr.New(func(prefix, args string) { fmt.Fprintln(os.Stderr, prefix, args) }, funcr.Options{LogTimestamp: true}),
		parts:   map[string]*part.Runner{},
		fleet:   kubelet.Fleet{},
	}, nil
}

// prepare makes what has to be there before anything starts.
func (s *Supervisor) prepare() (err error) {
	if s.network, err = network.Build(s.rack, topology.ControlPlane); err != nil {
		return fmt.Errorf("build the network: %w", err)
	}
	for _, h := range s.rack.Hosts {
		if err := s.host(h.Name).Prepare(); err != nil {
			return err
		}
	}
	for i, r := range s.rack.With(topology.RoleRouter) {
		if err := s.prepareRouter(r, s.lab.Daemons[i]); err != nil {
			return err
		}
		s.add(s.lab.Daemons[i].Part(r.Name))
	}
	for _, p := range []part.Part{s.cluster.Etcd(), s.cluster.APIServer(), s.cluster.ControllerManager(), s.cluster.Scheduler()} {
		s.add(p)
	}
	for _, node := range s.rack.With(topology.RoleNode) {
		s.add(s.cluster.KubeProxy(node.Name))
	}
	return s.cluster.WriteFiles()
}

func (s *Supervisor) prepareRouter(host topology.Host, kind router.Kind) error {
	files, err := kind.Files(host)
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := s.host(host.Name).WriteFile(path, text); err != nil {
			return err
		}
	}
	return os.MkdirAll(s.host(host.Name).Path(kind.RunDir()), 0o755)
}

func (s *Supervisor) add(p part.Part) {
	s.parts[p.Name] = part.NewRunner(p, s.host(p.Host), s.dir.LogPath(p.Name))
}

func (s *Supervisor) host(name string) host.Host { return host.In(string(s.dir), name) }
