package gobgp_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

const manyRoutes = 10_000

func manyPaths(family bgp.Family) []bgp.Path {
	out := make([]bgp.Path, 0, manyRoutes)
	for i := range manyRoutes {
		if family == bgp.IPv4 {
			out = append(out, paths(fmt.Sprintf("10.49.%d.%d/32", i>>8, i&0xff))...)
		} else {
			out = append(out, paths(fmt.Sprintf("2001:db8::%x/128", i))...)
		}
	}
	return out
}

// await waits for a condition of the wire, as the nudges of a speaker come.
func await(b *testing.B, s *gobgp.Speaker, condition func() bool) {
	b.Helper()
	limit := time.After(time.Minute)
	for !condition() {
		select {
		case <-s.Changed():
		case <-time.After(100 * time.Microsecond): // The router has no nudges.
		case <-limit:
			b.Fatal("it did not come about")
		}
	}
}

func forgetful(b *testing.B, address string) *testRouter {
	b.Helper()
	config := helper(64513)
	config.Forgetful = true
	return newRouter(b, address, config)
}

// BenchmarkStart is the time from nothing to the last of 10,000 host routes at the router.
func BenchmarkStart(b *testing.B) {
	for _, family := range []bgp.Family{bgp.IPv4, bgp.IPv6} {
		b.Run(family.String(), func(b *testing.B) {
			routes := plan.Routes(manyPaths(family), nil)
			router := forgetful(b, "127.0.0.2")
			for b.Loop() {
				connections := len(router.all())
				s := gobgp.New(gobgp.Options{Log: logr.Discard(), ForwardingPreserved: true})
				run(b, s, routes, addPeers(peerOf("tor", router)))
				await(b, s, func() bool {
					return len(router.all()) > connections && router.last().announcedCount() == manyRoutes
				})
				b.StopTimer()
				if err := s.Close(b.Context(), speaker.KeepRoutes); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkChange is the time from one change to its arrival at the router, where 10,000 host routes stand.
func BenchmarkChange(b *testing.B) {
	router := forgetful(b, "127.0.0.2")
	s := newSpeaker(b, gobgp.Options{})
	run(b, s, plan.Routes(manyPaths(bgp.IPv4), nil), addPeers(peerOf("tor", router)))
	await(b, s, func() bool { return session(s, "tor").Advertised == manyRoutes })
	moving := paths("192.168.3.180/32")
	n := 0
	for b.Loop() {
		n++
		moving[0].Attributes.MED = bgp.Some(uint32(n))
		run(b, s, plan.Routes(moving, nil))
		await(b, s, func() bool { return router.last().announcedCount() == manyRoutes+n })
	}
}

// BenchmarkMemory reports what a route costs while it is on the wire of one session, and of two.
func BenchmarkMemory(b *testing.B) {
	for sessions := range 3 {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			routes := plan.Routes(manyPaths(bgp.IPv4), nil)
			var peers []bgp.Peer
			for i := range sessions {
				peers = append(peers, peerOf(fmt.Sprintf("tor-%d", i), forgetful(b, fmt.Sprintf("127.0.0.%d", i+2))))
			}
			for b.Loop() {
				s := gobgp.New(gobgp.Options{Log: logr.Discard()})
				run(b, s, addPeers(peers...))
				await(b, s, func() bool { return established(s) == sessions })
				before := measure()
				run(b, s, routes)
				await(b, s, func() bool {
					return s.Advertised(netip.MustParsePrefix("10.49.39.15/32")) == sessions && settled(s, sessions)
				})
				b.ReportMetric(float64(measure().heap-before.heap)/manyRoutes, "B/route")
				if err := s.Close(b.Context(), speaker.KeepRoutes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func established(s *gobgp.Speaker) int {
	n := 0
	for _, session := range s.Observe().Sessions {
		if session.State == bgp.Established {
			n++
		}
	}
	return n
}

// settled reports whether all routes are on the wire of all sessions.
func settled(s *gobgp.Speaker, sessions int) bool {
	for _, session := range s.Observe().Sessions {
		if session.Advertised != manyRoutes {
			return false
		}
	}
	return len(s.Observe().Sessions) == sessions
}

// BenchmarkReceived reports what the routes cost that a peer offers and Herald refuses.
func BenchmarkReceived(b *testing.B) {
	for _, offered := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(offered), func(b *testing.B) {
			router := newRouter(b, "127.0.0.2", helper(64512))
			for b.Loop() {
				s := gobgp.New(gobgp.Options{Log: logr.Discard()})
				run(b, s, addPeers(peerOf("tor", router, func(p *bgp.Peer) { p.MaxReceivedPrefixes = 2_000_000 })))
				await(b, s, func() bool { return established(s) == 1 })
				before := measure()
				router.last().offer(bgp.IPv4, 0, offered)
				await(b, s, func() bool { return session(s, "tor").Received == offered })
				b.ReportMetric(float64(measure().heap-before.heap)/float64(offered), "B/route")
				if err := s.Close(b.Context(), speaker.KeepRoutes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
