package agent

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/loopguard"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/core/saved"
	"github.com/herald-network/herald/internal/metrics"
)

// saveInterval is the least time between two writes of the saved state.
const saveInterval = time.Second

// Saved is where an agent's state outlives it.
type Saved interface {
	// Load returns what the agent before on this node wanted, in this boot. The error says why there is nothing to use.
	Load() (saved.State, error)
	Save(state saved.State) error
	// Remove forgets it.
	Remove() error
}

// APIServer knows where the API server listens itself, besides its Service.
type APIServer interface {
	APIServerEndpoints() []string
	// RecallAPIServer says what an earlier agent knew.
	RecallAPIServer(endpoints []string)
}

// Keeper saves what the agent wants, for the next one: at most once a second, and only what changed. The agent's loop
// tells it of changes, which costs no more than they are.
type Keeper struct {
	saved   Saved
	server  APIServer
	metrics *metrics.Loop
	log     logr.Logger
	dirty   chan struct{}

	// writing is held while the file is changed.
	writing sync.Mutex

	mu sync.Mutex
	// state is what is wanted, but for its paths, which are by prefix.
	state saved.State
	paths map[netip.Prefix]bgp.Path
	// isDirty says that it differs from what was last saved, discarded that nothing is to be saved any more.
	isDirty, discarded bool
}

// NewKeeper returns a keeper that saves once it runs.
func NewKeeper(store Saved, server APIServer, m *metrics.Loop, log logr.Logger) *Keeper {
	return &Keeper{saved: store, server: server, metrics: m, log: log, dirty: make(chan struct{}, 1), paths: map[netip.Prefix]bgp.Path{}}
}

// Run saves until the context ends, and then what is left.
func (k *Keeper) Run(ctx context.Context) {
	failing := false
	for {
		select {
		case <-ctx.Done():
			_ = k.save() // There is nobody left to try again; the file has what was saved before.
			return
		case <-k.dirty:
		}
		err := k.save()
		if err != nil && !failing {
			k.log.Error(err, "Saving what is advertised for an agent that starts without the API server, trying again")
		}
		if failing = err != nil; failing {
			k.metrics.SaveErrors.Inc()
			k.nudge()
		}
		pause(ctx, saveInterval)
	}
}

// note takes down what is wanted now: the intent of a node, and the steps for routes that lead to it.
func (k *Keeper) note(node intent.Node, wanted intent.Intent, guard loopguard.Guard, routes []plan.Step) {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := saved.State{
		Node: node, ASN: wanted.ASN, RouterID: wanted.RouterID, Selected: wanted.Selected,
		Peers: wanted.Peers, Opened: wanted.Opened, LoopPrevention: wanted.LoopPrevention, Guard: guard,
		APIServer: k.server.APIServerEndpoints(),
	}
	changed := !sameWish(k.state, state)
	k.state = state
	for _, step := range routes {
		switch step.Verb {
		case plan.Advertise:
			changed = changed || k.paths[step.Prefix()] != step.Path
			k.paths[step.Prefix()] = step.Path
		case plan.Withdraw:
			_, known := k.paths[step.Prefix()]
			changed = changed || known
			delete(k.paths, step.Prefix())
		default:
		}
	}
	if changed {
		k.isDirty = true
		k.nudge()
	}
}

// sameWish reports whether two states differ in nothing but their paths.
func sameWish(a, b saved.State) bool {
	return sameNode(a.Node, b.Node) && a.ASN == b.ASN && a.RouterID == b.RouterID && slices.Equal(a.Selected, b.Selected) &&
		slices.Equal(a.Peers, b.Peers) && maps.Equal(a.Opened, b.Opened) && a.LoopPrevention == b.LoopPrevention && a.Guard.Equal(b.Guard) &&
		slices.Equal(a.APIServer, b.APIServer)
}

func sameNode(a, b intent.Node) bool {
	return a.Name == b.Name && maps.Equal(a.Labels, b.Labels) && slices.Equal(a.InternalIPs, b.InternalIPs) &&
		slices.Equal(a.PodCIDRs, b.PodCIDRs) && a.Deleting == b.Deleting && a.ShuttingDown == b.ShuttingDown && a.RouterID == b.RouterID
}

func (k *Keeper) nudge() {
	select {
	case k.dirty <- struct{}{}:
	default:
	}
}

// save saves what changed.
func (k *Keeper) save() error {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.Lock()
	state, due := k.state, k.isDirty && !k.discarded
	if due {
		state.Paths = slices.Collect(maps.Values(k.paths))
		k.isDirty = false
	}
	k.mu.Unlock()
	if !due {
		return nil
	}
	err := k.saved.Save(state)
	if err != nil {
		k.mu.Lock()
		k.isDirty = true
		k.mu.Unlock()
	}
	return err
}

// discard forgets what was saved, and saves nothing any more.
func (k *Keeper) discard() error {
	k.mu.Lock()
	k.discarded = true
	k.mu.Unlock()
	k.writing.Lock()
	defer k.writing.Unlock()
	return k.saved.Remove()
}
