package metrics

import (
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
)

// LoopPrevention is what the rules against loops tell.
type LoopPrevention struct {
	// InPlace is 1 while there are rules, and they are those that should be.
	InPlace prometheus.Gauge
	// Errors counts failures to put rules in place or to remove them, Repairs how often somebody else had changed them.
	Errors, Repairs prometheus.Counter
}

// NewLoopPrevention returns the counters, registered; packets is asked at each scrape for the packets that were dropped or
// rejected by block.
func NewLoopPrevention(registry prometheus.Registerer, packets func() (map[netip.Prefix]uint64, error)) *LoopPrevention {
	l := &LoopPrevention{
		InPlace: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "herald_loop_prevention_in_place",
			Help: "1 while the node's nftables hold the rules against loops, 0 where there is nothing to guard against or they can't be put in place.",
		}),
		Errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "herald_loop_prevention_errors_total",
			Help: "Failures to put the rules against loops in place; they are tried again.",
		}),
		Repairs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "herald_loop_prevention_repairs_total",
			Help: "How often the rules against loops were put right after somebody else had changed them.",
		}),
	}
	registry.MustRegister(l.InPlace, l.Errors, l.Repairs, packetCollector{
		packets: packets,
		description: prometheus.NewDesc("herald_loop_prevention_packets_total",
			"Packets for addresses inside an advertised block that nothing on the node claimed, and that were dropped or rejected.", []string{"block"}, nil),
	})
	return l
}

// packetCollector reads the kernel's counters. There is a series for each block, at most three lists of 64.
type packetCollector struct {
	packets     func() (map[netip.Prefix]uint64, error)
	description *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c packetCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.description
}

// Collect implements prometheus.Collector. Counters that can't be read are left out: herald_loop_prevention_errors_total
// and the log say why.
func (c packetCollector) Collect(series chan<- prometheus.Metric) {
	packets, err := c.packets()
	if err != nil {
		return
	}
	for block, n := range packets {
		series <- prometheus.MustNewConstMetric(c.description, prometheus.CounterValue, float64(n), block.String())
	}
}
