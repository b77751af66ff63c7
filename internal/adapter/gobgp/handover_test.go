package gobgp_test

import (
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

const stillUp = "the session with the former configuration is still up and carries the routes"

const lost = "the session with the former configuration is lost: "

// handedOver is a session that is up, with routes, and about to be changed.
type handedOver struct {
	*testing.T
	speaker *gobgp.Speaker
	router  *testRouter
	peer    bgp.Peer // as it was configured last
	routes  []bgp.Path
}

func newHandedOver(t *testing.T, config routerConfig, edits ...func(*bgp.Peer)) *handedOver {
	t.Helper()
	h := &handedOver{
		T: t, speaker: newSpeaker(t, gobgp.Options{ForwardingPreserved: true}), router: newRouter(t, "127.0.0.2", config),
		routes: append(hostRoutes(19), paths("10.9.0.1/32", "2001:db8:9::1/128")...),
	}
	h.peer = peerOf("tor", h.router, edits...)
	run(t, h.speaker, addPeers(h.peer), plan.Routes(h.routes, nil))
	eventuallyConsistent(t, h.speaker, h.router, h.peer, h.routes)
	return h
}

// change changes the peer's configuration.
func (h *handedOver) change(edits ...func(*bgp.Peer)) {
	h.Helper()
	before := h.peer
	for _, edit := range edits {
		edit(&h.peer)
	}
	run(h, h.speaker, plan.Peers([]bgp.Peer{before}, []bgp.Peer{h.peer}))
}

func (h *handedOver) session() bgp.Session { return session(h.speaker, "tor") }

// isPending checks what Observe says while the next session is not up, for the given cause.
func (h *handedOver) isPending(cause string) {
	h.Helper()
	g := NewWithT(h)
	g.Eventually(func() string { return h.session().LastError }, patience, tick).Should(Equal(cause + "; " + stillUp))
	now := h.session()
	g.Expect(now.Peer).To(Equal(h.peer), "what the plan compares with")
	g.Expect(now.State).NotTo(Equal(bgp.Established))
	g.Expect(now.Flaps).To(BeZero())
	g.Expect(now.Advertised).To(Equal(40))
	g.Expect(h.speaker.Observe().RoutesIPv4).To(Equal(20))
	g.Expect(h.speaker.Advertised(prefix("10.9.0.1/32"))).To(Equal(1))
}

// comesThrough waits until the session with the last configuration is up and has all routes.
func (h *handedOver) comesThrough(at *testRouter) {
	h.Helper()
	got := eventuallyEstablished(h, h.speaker, "tor", 1)
	eventuallyConsistent(h, h.speaker, at, h.peer, h.routes)
	g := NewWithT(h)
	g.Expect(got.Peer).To(Equal(h.peer))
	g.Expect(h.speaker.Advertised(prefix("10.9.0.1/32"))).To(Equal(1))
}

func (h *handedOver) eventuallyCause(want string) {
	h.Helper()
	NewWithT(h).Eventually(func() string { return h.session().LastError }, patience, tick).Should(Equal(want))
}

const reconfigured = "reset by a change of the peer's configuration"

func holdTime(d time.Duration) func(*bgp.Peer) { return func(p *bgp.Peer) { p.HoldTime = d } }

// refusing lets the router answer what is yet to come with a NOTIFICATION.
func refusing(code, subcode uint8) func(*routerConfig) {
	return func(c *routerConfig) { c.Refuse = &packet.BGPNotification{ErrorCode: code, ErrorSubcode: subcode} }
}

// The next connection is there before the last one ends, and says that it is a restart.
func TestChangeIsMadeBeforeTheSessionIsBroken(t *testing.T) {
	h := newHandedOver(t, helper(64512))
	first := h.router.last()
	ended := h.ledger(first)
	h.change(holdTime(time.Minute))
	h.comesThrough(h.router)
	h.eventuallyCause(reconfigured)
	second := h.router.last()
	if until := ended(); !second.accepted.Before(until) {
		t.Errorf("the next connection was made %s after the end of the last", second.accepted.Sub(until))
	}
	if words := first.farewell(); words != "" {
		t.Errorf("the former session ended with a NOTIFICATION %s", words)
	}
	if got := bitsOf(second); got != (bits{true, true}) {
		t.Errorf("OPEN: %+v", got)
	}
}

// ledger notes when a connection ends.
func (h *handedOver) ledger(c *connection) (ended func() time.Time) {
	var at time.Time
	var once sync.WaitGroup
	once.Go(func() {
		NewWithT(h).Eventually(c.end, patience, tick).Should(HaveOccurred())
		at = time.Now()
	})
	return func() time.Time {
		once.Wait()
		return at
	}
}

// Counts never dip while one session takes over from the other, also where the router lets the former go at the TCP
// connection (BIRD, FRR).
func TestCountsHoldDuringAHandover(t *testing.T) {
	h := newHandedOver(t, helper(64512))
	h.router.answerWith(func(c *routerConfig) { c.TakesRestarts = true })
	stop := make(chan struct{})
	var least [2]int
	var watching sync.WaitGroup
	watching.Go(func() {
		least = [2]int{40, 1}
		for {
			select {
			case <-stop:
				return
			default:
				least[0] = min(least[0], h.session().Advertised)
				least[1] = min(least[1], h.speaker.Advertised(prefix("10.9.0.1/32")))
			}
		}
	})
	h.change(holdTime(time.Minute))
	h.comesThrough(h.router)
	close(stop)
	watching.Wait()
	if least != [2]int{40, 1} {
		t.Errorf("advertised at least %v, want %v", least, [2]int{40, 1})
	}
}

// A neighbor that the router takes for another one gets its routes before the former withdraws its own.
func TestAnotherNeighborHasTheRoutesBeforeTheFormerWithdrawsThem(t *testing.T) {
	for name, edit := range map[string]func(*bgp.Peer, *testRouter){
		"address":        func(p *bgp.Peer, other *testRouter) { p.Address = other.address() },
		"source address": func(p *bgp.Peer, _ *testRouter) { p.SourceAddress = netip.MustParseAddr("127.0.0.9") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandedOver(t, helper(64512))
			h.routes = append(h.routes, hostRoutes(1000)[38:]...) // They take a while.
			run(t, h.speaker, plan.Routes(h.routes, nil))
			eventuallyConsistent(t, h.speaker, h.router, h.peer, h.routes)
			all := len(h.routes)
			other := newRouter(t, "127.0.0.3", helper(64512))
			first := h.router.last()
			withdrawn := make(chan int, 1)
			at := h.router
			if name == "address" {
				at = other
			}
			go func() {
				for first.routeCount() == all {
					runtime.Gosched()
				}
				withdrawn <- at.last().routeCount()
			}()
			h.change(func(p *bgp.Peer) { edit(p, other) })
			h.comesThrough(at)
			h.eventuallyCause(reconfigured)
			g := NewWithT(t)
			g.Eventually(withdrawn, patience, tick).Should(Receive(Equal(all)), "routes that the next session had brought")
			g.Eventually(first.end, patience, tick).Should(HaveOccurred())
			g.Expect(first.table()).To(BeEmpty())
			g.Expect(first.farewell()).To(Equal("6/2"))
		})
	}
}

