package metrics_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/herald-network/herald/internal/metrics"
)

func TestWhatAScrapeSeesOfAssignment(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	registry := prometheus.NewPedanticRegistry()
	pools := []metrics.PoolSample{
		{Pool: "public", Family: "IPv4", Assigned: 3, Available: 242},
		{Pool: "public", Family: "IPv6", Assigned: 1, Available: 18446744073709551615},
		{Pool: "spare", Family: "IPv4", Available: 1},
	}
	waiting := map[string]int{"PoolExhausted": 2, "AddressInUse": 1}
	m := metrics.NewAssignment(registry, func() []metrics.PoolSample { return pools }, func() map[string]int { return waiting })
	m.Assigned.Add(4)
	m.Released.Inc()
	m.Failures.WithLabelValues("PoolExhausted").Add(2)
	m.Writes.WithLabelValues(metrics.KindExternalIP, metrics.ResultConflict).Inc()

	page := scrape(g, metrics.NewHandler(registry))
	for _, series := range []string{
		`herald_manager_addresses_assigned_total 4`,
		`herald_manager_addresses_released_total 1`,
		`herald_manager_assignment_failures_total{reason="PoolExhausted"} 2`,
		`herald_manager_assignment_failures_total{reason="AddressConflict"} 0`,
		`herald_manager_assignment_writes_total{kind="ExternalIP",result="conflict"} 1`,
		`herald_manager_assignment_writes_total{kind="LoadBalancerIP",result="success"} 0`,
		`herald_manager_assignment_writes_total{kind="Finalizer",result="fenced"} 0`,
		`herald_manager_pool_addresses{family="IPv4",pool="public",state="assigned"} 3`,
		`herald_manager_pool_addresses{family="IPv4",pool="public",state="available"} 242`,
		`herald_manager_pool_addresses{family="IPv6",pool="public",state="assigned"} 1`,
		`herald_manager_pool_addresses{family="IPv6",pool="public",state="available"} 1.8446744073709552e+19`,
		`herald_manager_pool_addresses{family="IPv4",pool="spare",state="assigned"} 0`,
		`herald_manager_services_waiting{reason="PoolExhausted"} 2`,
		`herald_manager_services_waiting{reason="AddressInUse"} 1`,
	} {
		g.Expect(page).To(ContainSubstring(series + "\n"))
	}

	pools = pools[:1]
	delete(waiting, "AddressInUse")
	page = scrape(g, metrics.NewHandler(registry))
	g.Expect(page).NotTo(ContainSubstring(`pool="spare"`), "no series outlives its pool")
	g.Expect(page).NotTo(ContainSubstring(`family="IPv6"`), "nor a family that the pool has no more")
	g.Expect(page).NotTo(ContainSubstring(`services_waiting{reason="AddressInUse"}`), "nor a reason that nobody waits for")
	g.Expect(page).To(ContainSubstring(`services_waiting{reason="PoolExhausted"} 2`))
}

// A replica that does not lead has counters at zero, and nothing to say about pools.
func TestWhatAScrapeSeesWhereNothingIsAssigned(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	registry := prometheus.NewPedanticRegistry()
	metrics.NewAssignment(registry, func() []metrics.PoolSample { return nil }, func() map[string]int { return nil })

	families, err := registry.Gather()
	g.Expect(err).NotTo(HaveOccurred())
	series := map[string]int{}
	for _, family := range families {
		series[family.GetName()] = len(family.GetMetric())
	}
	g.Expect(slices.Sorted(maps.Keys(series))).To(Equal([]string{
		"herald_manager_addresses_assigned_total", "herald_manager_addresses_released_total",
		"herald_manager_assignment_failures_total", "herald_manager_assignment_writes_total",
	}))
	g.Expect(series["herald_manager_assignment_failures_total"]).To(Equal(8), "every reason is there from the start")
	g.Expect(series["herald_manager_assignment_writes_total"]).To(Equal(16), "and so is every kind with every result")
}

func TestMetricsOfAssignmentAreNamedAsPrometheusAdvises(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	registry := prometheus.NewPedanticRegistry()
	metrics.NewAssignment(registry,
		func() []metrics.PoolSample { return []metrics.PoolSample{{Pool: "public", Family: "IPv4"}} },
		func() map[string]int { return map[string]int{"PoolExhausted": 1} })
	families, err := registry.Gather()
	g.Expect(err).NotTo(HaveOccurred())
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	g.Expect(err).NotTo(HaveOccurred())
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.Metric+": "+p.Text)
	}
	g.Expect(strings.Join(texts, "\n")).To(BeEmpty())
}
