package admission

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/wording"
)

// maxHolders is how many Services a warning names at most.
const maxHolders = 5

// holder is a Service with addresses that Herald assigned to it from a pool.
type holder struct {
	service   advertise.ServiceKey
	addresses []netip.Addr
}

// takenFromServices says which Services lose addresses by an edit of a pool, and which keep a pool that is deleted.
func takenFromServices(old, wanted *v1alpha1.ExternalIPPool, after cluster.State) []string {
	switch {
	case old == nil:
		return nil
	case wanted == nil:
		return heldBy(holdersOf(crosscheck.PoolAddresses(old), after.Services))
	default:
		return movedFrom(holdersOf(leaving(old, after.Pools), after.Services))
	}
}

// leaving returns the addresses of a pool that no pool holds after the change.
func leaving(old *v1alpha1.ExternalIPPool, after []v1alpha1.ExternalIPPool) *netipx.IPSet {
	var gone netipx.IPSetBuilder
	gone.AddSet(crosscheck.PoolAddresses(old))
	for i := range after {
		gone.RemoveSet(crosscheck.PoolAddresses(&after[i]))
	}
	set, _ := gone.IPSet() // Its sets are sound, so there is no error.
	return set
}

// holdersOf returns the Services that were assigned any of some addresses, by namespace and name.
func holdersOf(addresses *netipx.IPSet, services []cluster.Service) []holder {
	if len(addresses.Ranges()) == 0 {
		return nil
	}
	var holders []holder
	for i := range services {
		var of []netip.Addr
		for _, a := range services[i].Assigned {
			if addresses.Contains(a) {
				of = append(of, a)
			}
		}
		if of != nil {
			holders = append(holders, holder{services[i].Key, of})
		}
	}
	slices.SortFunc(holders, func(a, b holder) int { return a.service.Compare(b.service) })
	return holders
}

// movedFrom says which addresses an edit takes, from whom.
func movedFrom(holders []holder) []string {
	const how = "where a pool has one for it, else none"
	switch len(holders) {
	case 0:
		return nil
	case 1:
		h := holders[0]
		return []string{wording.Cut(fmt.Sprintf("this change takes %s from Service %s, which gets another address %s",
			h.text(), h.service, how), wording.MaxWarning)}
	default:
		start := fmt.Sprintf("this change takes addresses from %d Services, each of which gets another %s: ", len(holders), how)
		return []string{listed(start, holders, func(h holder) string { return h.service.String() + " (" + h.text() + ")" })}
	}
}

// heldBy says who keeps a pool that is deleted, and how that ends.
func heldBy(holders []holder) []string {
	if len(holders) == 0 {
		return nil
	}
	services := "Services have"
	if len(holders) == 1 {
		services = "Service has"
	}
	start := fmt.Sprintf("the pool stays, and assigns nothing more, while %d %s addresses from it: ", len(holders), services)
	return []string{
		listed(start, holders, func(h holder) string { return h.service.String() }),
		fmt.Sprintf("to move a Service to another pool, annotate it with %s: NAME of that pool; the condition %s says who is left",
			v1alpha1.AnnotationPool, v1alpha1.ConditionReleased),
	}
}

// listed returns a text with the first holders after it, as far as there is room.
func listed(start string, holders []holder, name func(holder) string) string {
	var first []string
	for _, h := range holders[:min(len(holders), maxHolders)] {
		first = append(first, name(h))
	}
	return wording.Cut(start+wording.Some(first, len(holders), wording.MaxWarning-len(start)), wording.MaxWarning)
}

func (h holder) text() string {
	texts := make([]string, len(h.addresses))
	for i, a := range h.addresses {
		texts[i] = a.String()
	}
	return strings.Join(texts, " and ")
}