func TestConfigurationThatDoesNotComeUpLeavesTheSession(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit   func(*bgp.Peer)
		router func(*routerConfig)
		cause  string
	}{
		"nothing listens": {
			edit:  func(p *bgp.Peer) { p.Address = netip.MustParseAddrPort("127.0.0.2:9") },
			cause: "connection refused",
		},
		"no such source address": {
			edit:  from("192.0.2.1"),
			cause: "the source address is not an address of this node",
		},
		"a password that the router does not have": {
			edit:  withPassword("secret"),
			cause: noAnswer,
		},
		"another AS than the router has": { // It is known beforehand.
			edit:  func(p *bgp.Peer) { p.ASN = 64513 },
			cause: "AS mismatch: expected 64513, got 64512",
		},
		"another AS than the router expects": {
			edit:   func(p *bgp.Peer) { p.LocalASN = 64700 },
			router: refusing(2, 2),
			cause:  "AS mismatch: peer sent OPEN Message Error/Bad Peer AS: it expects another AS of this node than 64700",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHandedOver(t, helper(64512))
			if test.router != nil {
				h.router.answerWith(test.router)
			}
			former, first := h.peer, h.router.last()
			h.change(test.edit)
			h.isPending(test.cause)

			run(t, h.speaker, plan.Routes(paths("10.9.9.9/32"), prefixes(h.routes[:1])))
			h.routes = append(h.routes[1:], paths("10.9.9.9/32")...)
			g := NewWithT(t)
			g.Eventually(func() bool { _, has := first.table()[prefix("10.9.9.9/32")]; return has }, patience, tick).Should(BeTrue(),
				"routes still follow the table")
			g.Expect(first.end()).NotTo(HaveOccurred())

			h.router.answerWith(func(c *routerConfig) { c.Refuse = nil })
			h.change(func(p *bgp.Peer) { *p = former })
			got := eventuallyEstablished(t, h.speaker, "tor", 0)
			if got.Peer != former || first.end() != nil {
				t.Errorf("after the change was taken back: %+v, connection %v", got, first.end())
			}
			_ = first.conn.Close()
			h.comesThrough(h.router) // The former is dialled again.
			h.eventuallyCause("connection closed by the peer")
		})
	}
}

