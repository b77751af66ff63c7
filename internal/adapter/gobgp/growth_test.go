package gobgp_test

import (
	"runtime"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// footprint is what a process holds.
type footprint struct {
	goroutines int
	heap       uint64
}

func measure() footprint {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{goroutines: runtime.NumGoroutine(), heap: m.HeapAlloc}
}

// What a session does over and over leaves nothing behind: GoBGP keeps a server's loop for ever, so that servers are used
// again.
func TestNothingGrows(t *testing.T) {
	const warmUp, slack = 10, 10
	replacing := func(edit func(*bgp.Peer, int)) func(*testing.T, *gobgp.Speaker, bgp.Peer, int) {
		return func(t *testing.T, s *gobgp.Speaker, peer bgp.Peer, i int) {
			t.Helper()
			edit(&peer, i)
			run(t, s, plan.Peers([]bgp.Peer{session(s, "tor").Peer}, []bgp.Peer{peer}))
		}
	}
	for name, test := range map[string]struct {
		times   int
		replace func(*testing.T, *gobgp.Speaker, bgp.Peer, int)
	}{
		"connections": {200, replacing(func(p *bgp.Peer, i int) { p.HoldTime -= time.Duration(i%2) * time.Second })},
		"engines":     {50, replacing(func(p *bgp.Peer, i int) { p.LocalASN += bgp.ASN(i % 2) })},
		"peers": {50, func(t *testing.T, s *gobgp.Speaker, peer bgp.Peer, _ int) {
			t.Helper()
			run(t, s, plan.Peers([]bgp.Peer{peer}, nil))
			run(t, s, addPeers(peer))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			router := newRouter(t, "127.0.0.2", helper(64999))
			s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
			peer := peerOf("tor", router)
			run(t, s, addPeers(peer), plan.Routes(hostRoutes(5), nil))
			eventuallyRouted := func() {
				NewWithT(t).Eventually(func() int { return session(s, "tor").Advertised }, patience, tick).Should(Equal(10))
			}
			var before footprint
			for i := range test.times + warmUp {
				if i == warmUp {
					router.forget()
					before = measure()
				}
				eventuallyRouted()
				test.replace(t, s, peer, i+1)
			}
			eventuallyRouted()
			router.forget()
			NewWithT(t).Eventually(func() int { return measure().goroutines }, patience, 10*tick).
				Should(BeNumerically("<=", before.goroutines+slack))
			after := measure()
			t.Logf("%d replacements: %d -> %d goroutines, heap %d -> %d KiB", test.times,
				before.goroutines, after.goroutines, before.heap>>10, after.heap>>10)
			if after.heap > before.heap+before.heap/2 {
				t.Errorf("the heap grew from %d to %d bytes", before.heap, after.heap)
			}
		})
	}
}
