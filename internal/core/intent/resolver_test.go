package intent_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
)

// TestAResolverGivesEachNodeWhatItWouldGetAlone asks one resolver about nodes on which different overlays hold, in an
// order that returns to each of them, with objects at fault whose problems belong to some of the nodes only.
func TestAResolverGivesEachNodeWhatItWouldGetAlone(t *testing.T) {
	configurations := []v1alpha1.BGPConfiguration{
		configuration(t, "default", 1, "{serviceExternalIPs: [{cidr: 192.168.3.0/24}], podCIDRAdvertisement: Enabled, "+
			"prefixAdvertisements: [{cidr: 192.168.3.0/24, communities: [unknown], asPathPrepend: 2}]}"),
		configuration(t, "rack-a", 2, "{nodeSelector: {matchLabels: {rack: a}}, asNumber: 65001}"),
		configuration(t, "rack-a-too", 3, "{nodeSelector: {matchLabels: {rack: a}}, asNumber: 65002}"),
		configuration(t, "rack-b", 4, "{nodeSelector: {matchLabels: {rack: b}}, serviceExternalIPs: [{cidr: 10.0.0.0/8}], routerID: wrong}"),
		configuration(t, "broken", 5, "{nodeSelector: {matchExpressions: [{key: rack, operator: Near}]}}"),
	}
	peers := []v1alpha1.BGPPeer{
		peer(t, "all", 1, "{peerIP: 192.168.1.1, asNumber: 64512}"),
		peer(t, "rack-b", 2, "{nodeSelector: {matchLabels: {rack: b}}, peerIP: 192.168.1.1, asNumber: 65000}"),
		peer(t, "six", 3, "{peerIP: \"2001:db8::1\", asNumber: 65000, holdTimeSeconds: 2}"),
	}
	resolver := intent.NewResolver(configurations, peers)
	for _, rack := range []string{"a", "b", "c", "b", "a", "c"} {
		node := newNode()
		node.Name, node.Labels["rack"] = "node-"+rack, rack
		alone := intent.For(intent.Input{Node: node, Configurations: configurations, Peers: peers})
		if diff := cmp.Diff(alone, resolver.For(node), comparers); diff != "" {
			t.Errorf("rack %s (-alone +from the resolver):\n%s", rack, diff)
		}
		if len(alone.Problems) == 0 {
			t.Errorf("rack %s has no problem to compare", rack)
		}
	}
}
