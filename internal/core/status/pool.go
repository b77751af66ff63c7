package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/crosscheck"
)

// Pool returns the status of an ExternalIPPool. The findings are what is to be said about it, usage is how much of it is in
// use, and now is the transition time of the conditions that change. Where the usage is not known it is nil: the counts that
// the status has already stay. A usage without addresses of a pool that has some is no knowledge either: who counts has not
// heard of the pool yet.
func Pool(pool *v1alpha1.ExternalIPPool, findings []crosscheck.Finding, usage *PoolUsage, now time.Time) v1alpha1.ExternalIPPoolStatus {
	status := *pool.Status.DeepCopy()
	if usage.isEmpty() && len(crosscheck.PoolAddresses(pool).Ranges()) > 0 {
		usage = nil
	}
	var placed, others []crosscheck.Finding
	for _, f := range findings {
		switch f.Reason {
		case v1alpha1.ReasonOutsideBlocks, v1alpha1.ReasonNoConfiguration:
			placed = append(placed, f)
		default:
			others = append(others, f)
		}
	}
	conditions := conditionsOf(pool.Status.Conditions, pool.Generation, now)
	conditions.set(v1alpha1.ConditionAccepted, accepted(others))
	conditions.set(v1alpha1.ConditionAllowlisted, allowlisted(placed, others))
	if pool.DeletionTimestamp != nil {
		conditions.set(v1alpha1.ConditionReleased, released(usage))
	}
	status.ObservedGeneration = pool.Generation
	status.Conditions = conditions.list
	status.Summary.Addresses = summaryOf(pool.Spec.Addresses)
	if usage != nil {
		status.IPv4, status.IPv6 = countsOf(usage.IPv4), countsOf(usage.IPv6)
		status.Summary.Assigned, status.Summary.Available = usage.summary()
	}
	return status
}

// allowlisted is the condition Allowlisted, by what was found about the place of the pool's addresses, and about the rest.
func allowlisted(placed, others []crosscheck.Finding) judgement {
	if none := withReason(placed, v1alpha1.ReasonNoConfiguration); len(none) > 0 {
		return isFalse(v1alpha1.ReasonNoConfiguration, sentences(none))
	}
	if len(placed) > 0 {
		return isFalse(v1alpha1.ReasonOutsideBlocks, sentences(placed))
	}
	for _, f := range withReason(others, v1alpha1.ReasonInvalid) {
		if strings.HasPrefix(f.Field, "spec.addresses") {
			return isUnknown(v1alpha1.ReasonNotAccepted, "some of the pool's addresses can't be read, as the condition Accepted says")
		}
	}
	return isTrue(v1alpha1.ReasonInsideBlocks, "every address is inside a block of the BGPConfiguration named default")
}

// summaryOf returns the first entry and how many more there are.
func summaryOf(addresses []v1alpha1.AddressRange) string {
	switch len(addresses) {
	case 0:
		return ""
	case 1:
		return string(addresses[0])
	default:
		return fmt.Sprintf("%s +%d", addresses[0], len(addresses)-1)
	}
}
