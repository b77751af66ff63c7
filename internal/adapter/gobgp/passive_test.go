package gobgp_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

func withoutGracefulRestart(config routerConfig) routerConfig {
	config.GracefulRestart = false
	return config
}

// passivePeer returns a peer that connects, and where to.
func passivePeer(t *testing.T, name string, router *testRouter, edits ...func(*bgp.Peer)) (bgp.Peer, netip.AddrPort) {
	t.Helper()
	port := freePort(t)
	peer := peerOf(name, router, append([]func(*bgp.Peer){passive(port)}, edits...)...)
	return peer, netip.AddrPortFrom(peer.SourceAddress, port)
}

func TestPassivePeerIsWaitedFor(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	peer, at := passivePeer(t, "tor", router)
	run(t, s, addPeers(peer), plan.Routes(hostRoutes(2), nil))
	waiting := fmt.Sprintf("waiting for the peer to connect to %s", at)
	NewWithT(t).Eventually(func() bgp.Session { return session(s, "tor") }, patience, tick).Should(And(
		HaveField("State", bgp.Active), HaveField("LastError", waiting)))

	router.mustCall(t, at)
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	got := eventuallyEstablished(t, s, "tor", 0)
	if got.LocalAddress != peer.SourceAddress || got.LastError != "" {
		t.Errorf("session %+v", got)
	}
	if bits := bitsOf(router.last()); bits.restarted != true || bits.forwarding != true {
		t.Errorf("OPEN: %+v", bits)
	}

	router.reset()
	NewWithT(t).Eventually(func() string { return session(s, "tor").LastError }, patience, tick).
		Should(Equal("connection reset by the peer; " + waiting))
	router.mustCall(t, at)
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	if got := session(s, "tor"); got.Flaps != 1 || got.LastError != "connection reset by the peer" {
		t.Errorf("session %+v", got)
	}
}

