package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/herald-network/herald/test/lab/topology"
	"github.com/herald-network/herald/test/lab/tour"
)

func (p *program) tourCommand() *cobra.Command {
	return &cobra.Command{
		Use: "tour", Short: "Walk through what Herald does on a lab that is up, and check every step", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			lab, err := dir.Read()
			if err != nil {
				return err
			}
			rack, err := topology.New(lab.Options)
			if err != nil {
				return err
			}
			var routers []tour.Router
			for i, host := range rack.With(topology.RoleRouter) {
				if kind := lab.Daemons[i]; !kind.Forwards() {
					return fmt.Errorf("%s runs %s, which tells the kernel nothing of what it learns: no packet gets through it, "+
						"and the tour needs routers that run bird or frr", host.Name, kind)
				}
				routers = append(routers, tour.Router{Host: host.Name, Address: host.Addresses()[0]})
			}
			runner := tour.CLI{Lab: lab.Self, Dir: string(dir)}
			return tour.Run(cmd.Context(), runner, routers, cmd.OutOrStdout())
		},
	}
}
