package agent

import (
	"context"
	"time"

	"github.com/herald-network/herald/internal/logkey"
)

const (
	// proxyInterval is the time between two looks at the service proxy, proxyTimeout how long one may take.
	proxyInterval = 250 * time.Millisecond
	proxyTimeout  = 2 * time.Second
)

// ServiceProxy is what forwards to Services on the node: kube-proxy, as a rule. What an agent advertises on a node that has
// just booted would bring packets before there are rules for them.
type ServiceProxy struct {
	// Check returns an error where the proxy does not forward yet.
	Check func(ctx context.Context) error
	// Patience is how long the first session waits for it, and no longer: an address that is advertised a little early is
	// better than one that never is. 0 is not at all, as is right for an agent that is not the first of its boot.
	Patience time.Duration
}

// await returns a channel that is closed once sessions may be opened; nil where they may at once.
func (a *Agent) awaitProxy(ctx context.Context) <-chan struct{} {
	if a.ServiceProxy.Patience <= 0 {
		return nil
	}
	a.Metrics.Waiting.Set(1)
	healthy := make(chan struct{})
	go func() {
		defer close(healthy)
		defer a.Metrics.Waiting.Set(0)
		start := time.Now()
		waiting, cancel := context.WithTimeout(ctx, a.ServiceProxy.Patience)
		defer cancel()
		a.Log.Info("Waiting for the service proxy before the first session is opened", "atMost", a.ServiceProxy.Patience.String())
		for {
			err := a.checkProxy(waiting)
			waited := time.Since(start).Round(time.Millisecond).String()
			switch {
			case err == nil:
				a.Log.Info("The service proxy is healthy", "waited", waited)
				return
			case ctx.Err() != nil:
				return
			case waiting.Err() != nil || !pause(waiting, proxyInterval):
				a.Log.Info("Not waiting for the service proxy any longer", "waited", waited, logkey.Reason, err.Error())
				return
			}
		}
	}()
	return healthy
}

func (a *Agent) checkProxy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proxyTimeout)
	defer cancel()
	return a.ServiceProxy.Check(ctx)
}
