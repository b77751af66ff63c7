package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/metrics"
)

func TestWhatAScrapeSees(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	observed := bgp.Speaker{
		Sessions: []bgp.Session{
			{
				Peer: bgp.Peer{Name: "tor"}, State: bgp.Established, Advertised: 7, Received: 3, Flaps: 2, UpdatesSent: 11,
				BFD: bgp.BFDUp, BFDCounters: bgp.BFDCounters{Sent: 5, Received: 4, Dropped: 6, Flaps: 1},
			},
			{Peer: bgp.Peer{Name: "tor-2"}, State: bgp.Active},
		},
		RoutesIPv4: 6, RoutesIPv6: 1,
	}
	registry := metrics.NewRegistry("v1", func() bgp.Speaker { return observed })
	metrics.NewLoop(registry)
	metrics.RegisterBFD(registry, func() map[string]uint64 { return map[string]uint64{"LowTTL": 9} })
	metrics.RegisterRefusedConnections(registry, func() uint64 { return 8 })

	page := scrape(g, metrics.NewHandler(registry))
	for _, series := range []string{
		`herald_build_info{version="v1"} 1`,
		`herald_bgp_session_state{peer="tor",state="Established"} 1`,
		`herald_bgp_refused_connections_total 8`,
		`herald_bgp_session_state{peer="tor",state="Active"} 0`,
		`herald_bgp_session_state{peer="tor-2",state="Active"} 1`,
		`herald_bgp_session_established{peer="tor"} 1`,
		`herald_bgp_session_established{peer="tor-2"} 0`,
		`herald_bgp_session_flaps_total{peer="tor"} 2`,
		`herald_bgp_session_advertised_prefixes{peer="tor"} 7`,
		`herald_bgp_session_received_prefixes{peer="tor"} 3`,
		`herald_bgp_session_updates_sent_total{peer="tor"} 11`,
		`herald_bfd_session_state{peer="tor",state="Up"} 1`,
		`herald_bfd_session_state{peer="tor",state="AdminDown"} 0`,
		`herald_bfd_session_up{peer="tor"} 1`,
		`herald_bfd_session_flaps_total{peer="tor"} 1`,
		`herald_bfd_session_packets_sent_total{peer="tor"} 5`,
		`herald_bfd_session_packets_received_total{peer="tor"} 4`,
		`herald_bfd_session_packets_dropped_total{peer="tor"} 6`,
		`herald_bfd_packets_dropped_total{reason="LowTTL"} 9`,
		`herald_advertised_paths{family="IPv4"} 6`,
		`herald_advertised_paths{family="IPv6"} 1`,
		`herald_status_writes_total{result="error"} 0`,
		`herald_compute_duration_seconds_count 0`,
	} {
		g.Expect(page).To(ContainSubstring(series + "\n"))
	}

	g.Expect(page).NotTo(ContainSubstring(`herald_bfd_session_up{peer="tor-2"}`), "a peer without BFD")

	observed.Sessions = observed.Sessions[:1]
	g.Expect(scrape(g, metrics.NewHandler(registry))).NotTo(ContainSubstring("tor-2"),
		"no series outlives its peer")
}

func scrape(g *WithT, handler http.Handler) string {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	g.Expect(answer.Code).To(Equal(http.StatusOK))
	return answer.Body.String()
}

func TestWhatAScrapeOfTheManagerSees(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	registry := prometheus.NewPedanticRegistry()
	m := metrics.NewManager(registry, func() int { return 2 })
	m.StatusWrites.WithLabelValues("BGPPeer", metrics.ResultSuccess).Inc()
	events := metrics.NewEvents(registry)
	events.WithLabelValues("SessionDown", metrics.ResultWritten).Inc()
	events.WithLabelValues("Advertised", metrics.ResultDropped).Add(3)

	page := scrape(g, metrics.NewHandler(registry))
	for _, series := range []string{
		`herald_manager_status_writes_total{kind="BGPPeer",result="success"} 1`,
		`herald_manager_events_total{reason="SessionDown",result="written"} 1`,
		`herald_manager_events_total{reason="Advertised",result="dropped"} 3`,
		`herald_manager_silent_agents 2`,
	} {
		g.Expect(page).To(ContainSubstring(series + "\n"))
	}
}
