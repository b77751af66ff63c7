package gobgp_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// heap returns how much of the heap is in use.
func heap() uint64 { return measure().heap }

// highest calls sample until done is closed, and returns the most of what it returned.
func highest(sample func() uint64, done <-chan struct{}) uint64 {
	most := uint64(0)
	for {
		most = max(most, sample())
		select {
		case <-done:
			return most
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// quick is an in-use heap without a collection first: an upper bound that costs nothing.
func quick() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A peer that sends a great many small messages, all of them right, keeps its session and its routes.
func TestStormOfSmallMessages(t *testing.T) {
	const messages = 100_000
	for name, message := range map[string][]byte{
		"KEEPALIVEs":                            rawKeepalive,
		"End-of-RIBs":                           updateOf(nil, nil),
		"withdrawals of what was never there":   updateOf([]byte{32, 20, 0, 0, 9}, nil),
		"one announcement again and again":      updateOf(nil, soundWith(), 32, 20, 0, 0, 1),
		"ROUTE-REFRESHes of an unknown family":  wire(kindRouteRefresh, 0, 25, 0, 70),
		"ROUTE-REFRESHes that are none":         wire(kindRouteRefresh, 0, 1, 99, 1),
		"UPDATEs that are treated as withdrawn": malformed(),
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			router := newRouter(t, "127.0.0.2", helper(64512))
			s := newSpeaker(t, gobgp.Options{})
			peer, routes := peerOf("tor", router), hostRoutes(5)
			run(t, s, addPeers(peer), plan.Routes(routes, nil))
			eventuallyConsistent(t, s, router, peer, routes)
			before := heap()
			storm := bytes.Repeat(message, 100)
			for range messages / 100 {
				router.last().write(storm)
			}
			router.last().write(updateOf(nil, soundWith(), 32, 99, 0, 0, 1, 32, 20, 0, 0, 1))
			g.Eventually(received(s), patience, tick).Should(Equal(2), "what comes behind the storm")
			if after := heap(); after > before+4<<20 {
				t.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
			}
			run(t, s, plan.Routes(paths("10.9.9.9/32"), nil))
			eventuallyConsistent(t, s, router, peer, append(routes, paths("10.9.9.9/32")...))
			if got := session(s, "tor"); got.Flaps != 0 {
				t.Errorf("session: %+v", got)
			}
		})
	}
}

// However often a peer asks for all routes, and whether it reads them or not, the answers don't pile up.
func TestFloodOfRouteRefreshes(t *testing.T) {
	const routes, requests = 5_000, 20_000
	flood := bytes.Repeat(wire(kindRouteRefresh, 0, 1, 0, 1), 100)
	for name, deaf := range map[string]bool{"from a peer that reads": false, "from a peer that never reads": true} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			config := helper(64512)
			config.Forgetful, config.Deaf = true, deaf
			var router *testRouter
			if deaf {
				config.Script = handshakes()
			}
			router = newRouter(t, "127.0.0.2", config)
			s := newSpeaker(t, gobgp.Options{})
			run(t, s, plan.Routes(hostRoutes(routes), nil), addPeers(peerOf("tor", router)))
			eventuallyEstablished(t, s, "tor", 0)
			if !deaf {
				g.Eventually(router.last().announcedCount, patience, tick).Should(Equal(2 * routes))
			}
			before := heap()
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range requests / 100 {
					router.last().write(flood)
				}
			}()
			most := highest(heap, done)
			g.Consistently(func() uint64 {
				most = max(most, heap())
				return most
			}, 2*time.Second, 50*tick).Should(BeNumerically("<", before+16<<20), "bytes of heap, from %d", before)
			if !deaf {
				g.Eventually(router.last().announcedCount, patience, tick).Should(BeNumerically(">=", 3*routes), "it is answered")
				g.Consistently(router.last().announcedCount, time.Second, 10*tick).Should(BeNumerically("<=", 10*routes), "but seldom")
			}
			t.Logf("heap %d -> at most %d KiB, %d announced", before>>10, most>>10, router.last().announcedCount())
			if got := session(s, "tor"); got.Flaps != 0 || got.State != bgp.Established {
				t.Errorf("session: %+v", got)
			}
		})
	}
}

