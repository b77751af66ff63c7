package ipam

import (
	"math/big"
	"net/netip"
	"slices"
	"time"

	"github.com/herald-network/herald/internal/core/bgp"
)

// Configure replaces pools and blocks. Touched are then the Services whose decision may differ: those that wait, those whose
// address no pool holds any more, and those whose address left or entered the blocks.
func (t *Table) Configure(config Config, now time.Time) {
	t.mature(now)
	for _, p := range t.pools {
		t.reused[p.Name] = struct{}{}
	}
	for s := range t.waiting {
		t.forgo(s)
		t.touch(s)
	}
	t.supply = newSupply(config)
	for _, e := range t.entries {
		before := e.segment
		e.segment = t.segments.of(e.address)
		t.reckon(e)
		if bearsDifferently(before, e.segment) {
			for _, c := range e.claims {
				if c.hold != other {
					t.touch(c.service)
				}
			}
		}
	}
	t.fillFree()
	for _, p := range t.pools {
		t.reused[p.Name] = struct{}{}
	}
}

// bearsDifferently reports whether a Service that has an address might have to be told that the address is in another segment.
func bearsDifferently(a, b *segment) bool {
	if a == nil || b == nil {
		return a != b
	}
	return a.class != b.class || a.owner().Name != b.owner().Name || a.owner().Closed != b.owner().Closed
}

func newSupply(config Config) supply {
	s := supply{pools: newPools(config), byName: map[string]*pool{}}
	for _, p := range s.pools {
		s.byName[p.Name] = p
	}
	s.segments = segmentsOf(s.pools, config)
	for _, segment := range s.segments {
		size := segment.size()
		family := bgp.FamilyOf(segment.from)
		for _, p := range segment.pools {
			stock := p.stock(family)
			stock.total.Add(stock.total, size)
			if segment.class != 0 {
				stock.allowed.Add(stock.allowed, size)
			}
		}
		given := segment.owner().stock(family)
		given.reach |= segment.class
		given.holds = true
	}
	return s
}

// size returns how many addresses the range holds.
func (s span) size() *big.Int {
	from, to := new(big.Int).SetBytes(s.from.AsSlice()), new(big.Int).SetBytes(s.to.AsSlice())
	return to.Sub(to, from).Add(to, big.NewInt(1))
}

// reckon counts an address in its new pools.
func (t *Table) reckon(e *entry) {
	switch e.place {
	case inUse:
		t.count(e, 1)
		for _, c := range e.claims {
			t.hold(e, c, 1)
		}
	case atRest:
		if stock := e.stock(); stock != nil {
			stock.resting[e.segment.class].Set(e)
		}
	case free, listed:
	}
}

// fillFree sets free in all stocks what has no entry.
func (t *Table) fillFree() {
	used := make([]netip.Addr, 0, len(t.entries))
	for a := range t.entries {
		used = append(used, a)
	}
	slices.SortFunc(used, netip.Addr.Compare)
	for _, segment := range t.segments {
		set := segment.owner().stock(bgp.FamilyOf(segment.from)).free[segment.class]
		next := segment.from
		i, _ := slices.BinarySearchFunc(used, next, netip.Addr.Compare)
		for ; i < len(used) && next.IsValid() && !segment.to.Less(used[i]); i++ {
			if next.Less(used[i]) {
				set.giveRange(span{next, used[i].Prev()})
			}
			next = used[i].Next()
		}
		if next.IsValid() && !segment.to.Less(next) && next.BitLen() == segment.to.BitLen() {
			set.giveRange(span{next, segment.to})
		}
	}
}

// count counts an address as taken in all pools that hold it, or no more.
func (t *Table) count(e *entry, change int) {
	if e.segment == nil {
		return
	}
	for _, p := range e.segment.pools {
		stock := p.stock(bgp.FamilyOf(e.address))
		stock.taken += change
		if e.segment.class != 0 {
			stock.allowedTaken += change
		}
		t.reused[p.Name] = struct{}{}
	}
}

// hold counts a claim on an address for the pool that gave the address, or no more.
func (t *Table) hold(e *entry, c claim, change int) {
	owner := e.segment.owner()
	if owner == nil || c.hold != assigned && c.hold != promised {
		return
	}
	if owner.holders[c.service] += change; owner.holders[c.service] == 0 {
		delete(owner.holders, c.service)
	}
	t.reused[owner.Name] = struct{}{}
}
