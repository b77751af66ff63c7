package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/herald-network/herald/test/lab"
	"github.com/herald-network/herald/test/lab/control"
	"github.com/herald-network/herald/test/lab/echo"
	"github.com/herald-network/herald/test/lab/statedir"
)

// program is the command line.
type program struct {
	dirFlag string
}

func (p *program) dir() (statedir.Dir, error) { return statedir.Open(p.dirFlag) }

func newCommand() *cobra.Command {
	p := &program{}
	root := &cobra.Command{
		Use:   "lab",
		Short: "A rack in a box: a Kubernetes cluster, its routers and a client outside, on one machine",
		Long: `lab builds a rack out of network namespaces and real parts: etcd, Kubernetes, one kube-proxy per node,
BIRD, FRR, OpenBGPD or GoBGP as top-of-rack routers, a client outside, and Herald. It touches nothing of the machine's
network, and "lab down" leaves nothing behind.`,
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// So that a --dir before "kubectl" is the lab's.
		TraverseChildren:  true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.PersistentFlags().StringVar(&p.dirFlag, "dir", ".lab", "directory of the lab")
	root.AddCommand(p.upCommand(), p.downCommand(), p.execCommand(), p.kubectlCommand(), p.logsCommand(), p.statusCommand(),
		p.tourCommand(), p.loadCommand(), echo.Command(),
		p.controlPlaneCommand(), p.packagesCommand(), p.superviseCommand(),
		p.verbCommand(control.Start, "start NAME", "Start a process that was stopped or killed, and wait until it is ready"),
		p.verbCommand(control.Stop, "stop NAME", "End a process in the ordinary way"),
		p.verbCommand(control.Kill, "kill NAME", "Kill a process with SIGKILL"),
		p.verbCommand(control.Pause, "pause NAME", "Stop a process with SIGSTOP: it is there and does nothing"),
		p.verbCommand(control.Resume, "resume NAME", "Let a process that was paused go on"),
		p.verbCommand(control.Cut, "cut HOST", "Take a host's links down"),
		p.verbCommand(control.Mend, "mend HOST", "Take a host's links up again"),
	)
	return root
}

func (p *program) downCommand() *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Stop everything and leave nothing behind", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			return dir.Remove(cmd.Context())
		},
	}
}

func (p *program) execCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "exec HOST -- CMD…",
		Short:   "Run a command on tor, tor-2, external, control-plane, node-1…, or in pod/NAMESPACE/NAME",
		Example: "  lab exec tor -- ip route\n  lab exec external -- curl 10.49.0.1",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			host, command := args[0], args[1:]
			if command[0] == "--" {
				command = command[1:]
			}
			if len(command) == 0 {
				return fmt.Errorf("no command to run on %s", host)
			}
			return lab.Exec(cmd.Context(), dir, host, command)
		},
	}
	cmd.Flags().SetInterspersed(false) // What follows the host is the command's.
	return cmd
}

func (p *program) kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use: "kubectl ARGS…", Short: "Run kubectl as administrator of the lab's cluster",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			return lab.Kubectl(cmd.Context(), dir, args)
		},
	}
}

func (p *program) loadCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "load TAG DIR",
		Short:   "Have pods with the image herald:TAG run the programs in a directory, as for an upgrade",
		Example: "  lab load v0.2.0 bin",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			return lab.Load(dir, args[0], args[1])
		},
	}
}

func (p *program) verbCommand(verb control.Verb, use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			_, err = lab.Call(cmd.Context(), dir, verb, args[0])
			return err
		},
	}
}

func (p *program) logsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logs NAME", Short: "Print what a process has written", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			answer, err := lab.Call(cmd.Context(), dir, control.Logs, args[0])
			if err != nil {
				return err
			}
			return printFiles(cmd.OutOrStdout(), answer.Paths)
		},
	}
}

func printFiles(out io.Writer, paths []string) error {
	var errs []error
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_, err = io.Copy(out, file)
		errs = append(errs, err, file.Close())
	}
	return errors.Join(errs...)
}

func (p *program) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Print which processes run", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			answer, err := lab.Call(cmd.Context(), dir, control.Status, "")
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, part := range answer.Parts {
				fmt.Fprintf(table, "%s\t%s\n", part.Name, state(part))
			}
			return table.Flush()
		},
	}
}

func state(part control.PartStatus) string {
	switch {
	case part.Paused:
		return "paused"
	case part.Running:
		return "running"
	default:
		return "stopped"
	}
}

func (p *program) superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use: lab.SuperviseCommand + " DIR", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return lab.Supervise(cmd.Context(), statedir.Dir(args[0]))
		},
	}
}