// A peer that keeps the session alive but takes nothing is given up after the hold time, and until then costs little: also
// while its routes change.
func TestPeerThatNeverReads(t *testing.T) {
	const routes = 10_000
	g := NewWithT(t)
	config := helper(64512)
	config.Deaf = true
	config.Script = func(c *connection) {
		c.write(openOf(func(o *rawOpen) { o.holdTime = 6 }), rawKeepalive)
		c.trickle(bytes.Repeat(rawKeepalive, 100), 50*time.Millisecond)
	}
	router, good := newRouter(t, "127.0.0.2", config), newRouter(t, "127.0.0.3", helper(64999))
	s := newSpeaker(t, gobgp.Options{})
	all := hostRoutes(routes)
	run(t, s, addPeers(peerOf("good", good)), plan.Routes(all, nil))
	eventuallyConsistent(t, s, good, peerOf("good", good), all)
	before := heap()
	run(t, s, addPeers(peerOf("tor", router)))
	eventuallyEstablished(t, s, "tor", 0)
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		eventuallyCause(t, s, "tor", "the peer takes nothing of what is sent to it")
	}()
	most := highest(heap, lost)
	t.Logf("heap %d -> at most %d KiB with %d routes for a peer that reads none", before>>10, most>>10, 2*routes)
	if most > before+64<<20 {
		t.Errorf("the heap grew from %d to %d KiB", before>>10, most>>10)
	}
	if got := session(s, "good"); got.Flaps != 0 || got.Advertised != 2*routes {
		t.Errorf("the good peer's session: %+v", got)
	}
	router.answerWith(func(c *routerConfig) { c.Deaf, c.Script = false, nil })
	g.Eventually(func() int { return session(s, "tor").Advertised }, patience, tick).Should(Equal(2 * routes))
}

// The same without a hold time, which would be for ever: our own hold time bounds it.
func TestTimelessPeerThatNeverReads(t *testing.T) {
	t.Parallel()
	config := helper(64512)
	config.Deaf = true
	config.Script = says(openOf(func(o *rawOpen) { o.holdTime = 0 }), rawKeepalive)
	router := newRouter(t, "127.0.0.2", config)
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, plan.Routes(hostRoutes(10_000), nil), addPeers(peerOf("tor", router, shortHoldTime)))
	eventuallyCause(t, s, "tor", "the peer takes nothing of what is sent to it")
}

// heavyRoutes returns n IPv6 routes of half a kilobyte each on the wire.
func heavyRoutes(n int) []bgp.Path {
	var colors []bgp.Community
	for i := range uint32(40) {
		colors = append(colors, bgp.Community{Large: true, Global: 64512, Data1: i})
	}
	var out []bgp.Path
	for i := range n {
		out = append(out, bgp.Path{
			Prefix:     prefix(fmt.Sprintf("2001:db8::%x/128", i)),
			Attributes: bgp.PathAttributes{Communities: bgp.CommunitiesOf(colors...)},
		})
	}
	return out
}

// Leaving a peer that never reads takes the farewell's time, not the peer's patience.
func TestRemovingAPeerThatNeverReads(t *testing.T) {
	t.Parallel()
	config := helper(64512)
	config.Deaf, config.Script = true, handshakes()
	router := newRouter(t, "127.0.0.2", config)
	s := newSpeaker(t, gobgp.Options{})
	peer := peerOf("tor", router)
	routes := heavyRoutes(10_000)
	run(t, s, plan.Routes(routes, nil), addPeers(peer))
	eventuallyEstablished(t, s, "tor", 0)
	g := NewWithT(t)
	sent := func() uint64 { return session(s, "tor").UpdatesSent }
	g.Eventually(func() bool {
		before := sent()
		g.Consistently(sent, 300*time.Millisecond, 10*tick).Should(BeNumerically(">=", before))
		return before > 0 && sent() == before
	}, patience, tick).Should(BeTrue(), "the kernel takes no more")
	if n := session(s, "tor").Advertised; n == len(routes) {
		t.Fatalf("the kernel has taken all %d routes: the test needs more", n)
	}
	begun := time.Now()
	run(t, s, plan.Peers([]bgp.Peer{peer}, nil))
	if took := time.Since(begun); took > peer.HoldTime/2 {
		t.Errorf("the removal took %s", took)
	}
}

