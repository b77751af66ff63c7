package forecast

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
)

// Forecast is what a change takes away. The zero Forecast is that of a change that takes nothing.
type Forecast struct {
	// Withdrawals in the order of advertise.ComparePrefixes.
	Withdrawals []Withdrawal
	// Peers, by the BGPPeer's name, are those whose export rules change and that lose prefixes which a node goes on sending on
	// another session.
	Peers []PeerWithdrawals
	// Services, by namespace and name, of which an address loses its last route: a node that sent its host route or the
	// aggregate over it before, and none that does after.
	Services []advertise.ServiceKey
	// Sessions, by the BGPPeer's name, of the BGPPeers that lose one.
	Sessions []Sessions
	// Problems that the change brings upon objects of all kinds, by object and field.
	Problems []Problem
}

// Withdrawal is a prefix that nodes send on at least one session before the change, and on none after it. A session that
// is reset sends its prefixes again, so they are not withdrawn.
type Withdrawal struct {
	Prefix netip.Prefix
	Nodes  NodeSet
}

// PeerWithdrawals are the prefixes that nodes send to one BGPPeer before the change and to others only after it.
type PeerWithdrawals struct {
	// Peer is the name of the BGPPeer.
	Peer string
	// Withdrawals in the order of advertise.ComparePrefixes.
	Withdrawals []Withdrawal
}

// Sessions are those with one BGPPeer that a change ends.
type Sessions struct {
	// Peer is the name of the BGPPeer.
	Peer string
	// Closed are the nodes that don't run the peer any more, and Reset those that open the session anew, by name.
	Closed, Reset []string
}

// Problem is one that nodes find after the change and did not find before it.
type Problem struct {
	intent.Problem
	// Nodes by name.
	Nodes []string
}

// Of returns what the change from one state to the other takes away from the nodes that are in both. Services count as
// they are before, with their endpoints: those come and go by themselves.
func Of(before, after cluster.State) Forecast {
	nodes := nodesOfBoth(before.Nodes, after.Nodes)
	routes, sessions, problems := newRoutes(nodes, before.Peers, after.Peers), sessions{}, problems{}
	was, will := before.Resolver(), after.Resolver()
	for i, n := range nodes {
		from, to := was.For(n.before), will.For(n.after)
		sessions.compare(n.before.Name, from.Peers, to.Peers)
		problems.compare(n.before.Name, from.Problems, to.Problems)
		routes.compare(i, from, to)
	}
	services := routes.decide(before.Services)
	return Forecast{
		Withdrawals: routes.withdrawals(),
		Peers:       routes.peerWithdrawals(),
		Services:    services,
		Sessions:    sessions.inOrder(),
		Problems:    problems.inOrder(),
	}
}

// node is one as it is in both states.
type node struct{ before, after intent.Node }

// nodesOfBoth returns the nodes that are in both states, by name.
func nodesOfBoth(before, after []intent.Node) []node {
	byName := make(map[string]intent.Node, len(after))
	for _, n := range after {
		byName[n.Name] = n
	}
	var both []node
	for _, n := range before {
		if stays, ok := byName[n.Name]; ok {
			both = append(both, node{before: n, after: stays})
		}
	}
	slices.SortFunc(both, func(a, b node) int { return cmp.Compare(a.before.Name, b.before.Name) })
	return both
}
