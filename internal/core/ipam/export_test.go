package ipam

import (
	"net/netip"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
)

// FreeAddresses returns the addresses of a pool that are free, one by one: for small pools only.
func (t *Table) FreeAddresses(pool string, family bgp.Family) map[netip.Addr]bool {
	found := map[netip.Addr]bool{}
	for c := range t.byName[pool].stock(family).free {
		var below span
		t.byName[pool].stock(family).free[c].spans.Scan(func(s span) bool {
			if below.to.IsValid() && !below.to.Next().Less(s.from) {
				panic("free ranges touch")
			}
			below = s
			for a := s.from; a.IsValid() && !s.to.Less(a); a = a.Next() {
				found[a] = true
			}
			return true
		})
	}
	return found
}

// Sizes returns how many of its things the table holds that should be gone once nobody needs them.
func (t *Table) Sizes() map[string]int {
	return map[string]int{
		"entries": len(t.entries), "resting": t.resting.Len(), "groups": len(t.groups), "waited": len(t.waited),
		"named": len(t.named), "due": t.due.Len(), "waiting": len(t.waiting),
	}
}

// Promised returns the addresses that a Service is promised.
func (t *Table) Promised(key advertise.ServiceKey) []netip.Addr { return t.services[key].promised }
