package main

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/herald-network/herald/test/lab"
	"github.com/herald-network/herald/test/lab/checkout"
	"github.com/herald-network/herald/test/lab/controlplane"
	"github.com/herald-network/herald/test/lab/router"
	"github.com/herald-network/herald/test/lab/statedir"
	"github.com/herald-network/herald/test/lab/topology"
)

// upOptions are the flags of "lab up".
type upOptions struct {
	topology.Options
	router   string
	noHerald bool
}

func (p *program) upCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use: "up", Short: "Start a lab; returns when its nodes are Ready and Herald runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.up(cmd.Context(), o, cmd.ErrOrStderr()) },
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Nodes, "nodes", 3, "number of nodes")
	flags.IntVar(&o.Routers, "tors", 1, "number of top-of-rack routers")
	flags.StringVar(&o.router, "tor", string(router.BIRD), "what the routers run: bird or frr")
	flags.BoolVar(&o.IPv6, "ipv6", false, "make it dual stack")
	flags.BoolVar(&o.noHerald, "no-herald", false, "leave Herald out")
	return cmd
}

func (p *program) up(ctx context.Context, o upOptions, progress io.Writer) error {
	dir, err := p.dir()
	if err != nil {
		return err
	}
	if _, err := topology.New(o.Options); err != nil {
		return err
	}
	kind, err := router.ParseKind(o.router)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	root, err := sourceTree(self)
	if err != nil {
		return err
	}
	binaries, err := provideControlPlane(ctx, root, progress)
	if err != nil {
		return err
	}
	return lab.Up(ctx, dir, statedir.Lab{
		Options: o.Options, Router: kind, Herald: !o.noHerald, Checkout: root, Binaries: binaries, Self: self,
		HeraldBinaries: filepath.Dir(self),
	}, progress)
}

func (p *program) controlPlaneCommand() *cobra.Command {
	return &cobra.Command{
		Use: "control-plane", Args: cobra.NoArgs,
		Short: "Build the control plane, if that is still to be done, and print the directory that it is in",
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			root, err := sourceTree(self)
			if err != nil {
				return err
			}
			binaries, err := provideControlPlane(cmd.Context(), root, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			cmd.Println(filepath.Dir(binaries[controlplane.APIServer]))
			return nil
		},
	}
}

// sourceTree returns the checkout that the lab works from: the one around the working directory, else the one around the
// lab's own program.
func sourceTree(self string) (string, error) {
	working, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return checkout.Root(working, filepath.Dir(self))
}

func provideControlPlane(ctx context.Context, root string, progress io.Writer) (controlplane.Binaries, error) {
	module := filepath.Join(root, "test", "controlplane")
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
