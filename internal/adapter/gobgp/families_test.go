package gobgp_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

var (
	onlyIPv4 = bgp.FamiliesOf(bgp.IPv4)
	onlyIPv6 = bgp.FamiliesOf(bgp.IPv6)
	both     = bgp.FamiliesOf(bgp.IPv4, bgp.IPv6)
)

// overIPv6 makes a peer one that is reached over IPv6, from the loopback address.
func overIPv6(p *bgp.Peer) {
	p.SourceAddress, p.NextHopIPv6 = netip.IPv6Loopback(), netip.IPv6Loopback()
}

// withoutIPv4 takes the node's IPv4 address away.
func withoutIPv4(p *bgp.Peer) { p.NextHopIPv4 = netip.Addr{} }

// nextHops returns the next hop of each route of the latest connection.
func nextHops(router *testRouter) func() map[string]string {
	return func() map[string]string {
		out := map[string]string{}
		for prefix, route := range router.table() {
			out[prefix.String()] = route.NextHop.String()
		}
		return out
	}
}

func (c *connection) offers(code packet.BGPCapabilityCode) bool {
	return slices.ContainsFunc(c.capabilities(), func(c packet.ParameterCapabilityInterface) bool { return c.Code() == code })
}

// TestFamiliesOverEitherSession says which routes go out with which next hop, by what the node has and the peer takes.
func TestFamiliesOverEitherSession(t *testing.T) {
	t.Parallel()
	const v4, v6 = "10.0.0.1/32", "2001:db8::1/128"
	for name, test := range map[string]struct {
		address  string
		peer     []func(*bgp.Peer)
		offered  bgp.Families // by the router
		extended bool         // by the router
		want     map[string]string
		families bgp.Families // of the session
		offers   bool         // an extended next hop
	}{
		"IPv4 only over IPv4": {
			address: "127.0.0.2", peer: []func(*bgp.Peer){func(p *bgp.Peer) { p.Families = onlyIPv4 }}, offered: both,
			want: map[string]string{v4: "192.168.1.11"}, families: onlyIPv4,
		},
		"IPv6 only over IPv4": {
			address: "127.0.0.2", peer: []func(*bgp.Peer){func(p *bgp.Peer) { p.Families = onlyIPv6 }}, offered: both,
			want: map[string]string{v6: "2001:db8:1::11"}, families: onlyIPv6,
		},
		"both over IPv4": {
			address: "127.0.0.2", offered: both, extended: true,
			want: map[string]string{v4: "192.168.1.11", v6: "2001:db8:1::11"}, families: both,
		},
		"IPv4 only over IPv6": {
			address: "::1", peer: []func(*bgp.Peer){overIPv6, func(p *bgp.Peer) { p.Families = onlyIPv4 }}, offered: both,
			want: map[string]string{v4: "192.168.1.11"}, families: onlyIPv4,
		},
		"IPv6 only over IPv6": {
			address: "::1", peer: []func(*bgp.Peer){overIPv6, withoutIPv4, func(p *bgp.Peer) { p.Families = onlyIPv6 }},
			offered: both, extended: true, want: map[string]string{v6: "::1"}, families: onlyIPv6,
		},
		"both over IPv6, with an IPv4 address of the node": {
			address: "::1", peer: []func(*bgp.Peer){overIPv6}, offered: both, extended: true,
			want: map[string]string{v4: "192.168.1.11", v6: "::1"}, families: both,
		},
		"both over IPv6 without one, to a peer that takes extended next hops": {
			address: "::1", peer: []func(*bgp.Peer){overIPv6, withoutIPv4}, offered: both, extended: true,
			want: map[string]string{v4: "::1", v6: "::1"}, families: both, offers: true,
		},
		"the same with a source left to the kernel": {
			address: "::1", offered: both, extended: true,
			peer: []func(*bgp.Peer){withoutIPv4, func(p *bgp.Peer) { p.SourceAddress, p.NextHopIPv6 = netip.Addr{}, netip.Addr{} }},
			want: map[string]string{v4: "::1", v6: "::1"}, families: both, offers: true,
		},
		"iBGP": {
			address: "::1", peer: []func(*bgp.Peer){overIPv6, withoutIPv4, func(p *bgp.Peer) { p.LocalASN = 64513 }},
			offered: both, extended: true, want: map[string]string{v4: "::1", v6: "::1"}, families: both, offers: true,
		},
		"the same to a peer that does not": {
			address: "::1", peer: []func(*bgp.Peer){overIPv6, withoutIPv4}, offered: both,
			want: map[string]string{v6: "::1"}, families: onlyIPv6, offers: true,
		},
		"a peer without IPv6 routes": {
			address: "::1", peer: []func(*bgp.Peer){overIPv6}, offered: onlyIPv4,
			want: map[string]string{v4: "192.168.1.11"}, families: onlyIPv4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := helper(64513)
			config.Families, config.ExtendedNextHop = test.offered, test.extended
			router := newRouter(t, test.address, config)
			s := newSpeaker(t, gobgp.Options{})
			run(t, s, plan.Routes(paths(v4, v6), nil), addPeers(peerOf("tor", router, test.peer...)))
			g := NewWithT(t)
			g.Eventually(nextHops(router), patience, tick).Should(Equal(test.want))
			g.Eventually(func() int { return session(s, "tor").Advertised }, patience, tick).Should(Equal(len(test.want)))
			if got := eventuallyEstablished(t, s, "tor", 0).Families; got != test.families {
				t.Errorf("the session carries %s, want %s", got, test.families)
			}
			if got := router.last().offers(packet.BGP_CAP_EXTENDED_NEXTHOP); got != test.offers {
				t.Errorf("the OPEN offers an extended next hop: %v, want %v", got, test.offers)
			}
			run(t, s, plan.Routes(nil, prefixes(paths(v4, v6))))
			g.Eventually(nextHops(router), patience, tick).Should(BeEmpty())
		})
	}
}

