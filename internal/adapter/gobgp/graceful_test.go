package gobgp_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// bits are what an OPEN says of a restart.
type bits struct{ restarted, forwarding bool }

func bitsOf(c *connection) bits {
	r, f := c.restart()
	return bits{r, f}
}

func TestEveryOpenOfAPreservedBootIsARestart(t *testing.T) {
	early := newRouter(t, "127.0.0.2", helper(64512))
	late := newRouter(t, "127.0.0.3", helper(64513))
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	run(t, s, addPeers(peerOf("early", early)))
	eventuallyEstablished(t, s, "early", 0)
	early.reset()
	eventuallyEstablished(t, s, "early", 1)
	run(t, s, addPeers(peerOf("late", late)))
	eventuallyEstablished(t, s, "late", 0)
	for _, c := range append(early.all(), late.all()...) {
		if got := bitsOf(c); got != (bits{true, true}) {
			t.Errorf("OPEN to %s: %+v", c.conn.LocalAddr(), got)
		}
	}
}

func TestFirstOpenAfterARebootIsHonestToEachPeer(t *testing.T) {
	early := newRouter(t, "127.0.0.2", helper(64512))
	late := newRouter(t, "127.0.0.3", helper(64513))
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: false})
	run(t, s, addPeers(peerOf("early", early)))
	eventuallyEstablished(t, s, "early", 0)
	early.reset()
	eventuallyEstablished(t, s, "early", 1)
	run(t, s, addPeers(peerOf("late", late)))
	eventuallyEstablished(t, s, "late", 0)
	late.reset()
	eventuallyEstablished(t, s, "late", 1)
	for name, router := range map[string]*testRouter{"early": early, "late": late} {
		all := router.all()
		if first, second := bitsOf(all[0]), bitsOf(all[1]); first != (bits{}) || second != (bits{true, true}) {
			t.Errorf("OPENs to %s: %+v, then %+v; want neither bit, then both", name, first, second)
		}
	}
}

func TestLostConnectionIsRedialledAtOnceWithEveryRouteBeforeEndOfRIB(t *testing.T) {
	g := NewWithT(t)
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	peer, routes := peerOf("tor", router), hostRoutes(500)
	run(t, s, addPeers(peer), plan.Routes(routes, nil))
	eventuallyConsistent(t, s, router, peer, routes)
	lost := time.Now()
	router.reset()
	g.Eventually(func() int { return len(router.all()) }, patience, tick).Should(Equal(2))
	if took := router.last().accepted.Sub(lost); took > 2*time.Second {
		t.Errorf("redialled after %s", took)
	}
	eventuallyConsistent(t, s, router, peer, routes)
	for i, c := range router.all() {
		g.Eventually(c.routesAtEndOfRIB, patience, tick).Should(Equal(map[bgp.Family]int{bgp.IPv4: 500, bgp.IPv6: 500}),
			"connection %d: routes that came before End-of-RIB", i)
	}
	if got := bitsOf(router.last()); got != (bits{true, true}) {
		t.Errorf("OPEN: %+v", got)
	}
	if last := session(s, "tor"); last.LastError != "connection reset by the peer" || last.Flaps != 1 {
		t.Errorf("session: %+v", last)
	}
}

// What changes while no session is up, or while one is coming up, arrives with the next one: routes are never held back
// for a peer's End-of-RIB, which this router never sends.
func TestRoutesOfANewSessionNeedNoEndOfRIBOfThePeer(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	peer := peerOf("tor", router)
	run(t, s, addPeers(peer), plan.Routes(paths("10.0.0.1/32", "10.0.0.2/32"), nil))
	eventuallyEstablished(t, s, "tor", 0)
	run(t, s, plan.Routes(paths("10.0.0.3/32"), prefixes(paths("10.0.0.1/32"))))
	eventuallyConsistent(t, s, router, peer, paths("10.0.0.2/32", "10.0.0.3/32"))
}

func TestGracefulRestartIsNotOfferedWhereItIsDisabled(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	run(t, s, addPeers(peerOf("tor", router, func(p *bgp.Peer) { p.GracefulRestart = bgp.GracefulRestart{} })))
	if eventuallyEstablished(t, s, "tor", 0).GracefulRestart {
		t.Error("graceful restart was negotiated")
	}
	for _, capability := range router.last().capabilities() {
		if capability.Code() == capabilityGracefulRestart {
			t.Error("graceful restart was offered")
		}
	}
}

func TestFarewells(t *testing.T) {
	for name, test := range map[string]struct {
		mode speaker.CloseMode
		want string
	}{
		"keeping the routes says nothing":        {speaker.KeepRoutes, ""},
		"withdrawing them says why it goes down": {speaker.WithdrawRoutes, "6/2"},
	} {
		t.Run(name, func(t *testing.T) {
			router := newRouter(t, "127.0.0.2", helper(64512))
			s := newSpeaker(t, gobgp.Options{})
			peer, routes := peerOf("tor", router), hostRoutes(100)
			run(t, s, addPeers(peer), plan.Routes(routes, nil))
			eventuallyConsistent(t, s, router, peer, routes)
			if err := s.Close(t.Context(), test.mode); err != nil {
				t.Fatal(err)
			}
			last := router.last()
			NewWithT(t).Eventually(last.end, patience, tick).Should(HaveOccurred())
			if got := last.farewell(); got != test.want {
				t.Errorf("NOTIFICATION %q, want %q", got, test.want)
			}
			if left := len(last.table()); (left == 0) != (test.mode == speaker.WithdrawRoutes) {
				t.Errorf("the router is left with %d routes", left)
			}
			if len(router.all()) != 1 {
				t.Error("the speaker came back")
			}
		})
	}
}
