package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-network/herald/api/v1alpha1"
)

// Assignment is what the assignment of addresses counts.
type Assignment struct {
	// Assigned and Released count the addresses that Services got from Herald, and lost or gave back.
	Assigned, Released prometheus.Counter
	// Failures counts the Services that came to wait, by reason, and under AddressConflict each that lost its address to
	// an older one.
	Failures *prometheus.CounterVec
	// Writes counts the writes that it makes, by kind and result.
	Writes *prometheus.CounterVec
}

// Values of the label kind of the writes of assignment: what was written.
const (
	// KindLoadBalancerIP: addresses in the status of a Service, with their mark.
	KindLoadBalancerIP = "LoadBalancerIP"
	// KindExternalIP: addresses in the spec of a Service, with their mark.
	KindExternalIP = "ExternalIP"
	// KindCondition: the condition of a Service alone.
	KindCondition = "Condition"
	// KindFinalizer: the finalizer of an ExternalIPPool.
	KindFinalizer = "Finalizer"
)

// Values of the label result of the writes of assignment, besides ResultSuccess and ResultError.
const (
	// ResultConflict: the object had changed meanwhile, and is decided on anew.
	ResultConflict = "conflict"
	// ResultFenced: the write was not made, since another manager might lead by then.
	ResultFenced = "fenced"
)

// PoolSample is how much of an ExternalIPPool is in use, of one family that it has.
type PoolSample struct {
	// Pool is its name, and Family IPv4 or IPv6.
	Pool, Family        string
	Assigned, Available float64
}

// NewAssignment returns the counters of assignment, registered. pools and waiting are asked at each scrape, from any
// goroutine, for the usage of each pool and for the number of Services that wait, by reason: on a replica that does not lead
// they have nothing to say.
func NewAssignment(registry prometheus.Registerer, pools func() []PoolSample, waiting func() map[string]int) *Assignment {
	a := &Assignment{
		Assigned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "herald_manager_addresses_assigned_total",
			Help: "Addresses that were assigned to Services.",
		}),
		Released: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "herald_manager_addresses_released_total",
			Help: "Assigned addresses that Services gave back or lost, and those of deleted Services.",
		}),
		Failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "herald_manager_assignment_failures_total",
			Help: "Services that came to wait for an address, by reason, and those that lost theirs to an older one (AddressConflict).",
		}, []string{"reason"}),
		Writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "herald_manager_assignment_writes_total",
			Help: "Writes to the API that assignment made or, fenced, would have made, by what was written and result.",
		}, []string{"kind", "result"}),
	}
	a.beginAtZero()
	registry.MustRegister(a.Assigned, a.Released, a.Failures, a.Writes, newUsageCollector(pools, waiting))
	return a
}

// beginAtZero makes every series be there from the start: rate and increase don't see a first one out of nowhere.
func (a *Assignment) beginAtZero() {
	for _, reason := range [...]v1alpha1.ConditionReason{
		v1alpha1.ReasonInvalidRequest, v1alpha1.ReasonNoMatchingPool, v1alpha1.ReasonPoolExhausted, v1alpha1.ReasonAddressInUse,
		v1alpha1.ReasonAddressNotInPool, v1alpha1.ReasonAddressNotAllowlisted, v1alpha1.ReasonAddressConflict,
		v1alpha1.ReasonExternalIPsRefused,
	} {
		a.Failures.WithLabelValues(string(reason))
	}
	for _, kind := range [...]string{KindLoadBalancerIP, KindExternalIP, KindCondition, KindFinalizer} {
		for _, result := range [...]string{ResultSuccess, ResultError, ResultConflict, ResultFenced} {
			a.Writes.WithLabelValues(kind, result)
		}
	}
}

// usageCollector tells how much of each pool is in use, and how many Services wait, when it is asked: no series outlives its
// pool or its reason.
type usageCollector struct {
	pools              func() []PoolSample
	waiting            func() map[string]int
	addresses, waiters *prometheus.Desc
}

func newUsageCollector(pools func() []PoolSample, waiting func() map[string]int) *usageCollector {
	return &usageCollector{
		pools: pools, waiting: waiting,
		addresses: prometheus.NewDesc("herald_manager_pool_addresses",
			"Addresses of an ExternalIPPool, by family: assigned to Services, and available to others.",
			[]string{"pool", "family", "state"}, nil),
		waiters: prometheus.NewDesc("herald_manager_services_waiting",
			"Services that lack an address they ask for, by reason.",
			[]string{"reason"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *usageCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.addresses
	descriptions <- c.waiters
}

// Collect implements prometheus.Collector.
func (c *usageCollector) Collect(series chan<- prometheus.Metric) {
	for _, p := range c.pools() {
		series <- prometheus.MustNewConstMetric(c.addresses, prometheus.GaugeValue, p.Assigned, p.Pool, p.Family, "assigned")
		series <- prometheus.MustNewConstMetric(c.addresses, prometheus.GaugeValue, p.Available, p.Pool, p.Family, "available")
	}
	for reason, services := range c.waiting() {
		series <- prometheus.MustNewConstMetric(c.waiters, prometheus.GaugeValue, float64(services), reason)
	}
}
