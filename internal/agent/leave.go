package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/speaker"
)

const (
	// decideTimeout bounds how long the end of an agent waits for the API server to say whether it is for good.
	decideTimeout = 2 * time.Second
	// closeTimeout bounds how long withdrawing takes. With decideTimeout before it and again after it, for the last status,
	// it fits in the DaemonSet's terminationGracePeriodSeconds.
	closeTimeout = 10 * time.Second
)

// leave ends the speaker. An agent that is gone for good withdraws its routes first; any other leaves without a word, so
// that routers keep forwarding until the next one is up. Unknown is never gone for good.
func (a *Agent) leave(ctx context.Context) error {
	mode := speaker.KeepRoutes
	deciding, cancel := context.WithTimeout(ctx, decideTimeout)
	hasLeft, err := a.Workload.HasLeft(deciding, a.objects.node.Labels)
	cancel()
	if hasLeft {
		mode = speaker.WithdrawRoutes
	}
	reason := "the agent will be back"
	switch {
	case err != nil:
		reason = fmt.Sprintf("whether the agent will be back is not known: %v", err)
	case hasLeft:
		reason = "the agent is gone for good"
	}
	a.Log.Info("Leaving", logkey.Reason, reason)

	closing, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err = a.Speaker.Close(closing, mode)
	if hasLeft {
		err = errors.Join(err, a.Marker.Clear(), a.lastStatus(ctx))
	}
	if err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// lastStatus says that nothing is advertised any more: nobody will correct it.
func (a *Agent) lastStatus(ctx context.Context) error {
	status := a.status()
	if status == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	return a.BGPNode.SetStatus(ctx, withTransitions(*status, v1alpha1.BGPNodeStatus{}))
}
