package agent

import (
	"context"
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/loopguard"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/logkey"
)

// maxStepsLogged bounds what one record of the log says of a plan.
const maxStepsLogged = 20

// turn takes in all events that wait and brings the speaker to what they ask for.
func (a *Agent) turn(ctx context.Context) {
	for _, event := range a.Inputs.Take() {
		a.guard(func() { a.objects.take(event, a.table) })
	}
	if !a.objects.areKnown() {
		if a.saved != nil {
			a.saySaved(ctx)
		}
		return
	}
	a.guarded(func() {
		start := time.Now()
		steps := a.decide(start)
		if a.awaitsSecrets() {
			return
		}
		guard := a.tell()
		a.Metrics.Compute.Observe(time.Since(start).Seconds())
		a.run(ctx, steps)
		a.Loops.set(guard)
	})
	a.nudge()
}

// guarded does work that is tried again in another turn where a bug ended it.
func (a *Agent) guarded(work func()) {
	if !a.guard(work) {
		a.retry.Reset(retryAfter)
	}
}

// decide returns the steps from what the speaker does to what it should do. What changed in one Service costs that Service
// only; the configuration and the own Node cost everything.
func (a *Agent) decide(now time.Time) []plan.Step {
	reconfigured := a.objects.reconfigured
	if reconfigured {
		// A bug in here stops nothing that runs, and where nothing was decided yet it does not pass for an empty configuration.
		a.objects.reconfigured = !a.hasSpoken || a.saved != nil
		a.intent = intent.For(a.objects.input())
		a.followSecrets()
	}
	observed := a.Speaker.Observe()
	a.takeLeave(now, observed)
	if config := a.advertised(); reconfigured || config.Excluded != a.excluded {
		a.excluded = config.Excluded
		a.table.Configure(config)
		a.objects.reconfigured = false
	}
	changes := a.table.TakeChanges()
	if a.saved != nil {
		changes = sinceSaved(*a.saved, changes)
		a.saved = nil
		a.Metrics.FromSaved.Set(0)
	}
	routes := plan.Routes(changes.Advertise, changes.Withdraw)
	a.owed = append(without(a.owed, routes), routes...)
	return a.steps(observed)
}

// tell tells those who run beside the loop what was decided, and returns what shall keep packets from looping: from now on, but
// where that is nothing, which is said once the routes are gone. Peers that leave still send packets here, but the next agent does
// not take leave of them.
func (a *Agent) tell() loopguard.Guard {
	guard := loopguard.For(a.intent.LoopPrevention, a.advertised(), a.farewell.Peers)
	if !guard.IsNone() {
		a.Loops.set(guard)
	}
	a.Keeper.note(a.objects.node, a.intent, guard, a.owed)
	return guard
}

// steps returns the steps for routes that are owed, and those to the peers that shall run: to none while the service proxy
// is waited for.
func (a *Agent) steps(observed bgp.Speaker) []plan.Step {
	peers := a.farewell.Peers
	switch {
	case a.proxy != nil:
		peers = nil
	case a.saved != nil:
		peers = a.saved.Peers
	}
	return plan.Order(a.owed, plan.Peers(runningPeers(observed), peers))
}

// run has the speaker carry out the steps. Routes come before peers, and the first run of all has every route, so a
// session that opens sends its End-of-RIB after them.
func (a *Agent) run(ctx context.Context, steps []plan.Step) {
	if len(steps) > 0 {
		a.Log.Info("Changing what the speaker does", logkey.Diff, diff(steps))
		start := time.Now()
		err := a.Speaker.Run(ctx, steps)
		a.Metrics.Apply.Observe(time.Since(start).Seconds())
		if err != nil {
			a.Metrics.ApplyErrors.Inc()
			a.Log.Error(err, "Changing what the speaker does, trying again soon")
			a.retry.Reset(retryAfter)
			return
		}
	}
	a.owed = nil
	a.enterPhase()
	a.hasSpoken = true
	if a.proxy == nil && !a.isMarked {
		a.isMarked = true
		if err := a.Marker.Set(); err != nil {
			a.Log.Error(err, "Marking this boot, a restart of the agent will look like a reboot to routers")
		}
	}
}

// guard survives a bug: one bad object, or one bad turn, must not take a node's routes away. It reports whether there was
// none.
func (a *Agent) guard(work func()) (sound bool) {
	defer func() {
		if cause := recover(); cause != nil {
			a.Metrics.Panics.Inc()
			a.Log.Error(fmt.Errorf("panic: %v", cause), "Surviving a bug", logkey.Stack, string(debug.Stack()))
		}
	}()
	work()
	return true
}

// without returns the steps for routes that no newer step is about.
func without(older, newer []plan.Step) []plan.Step {
	if len(older) == 0 {
		return nil
	}
	superseded := make(map[netip.Prefix]struct{}, len(newer))
	for _, s := range newer {
		superseded[s.Prefix()] = struct{}{}
	}
	return slices.DeleteFunc(slices.Clone(older), func(s plan.Step) bool {
		_, found := superseded[s.Prefix()]
		return found
	})
}

func runningPeers(observed bgp.Speaker) []bgp.Peer {
	peers := make([]bgp.Peer, len(observed.Sessions))
	for i, s := range observed.Sessions {
		peers[i] = s.Peer
	}
	return peers
}

// diff says what a plan does, in as many words as a record of the log should have.
func diff(steps []plan.Step) []string {
	words := make([]string, 0, maxStepsLogged+1)
	for _, s := range steps[:min(len(steps), maxStepsLogged)] {
		word := s.String()
		if s.Impact == plan.SessionDrop {
			word += " (" + s.Impact.String() + ")"
		}
		words = append(words, word)
	}
	if more := len(steps) - maxStepsLogged; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return words
}
