package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/herald-network/herald/test/lab"
	"github.com/herald-network/herald/test/lab/checkout"
	"github.com/herald-network/herald/test/lab/controlplane"
	"github.com/herald-network/herald/test/lab/debian"
	"github.com/herald-network/herald/test/lab/router"
	"github.com/herald-network/herald/test/lab/statedir"
	"github.com/herald-network/herald/test/lab/topology"
)

// upOptions are the flags of "lab up".
type upOptions struct {
	topology.Options
	routers         string
	noHerald, audit bool
}

func (p *program) upCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use: "up", Short: "Start a lab; returns when its nodes are Ready and Herald runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			if _, err := topology.New(o.Options); err != nil {
				return err
			}
			daemons, err := parseDaemons(o.routers, o.Routers)
			if err != nil {
				return err
			}
			description := statedir.Lab{Options: o.Options, Daemons: daemons, Herald: !o.noHerald, Audit: o.audit}
			return up(cmd.Context(), dir, description, cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Nodes, "nodes", 3, "number of nodes")
	flags.IntVar(&o.Routers, "tors", 1, "number of top-of-rack routers")
	flags.StringVar(&o.routers, "tor", string(router.BIRD),
		"what the routers run: bird, frr, openbgpd or gobgp, or a list of these with one for each router; "+
			"openbgpd and gobgp speak BGP but forward nothing to Services")
	flags.BoolVar(&o.IPv6, "ipv6", false, "make it dual stack")
	flags.BoolVar(&o.noHerald, "no-herald", false, "leave Herald out")
	flags.BoolVar(&o.audit, "audit", false, "have the API server note every request in logs/audit.log of the lab's directory")
	return cmd
}

// parseDaemons reads what the routers run.
func parseDaemons(text string, routers int) ([]router.Kind, error) {
	kinds, err := router.ParseKinds(text, routers)
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		if kind.NeedsRoot() && os.Geteuid() != 0 {
			return nil, fmt.Errorf("router %q: it gives up its rights by becoming another user, so the lab has to be started by root", kind)
		}
	}
	return kinds, nil
}

// up sees to all programs that the lab takes, and starts it.
func up(ctx context.Context, dir statedir.Dir, description statedir.Lab, progress io.Writer) error {
	if err := ensurePackages(ctx, progress, description.Daemons...); err != nil {
		return err
	}
	source, err := newSource()
	if err != nil {
		return err
	}
	description.Self, description.Checkout = source.self, source.root
	if description.Binaries, err = source.controlPlane(ctx, progress); err != nil {
		return err
	}
	description.HeraldBinaries = source.heraldDir()
	if description.Herald {
		if err := source.buildHerald(ctx, progress); err != nil {
			return err
		}
	}
	return lab.Up(ctx, dir, description, progress)
}

// ensurePackages sees to Debian's packages for a lab with routers of the given kinds.
func ensurePackages(ctx context.Context, progress io.Writer, kinds ...router.Kind) error {
	programs := debian.Base()
	for _, kind := range kinds {
		programs = append(programs, kind.Programs()...)
	}
	machine := debian.Host{Root: os.Geteuid() == 0, Progress: progress}
	return machine.Ensure(ctx, programs)
}

func (p *program) packagesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "packages", Args: cobra.NoArgs,
		Short: "Install the Debian packages that labs of every kind take, or name those that are missing",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ensurePackages(cmd.Context(), cmd.ErrOrStderr(), router.Kinds()...)
		},
	}
}

func (p *program) controlPlaneCommand() *cobra.Command {
	return &cobra.Command{
		Use: "control-plane", Args: cobra.NoArgs,
		Short: "Build the control plane, if that is still to be done, and print the directory that it is in",
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, err := newSource()
			if err != nil {
				return err
			}
			binaries, err := source.controlPlane(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), filepath.Dir(binaries[controlplane.APIServer]))
			return err
		},
	}
}

// source is where programs come from.
type source struct {
	// self is the lab's own program, root the checkout around the working directory, else the one around self.
	self, root string
}

func newSource() (source, error) {
	self, err := os.Executable()
	if err != nil {
		return source{}, err
	}
	working, err := os.Getwd()
	if err != nil {
		return source{}, err
	}
	root, err := checkout.Root(working, filepath.Dir(self))
	return source{self: self, root: root}, err
}

func (s source) controlPlane(ctx context.Context, progress io.Writer) (controlplane.Binaries, error) {
	module := filepath.Join(s.root, "test", "controlplane")
	versions, err := controlplane.ReadVersions(module)
	if err != nil {
		return nil, err
	}
	cache, err := versions.CacheDir()
	if err != nil {
		return nil, err
	}
	return controlplane.Source{
		Module: module, Assets: os.Getenv("KUBEBUILDER_ASSETS"), Cache: cache, Versions: versions, Progress: progress,
	}.Provide(ctx)
}

// heraldDir returns the directory with Herald's programs: the lab's own, where `make lab` puts them all, else the
// checkout's bin/.
func (s source) heraldDir() string {
	if beside := filepath.Dir(s.self); hasHerald(beside) {
		return beside
	}
	return filepath.Join(s.root, "bin")
}

// buildHerald builds Herald's programs where they are not there yet.
func (s source) buildHerald(ctx context.Context, progress io.Writer) error {
	dir := s.heraldDir()
	if hasHerald(dir) {
		return nil
	}
	fmt.Fprintln(progress, "Building Herald")
	build := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", "./cmd/manager", "./cmd/agent")
	build.Dir = s.root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build Herald: %w\n%s", err, output)
	}
	return nil
}

func hasHerald(dir string) bool {
	for _, name := range lab.HeraldPrograms() {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}
