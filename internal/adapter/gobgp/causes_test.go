package gobgp_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
)

func TestCausesInWords(t *testing.T) {
	for name, test := range map[string]struct {
		router func(*routerConfig)
		peer   func(*bgp.Peer)
		then   func(*testRouter) // what happens once the session is established
		want   string
	}{
		"the peer has another AS": {
			router: func(c *routerConfig) { c.ASN = 64513 },
			peer:   func(p *bgp.Peer) { p.ASN = 64512 },
			want:   "AS mismatch: expected 64512, got 64513",
		},
		"the peer expects another AS": {
			router: func(c *routerConfig) { c.Refuse = &packet.BGPNotification{ErrorCode: 2, ErrorSubcode: 2} },
			want:   "AS mismatch: peer sent OPEN Message Error/Bad Peer AS: it expects another AS of this node than 64512",
		},
		"both have one router ID": {
			router: func(c *routerConfig) { c.ID = "192.168.1.11" },
			want: "sent OPEN Message Error/Bad BGP Identifier: the peer's router ID 192.168.1.11 is this node's own, " +
				"and two speakers of one AS must differ in it",
		},
		"the peer does not know this node": {
			router: func(c *routerConfig) { c.HangUp = true },
			want:   "connection closed by the peer before its OPEN: it may not know this node as a neighbor",
		},
		"the peer says nothing": {
			router: func(c *routerConfig) { c.Mute = true },
			peer:   shortHoldTime,
			want:   "no OPEN from the peer within 3s",
		},
		"the peer refuses": {
			router: func(c *routerConfig) { c.Refuse = &packet.BGPNotification{ErrorCode: 6, ErrorSubcode: 5} },
			want:   "peer sent Cease/Connection Rejected",
		},
		"the peer is shut down": {
			then: func(r *testRouter) {
				r.last().send(packet.NewBGPNotificationMessage(6, 2, append([]byte{11}, "maintenance"...)))
			},
			want: `peer sent Cease/Administrative Shutdown: "maintenance"`,
		},
		"the peer goes silent": {
			peer: shortHoldTime,
			then: func(r *testRouter) { r.last().stopKeepalives() },
			want: "hold timer expired",
		},
		"the connection is reset": {
			then: (*testRouter).reset,
			want: "connection reset by the peer",
		},
		"the connection is closed": {
			// Closing altogether would reset the connection where something is left to read.
			then: func(r *testRouter) { _ = r.last().conn.(*net.TCPConn).CloseWrite() },
			want: "connection closed by the peer",
		},
		"the peer does not speak BGP": {
			then: func(r *testRouter) { _, _ = r.last().conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
			want: "the peer sent something that is not BGP",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := helper(64512)
			if test.router != nil {
				test.router(&config)
			}
			router := newRouter(t, "127.0.0.2", config)
			s := newSpeaker(t, gobgp.Options{})
			peer := peerOf("tor", router)
			if test.peer != nil {
				test.peer(&peer)
			}
			run(t, s, addPeers(peer))
			if test.then != nil {
				eventuallyEstablished(t, s, "tor", 0)
				router.answerWith(func(c *routerConfig) { c.Mute = true }) // The cause shall stand.
				test.then(router)
			}
			NewWithT(t).Eventually(func() string { return session(s, "tor").LastError }, patience, tick).Should(Equal(test.want))
		})
	}
}

// A router that was sent a NOTIFICATION for its OPEN takes connections for a while only to drop them, as BIRD does.
func TestRefusalStaysTheCauseWhileThePeerHangsUp(t *testing.T) {
	t.Parallel()
	router := newRouter(t, "127.0.0.2", helper(64513))
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router, func(p *bgp.Peer) { p.ASN = 64512 })))
	eventuallyCause(t, s, "tor", "AS mismatch: expected 64512, got 64513")
	router.answerWith(func(c *routerConfig) { c.HangUp = true })
	eventuallyCause(t, s, "tor", "AS mismatch: expected 64512, got 64513; since then connection closed by the peer before its OPEN: "+
		"it may not know this node as a neighbor")
	router.answerWith(func(c *routerConfig) { c.HangUp, c.ASN = false, 64512 })
	eventuallyEstablished(t, s, "tor", 0)
}

func TestRefusedConnectionIsACause(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	_ = router.listener.Close()
	s := newSpeaker(t, gobgp.Options{})
	begun := time.Now()
	run(t, s, addPeers(peerOf("tor", router)))
	got := eventuallyCause(t, s, "tor", "connection refused")
	if took := time.Since(begun); took > 2*time.Second || got.State == bgp.Established {
		t.Errorf("known after %s, state %s", took, got.State)
	}
}

func TestForeignSourceAddressIsACause(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router, func(p *bgp.Peer) { p.SourceAddress = netip.MustParseAddr("192.0.2.1") })))
	eventuallyCause(t, s, "tor", "the source address is not an address of this node")
}

func TestOneBadPeerLeavesTheOthersAlone(t *testing.T) {
	good := newRouter(t, "127.0.0.2", helper(64512))
	bad := newRouter(t, "127.0.0.3", helper(64513))
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("good", good), peerOf("bad", bad, func(p *bgp.Peer) { p.ASN = 64999 })))
	eventuallyCause(t, s, "bad", "AS mismatch: expected 64999, got 64513")
	eventuallyEstablished(t, s, "good", 0)
}

// A router that takes connections only to drop them is dialled again and again, but not in a spin.
func TestFlappingPeerIsDamped(t *testing.T) {
	t.Parallel()
	config := helper(64512)
	config.HangUp = true
	router := newRouter(t, "127.0.0.2", config)
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router)))
	g := NewWithT(t)
	g.Eventually(func() int { return len(router.all()) }, patience, tick).Should(Equal(2))
	g.Consistently(func() int { return len(router.all()) }, 2*time.Second, 10*tick).Should(BeNumerically("<=", 3))
}
