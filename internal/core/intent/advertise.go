package intent

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
)

// advertise returns what the node may advertise.
func (c configuration) advertise(node Node) advertise.Config {
	config := advertise.Config{
		Excluded:   node.IsOutOfService(),
		Blocks:     c.blocks,
		Attributes: c.attributes,
	}
	if c.spec.PodCIDRAdvertisement == v1alpha1.Enabled {
		config.PodCIDRs = node.PodCIDRs
	}
	return config
}

// blocksOf returns the blocks of all kinds. What can't be read was reported and blanked before, and is passed over.
func blocksOf(spec v1alpha1.BGPConfigurationSpec) []advertise.Block {
	return slices.Concat(
		blocksOfKind(advertise.ClusterIP, spec.ServiceClusterIPs),
		blocksOfKind(advertise.ExternalIP, spec.ServiceExternalIPs),
		blocksOfKind(advertise.LoadBalancerIP, spec.ServiceLoadBalancerIPs),
	)
}

func blocksOfKind(kind advertise.Kind, blocks []v1alpha1.Block) []advertise.Block {
	var sound []advertise.Block
	for _, b := range blocks {
		if cidr, err := validate.ParseCIDR(string(b.CIDR)); err == nil {
			sound = append(sound, advertise.Block{Kind: kind, CIDR: cidr, Aggregated: b.Aggregation != v1alpha1.Disabled})
		}
	}
	return sound
}

// attributesOf returns the attributes by prefix, and passes over what blocksOf would.
func attributesOf(spec v1alpha1.BGPConfigurationSpec) []advertise.PrefixAttributes {
	named := namedCommunities(spec)
	var attributes []advertise.PrefixAttributes
	for _, entry := range spec.PrefixAdvertisements {
		cidr, err := validate.ParseCIDR(string(entry.CIDR))
		if err != nil {
			continue
		}
		attributes = append(attributes, advertise.PrefixAttributes{CIDR: cidr, Attributes: bgp.PathAttributes{
			Communities:     communitiesOf(entry.Communities, named),
			LocalPreference: optional(entry.LocalPreference),
			MED:             optional(entry.MED),
			ASPathPrepend:   prepend(entry),
		}})
	}
	return attributes
}

// namedCommunities returns the communities that can be read, by their names.
func namedCommunities(spec v1alpha1.BGPConfigurationSpec) map[v1alpha1.CommunityRef]bgp.Community {
	named := map[v1alpha1.CommunityRef]bgp.Community{}
	for _, community := range spec.Communities {
		if value, err := bgp.ParseCommunity(community.Value); err == nil {
			named[v1alpha1.CommunityRef(community.Name)] = value
		}
	}
	return named
}

// communitiesOf returns the set of the communities that are named or written out. A name without a value is passed over:
// validate.Resolved reports it.
func communitiesOf(refs []v1alpha1.CommunityRef, named map[v1alpha1.CommunityRef]bgp.Community) bgp.Communities {
	var communities []bgp.Community
	for _, ref := range refs {
		if community, ok := named[ref]; ok {
			communities = append(communities, community)
		} else if community, err := bgp.ParseCommunity(string(ref)); err == nil {
			communities = append(communities, community)
		}
	}
	return bgp.CommunitiesOf(communities...)
}

func optional(value *int64) bgp.Optional {
	if value == nil {
		return bgp.Optional{}
	}
	return bgp.Some(uint32(*value))
}

func prepend(entry v1alpha1.PrefixAdvertisement) uint8 {
	if entry.ASPathPrepend == nil {
		return 0
	}
	return uint8(*entry.ASPathPrepend)
}

// checkPrepending reports each asPathPrepend that an iBGP session leaves out: with its own AS in the path the router
// would take the route for a loop.
func (ps *problems) checkPrepending(c configuration, peers []bgp.Peer) {
	i := slices.IndexFunc(peers, bgp.Peer.IsInternal)
	if i < 0 {
		return
	}
	for j, entry := range c.spec.PrefixAdvertisements {
		if prepend(entry) == 0 {
			continue
		}
		ps.report(Problem{
			Object:    c.ownerOfPrefixAdvertisements(),
			Field:     field.NewPath("spec", "prefixAdvertisements").Index(j).Child("asPathPrepend").String(),
			Condition: v1alpha1.ConditionAdvertised,
			Reason:    v1alpha1.ReasonPrependIgnored,
			Message: fmt.Sprintf("asPathPrepend is left out on iBGP sessions, such as the one with BGPPeer %q, where it would hide the route: "+
				"use localPreference there", peers[i].Name),
		})
	}
}
