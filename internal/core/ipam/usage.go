package ipam

import (
	"iter"
	"maps"
	"math/big"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// Usage is how much of a pool is in use, of one family.
type Usage struct {
	// Total is the number of addresses that the pool holds.
	Total *big.Int
	// Assigned is how many of them Services have, from Herald or from somebody else, or are promised.
	Assigned int
	// Available is how many of them can be assigned: those that nobody has, and that are in a block of either kind. Those at
	// rest are counted. Of a closed pool it is none.
	Available *big.Int
}

// Usage returns how much of a pool is in use; zeros for a pool that the table doesn't have.
func (t *Table) Usage(pool string, family bgp.Family) Usage {
	p := t.byName[pool]
	if p == nil || family == 0 {
		return Usage{Total: new(big.Int), Available: new(big.Int)}
	}
	stock := p.stock(family)
	usage := Usage{Total: new(big.Int).Set(stock.total), Assigned: stock.taken, Available: new(big.Int)}
	if p.Closed == "" {
		usage.Available.Sub(stock.allowed, big.NewInt(int64(stock.allowedTaken)))
	}
	return usage
}

// TakeUsageChanges returns the pools whose usage or holders changed since the last call, in order.
func (t *Table) TakeUsageChanges() []string {
	names := slices.Sorted(maps.Keys(t.reused))
	clear(t.reused)
	return names
}

// Holders yields the Services that have addresses of a pool which Herald assigned or promised, each once, in any order.
func (t *Table) Holders(pool string) iter.Seq[advertise.ServiceKey] {
	return func(yield func(advertise.ServiceKey) bool) {
		p := t.byName[pool]
		if p == nil {
			return
		}
		for s := range p.holders {
			if !yield(s.Key) {
				return
			}
		}
	}
}

// HolderCount returns how many Services Holders yields, at no cost.
func (t *Table) HolderCount(pool string) int {
	if p := t.byName[pool]; p != nil {
		return len(p.holders)
	}
	return 0
}

// Has reports whether any Service has an address, from Herald or from somebody else, or is promised it.
func (t *Table) Has(address netip.Addr) bool {
	e := t.entries[address]
	return e != nil && len(e.claims) > 0
}

// Waiting yields the number of Services that wait, by reason.
func (t *Table) Waiting() iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for reason, n := range t.reasons {
			if !yield(string(reason), n) {
				return
			}
		}
	}
}
