package ipam

import (
	"net/netip"
	"slices"
	"sort"

	"go4.org/netipx"

	"github.com/herald-network/herald/internal/core/advertise"
)

// class is the set of kinds in whose blocks an address is.
type class uint8

// classes is the number of different classes.
const classes = 1 << 2

// classOf returns the class of the addresses that are in a block of one kind only; none for a kind that is not assigned.
func classOf(kind advertise.Kind) class {
	switch kind {
	case advertise.ExternalIP:
		return 1
	case advertise.LoadBalancerIP:
		return 2
	default:
		return 0
	}
}

// allows reports whether the addresses of the class are in a block of the kind.
func (c class) allows(kind advertise.Kind) bool { return c&classOf(kind) != 0 }

// segment is a range of addresses that are all in the same pools and in blocks of the same kinds.
type segment struct {
	span
	// pools hold the addresses, the first of them is the one that gives them. There is at least one.
	pools []*pool
	class class
}

// owner returns the pool that gives the addresses; nil where no pool holds them.
func (s *segment) owner() *pool {
	if s == nil {
		return nil
	}
	return s.pools[0]
}

// allows reports whether the addresses are in a block of the kind.
func (s *segment) allows(kind advertise.Kind) bool { return s != nil && s.class.allows(kind) }

// segments are disjoint, in order.
type segments []*segment

// of returns the segment that holds an address; nil where no pool does.
func (s segments) of(a netip.Addr) *segment {
	i := sort.Search(len(s), func(i int) bool { return !s[i].to.Less(a) })
	if i == len(s) || a.Less(s[i].from) {
		return nil
	}
	return s[i]
}

// edge is where a range begins or ends: just before an address, or just after it.
type edge struct {
	address netip.Addr
	after   bool
	// change is done to what covers the addresses from here on.
	change func(*cover)
}

func (e edge) compare(other edge) int {
	if c := e.address.Compare(other.address); c != 0 || e.after == other.after {
		return c
	}
	if e.after {
		return 1
	}
	return -1
}

// cover is what the addresses at one place are in.
type cover struct {
	pools  []*pool
	blocks [classes]int
}

func (c *cover) class() class {
	var all class
	for i, n := range c.blocks {
		if n > 0 {
			all |= class(i)
		}
	}
	return all
}

// segmentsOf cuts pools, which are in order, and blocks into segments.
func segmentsOf(pools []*pool, config Config) segments {
	var edges []edge
	add := func(r netipx.IPRange, begin, end func(*cover)) {
		edges = append(edges, edge{r.From(), false, begin}, edge{r.To(), true, end})
	}
	for _, p := range pools {
		for _, r := range p.ranges() {
			add(r,
				func(c *cover) { c.pools = append(c.pools, p) },
				func(c *cover) { c.pools = slices.DeleteFunc(c.pools, func(q *pool) bool { return p == q }) })
		}
	}
	blocks := func(prefixes []netip.Prefix, of class) {
		for _, prefix := range prefixes {
			add(netipx.RangeOfPrefix(prefix), func(c *cover) { c.blocks[of]++ }, func(c *cover) { c.blocks[of]-- })
		}
	}
	blocks(config.ExternalIPBlocks, classOf(advertise.ExternalIP))
	blocks(config.LoadBalancerIPBlocks, classOf(advertise.LoadBalancerIP))
	slices.SortStableFunc(edges, edge.compare)

	var all segments
	var under cover
	for i, e := range edges {
		e.change(&under)
		if len(under.pools) == 0 || i+1 == len(edges) {
			continue
		}
		if s, ok := between(e, edges[i+1]); ok {
			holders := slices.SortedFunc(slices.Values(under.pools), func(a, b *pool) int { return a.rank - b.rank })
			all = append(all, &segment{s, holders, under.class()})
		}
	}
	return all
}

// between returns the addresses between two edges; false where there are none.
func between(low, high edge) (span, bool) {
	s := span{low.address, high.address}
	if low.after {
		s.from = low.address.Next()
	}
	if !high.after {
		s.to = high.address.Prev()
	}
	return s, s.from.IsValid() && s.to.IsValid() && !s.to.Less(s.from)
}
