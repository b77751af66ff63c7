package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-network/herald/internal/core/bgp"
)

// speakerCollector tells what a speaker's sessions do at the time of the scrape. There is a series for each peer of this
// node and one for each family: nothing grows with Services or routes.
type speakerCollector struct {
	observe func() bgp.Speaker

	state, established, flaps, advertised, received, updates, paths *prometheus.Desc

	bfd bfdDescriptions
}

func newSpeakerCollector(observe func() bgp.Speaker) *speakerCollector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("herald_"+name, help, labels, nil)
	}
	return &speakerCollector{
		observe:     observe,
		state:       describe("bgp_session_state", "1 for the state that the session with a peer is in (RFC 4271), 0 for the others.", "peer", "state"),
		established: describe("bgp_session_established", "1 while the session with a peer is established, else 0.", "peer"),
		flaps:       describe("bgp_session_flaps_total", "How often the session was established and lost again.", "peer"),
		advertised:  describe("bgp_session_advertised_prefixes", "Prefixes that are on the wire of the present session.", "peer"),
		received:    describe("bgp_session_received_prefixes", "Prefixes that the peer sent, all of which were refused.", "peer"),
		updates:     describe("bgp_session_updates_sent_total", "UPDATE messages that went to the peer.", "peer"),
		paths:       describe("advertised_paths", "Distinct prefixes that are on the wire of at least one session.", "family"),
		bfd:         newBFDDescriptions(),
	}
}

// Describe implements prometheus.Collector.
func (c *speakerCollector) Describe(descriptions chan<- *prometheus.Desc) {
	own := []*prometheus.Desc{c.state, c.established, c.flaps, c.advertised, c.received, c.updates, c.paths}
	for _, d := range append(own, c.bfd.all()...) {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (c *speakerCollector) Collect(series chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		series <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	observed := c.observe()
	for _, s := range observed.Sessions {
		peer := s.Peer.Name
		for state := bgp.Idle; state <= bgp.Established; state++ {
			send(c.state, prometheus.GaugeValue, indicator(s.State == state), peer, state.String())
		}
		send(c.established, prometheus.GaugeValue, indicator(s.State == bgp.Established), peer)
		send(c.flaps, prometheus.CounterValue, float64(s.Flaps), peer)
		send(c.advertised, prometheus.GaugeValue, float64(s.Advertised), peer)
		send(c.received, prometheus.GaugeValue, float64(s.Received), peer)
		send(c.updates, prometheus.CounterValue, float64(s.UpdatesSent), peer)
		c.bfd.collect(s, send)
	}
	send(c.paths, prometheus.GaugeValue, float64(observed.RoutesIPv4), bgp.IPv4.String())
	send(c.paths, prometheus.GaugeValue, float64(observed.RoutesIPv6), bgp.IPv6.String())
}

func indicator(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// RegisterRefusedConnections adds how many connections came to the ports of passive peers from whoever is no peer.
func RegisterRefusedConnections(registry prometheus.Registerer, refused func() uint64) {
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "herald_bgp_refused_connections_total",
		Help: "Connections to the port of passive peers that came from an address that is no such peer's, and were closed.",
	}, func() float64 { return float64(refused()) }))
}