// What the last session's peer took says nothing about the next one's: every IPv4 route is there before End-of-RIB where
// the peer takes it, and none where it does not.
func TestExtendedNextHopIsNegotiatedAnew(t *testing.T) {
	t.Parallel()
	config := helper(64513)
	router := newRouter(t, "::1", config)
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, plan.Routes(hostRoutes(300), nil), addPeers(peerOf("tor", router, overIPv6, withoutIPv4)))
	g := NewWithT(t)
	for flaps, extended := range []bool{false, true, true, false} {
		want := map[bgp.Family]int{bgp.IPv4: 0, bgp.IPv6: 300}
		if extended {
			want[bgp.IPv4] = 300
		}
		g.Eventually(func() int { return session(s, "tor").Advertised }, patience, tick).Should(Equal(want[bgp.IPv4] + want[bgp.IPv6]))
		g.Eventually(router.last().routesAtEndOfRIB, patience, tick).Should(Equal(want), "session %d", flaps)
		if got := eventuallyEstablished(t, s, "tor", flaps).Families; got.Has(bgp.IPv4) != extended {
			t.Errorf("session %d carries %s", flaps, got)
		}
		next := flaps < 2
		router.answerWith(func(c *routerConfig) { c.ExtendedNextHop = next })
		if flaps < 3 {
			router.reset()
			g.Eventually(func() int { return len(router.all()) }, patience, tick).Should(Equal(flaps + 2))
		}
	}
}

// A node that gets an IPv4 address of its own, or loses it, needs another OPEN.
func TestIPv4AddressOfTheNodeComesAndGoes(t *testing.T) {
	t.Parallel()
	config := helper(64513)
	config.ExtendedNextHop = true
	router := newRouter(t, "::1", config)
	s := newSpeaker(t, gobgp.Options{})
	without := peerOf("tor", router, overIPv6, withoutIPv4)
	with := peerOf("tor", router, overIPv6)
	run(t, s, plan.Routes(paths("10.0.0.1/32"), nil), addPeers(without))
	g := NewWithT(t)
	g.Eventually(nextHops(router), patience, tick).Should(Equal(map[string]string{"10.0.0.1/32": "::1"}))
	run(t, s, plan.Peers([]bgp.Peer{without}, []bgp.Peer{with}))
	g.Eventually(nextHops(router), patience, tick).Should(Equal(map[string]string{"10.0.0.1/32": "192.168.1.11"}))
	if router.last().offers(packet.BGP_CAP_EXTENDED_NEXTHOP) {
		t.Error("the OPEN offers an extended next hop that nothing needs")
	}
	run(t, s, plan.Peers([]bgp.Peer{with}, []bgp.Peer{without}))
	g.Eventually(nextHops(router), patience, tick).Should(Equal(map[string]string{"10.0.0.1/32": "::1"}))
}