func TestConfigurationThatComesUpLaterTakesOver(t *testing.T) {
	t.Parallel()
	t.Run("password", func(t *testing.T) {
		t.Parallel()
		h := newHandedOver(t, helper(64512), func(p *bgp.Peer) { p.ConnectRetryTime = time.Second })
		h.change(withPassword("secret"))
		h.isPending(noAnswer)
		socket(t, h.router.listener, signed("127.0.0.1", "secret"))
		h.comesThrough(h.router)
		h.eventuallyCause(reconfigured)
	})
	t.Run("AS of the router", func(t *testing.T) {
		t.Parallel()
		h := newHandedOver(t, helper(64512))
		h.change(func(p *bgp.Peer) { p.ASN = 64513 })
		h.isPending("AS mismatch: expected 64513, got 64512")
		h.router.answerWith(func(c *routerConfig) { c.ASN = 64513 })
		h.router.reset()
		h.comesThrough(h.router)
		if n := len(h.router.all()); n != 2 {
			t.Errorf("%d connections, want 2: none while the AS differs", n)
		}
	})
	t.Run("address", func(t *testing.T) {
		t.Parallel()
		h := newHandedOver(t, helper(64512), func(p *bgp.Peer) { p.ConnectRetryTime = time.Second })
		other := newRouter(t, "127.0.0.3", helper(64512))
		other.answerWith(func(c *routerConfig) { c.HangUp = true })
		h.change(func(p *bgp.Peer) { p.Address = other.address() })
		h.isPending("connection closed by the peer before its OPEN: it may not know this node as a neighbor")
		other.answerWith(func(c *routerConfig) { c.HangUp = false })
		h.comesThrough(other)
	})
}

// A router that takes no second connection of a neighbor takes one that follows the first.
func TestRouterThatTakesOneConnectionOnly(t *testing.T) {
	for name, answer := range map[string]func(*routerConfig){
		"hangs up":             func(c *routerConfig) { c.OneConnection = true },
		"rejects a connection": refusing(6, 5),
		"resolves a collision": refusing(6, 7),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandedOver(t, helper(64512))
			first := h.router.last()
			h.router.answerWith(answer)
			h.change(holdTime(time.Minute))
			NewWithT(t).Eventually(first.end, patience, tick).Should(HaveOccurred())
			h.router.answerWith(func(c *routerConfig) { c.Refuse = nil })
			h.comesThrough(h.router)
			if words := first.farewell(); words != "" {
				t.Errorf("the former session ended with a NOTIFICATION %s", words)
			}
		})
	}
}

func TestRouterThatDropsTheFormerAndRefusesTheNext(t *testing.T) {
	h := newHandedOver(t, helper(64512))
	h.router.answerWith(func(c *routerConfig) { c.TakesRestarts = true; refusing(2, 2)(c) })
	h.change(func(p *bgp.Peer) { p.LocalASN = 64700 })
	g := NewWithT(t)
	g.Eventually(func() bgp.Session { return h.session() }, patience, tick).Should(And(
		HaveField("Flaps", 1), HaveField("Advertised", BeZero()),
		HaveField("LastError", "AS mismatch: peer sent OPEN Message Error/Bad Peer AS: it expects another AS of this node than 64700; "+
			lost+"connection closed by the peer")))
	g.Expect(h.speaker.Advertised(prefix("10.9.0.1/32"))).To(BeZero())
	h.router.answerWith(func(c *routerConfig) { c.Refuse = nil })
	eventuallyEstablished(t, h.speaker, "tor", 1)
	eventuallyConsistent(t, h.speaker, h.router, h.peer, h.routes)
}

// What must not go out any more does not wait for a configuration that may never come up.
func TestRoutesFollowTheConfigurationDuringAHandover(t *testing.T) {
	h := newHandedOver(t, helper(64512))
	nothing := netip.MustParseAddrPort("127.0.0.2:9")
	h.change(func(p *bgp.Peer) { p.Address, p.NextHopIPv4 = nothing, netip.MustParseAddr("192.168.1.98") })
	h.isPending("connection refused")
	former := h.peer
	former.Address = h.router.address()
	eventuallyConsistent(t, h.speaker, h.router, former, h.routes)
	h.change(func(p *bgp.Peer) { p.NextHopIPv6 = netip.MustParseAddr("2001:db8:1::98") })
	former.NextHopIPv6 = h.peer.NextHopIPv6
	eventuallyConsistent(t, h.speaker, h.router, former, h.routes)
	h.isPending("connection refused")
}

