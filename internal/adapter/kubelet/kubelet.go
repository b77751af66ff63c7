// Package kubelet tells a host that shuts down from a pod that is replaced, by what an agent can see of its host without any
// right on it: whether the kubelet is still there.
//
// A pod that is replaced, restarted or deleted is ended by the kubelet, which lives on. Where the kubelet does not hold the
// shutdown up (graceful node shutdown, which the API tells of), the host's own init ends everything, the kubelet with it: then
// nobody will start the agent again. The sockets of systemd and D-Bus would say so too, but whoever may open them may do
// anything to the host.
package kubelet

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Address is where kubelets serve /healthz by default (healthzBindAddress and healthzPort of the KubeletConfiguration), on
// the host's loopback.
const Address = "127.0.0.1:10248"

const (
	// seekInterval is the time between two looks for a kubelet that was never seen.
	seekInterval = 10 * time.Second
	// watchTime is how long the kubelet may outlive a pod that was ended together with it, watchInterval how often is looked.
	watchTime     = time.Second
	watchInterval = 50 * time.Millisecond
)

// Host is the host of a kubelet.
type Host struct {
	address string
	seen    atomic.Bool
}

// New returns the host of the kubelet at an address, Address but for kubelets that are configured otherwise.
func New(address string) *Host { return &Host{address: address} }

// Run looks for the kubelet until it is found, or the context ends: one that was never seen, since it serves nowhere or
// elsewhere, is not missed either.
func (h *Host) Run(ctx context.Context) {
	for h.address != "" {
		if h.dial(ctx) == nil {
			h.seen.Store(true)
			return
		}
		if !pause(ctx, seekInterval) {
			return
		}
	}
}

// IsGoingDown reports whether the kubelet, which was there, is gone: its port refuses connections. It watches for a second at
// most, since both may have been told to end at the same moment.
func (h *Host) IsGoingDown(ctx context.Context) bool {
	if !h.seen.Load() {
		return false
	}
	for end := time.Now().Add(watchTime); ; {
		if errors.Is(h.dial(ctx), syscall.ECONNREFUSED) {
			return true
		}
		if time.Now().After(end) || !pause(ctx, watchInterval) {
			return false
		}
	}
}

func (h *Host) dial(ctx context.Context) error {
	connection, err := (&net.Dialer{Timeout: watchTime}).DialContext(ctx, "tcp", h.address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// pause waits, and reports false where the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
