package crosscheck

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
)

// Check checks objects in one cluster. It keeps what it worked out for one object for the next, so that all objects of a
// cluster cost little more than one; it is not for use by several goroutines at once.
type Check struct {
	// state has its lists in the order of names.
	state cluster.State
	roll  *roll
	// effective are the configurations that hold with each overlay, by the overlay's place in the state, and noOverlay.
	effective map[int]v1alpha1.BGPConfigurationSpec
	addresses *addresses
	routerIDs *routerIDs
	pools     []poolSet
}

// noOverlay stands for the overlay of nodes that have none.
const noOverlay = -1

// In returns a Check of objects that live in a cluster:
//
//	check := crosscheck.In(state)
//	findings := check.Peer(&state.Peers[0])
//
// The state may hold another version of an object that is checked, or none: the given one takes its place.
func In(state cluster.State) *Check {
	state.Nodes = sorted(state.Nodes, func(n *intent.Node) string { return n.Name })
	state.Configurations = sorted(state.Configurations, nameOfConfiguration)
	state.Peers = sorted(state.Peers, nameOfPeer)
	state.Pools = sorted(state.Pools, nameOfPool)
	return &Check{state: state, effective: map[int]v1alpha1.BGPConfigurationSpec{}}
}

// Peer says what is wrong with a BGPPeer, always in the same order.
func (c *Check) Peer(peer *v1alpha1.BGPPeer) []Finding {
	i, known := version(c.state.Peers, peer, nameOfPeer, func(a, b *v1alpha1.BGPPeer) bool {
		return a.CreationTimestamp.Equal(&b.CreationTimestamp) && equality.Semantic.DeepEqual(a.Spec, b.Spec)
	})
	if known {
		return c.peer(i)
	}
	return In(c.state.WithPeer(peer)).Peer(peer)
}

// Configuration says what is wrong with a BGPConfiguration, always in the same order.
func (c *Check) Configuration(configuration *v1alpha1.BGPConfiguration) []Finding {
	i, known := version(c.state.Configurations, configuration, nameOfConfiguration, func(a, b *v1alpha1.BGPConfiguration) bool {
		return a.CreationTimestamp.Equal(&b.CreationTimestamp) && SameConfiguration(&a.Spec, &b.Spec)
	})
	if known {
		return c.configuration(i)
	}
	return In(c.state.WithConfiguration(configuration)).Configuration(configuration)
}

// Pool says what is wrong with an ExternalIPPool, always in the same order.
func (c *Check) Pool(pool *v1alpha1.ExternalIPPool) []Finding {
	i, known := version(c.state.Pools, pool, nameOfPool, func(a, b *v1alpha1.ExternalIPPool) bool {
		return a.CreationTimestamp.Equal(&b.CreationTimestamp) && equality.Semantic.DeepEqual(a.Spec, b.Spec)
	})
	if known {
		return c.pool(i)
	}
	return In(c.state.WithPool(pool)).Pool(pool)
}

// SameConfiguration reports whether two specs mean the same. In an overlay an empty list is not an absent one, which
// equality.Semantic would take it for.
func SameConfiguration(a, b *v1alpha1.BGPConfigurationSpec) bool {
	return equality.Semantic.DeepEqual(a, b) &&
		(a.ServiceClusterIPs == nil) == (b.ServiceClusterIPs == nil) &&
		(a.ServiceExternalIPs == nil) == (b.ServiceExternalIPs == nil) &&
		(a.ServiceLoadBalancerIPs == nil) == (b.ServiceLoadBalancerIPs == nil) &&
		(a.Communities == nil) == (b.Communities == nil) &&
		(a.PrefixAdvertisements == nil) == (b.PrefixAdvertisements == nil)
}

// place returns where in the state the BGPConfiguration of a name is.
func (c *Check) place(name string) (int, bool) {
	return find(c.state.Configurations, name, nameOfConfiguration)
}

// base returns the BGPConfiguration named default; nil where there is none.
func (c *Check) base() *v1alpha1.BGPConfiguration {
	return c.state.Configuration(v1alpha1.DefaultConfigurationName)
}

// effectiveWith returns the configuration that holds on nodes with an overlay.
func (c *Check) effectiveWith(overlay int) *v1alpha1.BGPConfigurationSpec {
	spec, known := c.effective[overlay]
	if !known {
		var over *v1alpha1.BGPConfiguration
		if overlay != noOverlay {
			over = &c.state.Configurations[overlay]
		}
		spec = intent.Effective(c.base(), over)
		c.effective[overlay] = spec
	}
	return &spec
}

// sorted returns a new list of the objects, by name.
func sorted[T any](objects []T, name func(*T) string) []T {
	ordered := slices.Clone(objects)
	slices.SortStableFunc(ordered, func(a, b T) int { return cmp.Compare(name(&a), name(&b)) })
	return ordered
}

// version returns the place of an object in a list that is sorted by name; false where the list has none or another version.
func version[T any](objects []T, object *T, nameOf func(*T) string, same func(a, b *T) bool) (int, bool) {
	i, found := find(objects, nameOf(object), nameOf)
	return i, found && same(&objects[i], object)
}

// find returns the place of the object of a name in a list that is sorted by name.
func find[T any](objects []T, name string, nameOf func(*T) string) (int, bool) {
	return slices.BinarySearchFunc(objects, name, func(object T, name string) int { return cmp.Compare(nameOf(&object), name) })
}
