package intent

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Input is all that an intent is made of.
type Input struct {
	Node Node
	// Configurations and Peers are all objects of their kinds, in any order.
	Configurations []v1alpha1.BGPConfiguration
	Peers          []v1alpha1.BGPPeer
}

// Intent is what one node's BGP speaker should be.
type Intent struct {
	// ASN is the node's AS number; a peer may see another. RouterID is its BGP identifier.
	ASN      bgp.ASN
	RouterID netip.Addr
	// Configured says that there is a BGPConfiguration named default; without one no Service is advertised.
	Configured bool
	// Selected are the BGPPeers that select the node, by name, those that are not run included.
	Selected []Object
	// Peers are the peers to run, by name: none on a node that is out of service.
	Peers []bgp.Peer
	// Advertise is what to advertise; its Excluded says that the node is out of service.
	Advertise advertise.Config
	// Problems are ordered by object, then as they were found.
	Problems []Problem
}

// For returns what the node's speaker should be.
func For(input Input) Intent {
	r := resolver{node: input.Node}
	config := r.configuration(input.Configurations)
	intent := Intent{
		ASN:        config.asn(),
		RouterID:   config.routerID(input.Node),
		Configured: config.base.object != Object{},
	}
	intent.Selected, intent.Peers = r.peers(input.Peers, config)
	if input.Node.IsOutOfService() {
		intent.Peers = nil
	}
	r.checkPrepending(config, intent.Peers)
	intent.Advertise = config.advertise(input.Node)
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Object.Kind, b.Object.Kind), cmp.Compare(a.Object.Name, b.Object.Name))
	})
	intent.Problems = r.problems
	return intent
}

// resolver gathers the problems that come up while the objects are resolved for one node.
type resolver struct {
	node     Node
	problems []Problem
}

func (r *resolver) report(p Problem) { r.problems = append(r.problems, p) }

// refuse reports errors for which an object, or a part of it, is not accepted.
func (r *resolver) refuse(object Object, reason v1alpha1.ConditionReason, errs field.ErrorList) {
	for _, err := range errs {
		r.report(Problem{
			Object:    object,
			Field:     err.Field,
			Condition: v1alpha1.ConditionAccepted,
			Reason:    reason,
			Message:   err.ErrorBody(),
		})
	}
}

// selection is whether a selector selects the node.
type selection uint8

const (
	notSelected selection = iota
	selected
	// unreadable: the selector breaks a rule, so whom it means can't be told.
	unreadable
)

func (r *resolver) selection(selector *metav1.LabelSelector) selection {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	switch {
	case err != nil:
		return unreadable
	case parsed.Matches(labels.Set(r.node.Labels)):
		return selected
	default:
		return notSelected
	}
}

// olderFirst returns pointers to the objects, the oldest first, and by name those of one age: where two objects claim the
// same, the first in this order holds.
func olderFirst[T any](objects []T, meta func(*T) *metav1.ObjectMeta) []*T {
	ordered := make([]*T, len(objects))
	for i := range objects {
		ordered[i] = &objects[i]
	}
	slices.SortFunc(ordered, func(a, b *T) int {
		return cmp.Or(
			meta(a).CreationTimestamp.Compare(meta(b).CreationTimestamp.Time),
			strings.Compare(meta(a).Name, meta(b).Name),
		)
	})
	return ordered
}
