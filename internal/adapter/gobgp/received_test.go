package gobgp_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// offer lets the router announce n host routes of a family, from the given number on.
func (c *connection) offer(family bgp.Family, from, n int) {
	for i := from; i < from+n; {
		var nlri []packet.AddrPrefixInterface
		for ; i < from+n && len(nlri) < 200; i++ {
			if family == bgp.IPv4 {
				nlri = append(nlri, packet.NewIPAddrPrefix(32, netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}).String()))
			} else {
				nlri = append(nlri, packet.NewIPv6AddrPrefix(128, fmt.Sprintf("2001:db8:20::%x:%x", i>>16, i&0xffff)))
			}
		}
		c.send(announcement(family, nlri))
	}
}

func announcement(family bgp.Family, nlri []packet.AddrPrefixInterface) *packet.BGPMessage {
	attributes := []packet.PathAttributeInterface{packet.NewPathAttributeOrigin(0), packet.NewPathAttributeAsPath(nil)}
	if family == bgp.IPv6 {
		return packet.NewBGPUpdateMessage(nil, append(attributes, packet.NewPathAttributeMpReachNLRI("2001:db8::1", nlri)), nil)
	}
	var plain []*packet.IPAddrPrefix
	for _, n := range nlri {
		plain = append(plain, n.(*packet.IPAddrPrefix))
	}
	return packet.NewBGPUpdateMessage(nil, append(attributes, packet.NewPathAttributeNextHop("192.168.1.1")), plain)
}

func (c *connection) retract(prefixes ...string) {
	var nlri []*packet.IPAddrPrefix
	for _, p := range prefixes {
		parsed := netip.MustParsePrefix(p)
		nlri = append(nlri, packet.NewIPAddrPrefix(uint8(parsed.Bits()), parsed.Addr().String()))
	}
	c.send(packet.NewBGPUpdateMessage(nlri, nil, nil))
}

func received(s *gobgp.Speaker) func() int {
	return func() int { return session(s, "tor").Received }
}

func TestReceivedRoutesAreCountedAndRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router, func(p *bgp.Peer) { p.MaxReceivedPrefixes = 300 })))
	eventuallyEstablished(t, s, "tor", 0)
	router.last().offer(bgp.IPv4, 0, 300)
	router.last().offer(bgp.IPv4, 0, 300) // Again: no more prefixes than before.
	router.last().offer(bgp.IPv6, 0, 300) // The limit is one for each family.
	g.Eventually(received(s), patience, tick).Should(Equal(600))
	router.last().retract("20.0.0.0/32", "20.0.0.1/32", "99.0.0.0/32")
	g.Eventually(received(s), patience, tick).Should(Equal(598))
	if got := session(s, "tor"); got.Flaps != 0 || s.Observe().RoutesIPv4 != 0 {
		t.Errorf("session %+v, routes %d", got, s.Observe().RoutesIPv4)
	}
}

func TestPrefixLimitClosesTheSession(t *testing.T) {
	t.Parallel()
	for _, family := range []bgp.Family{bgp.IPv4, bgp.IPv6} {
		t.Run(family.String(), func(t *testing.T) {
			g := NewWithT(t)
			router := newRouter(t, "127.0.0.2", helper(64512))
			s := newSpeaker(t, gobgp.Options{})
			peer := peerOf("tor", router, func(p *bgp.Peer) { p.MaxReceivedPrefixes = 300 })
			run(t, s, addPeers(peer))
			eventuallyEstablished(t, s, "tor", 0)
			router.last().offer(family, 0, 301)
			got := eventuallyCause(t, s, "tor", "received prefix limit: the peer sent more than 300 "+family.String()+" prefixes; "+
				"filter on the router what it exports to this node, or raise maxReceivedPrefixes; next attempt after 1m0s")
			if got.State != bgp.Idle || !got.LimitExceeded || got.Received != 0 {
				t.Errorf("session: %+v", got)
			}
			g.Eventually(router.last().farewell, patience, tick).Should(Equal("6/1"))
			g.Consistently(func() int { return len(router.all()) }, time.Second, 10*tick).Should(Equal(1))

			raised := peer
			raised.MaxReceivedPrefixes = 400
			run(t, s, plan.Peers([]bgp.Peer{peer}, []bgp.Peer{raised}))
			if got := eventuallyEstablished(t, s, "tor", 1); got.LimitExceeded {
				t.Errorf("session: %+v", got)
			}
		})
	}
}

// A peer that sends UPDATEs and nothing else for longer than the hold time is alive.
func TestUpdatesKeepTheSessionAlive(t *testing.T) {
	t.Parallel()
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router, shortHoldTime)))
	eventuallyEstablished(t, s, "tor", 0)
	router.last().stopKeepalives()
	NewWithT(t).Consistently(func() int {
		router.last().offer(bgp.IPv4, 0, 1)
		return session(s, "tor").Flaps
	}, 4*time.Second, 500*tick).Should(BeZero())
}