// A peer that comes up and goes down every second is tried more and more seldom, up to the connect retry time; and once it
// has been up for long, at once.
func TestPeerThatFlapsEverySecond(t *testing.T) {
	t.Parallel()
	config := helper(64512)
	config.Script = func(c *connection) {
		c.write(openOf(), rawKeepalive)
		time.AfterFunc(time.Second, func() { _ = c.conn.Close() })
	}
	router := newRouter(t, "127.0.0.2", config)
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router)), plan.Routes(hostRoutes(1), nil))
	attempts := func() int { return len(router.all()) }
	g := NewWithT(t)
	// Up for a second each, with waits of 0, 1, 2, 4 and 5 s between them: 5 attempts in 12 s.
	g.Eventually(attempts, patience, tick).Should(Equal(5))
	took := router.all()[4].accepted.Sub(router.all()[0].accepted)
	if took < 10*time.Second {
		t.Errorf("5 attempts within %s", took)
	}
	g.Eventually(func() int { return session(s, "tor").Flaps }, patience, tick).Should(Equal(5))
	router.answerWith(func(c *routerConfig) { c.Script = nil })
	eventuallyEstablished(t, s, "tor", 5)
}

// Two routers with one router ID, and one that has the other's address for its own, are no concern of this node's.
func TestPeersWithOneRouterID(t *testing.T) {
	t.Parallel()
	one := helper(64513)
	one.ID = "127.0.0.3"
	first, second := newRouter(t, "127.0.0.2", one), newRouter(t, "127.0.0.3", one)
	s := newSpeaker(t, gobgp.Options{})
	routes := hostRoutes(3)
	run(t, s, addPeers(peerOf("first", first), peerOf("second", second)), plan.Routes(routes, nil))
	eventuallyConsistent(t, s, first, peerOf("first", first), routes)
	eventuallyConsistent(t, s, second, peerOf("second", second), routes)
}

// TestReceivedRoutesAreBounded says what routes cost that a peer offers: 1,000,000 of them with a limit that lets them in,
// and with the default limit, which ends the session.
func TestReceivedRoutesAreBounded(t *testing.T) {
	const offered = 1_000_000
	for name, test := range map[string]struct {
		limit, kept int
		bound       uint64 // bytes
	}{
		"with a limit above": {2 * offered, offered, 64 << 20},
		"by default":         {100_000, 0, 8 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			router := newRouter(t, "127.0.0.2", helper(64512))
			s := newSpeaker(t, gobgp.Options{})
			run(t, s, addPeers(peerOf("tor", router, func(p *bgp.Peer) { p.MaxReceivedPrefixes = uint32(test.limit) })))
			eventuallyEstablished(t, s, "tor", 0)
			before, begun := heap(), time.Now()
			done := make(chan struct{})
			go func() {
				defer close(done)
				router.last().offer(bgp.IPv4, 0, offered)
			}()
			most := highest(quick, done)
			if test.kept > 0 {
				g.Eventually(received(s), 2*patience, tick).Should(Equal(test.kept))
			} else {
				eventuallyCause(t, s, "tor", "received prefix limit: the peer sent more than 100000 IPv4 prefixes")
			}
			took, after := time.Since(begun), heap()
			t.Logf("%d routes in %s: heap %d -> %d KiB (%d B a route), at most %d KiB with garbage", offered, took.Round(time.Millisecond),
				before>>10, after>>10, (max(after, before)-before)/offered, most>>10)
			if after > before+test.bound {
				t.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
			}
			if after := session(s, "tor"); test.kept == 0 && after.Received != 0 {
				t.Errorf("session: %+v", after)
			}
		})
	}
}
