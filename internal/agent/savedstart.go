package agent

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"time"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/core/saved"
)

// syncPatience is how long an agent that starts waits for the API server to tell it everything, before it speaks from what
// the agent before it left. Routers wait longer (restartTimeSeconds, 120 s by default).
const syncPatience = 10 * time.Second

// speakFromSaved has the speaker say what the agent before this one said, where the API server has not told everything
// yet. Nothing that is known so far is used: half of the truth would withdraw the other half.
func (a *Agent) speakFromSaved(ctx context.Context) {
	if a.objects.areKnown() || a.saved != nil {
		return
	}
	state, err := a.Keeper.saved.Load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.Log.Info("Waiting for the API server without a word to routers, no agent has left what to say since the node booted",
			"notReadYet", a.objects.unknown)
		return
	case err != nil:
		a.Log.Error(err, "Waiting for the API server without a word to routers, what the agent before left can't be used",
			"notReadYet", a.objects.unknown)
		return
	}
	a.Log.Info("Speaking from saved state, the API server has not told everything yet", "notReadYet", a.objects.unknown,
		"peers", len(state.Peers), "routes", len(state.Paths))
	a.saved = &state
	a.Metrics.FromSaved.Set(1)
	a.objects.restore(state.Node)
	// A peer whose Secret is not read yet keeps its password, as one that runs does.
	a.objects.passwords.Opened = state.Opened
	a.intent = intent.Intent{
		ASN: state.ASN, RouterID: state.RouterID, Configured: true, Selected: state.Selected, Peers: state.Peers, Opened: state.Opened,
		LoopPrevention: state.LoopPrevention,
	}
	a.owed = plan.Routes(state.Paths, nil)
	a.Keeper.prime(state)
	a.Loops.set(state.Guard)
	a.saySaved(ctx)
}

// saySaved carries out what is left to do of speaking from saved state.
func (a *Agent) saySaved(ctx context.Context) {
	a.guarded(func() { a.run(ctx, a.steps(a.Speaker.Observe())) })
}

// sinceSaved returns the changes from the saved state, which the speaker has, to those from nothing.
func sinceSaved(state saved.State, changes advertise.Changes) advertise.Changes {
	gone := make(map[netip.Prefix]bgp.Path, len(state.Paths))
	for _, path := range state.Paths {
		gone[path.Prefix] = path
	}
	var since advertise.Changes
	for _, path := range changes.Advertise {
		if before, stands := gone[path.Prefix]; !stands || before != path {
			since.Advertise = append(since.Advertise, path)
		}
		delete(gone, path.Prefix)
	}
	for prefix := range gone {
		since.Withdraw = append(since.Withdraw, prefix)
	}
	return since
}

// restore takes over what an earlier agent knew of the node, where it is not known better. Its router ID stays in any
// case: another one would reset every session.
func (o *objects) restore(node intent.Node) {
	if !o.hasNode {
		o.node = node
	}
	o.node.RouterID = node.RouterID
}

// prime enters what stands in the file already.
func (k *Keeper) prime(state saved.State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, path := range state.Paths {
		k.paths[path.Prefix] = path
	}
	state.Paths = nil
	k.state = state
	k.server.RecallAPIServer(state.APIServer)
}
