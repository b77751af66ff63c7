package ipam

import (
	"cmp"
	"math/big"
	"net/netip"
	"slices"
	"time"

	"github.com/tidwall/btree"
	"go4.org/netipx"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// pool is a Pool with what is known of its addresses.
type pool struct {
	Pool
	// rank is its place among all pools: an address in several belongs to the first.
	rank   int
	stocks [2]stock
	// holders counts the addresses that each Service has or is promised from the pool.
	holders map[*service]int
}

// stock is the addresses of one family in a pool.
type stock struct {
	pool   *pool
	family bgp.Family
	// total counts the addresses, allowed those in a block of either kind.
	total, allowed *big.Int
	// taken counts those of them that Services have.
	taken, allowedTaken int
	// reach is the set of kinds in whose blocks some address is which the pool gives.
	reach class
	// holds says that the pool gives any address of the family.
	holds bool
	// free are the addresses that the pool gives and that are neither in use nor at rest, resting those at rest, the
	// longest rested first; both by their class.
	free    [classes]freeSet
	resting [classes]*btree.BTreeG[*entry]
	// waiters wait for an address of a kind, the oldest first.
	waiters map[advertise.Kind]*btree.BTreeG[*service]
}

// newPools returns the pools in the order in which they give: the open ones first, then by priority, then by name.
func newPools(config Config) []*pool {
	sorted := slices.SortedFunc(slices.Values(config.Pools), func(a, b Pool) int {
		return cmp.Or(compareOpen(a, b), cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
	})
	pools := make([]*pool, len(sorted))
	for i, p := range sorted {
		pools[i] = &pool{Pool: p, rank: i, holders: map[*service]int{}}
		for j, family := range [...]bgp.Family{bgp.IPv4, bgp.IPv6} {
			pools[i].stocks[j] = newStock(pools[i], family)
		}
	}
	return pools
}

func compareOpen(a, b Pool) int {
	switch {
	case (a.Closed == "") == (b.Closed == ""):
		return 0
	case a.Closed == "":
		return -1
	default:
		return 1
	}
}

func newStock(p *pool, family bgp.Family) stock {
	s := stock{
		pool: p, family: family, total: new(big.Int), allowed: new(big.Int),
		waiters: map[advertise.Kind]*btree.BTreeG[*service]{
			advertise.ExternalIP:     newServiceTree(),
			advertise.LoadBalancerIP: newServiceTree(),
		},
	}
	for i := range s.free {
		s.free[i] = newFreeSet()
		s.resting[i] = newEntryTree()
	}
	return s
}

func (p *pool) stock(family bgp.Family) *stock { return &p.stocks[family-1] }

func (p *pool) ranges() []netipx.IPRange {
	if p.Addresses == nil {
		return nil
	}
	return p.Addresses.Ranges()
}

// unfit is why a pool gives nothing to a Service.
type unfit uint8

const (
	fits unfit = iota
	closed
	onRequest
	otherNamespaces
	otherServices
)

// fit says whether the pool is for a Service that does not ask for it, or why not.
func (p *pool) fit(s *service, namespace map[string]string) unfit {
	if p.Closed == "" && p.OnRequest {
		return onRequest
	}
	return p.fitOnRequest(s, namespace)
}

// fitOnRequest says whether the pool is for a Service that asks for it, or for an address in it, or why not.
func (p *pool) fitOnRequest(s *service, namespace map[string]string) unfit {
	switch {
	case p.Closed != "":
		return closed
	case !selects(p.Namespaces, namespace):
		return otherNamespaces
	case !selects(p.Services, s.Labels):
		return otherServices
	default:
		return fits
	}
}

// selects reports whether a selector, which selects all where it is nil, selects what has the labels.
func selects(selector labels.Selector, set map[string]string) bool {
	return selector == nil || selector.Empty() || selector.Matches(labels.Set(set))
}

// lowest returns the lowest free address in a block of the kind; false where there is none.
func (s *stock) lowest(kind advertise.Kind) (lowest netip.Addr, found bool) {
	for c := range class(classes) {
		if !c.allows(kind) {
			continue
		}
		if a, ok := s.free[c].lowest(); ok && (!found || a.Less(lowest)) {
			lowest, found = a, true
		}
	}
	return lowest, found
}

// longestRested returns the address in a block of the kind that rests longest; nil where none rests.
func (s *stock) longestRested(kind advertise.Kind) (longest *entry) {
	for c := range class(classes) {
		if !c.allows(kind) {
			continue
		}
		if e, ok := s.resting[c].Min(); ok && (longest == nil || e.compare(longest) < 0) {
			longest = e
		}
	}
	return longest
}

// canGive reports whether an address in a block of the kind can be had by now.
func (s *stock) canGive(kind advertise.Kind, now time.Time) bool {
	if _, ok := s.lowest(kind); ok {
		return true
	}
	e := s.longestRested(kind)
	return e != nil && e.restedShort(now)
}

// nextRest returns when the next address in a block of the kind can be had that rests too short a time by now.
func (s *stock) nextRest(kind advertise.Kind, now time.Time) (next time.Time) {
	for c := range class(classes) {
		if !c.allows(kind) {
			continue
		}
		s.resting[c].Scan(func(e *entry) bool {
			if e.restedShort(now) {
				return true
			}
			next = earlier(next, e.released.Add(ShortRest))
			return false
		})
	}
	return next
}

// earlier returns the earlier of two times, of which the zero Time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