// A peer that asks for the routes of a family gets all of them again, and those of no other.
func TestRouteRefresh(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		afi  uint16
		want int // times the routes of one family
	}{
		"IPv4":           {packet.AFI_IP, 3},
		"IPv6":           {packet.AFI_IP6, 3},
		"another family": {packet.AFI_L2VPN, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := helper(64513)
			config.Forgetful = true
			router := newRouter(t, "127.0.0.2", config)
			s := newSpeaker(t, gobgp.Options{})
			run(t, s, plan.Routes(hostRoutes(50), nil), addPeers(peerOf("tor", router)))
			g := NewWithT(t)
			eventuallyEstablished(t, s, "tor", 0)
			g.Eventually(router.last().announcedCount, patience, tick).Should(Equal(100))
			router.last().send(packet.NewBGPRouteRefreshMessage(test.afi, 0, packet.SAFI_UNICAST))
			g.Eventually(router.last().announcedCount, patience, tick).Should(Equal(50 * test.want))
			g.Consistently(router.last().announcedCount, 100*tick, tick).Should(Equal(50 * test.want))
			if got := session(s, "tor"); got.Advertised != 100 || got.Flaps != 0 {
				t.Errorf("session: %+v", got)
			}
			if last := router.last(); !last.offers(packet.BGP_CAP_ROUTE_REFRESH) || last.offers(packet.BGP_CAP_ENHANCED_ROUTE_REFRESH) {
				t.Error("the OPEN should offer route refresh, and not the enhanced one")
			}
		})
	}
}

// A request that comes while the last one is being answered is answered too, a little later.
func TestRouteRefreshAskedTwice(t *testing.T) {
	t.Parallel()
	config := helper(64513)
	config.Forgetful = true
	router := newRouter(t, "127.0.0.2", config)
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, plan.Routes(hostRoutes(50), nil), addPeers(peerOf("tor", router)))
	g := NewWithT(t)
	eventuallyEstablished(t, s, "tor", 0)
	g.Eventually(router.last().announcedCount, patience, tick).Should(Equal(100))
	ask := packet.NewBGPRouteRefreshMessage(packet.AFI_IP, 0, packet.SAFI_UNICAST)
	router.last().send(ask, ask, ask, ask)
	g.Eventually(router.last().announcedCount, patience, tick).Should(Equal(200))
	router.last().send(ask)
	g.Eventually(router.last().announcedCount, patience, tick).Should(Equal(250))
}

// A peer that knows AS numbers of two bytes only sees AS_TRANS for one of four, and the number itself in AS4_PATH
// (RFC 6793).
func TestFourByteASAtATwoByteASPeer(t *testing.T) {
	t.Parallel()
	config := helper(64513)
	config.TwoByteAS = true
	router := newRouter(t, "127.0.0.2", config)
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, plan.Routes(paths("10.0.0.1/32", "2001:db8::1/128"), nil),
		addPeers(peerOf("tor", router, func(p *bgp.Peer) { p.LocalASN = 4200000000 })))
	g := NewWithT(t)
	g.Eventually(func() []bgp.ASPath {
		var got []bgp.ASPath
		for route := range maps.Values(router.table()) {
			got = append(got, route.ASPath)
		}
		return got
	}, patience, tick).Should(Equal(slices.Repeat([]bgp.ASPath{{ASN: packet.AS_TRANS, Length: 1}}, 2)))
	last := router.last()
	last.note(func() {
		if !slices.Equal(last.as4Path, []uint32{4200000000}) {
			t.Errorf("AS4_PATH %v", last.as4Path)
		}
		if last.open.MyAS != packet.AS_TRANS {
			t.Errorf("the OPEN's AS is %d", last.open.MyAS)
		}
	})
}
