package validate

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
)

// The names of a configuration's lists of blocks.
const (
	ClusterIPBlocks      = "serviceClusterIPs"
	ExternalIPBlocks     = "serviceExternalIPs"
	LoadBalancerIPBlocks = "serviceLoadBalancerIPs"
)

// Block is a block that could be read, with its place in its configuration.
type Block struct {
	// List is the name of the list that holds it, such as serviceClusterIPs, and Path the path of its cidr.
	List string
	Path *field.Path
	CIDR netip.Prefix
}

// Blocks returns the blocks of all lists that can be read, in their order.
func Blocks(spec *v1alpha1.BGPConfigurationSpec) []Block {
	var blocks []Block
	for _, list := range blockLists(spec) {
		for _, n := range list.networks() {
			blocks = append(blocks, Block{lastName(list.path), list.path.Index(n.index).Child("cidr"), n.cidr})
		}
	}
	return blocks
}

// blockList is one of a configuration's lists of blocks.
type blockList struct {
	path   *field.Path
	blocks []v1alpha1.Block
}

// blockLists returns a configuration's lists of blocks, always in the same order.
func blockLists(spec *v1alpha1.BGPConfigurationSpec) [3]blockList {
	at := field.NewPath("spec")
	return [...]blockList{
		{at.Child(ClusterIPBlocks), spec.ServiceClusterIPs},
		{at.Child(ExternalIPBlocks), spec.ServiceExternalIPs},
		{at.Child(LoadBalancerIPBlocks), spec.ServiceLoadBalancerIPs},
	}
}

// network is a block that could be read, with its place in its list.
type network struct {
	index      int
	cidr       netip.Prefix
	aggregated bool
}

// networks returns the blocks of the list that can be read.
func (l blockList) networks() []network {
	var networks []network
	for i, block := range l.blocks {
		if cidr, err := ParseCIDR(string(block.CIDR)); err == nil {
			networks = append(networks, network{i, cidr, block.Aggregation != v1alpha1.Disabled})
		}
	}
	return networks
}

// contains reports whether a block of the list holds the whole network.
func (l blockList) contains(inner netip.Prefix) bool {
	for _, outer := range l.networks() {
		if holds(outer.cidr, inner) {
			return true
		}
	}
	return false
}

func holds(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func (f *Findings) blocks(list blockList) {
	for i, block := range list.blocks {
		at := list.path.Index(i)
		oneOf(f, at.Child("aggregation"), block.Aggregation, v1alpha1.Enabled, v1alpha1.Disabled)
		if _, err := ParseCIDR(string(block.CIDR)); err != nil {
			f.fail(at.Child("cidr"), string(block.CIDR), err.Error())
		}
	}
	networks := list.networks()
	for _, inner := range networks {
		at := list.path.Index(inner.index).Child("cidr")
		if inner.aggregated && inner.cidr.Bits() == 0 {
			f.warn(at, "%s makes every node advertise a default route: set aggregation to Disabled if that is not meant", inner.cidr)
		}
		for _, outer := range networks {
			if inner.cidr != outer.cidr && inner.aggregated == outer.aggregated && holds(outer.cidr, inner.cidr) {
				f.warn(at, "%s lies inside %s, which has the same aggregation: one of the two is enough", inner.cidr, outer.cidr)
			}
		}
	}
}
