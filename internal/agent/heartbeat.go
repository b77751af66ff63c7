package agent

import (
	"context"
	"time"

	"github.com/go-logr/logr"
)

// heartbeatInterval is the time between two signs of life.
const heartbeatInterval = 10 * time.Second

// Lease takes a node's sign of life.
type Lease interface {
	Renew(ctx context.Context, now time.Time) error
}

// Heartbeat says in a Lease that the agent is alive, for as long as its loop answers: BGPNode is then written on changes
// only, and a silent agent is still told from one with nothing to say.
type Heartbeat struct {
	Agent *Agent
	Lease Lease
	Log   logr.Logger
}

// Run renews the Lease until the context ends.
func (h *Heartbeat) Run(ctx context.Context) {
	failing := false
	for {
		err := h.beat(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failing = false
		case !failing:
			failing = true
			h.Log.Error(err, "Renewing the lease, trying again")
		}
		if !pause(ctx, heartbeatInterval) {
			return
		}
	}
}

func (h *Heartbeat) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := h.Agent.Alive(ctx); err != nil {
		return err
	}
	return h.Lease.Renew(ctx, time.Now())
}
