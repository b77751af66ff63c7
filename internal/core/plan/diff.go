package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Peers returns the steps from the peers that a speaker runs with to those that it should run with, matched by name: in
// the order of Order, by name within a verb, and none where nothing differs. Names must be unique within each list.
func Peers(observed, desired []bgp.Peer) []Step {
	byName := make(map[string]bgp.Peer, len(observed))
	for _, p := range observed {
		byName[p.Name] = p
	}
	var steps []Step
	for _, want := range desired {
		have, running := byName[want.Name]
		delete(byName, want.Name)
		switch {
		case !running:
			steps = append(steps, Step{Verb: AddPeer, Peer: want})
		case have != want:
			steps = append(steps, Step{Verb: UpdatePeer, Peer: want, Impact: ImpactOf(have, want)})
		}
	}
	for _, gone := range byName {
		steps = append(steps, Step{Verb: RemovePeer, Peer: gone, Impact: SessionDrop})
	}
	return Order(steps)
}

// Routes returns the steps for changes of routes: the paths that are new or whose attributes changed, and the prefixes
// that are gone. A prefix belongs in one of the two lists only.
func Routes(advertise []bgp.Path, withdraw []netip.Prefix) []Step {
	steps := make([]Step, 0, len(advertise)+len(withdraw))
	for _, path := range advertise {
		steps = append(steps, Step{Verb: Advertise, Path: path, Impact: Readvertise})
	}
	for _, prefix := range withdraw {
		steps = append(steps, Step{Verb: Withdraw, Path: bgp.Path{Prefix: prefix}, Impact: Readvertise})
	}
	return Order(steps)
}

// Order joins groups of steps into one plan: by verb, then by prefix or by the peer's name, so that the same change gives
// the same plan whatever order it was found in.
func Order(groups ...[]Step) []Step {
	steps := slices.Concat(groups...)
	slices.SortStableFunc(steps, func(a, b Step) int {
		return cmp.Or(
			cmp.Compare(a.Verb, b.Verb),
			comparePrefixes(a.Prefix(), b.Prefix()),
			cmp.Compare(a.Peer.Name, b.Peer.Name),
		)
	})
	return steps
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
