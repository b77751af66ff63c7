package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/wording"
)

// Configuration returns the status of a BGPConfiguration. The findings are what is to be said about it, the nodes are all
// nodes of the cluster in any order, the state is what else decides which nodes it is for, and now is the transition time of
// the conditions that change.
//
// The one named default is for every node, an overlay for those on which it holds; nodes that are out of service don't
// count. Of a silent agent nothing counts, what it last reported neither.
func Configuration(
	c *v1alpha1.BGPConfiguration, findings []crosscheck.Finding, nodes []Node, state cluster.State, now time.Time,
) v1alpha1.BGPConfigurationStatus {
	scope := scopeOf(c, nodes, state)
	verdict := accepted(append(slices.Clone(findings), scope.sharedRouterIDs(nodes, findings)...))
	conditions := conditionsOf(c.Status.Conditions, c.Generation, now)
	conditions.set(v1alpha1.ConditionAccepted, verdict)
	conditions.set(v1alpha1.ConditionAdvertised, scope.advertised(verdict, findings))
	advertisements, truncated := advertisementsOf(scope.reporting)
	return v1alpha1.BGPConfigurationStatus{
		ObservedGeneration: c.Generation,
		Conditions:         conditions.list,
		Nodes: v1alpha1.ConfigurationNodes{
			Desired:   int32(len(scope.nodes)),
			Reporting: int32(len(scope.reporting)),
		},
		Routes:         mostRoutes(scope.reporting),
		Advertisements: advertisements,
		// What a silent node advertises, routers that keep its routes may still have.
		Truncated: truncated || len(scope.reporting) < len(scope.nodes),
	}
}

// scope is what a configuration is for.
type scope struct {
	// holds tells whether the configuration holds on a node.
	holds func(*intent.Node) bool
	// nodes are those in service on which it holds, by name, and reporting are those of them whose agents report.
	nodes, reporting []*Node
	// outOfService are the names of the others on which it holds, in order.
	outOfService []string
	// peers are the selectors of all peers, and filtered says that any of them has export rules.
	peers    []intent.Selector
	filtered bool
}

func scopeOf(c *v1alpha1.BGPConfiguration, nodes []Node, state cluster.State) scope {
	s := scope{holds: func(*intent.Node) bool { return true }, nodes: make([]*Node, 0, len(nodes))}
	if c.Name != v1alpha1.DefaultConfigurationName {
		overlays := intent.NewOverlays(state.WithConfiguration(c).Configurations)
		s.holds = func(node *intent.Node) bool { return overlays.On(node) == c.Name }
	}
	for i := range nodes {
		node := &nodes[i]
		switch {
		case !s.holds(&node.Node):
		case node.Node.IsOutOfService():
			s.outOfService = append(s.outOfService, retired(&node.Node))
		default:
			s.nodes = append(s.nodes, node)
		}
	}
	slices.SortFunc(s.nodes, func(a, b *Node) int { return strings.Compare(a.Node.Name, b.Node.Name) })
	slices.Sort(s.outOfService)
	s.reporting = make([]*Node, 0, len(s.nodes))
	for _, node := range s.nodes {
		if node.reports() {
			s.reporting = append(s.reporting, node)
		}
	}
	for i := range state.Peers {
		s.peers = append(s.peers, intent.PeerSelector(&state.Peers[i]))
		s.filtered = s.filtered || len(state.Peers[i].Spec.Export) > 0
	}
	return s
}

// reports tells whether what the node's agent reported is known to be so.
func (n *Node) reports() bool { return n.Report != nil && !n.Silent }

