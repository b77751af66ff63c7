package intent

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/loopguard"
)

// Input is all that an intent is made of.
type Input struct {
	Node Node
	// Configurations and Peers are all objects of their kinds, in any order.
	Configurations []v1alpha1.BGPConfiguration
	Peers          []v1alpha1.BGPPeer
	// Passwords are what is known of those that peers name.
	Passwords Passwords
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
	// ShutdownTime is how long routes are marked as about to go before they are withdrawn (RFC 8326), 0 to 60 s.
	ShutdownTime time.Duration
	// OutOfService says why the node shall advertise nothing and hold no session; "" where it is in service.
	OutOfService OutOfServiceReason
	// SecretKeys are those whose values the node's peers need as passwords, each once, in order.
	SecretKeys []v1alpha1.SecretKeyRef
	// Opened says of those of the Peers that have a password where it is from, by name.
	Opened map[string]Opened
	// Advertise is what to advertise; its Excluded says that the node is out of service.
	Advertise advertise.Config
	// LoopPrevention is what to do with packets that would loop.
	LoopPrevention loopguard.Mode
	// Problems are ordered by object, then as they were found.
	Problems []Problem
}

// For returns what the node's speaker should be.
func For(input Input) Intent {
	r := NewResolver(input.Configurations, input.Peers)
	r.keyring = keyring{Passwords: input.Passwords}
	return r.For(input.Node)
}

// Resolver resolves the objects of a cluster for one node after the other, and does once what is the same for many. Its
// methods must not be called concurrently.
type Resolver struct {
	base     base
	overlays []candidate[v1alpha1.BGPConfiguration]
	peers    []candidate[v1alpha1.BGPPeer]
	keyring  keyring

	// wrong holds the problems of the peers that were asked about, configurations what each overlay made of the base,
	// and what the base is by itself.
	wrong          map[*v1alpha1.BGPPeer]problems
	configurations map[*v1alpha1.BGPConfiguration]configuration
	// exports holds the export rules that were compiled.
	exports map[exportKey]export
}

// NewResolver returns a resolver of all objects of their kinds, in any order. They must not change afterwards. It knows no
// Secret, and takes every password that a peer names to be there: what it returns is no speaker's to run.
func NewResolver(configurations []v1alpha1.BGPConfiguration, peers []v1alpha1.BGPPeer) *Resolver {
	r := &Resolver{
		keyring:        keyring{assumed: true},
		wrong:          map[*v1alpha1.BGPPeer]problems{},
		configurations: map[*v1alpha1.BGPConfiguration]configuration{},
		exports:        map[exportKey]export{},
	}
	for _, c := range olderFirst(configurations, func(c *v1alpha1.BGPConfiguration) *metav1.ObjectMeta { return &c.ObjectMeta }) {
		if c.Name == v1alpha1.DefaultConfigurationName {
			r.base = baseOf(c)
			continue
		}
		r.overlays = append(r.overlays, candidateOf(c, c.Spec.NodeSelector))
	}
	for _, p := range olderFirst(peers, func(p *v1alpha1.BGPPeer) *metav1.ObjectMeta { return &p.ObjectMeta }) {
		selector := p.Spec.NodeSelector
		if selector == nil {
			selector = &metav1.LabelSelector{} // Every node.
		}
		r.peers = append(r.peers, candidateOf(p, selector))
	}
	return r
}

// For returns what the node's speaker should be. What it returns shares lists with what it returns for other nodes.
func (r *Resolver) For(node Node) Intent {
	var found problems
	config := r.configuration(r.selectOverlay(node, &found))
	found = append(found, config.problems...)
	intent := Intent{
		ASN:        config.asn(),
		RouterID:   config.routerID(node),
		Configured: r.base.object != nil,

		ShutdownTime: config.shutdownTime(),
		OutOfService: node.OutOfService(),
	}
	r.peersOf(&intent, node, config, &found)
	if node.IsOutOfService() {
		intent.Peers, intent.Opened = nil, nil
	}
	found.checkPrepending(config, intent.Peers)
	intent.Advertise = config.advertise(node)
	intent.LoopPrevention = config.loopPrevention()
	slices.SortStableFunc(found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Object.Kind, b.Object.Kind), cmp.Compare(a.Object.Name, b.Object.Name))
	})
	intent.Problems = found
	return intent
}

// selection is whether a selector selects the node.
type selection uint8

const (
	notSelected selection = iota
	selected
	// unreadable: the selector breaks a rule, so whom it means can't be told.
	unreadable
)

// candidate is an object that holds on the nodes that it selects.
type candidate[T any] struct {
	object   *T
	selector labels.Selector
	// broken says that the object's selector can't be read.
	broken bool
}

func candidateOf[T any](object *T, selector *metav1.LabelSelector) candidate[T] {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return candidate[T]{object: object, selector: parsed, broken: err != nil}
}

func (c candidate[T]) selection(node Node) selection {
	switch {
	case c.broken:
		return unreadable
	case c.selector.Matches(labels.Set(node.Labels)):
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
