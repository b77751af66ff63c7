package kubelet_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/herald-network/herald/internal/adapter/kubelet"
)

// serve listens as a kubelet does, on a port of its own, until the test or the returned function ends it.
func serve(t *testing.T) (address string, end func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	end = func() { _ = listener.Close() }
	t.Cleanup(end)
	return listener.Addr().String(), end
}

func TestAKubeletThatLivesOnMeansThatTheAgentWillBeBack(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	host := kubelet.New(address)
	host.Run(t.Context())
	start := time.Now()
	if host.IsGoingDown(t.Context()) {
		t.Error("the host is said to shut down")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %s: an upgrade waits for that", took)
	}
}

func TestAKubeletThatGoesTooMeansThatTheHostShutsDown(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"before": 0, "meanwhile": 200 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, end := serve(t)
			host := kubelet.New(address)
			host.Run(t.Context())
			if after == 0 {
				end()
			} else {
				time.AfterFunc(after, end)
			}
			if !host.IsGoingDown(t.Context()) {
				t.Error("the host is said to stay")
			}
		})
	}
}

func TestAKubeletThatWasNeverSeenIsNotMissed(t *testing.T) {
	t.Parallel()
	address, end := serve(t)
	end()
	for _, host := range []*kubelet.Host{kubelet.New(address), kubelet.New("")} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		host.Run(ctx)
		cancel()
		if host.IsGoingDown(t.Context()) {
			t.Error("the host is said to shut down")
		}
	}
}

func TestAWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	host := kubelet.New(address)
	host.Run(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if host.IsGoingDown(ctx) {
		t.Error("the host is said to shut down")
	}
}
