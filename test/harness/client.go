package harness

import (
	"context"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/test/lab/topology"
)

// Config returns how an admin reaches the lab's API server, without a rate limit. Connections begin in the control plane's
// network namespace.
func (l *Lab) Config(ctx context.Context) (*rest.Config, error) {
	kubeconfig, err := l.Kubectl(ctx, "config", "view", "--raw", "--flatten")
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(kubeconfig))
	if err != nil {
		return nil, fmt.Errorf("read the lab's kubeconfig: %w", err)
	}
	config.QPS = -1
	config.Dial = func(ctx context.Context, _, address string) (net.Conn, error) {
		return l.Dial(ctx, topology.ControlPlane, address)
	}
	return config, nil
}

// Client returns a client for the lab's API server, as Config has it.
func (l *Lab) Client(ctx context.Context) (client.WithWatch, error) {
	config, err := l.Config(ctx)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}

// Dial connects to a TCP address as it is seen from a host of the lab. The connection outlives the context and ends
// with the probe that relays it.
func (l *Lab) Dial(ctx context.Context, host, address string) (net.Conn, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(ends[0]), "ours"), os.NewFile(uintptr(ends[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	relay := l.command(context.WithoutCancel(ctx), "exec", host, "--", l.binaries.Probe, "dial", address)
	relay.Stdin, relay.Stdout = theirs, theirs
	if err := relay.Start(); err != nil {
		return nil, fmt.Errorf("dial %s from %s: %w", address, host, err)
	}
	go func() { _ = relay.Wait() }() // The connection says how it ended.
	return net.FileConn(ours)
}
