package status

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
	"github.com/herald-network/herald/internal/core/wording"
)

// PoolUsage is how much of an ExternalIPPool is in use, and by whom.
type PoolUsage struct {
	// IPv4 and IPv6 are the usage of each family. Of a family that the pool does not have the total is 0, or nil.
	IPv4, IPv6 ipam.Usage
	// Holders is how many Services have addresses from the pool that Herald assigned.
	Holders int
	// First are the first of them by namespace and name, up to MaxFirst, of a pool that is being deleted.
	First []advertise.ServiceKey
}

// MaxFirst is how many Services a PoolUsage has to name.
const MaxFirst = 3

// maxHolders is how many Services a message names before it counts the others.
const maxHolders = 2

// released is the condition Released of a pool that is being deleted.
func released(usage *PoolUsage) judgement {
	switch {
	case usage == nil:
		return isUnknown(v1alpha1.ReasonPending, "it is not known yet which Services have addresses from the pool")
	case usage.Holders == 0:
		return isTrue(v1alpha1.ReasonNoneAssigned, "no Service has an address from the pool")
	case usage.Holders == 1:
		return isFalse(v1alpha1.ReasonAddressesInUse, fmt.Sprintf("1 Service has addresses from the pool%s; "+
			"move it with the annotation %s, or delete it", usage.holders(), v1alpha1.AnnotationPool))
	default:
		return isFalse(v1alpha1.ReasonAddressesInUse, fmt.Sprintf("%d Services have addresses from the pool%s; "+
			"move them with the annotation %s, or delete them", usage.Holders, usage.holders(), v1alpha1.AnnotationPool))
	}
}

// holders names the first Services and counts the others, after a colon.
func (u *PoolUsage) holders() string {
	var names []string
	for _, key := range u.First[:min(len(u.First), maxHolders)] {
		names = append(names, key.String())
	}
	if names == nil {
		return ""
	}
	return ": " + wording.Some(names, u.Holders, maxMessage)
}

// countsOf returns the counts of one family; none of one that the pool does not have.
func countsOf(u ipam.Usage) v1alpha1.AddressCounts {
	if !isThere(u) {
		return v1alpha1.AddressCounts{}
	}
	return v1alpha1.AddressCounts{
		Total:     v1alpha1.DecimalCount(u.Total.String()),
		Assigned:  v1alpha1.DecimalCount(strconv.Itoa(u.Assigned)),
		Available: v1alpha1.DecimalCount(number(u.Available).String()),
	}
}

// summary returns the counts of the families that the pool has, IPv4 first, as 3/0; those of an empty pool are 0.
func (u *PoolUsage) summary() (assigned, available string) {
	var of [2][]string
	for _, family := range [...]ipam.Usage{u.IPv4, u.IPv6} {
		if isThere(family) {
			of[0] = append(of[0], strconv.Itoa(family.Assigned))
			of[1] = append(of[1], number(family.Available).String())
		}
	}
	if of[0] == nil {
		return "0", "0"
	}
	return strings.Join(of[0], "/"), strings.Join(of[1], "/")
}

// isEmpty reports whether it counts no addresses at all, or is nil.
func (u *PoolUsage) isEmpty() bool { return u == nil || !isThere(u.IPv4) && !isThere(u.IPv6) }

func isThere(u ipam.Usage) bool { return number(u.Total).Sign() > 0 }

// number returns a number that may be left out.
func number(n *big.Int) *big.Int {
	if n == nil {
		return new(big.Int)
	}
	return n
}