func TestPassivePeersOverIPv6AndOnAnyAddress(t *testing.T) {
	router := newRouter(t, "::1", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	peer, at := passivePeer(t, "tor", router, func(p *bgp.Peer) { p.SourceAddress = netip.Addr{} })
	run(t, s, addPeers(peer), plan.Routes(hostRoutes(2), nil))
	eventuallyCause(t, s, "tor", fmt.Sprintf("waiting for the peer to connect to port %d of this node", peer.ListenPort))
	router.mustCall(t, netip.AddrPortFrom(netip.IPv6Loopback(), at.Port()))
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	if got := session(s, "tor").LocalAddress; got != netip.IPv6Loopback() {
		t.Errorf("local address %s", got)
	}
}

// canConnect reports whether anybody listens.
func canConnect(at netip.AddrPort) func() bool {
	return func() bool {
		conn, err := net.DialTimeout("tcp", at.String(), time.Second)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	}
}

// A port is open while there is a passive peer for it, and no longer.
func TestPortIsOpenWhileThereIsAPeerForIt(t *testing.T) {
	g := NewWithT(t)
	router, other := newRouter(t, "127.0.0.2", helper(64512)), newRouter(t, "127.0.0.3", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	first, at := passivePeer(t, "first", router)
	second := peerOf("second", other, passive(at.Port()))
	if canConnect(at)() {
		t.Fatal("something listens already")
	}
	run(t, s, addPeers(first, second))
	g.Eventually(canConnect(at), patience, tick).Should(BeTrue())
	run(t, s, plan.Peers([]bgp.Peer{first, second}, []bgp.Peer{second}))
	if !canConnect(at)() {
		t.Error("the port is closed, and a peer is left")
	}
	other.mustCall(t, at)
	eventuallyEstablished(t, s, "second", 0)
	run(t, s, plan.Peers([]bgp.Peer{second}, nil))
	g.Eventually(canConnect(at), patience, tick).Should(BeFalse())
}

func TestConnectionOfNoPeerIsClosedAndCounted(t *testing.T) {
	router, stranger := newRouter(t, "127.0.0.2", helper(64512)), newRouter(t, "127.0.0.3", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	peer, at := passivePeer(t, "tor", router)
	run(t, s, addPeers(peer))
	g := NewWithT(t)
	refused := stranger.mustCall(t, at)
	g.Eventually(refused.end, patience, tick).Should(HaveOccurred())
	elsewhere := router.mustCall(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), at.Port()))
	g.Eventually(elsewhere.end, patience, tick).Should(HaveOccurred(), "it did not connect to the session's own address")
	g.Eventually(s.RefusedConnections, patience, tick).Should(BeEquivalentTo(2))
	router.mustCall(t, at)
	eventuallyEstablished(t, s, "tor", 0)
}

func TestPortThatIsTakenIsACauseAndTriedAgain(t *testing.T) {
	g := NewWithT(t)
	router, other := newRouter(t, "127.0.0.2", helper(64512)), newRouter(t, "127.0.0.3", helper(64512))
	taken, err := net.Listen("tcp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := netip.MustParseAddrPort(taken.Addr().String()).Port()
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("other", other), peerOf("tor", router, passive(port))))
	eventuallyCause(t, s, "tor", fmt.Sprintf("cannot listen on port %d: another process of the node does", port))
	eventuallyEstablished(t, s, "other", 0)
	_ = taken.Close()
	router.keepCalling(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	g.Eventually(func() bgp.SessionState { return session(s, "tor").State }, patience, tick).Should(Equal(bgp.Established))
}

func TestPasswordsAndTTLsOfPassivePeers(t *testing.T) {
	t.Parallel()
	secret := helper(64512)
	secret.Socket = onEachSocket(signed("127.0.0.1", "secret"), ttl(255))
	wrong := helper(64512)
	wrong.Socket = onEachSocket(signed("127.0.0.1", "wrong"))
	right, open, closed := newRouter(t, "127.0.0.2", secret), newRouter(t, "127.0.0.3", helper(64512)), newRouter(t, "127.0.0.4", wrong)
	s := newSpeaker(t, gobgp.Options{})
	guarded, at := passivePeer(t, "guarded", right, withPassword("secret"), withTTL(255, 255))
	run(t, s, addPeers(guarded, peerOf("open", open, passive(at.Port())),
		peerOf("closed", closed, passive(at.Port()), withPassword("secret"))))
	g := NewWithT(t)
	g.Eventually(canConnect(at), patience, tick).Should(BeTrue())
	right.mustCall(t, at)
	open.mustCall(t, at)
	failed := make(chan error, 1)
	go func() {
		_, err := closed.call(t.Context(), at)
		failed <- err
	}()
	eventuallyEstablished(t, s, "guarded", 0)
	eventuallyEstablished(t, s, "open", 0)
	g.Eventually(failed, 2*patience).Should(Receive(HaveOccurred()))
	if got := session(s, "closed").State; got != bgp.Active {
		t.Errorf("state %s", got)
	}

	// Whoever comes with the password, but from afar, is not heard.
	right.reset()
	eventuallyCause(t, s, "guarded", "connection reset by the peer")
	right.answerWith(func(c *routerConfig) { c.Socket = onEachSocket(signed("127.0.0.1", "secret"), ttl(200)) })
	if c, err := right.call(t.Context(), at); err == nil {
		g.Consistently(func() bgp.SessionState { return session(s, "guarded").State }, time.Second, 10*tick).ShouldNot(Equal(bgp.Established))
		_ = c.conn.Close()
	}
}

// Where all of a port's peers must be near, the port does not answer anybody from afar.
func TestPortOfNearPeersAnswersNobodyFromAfar(t *testing.T) {
	t.Parallel()
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	peer, at := passivePeer(t, "tor", router, withTTL(255, 255))
	run(t, s, addPeers(peer))
	eventuallyCause(t, s, "tor", "waiting for the peer to connect to "+at.String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := router.call(ctx, at); err == nil {
		t.Error("it answered a SYN with a TTL of 64")
	}
}

// With graceful restart a second connection is a router that has restarted (RFC 4724, section 4.2).
func TestSecondConnectionOfAGracefulPeerTakesOver(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	peer, at := passivePeer(t, "tor", router)
	run(t, s, addPeers(peer), plan.Routes(hostRoutes(2), nil))
	first := router.mustCall(t, at)
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	router.mustCall(t, at)
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	NewWithT(t).Eventually(first.end, patience, tick).Should(HaveOccurred())
	if words := first.farewell(); words != "" {
		t.Errorf("the first connection got a NOTIFICATION %s", words)
	}
	if got := eventuallyEstablished(t, s, "tor", 1); got.LastError != "the peer opened another connection in place of this one" {
		t.Errorf("cause: %s", got.LastError)
	}
}

// Without it the session that is up stays (RFC 4271, section 6.8).
func TestSecondConnectionOfAnotherPeerIsClosed(t *testing.T) {
	t.Parallel()
	router := newRouter(t, "127.0.0.2", withoutGracefulRestart(helper(64512)))
	s := newSpeaker(t, gobgp.Options{})
	peer, at := passivePeer(t, "tor", router)
	run(t, s, addPeers(peer), plan.Routes(hostRoutes(2), nil))
	first := router.mustCall(t, at)
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	second := router.mustCall(t, at)
	NewWithT(t).Eventually(second.end, patience, tick).Should(HaveOccurred())
	if got := session(s, "tor"); got.State != bgp.Established || got.Flaps != 0 || first.end() != nil {
		t.Errorf("session %+v, first connection %v", got, first.end())
	}
}

// Unless it turns out to be dead: a router that has lost its memory resets what it does not know.
func TestSecondConnectionFollowsADeadOne(t *testing.T) {
	t.Parallel()
	router := newRouter(t, "127.0.0.2", withoutGracefulRestart(helper(64512)))
	s := newSpeaker(t, gobgp.Options{})
	peer, at := passivePeer(t, "tor", router)
	run(t, s, addPeers(peer), plan.Routes(hostRoutes(2), nil))
	first := router.mustCall(t, at)
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	first.resetOnData()
	router.mustCall(t, at)
	eventuallyConsistent(t, s, router, peer, hostRoutes(2))
	eventuallyEstablished(t, s, "tor", 1)
}

// A peer that connects again before the session is up has given up the connection before.
func TestSecondConnectionOfAPeerThatIsNotUpIsTheOneThatCounts(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	router.answerWith(func(c *routerConfig) { c.Mute = true })
	s := newSpeaker(t, gobgp.Options{})
	peer, at := passivePeer(t, "tor", router)
	run(t, s, addPeers(peer))
	first := router.mustCall(t, at)
	NewWithT(t).Eventually(func() bgp.SessionState { return session(s, "tor").State }, patience, tick).Should(Equal(bgp.OpenSent))
	router.answerWith(func(c *routerConfig) { c.Mute = false })
	router.mustCall(t, at)
	eventuallyEstablished(t, s, "tor", 0)
	NewWithT(t).Eventually(first.end, patience, tick).Should(HaveOccurred())
}

// Each passive peer has its own engine: graceful restart holds for all, and none sees what another gets.
func TestSeveralPassivePeersEachWithGracefulRestart(t *testing.T) {
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	port := freePort(t)
	routers, peers := map[string]*testRouter{}, []bgp.Peer{}
	for i, families := range []bgp.Families{bgp.FamiliesOf(bgp.IPv4), bgp.FamiliesOf(bgp.IPv6), bgp.FamiliesOf(bgp.IPv4, bgp.IPv6)} {
		name := fmt.Sprintf("tor-%d", i)
		routers[name] = newRouter(t, fmt.Sprintf("127.0.0.%d", 2+i), helper(bgp.ASN(64513+i)))
		peers = append(peers, peerOf(name, routers[name], passive(port), func(p *bgp.Peer) { p.Families = families }))
	}
	run(t, s, addPeers(peers...), plan.Routes(hostRoutes(20), nil))
	for round := range 2 {
		for _, peer := range peers {
			routers[peer.Name].mustCall(t, netip.AddrPortFrom(peer.SourceAddress, port))
		}
		for _, peer := range peers {
			eventuallyConsistent(t, s, routers[peer.Name], peer, hostRoutes(20))
			eventuallyEstablished(t, s, peer.Name, round)
			if got := bitsOf(routers[peer.Name].last()); got != (bits{true, true}) {
				t.Errorf("OPEN to %s: %+v", peer.Name, got)
			}
		}
	}
}
