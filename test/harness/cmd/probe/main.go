// Command probe runs inside a host of the lab: `probe routes` in a router, `probe requests --rate 100 URL…` in a
// client, `probe dial ADDRESS:PORT` where a connection shall begin.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/herald-network/herald/test/harness/probe"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{Use: "probe", Short: "Watch a lab from the inside", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(&cobra.Command{
		Use:   "routes",
		Short: "Write every change of the routes that a routing daemon puts into the kernel",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return probe.WatchRoutes(cmd.Context(), cmd.OutOrStdout())
		},
	})
	root.AddCommand(&cobra.Command{
		Use:   "dial ADDRESS:PORT",
		Short: "Relay standard input and output to a TCP connection",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return probe.Dial(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	})
	var patience time.Duration
	datagram := &cobra.Command{
		Use:   "datagram ADDRESS:PORT",
		Short: "Send one UDP packet, and write what its sender is told of it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return probe.Datagram(cmd.Context(), args[0], patience, cmd.OutOrStdout())
		},
	}
	datagram.Flags().DurationVar(&patience, "patience", time.Second, "how long to wait for that")
	root.AddCommand(datagram)
	root.AddCommand(&cobra.Command{
		Use:   "listen ADDRESS:PORT",
		Short: "Accept connections, and close them",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return probe.Listen(cmd.Context(), args[0])
		},
	})
	load := probe.Load{}
	requests := &cobra.Command{
		Use:   "requests URL…",
		Short: "Send requests, each on a connection of its own, and write what became of them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, urls []string) error {
			load.URLs = urls
			return probe.SendRequests(cmd.Context(), load, cmd.OutOrStdout())
		},
	}
	requests.Flags().IntVar(&load.Rate, "rate", 100, "requests per second")
	requests.Flags().DurationVar(&load.Timeout, "timeout", 900*time.Millisecond, "how long one request may take")
	root.AddCommand(requests, holdCommand())
	return root
}

func holdCommand() *cobra.Command {
	hold := probe.Hold{}
	command := &cobra.Command{
		Use:   "hold URL…",
		Short: "Keep connections open, send requests over each, and write what became of them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, urls []string) error {
			hold.URLs = urls
			return probe.HoldConnections(cmd.Context(), hold, cmd.OutOrStdout())
		},
	}
	command.Flags().IntVar(&hold.Connections, "connections", 10, "connections to keep open")
	command.Flags().DurationVar(&hold.Every, "every", 100*time.Millisecond, "time between two requests on a connection")
	command.Flags().DurationVar(&hold.Timeout, "timeout", 900*time.Millisecond, "how long one request may take")
	return command
}
