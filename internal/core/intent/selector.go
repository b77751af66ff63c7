package intent

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/api/v1alpha1"
)

// Selector tells which nodes an object selects. It is read once and asked about many nodes; one that can't be read selects
// none.
type Selector struct{ selector labels.Selector }

// PeerSelector returns the selector of a BGPPeer: one without a nodeSelector selects every node.
func PeerSelector(peer *v1alpha1.BGPPeer) Selector {
	if peer.Spec.NodeSelector == nil {
		return Selector{labels.Everything()}
	}
	return selectorOf(peer.Spec.NodeSelector)
}

func selectorOf(selector *metav1.LabelSelector) Selector {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return Selector{labels.Nothing()}
	}
	return Selector{parsed}
}

// Selects reports whether the object selects a node, whether or not that is in service.
func (s Selector) Selects(node *Node) bool { return s.selector.Matches(labels.Set(node.Labels)) }

// Overlays tells which overlay holds on a node, for one node after the other.
type Overlays struct {
	names     []string
	selectors []Selector
}

// NewOverlays reads the overlays among all BGPConfigurations, in any order.
func NewOverlays(configurations []v1alpha1.BGPConfiguration) Overlays {
	var overlays Overlays
	for _, c := range olderFirst(configurations, func(c *v1alpha1.BGPConfiguration) *metav1.ObjectMeta { return &c.ObjectMeta }) {
		if c.Name == v1alpha1.DefaultConfigurationName {
			continue
		}
		overlays.names = append(overlays.names, c.Name)
		overlays.selectors = append(overlays.selectors, selectorOf(c.Spec.NodeSelector))
	}
	return overlays
}

// On returns the name of the overlay that holds on a node, the oldest of those that select it; "" where none does.
func (o Overlays) On(node *Node) string {
	for i, selector := range o.selectors {
		if selector.Selects(node) {
			return o.names[i]
		}
	}
	return ""
}
