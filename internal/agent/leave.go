package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/logkey"
	"github.com/herald-network/herald/internal/speaker"
)

const (
	// decideTimeout bounds how long the end of an agent waits for the API server, and for its host, to say whether it is
	// for good.
	decideTimeout = 2 * time.Second
	// closeTimeout bounds how long withdrawing takes, and how long it may begin after the time of the graceful shutdown is
	// over. With that time (60 s at most), decideTimeout before it, and again after it, for the last status, it fits in the
	// DaemonSet's terminationGracePeriodSeconds.
	closeTimeout = 10 * time.Second
)

// leave ends the speaker. An agent that is gone for good takes leave of its peers, then withdraws its routes; any other goes
// without a word, so that routers keep forwarding until the next one is up. Unknown is never gone for good.
func (a *Agent) leave(ctx context.Context) error {
	cause, err := a.endsForGood(ctx)
	switch {
	case err != nil:
		a.Log.Info("Leaving", logkey.Reason, fmt.Sprintf("whether the agent will be back is not known: %v", err))
	case cause == "":
		a.Log.Info("Leaving", logkey.Reason, "the agent will be back")
	default:
		a.Log.Info("Leaving", logkey.Reason, cause)
		return a.leaveForGood(ctx, cause)
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	// The next agent does not know of those that are removed already.
	if err := errors.Join(a.Speaker.Run(ctx, a.removeLeaving()), a.Speaker.Close(ctx, speaker.KeepRoutes)); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// endsForGood returns why no agent will follow on this node; "" where one will. An error says that it is not known.
func (a *Agent) endsForGood(ctx context.Context) (string, error) {
	if a.hasSpoken && a.intent.OutOfService != "" {
		return outOfServiceMessage(a.intent), nil
	}
	ctx, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	goingDown := make(chan bool, 1)
	go func() { goingDown <- a.Host.IsGoingDown(ctx) }()
	hasLeft, err := a.Workload.HasLeft(ctx, a.objects.node.Labels)
	switch {
	case hasLeft:
		return "the agent is removed from the node", nil
	case <-goingDown:
		return "the node's host is shutting down: its kubelet is gone", nil
	}
	return "", err
}

// leaveForGood goes on as before, towards routers that are asked to take other paths, and then withdraws everything.
func (a *Agent) leaveForGood(ctx context.Context, cause string) error {
	draining, cancel := context.WithTimeout(ctx, a.intent.ShutdownTime+closeTimeout)
	defer cancel()
	a.ends = cause
	a.turn(draining)
	for len(a.farewell.Leaves) > 0 && a.next(draining, draining.Done()) {
	}

	closing, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err := errors.Join(a.Speaker.Close(closing, speaker.WithdrawRoutes), a.Marker.Clear(), a.Keeper.discard(), a.Loops.remove())
	if err := errors.Join(err, a.lastStatus(ctx)); err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}

// removeLeaving returns the steps that end what is left of taking leave.
func (a *Agent) removeLeaving() []plan.Step {
	var steps []plan.Step
	for _, s := range a.Speaker.Observe().Sessions {
		if s.Peer.Draining {
			steps = append(steps, plan.Step{Verb: plan.RemovePeer, Peer: s.Peer, Impact: plan.SessionDrop})
		}
	}
	return steps
}

// lastStatus says that nothing is advertised any more: nobody will correct it.
func (a *Agent) lastStatus(ctx context.Context) error {
	status := a.status()
	if status == nil || a.intent.OutOfService == intent.Deleting { // The BGPNode goes with its Node.
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	return a.BGPNode.SetStatus(ctx, withTransitions(*status, v1alpha1.BGPNodeStatus{}))
}
