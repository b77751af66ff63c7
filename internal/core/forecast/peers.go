package forecast

import (
	"maps"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/herald-network/herald/api/v1alpha1"
)

// hasExportRules reports whether any peer gets less, or other attributes, than there is.
func hasExportRules(peers []v1alpha1.BGPPeer) bool {
	return slices.ContainsFunc(peers, func(p v1alpha1.BGPPeer) bool { return len(p.Spec.Export) > 0 })
}

// refiltered returns the names of the peers whose export rules differ.
func refiltered(before, after []v1alpha1.BGPPeer) map[string]bool {
	was := make(map[string]*v1alpha1.BGPPeer, len(before))
	for i := range before {
		was[before[i].Name] = &before[i]
	}
	names := map[string]bool{}
	for i := range after {
		old, there := was[after[i].Name]
		if there && !equality.Semantic.DeepEqual(old.Spec.Export, after[i].Spec.Export) {
			names[after[i].Name] = true
		}
	}
	return names
}

// peerWithdrawals returns what the peers whose export rules change lose, although the same node goes on sending it.
func (r *routes) peerWithdrawals() []PeerWithdrawals {
	var all []PeerWithdrawals
	for _, peer := range slices.Sorted(maps.Keys(r.before.byPeer)) {
		gone := map[netip.Prefix]nodeBits{}
		for sent, before := range r.before.byPeer[peer] {
			lost := before.nodes.without(r.after.byPeer[peer][sent].nodes)
			if elsewhere := lost.and(r.after.claims[sent].nodes); elsewhere != nil {
				gone[sent.prefix] = elsewhere
			}
		}
		if len(gone) > 0 {
			all = append(all, PeerWithdrawals{peer, r.inOrder(gone)})
		}
	}
	return all
}
