package crosscheck

import (
	"net/netip"

	"go4.org/netipx"

	"github.com/herald-network/herald/internal/core/validate"
)

// addresses are those that make up the cluster's own network.
type addresses struct {
	// nodeOf is the node of each InternalIP, the first one by name.
	nodeOf map[netip.Addr]string
	// internalIPs, podCIDRs and peers are whose the addresses are.
	internalIPs, podCIDRs, peers territory
}

// territory is addresses of one sort, and whose they are.
type territory struct {
	all    *netipx.IPSet
	claims []claim
}

// claim says whose a prefix is.
type claim struct {
	prefix netip.Prefix
	owner  string
}

func newTerritory(claims []claim) territory {
	var all netipx.IPSetBuilder
	for _, c := range claims {
		all.AddPrefix(c.prefix)
	}
	return territory{setOf(&all), claims}
}

// shared returns the addresses that a block shares with the territory, and the first claim that it overlaps; none where
// they are apart.
func (t territory) shared(block netip.Prefix) ([]netipx.IPRange, claim) {
	if !t.all.OverlapsPrefix(block) {
		return nil, claim{}
	}
	var both netipx.IPSetBuilder
	both.AddPrefix(block)
	both.Intersect(t.all)
	for _, c := range t.claims {
		if c.prefix.Overlaps(block) {
			return setOf(&both).Ranges(), c
		}
	}
	return nil, claim{} // Not reached: what overlaps the whole overlaps a part.
}

// known returns the addresses of the cluster's own network, which are gathered once.
func (c *Check) known() *addresses {
	if c.addresses != nil {
		return c.addresses
	}
	nodeOf := map[netip.Addr]string{}
	var internalIPs, podCIDRs, peers []claim
	for i := range c.state.Nodes {
		node := &c.state.Nodes[i]
		for _, ip := range node.InternalIPs {
			if _, known := nodeOf[ip]; !known {
				nodeOf[ip] = node.Name
				internalIPs = append(internalIPs, claim{netip.PrefixFrom(ip, ip.BitLen()), node.Name})
			}
		}
		for _, cidr := range node.PodCIDRs {
			podCIDRs = append(podCIDRs, claim{cidr, node.Name})
		}
	}
	for i := range c.state.Peers {
		if ip, err := validate.ParseAddress(c.state.Peers[i].Spec.PeerIP); err == nil {
			peers = append(peers, claim{netip.PrefixFrom(ip, ip.BitLen()), c.state.Peers[i].Name})
		}
	}
	c.addresses = &addresses{nodeOf, newTerritory(internalIPs), newTerritory(podCIDRs), newTerritory(peers)}
	return c.addresses
}

// setOf returns a set that was built of valid addresses alone.
func setOf(builder *netipx.IPSetBuilder) *netipx.IPSet {
	// The error says which of the addresses were not valid; they are left out.
	set, _ := builder.IPSet()
	return set
}

// rangeText returns a range as an ExternalIPPool writes it: an address, a CIDR, or two addresses.
func rangeText(r netipx.IPRange) string {
	if r.From() == r.To() {
		return r.From().String()
	}
	if prefix, isPrefix := r.Prefix(); isPrefix {
		return prefix.String()
	}
	return r.String()
}

// rangesText names the first of some ranges, and counts the others.
func rangesText(ranges []netipx.IPRange) string {
	texts := make([]string, len(ranges))
	for i, r := range ranges {
		texts[i] = rangeText(r)
	}
	return some(texts)
}