func TestChangesThatFollowOneAnother(t *testing.T) {
	t.Parallel()
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		h := newHandedOver(t, helper(64512))
		for i := range 20 {
			h.change(func(p *bgp.Peer) {
				p.HoldTime = time.Minute + time.Duration(i)*time.Second
				p.LocalASN = bgp.ASN(64512 + i%2)
				p.RouterID = netip.AddrFrom4([4]byte{192, 168, 1, byte(20 + i)})
			})
		}
		g := NewWithT(t)
		g.Eventually(func() bgp.SessionState { return h.session().State }, patience, tick).Should(Equal(bgp.Established))
		eventuallyConsistent(t, h.speaker, h.router, h.peer, h.routes)
		for _, c := range h.router.all()[:len(h.router.all())-1] {
			g.Eventually(c.end, patience, tick).Should(HaveOccurred(), "a former connection")
			g.Expect(c.farewell()).To(BeEmpty())
		}
		g.Expect(h.speaker.Observe().RoutesIPv4).To(Equal(20))
	})
	t.Run("another one before the first comes up", func(t *testing.T) {
		t.Parallel()
		h := newHandedOver(t, helper(64512))
		h.change(func(p *bgp.Peer) { p.Address = netip.MustParseAddrPort("127.0.0.2:9") })
		h.isPending("connection refused")
		other := newRouter(t, "127.0.0.3", helper(64512))
		h.change(func(p *bgp.Peer) { p.Address = other.address() })
		h.comesThrough(other)
		NewWithT(t).Eventually(h.router.last().farewell, patience, tick).Should(Equal("6/2"))
	})
	t.Run("the former is lost before the second", func(t *testing.T) {
		t.Parallel()
		h := newHandedOver(t, helper(64512))
		h.change(func(p *bgp.Peer) { p.Address = netip.MustParseAddrPort("127.0.0.2:9") })
		h.isPending("connection refused")
		h.router.reset()
		h.eventuallyCause("connection refused; " + lost + "connection reset by the peer")
		h.change(func(p *bgp.Peer) { p.Address = h.router.address() })
		eventuallyEstablished(t, h.speaker, "tor", 1)
		eventuallyConsistent(t, h.speaker, h.router, h.peer, h.routes)
	})
	t.Run("the peer becomes passive", func(t *testing.T) {
		t.Parallel()
		h := newHandedOver(t, helper(64512))
		h.change(func(p *bgp.Peer) { p.Address = netip.MustParseAddrPort("127.0.0.2:9") })
		h.isPending("connection refused")
		port := freePort(t)
		h.change(func(p *bgp.Peer) { p.Address = h.router.address() }, passive(port))
		h.router.keepCalling(t, netip.AddrPortFrom(h.peer.SourceAddress, port))
		h.comesThrough(h.router)
	})
}

func TestPeerThatWasPassiveIsDialledWhileItsSessionIsUp(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	before, at := passivePeer(t, "tor", router)
	run(t, s, addPeers(before), plan.Routes(hostRoutes(2), nil))
	first := router.mustCall(t, at)
	eventuallyConsistent(t, s, router, before, hostRoutes(2))
	h := &handedOver{T: t, speaker: s, router: router, peer: before}
	ended := h.ledger(first)
	after := before
	after.Passive, after.ListenPort = false, 0
	run(t, s, plan.Peers([]bgp.Peer{before}, []bgp.Peer{after}))
	eventuallyConsistent(t, s, router, after, hostRoutes(2))
	if !router.last().accepted.Before(ended()) {
		t.Error("the former session ended first")
	}
	NewWithT(t).Eventually(canConnect(at), patience, tick).Should(BeFalse())
}

// Whatever ends everything ends both sessions.
func TestEndDuringAHandover(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(*handedOver) error
		want string
	}{
		"removed": {func(h *handedOver) error {
			return h.speaker.Run(h.Context(), plan.Peers([]bgp.Peer{h.peer}, nil))
		}, "6/2"},
		"closed, withdrawing": {func(h *handedOver) error { return h.speaker.Close(h.Context(), speaker.WithdrawRoutes) }, "6/2"},
		"closed, keeping":     {func(h *handedOver) error { return h.speaker.Close(h.Context(), speaker.KeepRoutes) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHandedOver(t, helper(64512))
			h.router.answerWith(func(c *routerConfig) { c.Mute = true })
			former := h.router.last()
			h.change(holdTime(time.Minute))
			g := NewWithT(t)
			g.Eventually(func() bgp.SessionState { return h.session().State }, patience, tick).Should(Equal(bgp.OpenSent))
			g.Expect(test.end(h)).To(Succeed())
			for _, c := range h.router.all() {
				g.Eventually(c.end, patience, tick).Should(HaveOccurred())
			}
			g.Expect(former.farewell()).To(Equal(test.want))
			g.Expect(former.table()).To(HaveLen(map[string]int{"": 40}[test.want]))
			g.Expect(h.speaker.Observe().RoutesIPv4).To(BeZero())
			g.Expect(h.speaker.Advertised(prefix("10.9.0.1/32"))).To(BeZero())
		})
	}
}
