package controllers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/herald-network/herald/internal/core/status"
)

// PoolUsage knows how much of each ExternalIPPool is in use.
type PoolUsage interface {
	// Usage returns the usage of a pool; false where it is not known, or not yet. It doesn't wait for anything but its own
	// lock.
	Usage(pool string) (status.PoolUsage, bool)
	// Notify has a function be called with the pools whose usage or holders changed, or came to be known, from now on. The
	// function does not block, and may be called by any goroutine.
	Notify(func(pools []string))
}

// usageOf returns the usage of a pool; nil where it is not known.
func (r *StatusReconciler) usageOf(pool string) *status.PoolUsage {
	if r.Usage == nil {
		return nil
	}
	usage, known := r.Usage.Usage(pool)
	if !known {
		return nil
	}
	return &usage
}

// usageChanges wakes the pools whose usage changed. Of what is in the picture nothing is read again for it.
func usageChanges(usage PoolUsage) source.TypedSource[statusKey] {
	return source.TypedFunc[statusKey](func(_ context.Context, q queue) error {
		usage.Notify(func(pools []string) {
			for _, pool := range pools {
				q.Add(statusKey{kind: kindPool, name: pool})
			}
		})
		return nil
	})
}
