package agent

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/drain"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/logkey"
)

// takeLeave decides which peers run: those that the node shall have, and for a while those that it shall not have any more.
func (a *Agent) takeLeave(now time.Time, observed bgp.Speaker) {
	in := drain.Input{Now: now, Time: a.intent.ShutdownTime, Sessions: observed.Sessions, Peers: a.intent.Peers}
	if a.ends != "" {
		in.Peers = nil
	}
	a.farewell = a.drain.Next(in)
	a.again.Stop()
	if first := a.farewell.First(); !first.IsZero() {
		a.again.Reset(first.Sub(now))
	}
	a.Metrics.Draining.Set(float64(len(a.farewell.Leaves)))
}

// advertised is what the table shall advertise: on a node out of service nothing, but only once nobody is left to be taken
// leave of. Until then what can no longer be served is still withdrawn at once.
func (a *Agent) advertised() advertise.Config {
	config := a.intent.Advertise
	config.Excluded = config.Excluded && len(a.farewell.Leaves) == 0
	return config
}

// phase is a node's part in the network.
type phase string

// The phases, which are the reasons of the events on the Node that tell of them.
const (
	inService    phase = "InService"
	draining     phase = "Draining"
	outOfService phase = "OutOfService"
)

// enterPhase tells people by an event on the Node, where those look who take it down, that it is in another phase than
// before. The one that an agent begins in is no news.
func (a *Agent) enterPhase() {
	before, now := a.phase, a.presentPhase()
	a.phase = now
	if before == "" || before == now {
		return
	}
	var message string
	switch now {
	case inService:
		message = "the node is in service again"
	case draining:
		message = a.drainingMessage()
	case outOfService:
		message = a.leavingCause() + ": its routes are withdrawn, and its BGP sessions are closed"
	}
	a.Log.Info("Changing the node's part in the network", logkey.Reason, message)
	a.warn(Warning{
		// Kubelets, too, call a Node's UID by its name in events; kubectl describe looks for both.
		Object: intent.Object{Kind: string(input.KindNode), Name: a.Node, UID: types.UID(a.Node)},
		Type:   corev1.EventTypeNormal, Reason: string(now), Message: message,
	})
}

func (a *Agent) presentPhase() phase {
	switch {
	case a.leavingCause() == "":
		return inService
	case len(a.farewell.Leaves) > 0:
		return draining
	default:
		return outOfService
	}
}

// leavingCause says why the node leaves all of its peers, or has left them; "" where it does not.
func (a *Agent) leavingCause() string {
	switch {
	case a.intent.OutOfService != "":
		return outOfServiceMessage(a.intent)
	default:
		return a.ends
	}
}

// drainingMessage says why the node leaves, and how long that takes.
func (a *Agent) drainingMessage() string {
	return fmt.Sprintf("%s: its routes are marked with GRACEFUL_SHUTDOWN until they are withdrawn at %s",
		a.leavingCause(), a.farewell.Last().UTC().Format(time.TimeOnly))
}

func outOfServiceMessage(want intent.Intent) string {
	return "the node is out of service: it " + string(want.OutOfService)
}
