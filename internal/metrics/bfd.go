package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-network/herald/internal/core/bgp"
)

// bfdDescriptions are what a scrape tells of the BFD sessions of peers that have one.
type bfdDescriptions struct {
	state, up, flaps, sent, received, dropped *prometheus.Desc
}

func newBFDDescriptions() bfdDescriptions {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("herald_bfd_"+name, help, labels, nil)
	}
	return bfdDescriptions{
		state:    describe("session_state", "1 for the state that the BFD session with a peer is in (RFC 5880), 0 for the others.", "peer", "state"),
		up:       describe("session_up", "1 while the BFD session with a peer is up, else 0.", "peer"),
		flaps:    describe("session_flaps_total", "How often the BFD session was up and the path failed.", "peer"),
		sent:     describe("session_packets_sent_total", "BFD packets that went to the peer.", "peer"),
		received: describe("session_packets_received_total", "BFD packets of the peer that counted.", "peer"),
		dropped:  describe("session_packets_dropped_total", "BFD packets of the peer that came with too low a TTL.", "peer"),
	}
}

func (d bfdDescriptions) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.state, d.up, d.flaps, d.sent, d.received, d.dropped}
}

// collect sends the series of one peer.
func (d bfdDescriptions) collect(s bgp.Session, send func(*prometheus.Desc, prometheus.ValueType, float64, ...string)) {
	if s.BFD == bgp.BFDUnknown {
		return
	}
	peer := s.Peer.Name
	for state := bgp.BFDAdminDown; state <= bgp.BFDUp; state++ {
		send(d.state, prometheus.GaugeValue, indicator(s.BFD == state), peer, state.String())
	}
	send(d.up, prometheus.GaugeValue, indicator(s.BFD == bgp.BFDUp), peer)
	send(d.flaps, prometheus.CounterValue, float64(s.BFDCounters.Flaps), peer)
	send(d.sent, prometheus.CounterValue, float64(s.BFDCounters.Sent), peer)
	send(d.received, prometheus.CounterValue, float64(s.BFDCounters.Received), peer)
	send(d.dropped, prometheus.CounterValue, float64(s.BFDCounters.Dropped), peer)
}

// RegisterBFD adds how many BFD packets were dropped, by reason, whoever they were from.
func RegisterBFD(registry prometheus.Registerer, dropped func() map[string]uint64) {
	registry.MustRegister(&bfdDrops{
		dropped: dropped,
		total: prometheus.NewDesc("herald_bfd_packets_dropped_total",
			"BFD packets that were dropped, by reason (RFC 5880, section 6.8.6).", []string{"reason"}, nil),
	})
}

type bfdDrops struct {
	dropped func() map[string]uint64
	total   *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *bfdDrops) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- c.total }

// Collect implements prometheus.Collector.
func (c *bfdDrops) Collect(series chan<- prometheus.Metric) {
	for reason, count := range c.dropped() {
		series <- prometheus.MustNewConstMetric(c.total, prometheus.CounterValue, float64(count), reason)
	}
}
