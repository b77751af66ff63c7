package crosscheck

import (
	"fmt"
	"net/netip"

	"go4.org/netipx"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/validate"
)

// blocks checks that no block takes what another block or the cluster's own network is for.
func (c *Check) blocks(r *report, spec *v1alpha1.BGPConfigurationSpec) {
	blocks := validate.Blocks(spec)
	for i, block := range blocks {
		r.otherKinds(block, blocks[:i])
		c.network(r, block)
		c.clusterIPs(r, block)
	}
}

// taken adds an error about the addresses that a block must not hold.
func (r *report) taken(block validate.Block, shared []netipx.IPRange, format string, args ...any) {
	r.add(Finding{
		Error:     field.Invalid(block.Path, block.CIDR.String(), fmt.Sprintf(format, args...)),
		Reason:    v1alpha1.ReasonInvalid,
		Addresses: shared,
	})
}

// otherKinds checks a block against those before it: an address is of one kind.
func (r *report) otherKinds(block validate.Block, earlier []validate.Block) {
	var both netipx.IPSetBuilder
	var first *validate.Block
	for i := range earlier {
		other := &earlier[i]
		if other.List == block.List || !other.CIDR.Overlaps(block.CIDR) {
			continue
		}
		both.AddPrefix(narrower(block.CIDR, other.CIDR))
		if first == nil {
			first = other
		}
	}
	if first != nil {
		r.taken(block, setOf(&both).Ranges(), "a block must not overlap one of another kind, but %s overlaps %s in spec.%s: "+
			"let each address be of one kind, and narrow one of the two", block.CIDR, first.CIDR, first.List)
	}
}

// narrower returns what two networks that overlap have in common.
func narrower(a, b netip.Prefix) netip.Prefix {
	if a.Bits() < b.Bits() {
		return b
	}
	return a
}

// network checks a block against the addresses of nodes, pods and routers.
func (c *Check) network(r *report, block validate.Block) {
	const consequence = "it would take the cluster's own network away from the router"
	known := c.known()
	if shared, ip := known.internalIPs.shared(block.CIDR); shared != nil {
		r.taken(block, shared, "a block must not contain the InternalIP of a node, but %s contains %s of the node %q: "+
			"%s, so name only what Services may have", block.CIDR, ip.prefix.Addr(), ip.owner, consequence)
	}
	if shared, cidr := known.podCIDRs.shared(block.CIDR); shared != nil {
		r.taken(block, shared, "a block must not overlap the pod CIDR of a node, but %s overlaps %s of the node %q: "+
			"%s, so name only what Services may have", block.CIDR, cidr.prefix, cidr.owner, consequence)
	}
	if shared, ip := known.peers.shared(block.CIDR); shared != nil {
		r.taken(block, shared, "a block must not contain the address of a peer, but %s contains %s of the BGPPeer %q: "+
			"%s, so name only what Services may have", block.CIDR, ip.prefix.Addr(), ip.owner, consequence)
	}
}

// clusterIPs warns of a block of cluster IPs outside the ranges that those come from.
func (c *Check) clusterIPs(r *report, block validate.Block) {
	if block.List != validate.ClusterIPBlocks || len(c.state.ServiceCIDRs) == 0 {
		return
	}
	var outside, ranges netipx.IPSetBuilder
	outside.AddPrefix(block.CIDR)
	for _, cidr := range c.state.ServiceCIDRs {
		ranges.AddPrefix(cidr)
		outside.RemovePrefix(cidr)
	}
	rest, all := setOf(&outside).Ranges(), setOf(&ranges)
	if len(rest) == 0 {
		return
	}
	how := "outside"
	if all.OverlapsPrefix(block.CIDR) {
		how = "partly outside"
	}
	r.add(Finding{
		Error: field.Invalid(block.Path, block.CIDR.String(), fmt.Sprintf(
			"%s is %s the cluster's ServiceCIDRs (%s), which cluster IPs are assigned from: no Service gets an address there",
			block.CIDR, how, rangesText(all.Ranges()))),
		Reason:    v1alpha1.ReasonValid,
		Warning:   true,
		Addresses: rest,
	})
}
