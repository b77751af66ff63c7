package crosscheck

import (
	"cmp"
	"fmt"
	"strings"

	"go4.org/netipx"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/validate"
)

// poolSet is the addresses of a pool, without those to avoid.
type poolSet struct {
	pool *v1alpha1.ExternalIPPool
	all  *netipx.IPSet
}

// poolSets returns the addresses of all pools, which are gathered once.
func (c *Check) poolSets() []poolSet {
	if c.pools == nil {
		for i := range c.state.Pools {
			pool := &c.state.Pools[i]
			c.pools = append(c.pools, poolSet{pool, PoolAddresses(pool)})
		}
	}
	return c.pools
}

// PoolAddresses returns the addresses that a pool holds, without those to avoid. What can't be read is passed over.
func PoolAddresses(pool *v1alpha1.ExternalIPPool) *netipx.IPSet {
	return poolAddresses(pool.Spec.Addresses, pool.Spec.Avoid)
}

// poolAddresses returns the addresses in some ranges, without those to avoid. What can't be read is passed over.
func poolAddresses(ranges, avoid []v1alpha1.AddressRange) *netipx.IPSet {
	var all netipx.IPSetBuilder
	for _, text := range ranges {
		if r, err := validate.ParseRange(string(text)); err == nil {
			all.AddRange(r)
		}
	}
	for _, text := range avoid {
		if r, err := validate.ParseRange(string(text)); err == nil {
			all.RemoveRange(r)
		}
	}
	return setOf(&all)
}

func (c *Check) pool(i int) []Finding {
	own := c.poolSets()[i]
	var r report
	r.validated(validate.Pool(own.pool))
	for _, other := range c.pools {
		if other.pool != own.pool && own.all.Overlaps(other.all) {
			r.sharedWith(own, other)
		}
	}
	c.allowlisted(&r, own)
	return r
}

// sharedWith adds what a pool shares with another, by the entries of its addresses. The older pool holds.
func (r *report) sharedWith(own, other poolSet) {
	isOlder := isOlderPool(own.pool, other.pool)
	for i, text := range own.pool.Spec.Addresses {
		entry := poolAddresses([]v1alpha1.AddressRange{text}, own.pool.Spec.Avoid)
		if !entry.Overlaps(other.all) {
			continue
		}
		var both netipx.IPSetBuilder
		both.AddSet(entry)
		both.Intersect(other.all)
		shared := setOf(&both).Ranges()
		r.add(Finding{
			Error: field.Invalid(field.NewPath("spec", "addresses").Index(i), string(text), fmt.Sprintf(
				"the ExternalIPPools %q and %q both hold %s, and an address must be in one pool only: remove it from one of the two, "+
					"or let one avoid it", own.pool.Name, other.pool.Name, rangesText(shared))),
			Reason:    v1alpha1.ReasonConflict,
			Warning:   isOlder,
			Addresses: shared,
			Rival:     other.pool.Name,
		})
	}
}

func isOlderPool(a, b *v1alpha1.ExternalIPPool) bool {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name)) < 0
}

// allowlisted warns of addresses that no Service may have, since they are in no block.
func (c *Check) allowlisted(r *report, own poolSet) {
	if len(own.all.Ranges()) == 0 {
		return
	}
	at := field.NewPath("spec", "addresses")
	err := &field.Error{Type: field.ErrorTypeInvalid, Field: at.String(), BadValue: field.OmitValueType{}}
	base := c.base()
	if base == nil {
		err.Detail = "there is no BGPConfiguration named default, so no address of the pool may be advertised: create it, with blocks for the pool"
		r.warn(v1alpha1.ReasonNoConfiguration, err)
		return
	}
	var outside netipx.IPSetBuilder
	outside.AddSet(own.all)
	for _, block := range validate.Blocks(&base.Spec) {
		if block.List != validate.ClusterIPBlocks {
			outside.RemovePrefix(block.CIDR)
		}
	}
	rest := setOf(&outside).Ranges()
	if len(rest) == 0 {
		return
	}
	err.Detail = fmt.Sprintf("no block of serviceExternalIPs or serviceLoadBalancerIPs in the BGPConfiguration named default holds %s, "+
		"and what is in no block is never assigned: add a block, or avoid the addresses", rangesText(rest))
	r.add(Finding{Error: err, Reason: v1alpha1.ReasonOutsideBlocks, Warning: true, Addresses: rest})
}
