package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/wording"
)

// Peer returns the status of a BGPPeer. The findings are what is to be said about it, the nodes are all nodes of the
// cluster in any order, and now is the transition time of the conditions that change.
//
// It counts and lists the sessions of the nodes that the peer selects and that are in service: on another node there is
// meant to be none.
func Peer(peer *v1alpha1.BGPPeer, findings []crosscheck.Finding, nodes []Node, now time.Time) v1alpha1.BGPPeerStatus {
	links, outOfService := linksOf(peer, nodes)
	established := count(links, up)
	verdict := accepted(findings)
	conditions := conditionsOf(peer.Status.Conditions, peer.Generation, now)
	conditions.set(v1alpha1.ConditionAccepted, verdict)
	switch {
	case len(links) == 0 && !verdict.refuses():
		conditions.set(v1alpha1.ConditionEstablished, withoutNodes("the peer", outOfService))
	default:
		conditions.set(v1alpha1.ConditionEstablished, establishedOf(peer, verdict, findings, links))
	}
	sessions, truncated := listed(links)
	return v1alpha1.BGPPeerStatus{
		ObservedGeneration: peer.Generation,
		Conditions:         conditions.list,
		Nodes: v1alpha1.PeerNodes{
			Desired:     int32(len(links)),
			Established: int32(established),
			Ready:       fmt.Sprintf("%d/%d", established, len(links)),
		},
		Sessions:  sessions,
		Truncated: truncated,
	}
}

// establishedOf is the condition Established of a peer that selects nodes, or that is refused. What is known to be down
// weighs more than what is not known.
func establishedOf(peer *v1alpha1.BGPPeer, verdict judgement, findings []crosscheck.Finding, links []link) judgement {
	tally := fmt.Sprintf("%d of %d sessions are established", count(links, up), len(links))
	causes := causesOf(peer, links)
	switch {
	case verdict.refuses() && len(links) == 0:
		return isFalse(v1alpha1.ReasonNotAccepted, "the peer is not accepted, and no node holds a session with it")
	case verdict.refuses() && count(links, up) == 0 && count(links, silent) < len(links):
		return isFalse(v1alpha1.ReasonNotAccepted, "the peer is not accepted, and "+tally+": "+causes)
	case count(links, down) > 0:
		return isFalse(v1alpha1.ReasonSessionsDown, tally+": "+causes)
	case count(links, silent) > 0:
		return isUnknown(v1alpha1.ReasonAgentSilent, tally+": "+causes)
	case count(links, up) < len(links):
		return isUnknown(v1alpha1.ReasonPending, tally+": "+causes)
	}
	lacks := shortcomings(peer, links)
	if found := withReason(findings, v1alpha1.ReasonFamilyNotNegotiated); len(found) > 0 {
		lacks = append(lacks, sentences(found))
	}
	if len(lacks) > 0 {
		return isTrue(v1alpha1.ReasonFamilyNotNegotiated, tally+", but "+strings.Join(append(lacks, withoutBFD(peer, links)...), "; "))
	}
	if blind := withoutBFD(peer, links); len(blind) > 0 {
		return isTrue(v1alpha1.ReasonAllEstablished, tally+", but "+strings.Join(blind, "; "))
	}
	if ignored := withReason(findings, v1alpha1.ReasonExportIgnored); len(ignored) > 0 {
		return isTrue(v1alpha1.ReasonExportIgnored, tally+", but "+sentences(ignored))
	}
	return isTrue(v1alpha1.ReasonAllEstablished, tally)
}

// withoutNodes is the condition of an object that is for no node in service.
func withoutNodes(object string, outOfService []string) judgement {
	if len(outOfService) == 0 {
		return isFalse(v1alpha1.ReasonNoNodes, object+" is for no node of the cluster: see its nodeSelector and the nodes' labels")
	}
	return isFalse(v1alpha1.ReasonNoNodes, fmt.Sprintf("%s is for no node in service: only for %s", object, wording.Nodes(outOfService)))
}

// retired names a node that is out of service, and says why it is.
func retired(node *intent.Node) string { return fmt.Sprintf("%s (%s)", node.Name, node.OutOfService()) }
