package intent_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
)

// TestSelectorsAgreeWithTheIntent: who asks only whom an object is for is told what the node's speaker acts on.
func TestSelectorsAgreeWithTheIntent(t *testing.T) {
	t.Parallel()
	selectors := rapid.SampledFrom([]*metav1.LabelSelector{
		nil,
		{},
		{MatchLabels: map[string]string{"rack": "a"}},
		{MatchLabels: map[string]string{"rack": "b"}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "rack", Operator: metav1.LabelSelectorOpExists}}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "rack", Operator: "Nonsense"}}},
	})
	rapid.Check(t, func(t *rapid.T) {
		node := intent.Node{Name: "node-1", Labels: rapid.SampledFrom([]map[string]string{
			nil, {"rack": "a"}, {"rack": "b"}, {intent.ExcludeLabel: "true"},
		}).Draw(t, "labels")}
		input := intent.Input{Node: node}
		asn := map[string]bgp.ASN{"": intent.DefaultASN}
		for i, name := range []string{"default", "overlay-a", "overlay-b", "overlay-c"} {
			c := v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{
				Name: name, CreationTimestamp: metav1.Unix(rapid.Int64Range(0, 2).Draw(t, "age"), 0),
			}}
			if name != v1alpha1.DefaultConfigurationName {
				asn[name] = bgp.ASN(65000 + i)
				c.Spec = v1alpha1.BGPConfigurationSpec{ASNumber: int64(asn[name]), NodeSelector: selectors.Draw(t, name)}
			}
			input.Configurations = append(input.Configurations, c)
		}
		peer := v1alpha1.BGPPeer{
			ObjectMeta: metav1.ObjectMeta{Name: "tor", CreationTimestamp: metav1.NewTime(time.Unix(1, 0))},
			Spec:       v1alpha1.BGPPeerSpec{PeerIP: "192.168.1.1", ASNumber: 64512, NodeSelector: selectors.Draw(t, "tor")},
		}
		input.Peers = []v1alpha1.BGPPeer{peer}

		want := intent.For(input)
		if overlay := intent.NewOverlays(input.Configurations).On(&node); asn[overlay] != want.ASN {
			t.Errorf("overlay %q with AS %d holds, but the node's AS is %d", overlay, asn[overlay], want.ASN)
		}
		if got := intent.PeerSelector(&peer).Selects(&node); got != (len(want.Selected) == 1) {
			t.Errorf("the peer selects the node: %t, but the node has %v", got, want.Selected)
		}
	})
}
