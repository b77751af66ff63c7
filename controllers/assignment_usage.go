package controllers

import (
	"cmp"
	"slices"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/status"
	"github.com/herald-network/herald/internal/metrics"
)

// Usage returns how much of a pool is in use; false until that is known.
func (r *AssignmentReconciler) Usage(pool string) (status.PoolUsage, bool) {
	l := &r.ledger
	if !l.filled.Load() {
		return status.PoolUsage{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pools[pool]
	if p == nil || !p.counted {
		return status.PoolUsage{}, false
	}
	usage := status.PoolUsage{
		IPv4: l.table.Usage(pool, bgp.IPv4), IPv6: l.table.Usage(pool, bgp.IPv6), Holders: l.table.HolderCount(pool),
	}
	if p.object.DeletionTimestamp == nil {
		return usage, true // Nobody asks for names, and to find the first ones takes a look at all holders.
	}
	for key := range l.table.Holders(pool) {
		usage.First = append(usage.First, key)
		if len(usage.First) > status.MaxFirst {
			slices.SortFunc(usage.First, advertise.ServiceKey.Compare)
			usage.First = usage.First[:status.MaxFirst]
		}
	}
	slices.SortFunc(usage.First, advertise.ServiceKey.Compare)
	return usage, true
}

// Notify has a function be called with the pools whose usage or holders changed, or came to be known, from now on. It must not
// block.
func (r *AssignmentReconciler) Notify(tell func(pools []string)) {
	r.listeners.Lock()
	defer r.listeners.Unlock()
	r.listeners.tell = append(r.listeners.tell, tell)
}

// samplePools returns the usage of all pools, for a scrape.
func (r *AssignmentReconciler) samplePools() []metrics.PoolSample {
	l := &r.ledger
	if !l.filled.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var samples []metrics.PoolSample
	for pool, account := range l.pools {
		if !account.counted {
			continue
		}
		for _, family := range [...]bgp.Family{bgp.IPv4, bgp.IPv6} {
			usage := l.table.Usage(pool, family)
			if usage.Total.Sign() == 0 {
				continue
			}
			available, _ := usage.Available.Float64()
			samples = append(samples, metrics.PoolSample{
				Pool: pool, Family: family.String(), Assigned: float64(usage.Assigned), Available: available,
			})
		}
	}
	slices.SortFunc(samples, func(a, b metrics.PoolSample) int {
		return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Family, b.Family))
	})
	return samples
}

// sampleWaiting returns how many Services wait, by reason, for a scrape.
func (r *AssignmentReconciler) sampleWaiting() map[string]int {
	l := &r.ledger
	waiting := map[string]int{}
	if !l.filled.Load() {
		return waiting
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for reason, number := range l.table.Waiting() {
		waiting[reason] += number
	}
	return waiting
}
