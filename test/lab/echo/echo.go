// Package echo is the server of image lab/echo: it answers every request with the pod and the node that it runs on and
// the client's address as it saw it. Told to end, it goes on serving for a while, as a server should that is being taken
// out of a Service's endpoints.
package echo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Options say what a server is.
type Options struct {
	// Port is the TCP port that it listens on, at all addresses.
	Port uint16
	// Pod and Node are what it says of itself.
	Pod, Node string
	// Linger is how long it goes on serving after it was told to end.
	Linger time.Duration
}

// Answer is what a request that accepts application/json gets; any other gets the same as a line of text.
type Answer struct {
	Pod    string     `json:"pod"`
	Node   string     `json:"node"`
	Client netip.Addr `json:"client"`
}

func (a Answer) String() string { return fmt.Sprintf("pod %s on %s saw %s", a.Pod, a.Node, a.Client) }

// Command returns the command "echo", which serves until it is told to end.
func Command() *cobra.Command {
	o := Options{Pod: os.Getenv("HOSTNAME")}
	cmd := &cobra.Command{
		Use:    "echo",
		Short:  "Serve what image lab/echo serves",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return Run(ctx, o)
		},
	}
	flags := cmd.Flags()
	flags.Uint16Var(&o.Port, "port", 80, "TCP port to listen on")
	flags.StringVar(&o.Node, "node", "", "name of the node that answers carry")
	flags.DurationVar(&o.Linger, "linger", 5*time.Second, "how long to go on serving after SIGTERM")
	return cmd
}

// Run serves until the context is over and Linger has passed after that. Then it lets the requests under way finish.
func Run(ctx context.Context, o Options) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf(":%d", o.Port))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return Serve(ctx, listener, o)
}

// Serve is Run on a listener of the caller's, which it closes.
func Serve(ctx context.Context, listener net.Listener, o Options) error {
	server := &http.Server{Handler: handler(o), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-served:
		return err
	case <-time.After(o.Linger):
	}
	err := server.Shutdown(context.WithoutCancel(ctx))
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

func handler(o Options) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		client, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer := Answer{Pod: o.Pod, Node: o.Node, Client: client.Addr().Unmap()}
		if !strings.Contains(r.Header.Get("Accept"), "application/json") {
			fmt.Fprintln(w, answer)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // The client sees for itself that an answer is cut off.
	}
}