// advertised is the condition Advertised. What is known to be down weighs more than what is not known. A configuration that
// is not accepted holds without what is wrong with it, so that explains only why nothing is left to advertise.
func (s scope) advertised(verdict judgement, findings []crosscheck.Finding) judgement {
	n := s.count()
	tally := fmt.Sprintf("%d of %d nodes advertise prefixes", n.advertising, len(s.nodes))
	switch {
	case len(s.nodes) == 0 && verdict.refuses():
		return isFalse(v1alpha1.ReasonNotAccepted, "the configuration is not accepted, and holds on no node")
	case len(s.nodes) == 0:
		return withoutNodes("the configuration", s.outOfService)
	case !slices.ContainsFunc(s.nodes, s.isPeered):
		return isFalse(v1alpha1.ReasonNoPeers, "no BGPPeer selects the nodes that the configuration is for")
	case len(n.down) > 0:
		return isFalse(v1alpha1.ReasonSessionsDown, fmt.Sprintf("%s: no session is established on %s, see the BGPPeers",
			tally, wording.Nodes(n.down)))
	case len(n.silent) > 0:
		return isUnknown(v1alpha1.ReasonAgentSilent, fmt.Sprintf("%s: the agents of %s do not report, see that their pods run",
			tally, wording.Nodes(n.silent)))
	case len(n.unreported) > 0:
		return isUnknown(v1alpha1.ReasonPending, fmt.Sprintf("%s: not reported yet by %s", tally, wording.Nodes(n.unreported)))
	case n.advertising == 0 && verdict.refuses():
		return isFalse(v1alpha1.ReasonNotAccepted, "the configuration is not accepted, and nothing of it is left to advertise")
	case n.advertising == 0 && s.filtered:
		return isFalse(v1alpha1.ReasonNothingToAdvertise, "no block is aggregated, and no Service has an address in a block that "+
			"a node can serve; or spec.export of the BGPPeers rejects what there is")
	case n.advertising == 0:
		return isFalse(v1alpha1.ReasonNothingToAdvertise,
			"no block is aggregated, and no Service has an address in a block that a node can serve")
	}
	if ignored := withReason(findings, v1alpha1.ReasonPrependIgnored); len(ignored) > 0 {
		return isTrue(v1alpha1.ReasonPrependIgnored, tally+", but "+sentences(ignored))
	}
	return isTrue(v1alpha1.ReasonAdvertised, tally)
}

// advertisers sorts a configuration's nodes by what they do.
type advertisers struct {
	// advertising is how many have sent a prefix.
	advertising int
	// down are the nodes that have sessions, but none that is established; the agents of the silent ones do not report any
	// more, and those of the unreported ones have not reported a session yet, although a peer selects the node.
	down, silent, unreported []string
}

func (s scope) count() advertisers {
	var n advertisers
	for _, node := range s.nodes {
		name := node.Node.Name
		switch {
		case node.Silent:
			n.silent = append(n.silent, name)
		case node.Report == nil:
			n.unreported = append(n.unreported, name)
		case node.Report.Routes != v1alpha1.RouteCounts{}:
			n.advertising++
		case len(node.Report.Sessions) == 0 && s.isPeered(node):
			n.unreported = append(n.unreported, name)
		case len(node.Report.Sessions) > 0 && !node.isConnected():
			n.down = append(n.down, name)
		}
	}
	return n
}

// isConnected tells whether a session of the node is established.
func (n *Node) isConnected() bool {
	return slices.ContainsFunc(n.Report.Sessions, func(s v1alpha1.NodeSession) bool {
		return s.State == v1alpha1.SessionEstablished
	})
}

// isPeered tells whether a peer selects the node.
func (s scope) isPeered(node *Node) bool {
	return slices.ContainsFunc(s.peers, func(peer intent.Selector) bool { return peer.Selects(&node.Node) })
}

// mostRoutes is the most that any of the nodes reports, by family.
func mostRoutes(nodes []*Node) v1alpha1.RouteCounts {
	var most v1alpha1.RouteCounts
	for _, node := range nodes {
		most.IPv4 = max(most.IPv4, node.Report.Routes.IPv4)
		most.IPv6 = max(most.IPv6, node.Report.Routes.IPv6)
	}
	return most
}
