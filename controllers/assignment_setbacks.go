package controllers

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/ipam"
)

const (
	// refusedAfter is how long after the API server refused to have an address in spec.externalIPs it is asked again, where the
	// Service does not change: a policy of the cluster may have.
	refusedAfter = time.Minute
	// lossAfter is how long the second loss of addresses in a row waits to be made good, and maxLossAfter the longest that any
	// does. The first is made good at once.
	lossAfter, maxLossAfter = time.Second, 30 * time.Second
	// lossMemory is how long after the last loss the next one is the first again.
	lossMemory = 2 * maxLossAfter
)

// refusal is the API server's word that a Service may not have its address in spec.externalIPs.
type refusal struct {
	// message is what it answered; "" where it refused nothing.
	message string
	// until is when it is asked again.
	until time.Time
}

// standing returns the message of a refusal that is to be respected still; "" where there is none.
func (r *refusal) standing(now time.Time) string {
	if now.Before(r.until) {
		return r.message
	}
	return ""
}

// seen forgets the refusal where somebody changed the Service in a way that may matter.
func (r *refusal) seen(before, after *corev1.Service) {
	if r.message == "" {
		return
	}
	same := maps.Equal(before.Annotations, after.Annotations) && maps.Equal(before.Labels, after.Labels) &&
		equality.Semantic.DeepEqual(before.Spec, after.Spec)
	if !same {
		*r = refusal{}
	}
}

// losses are addresses of a Service that somebody else took away, such as another controller that takes the Service for its
// own. Herald gives them back, ever later, so that the two do not keep each other busy.
type losses struct {
	number int
	last   time.Time
}

// seen counts a loss where a Service lacks addresses that it had and still wants, and no write of Herald's is under way.
func (l *losses) seen(a *account, now *ipam.Service, at time.Time) {
	if a.writing || now.Wants == 0 || now.Wants != a.wants {
		return
	}
	lost := func(had advertise.Address) bool { return had.Kind == now.Wants && !slices.Contains(now.Assigned, had) }
	if !slices.ContainsFunc(a.assigned, lost) {
		return
	}
	if at.Sub(l.last) > lossMemory {
		l.number = 0
	}
	l.number, l.last = l.number+1, at
}

// wait returns how long the Service has to wait.
func (l *losses) wait(now time.Time) time.Duration {
	if l.number < 2 {
		return 0
	}
	after := min(maxLossAfter, lossAfter<<min(l.number-2, 16))
	return l.last.Add(after).Sub(now)
}
