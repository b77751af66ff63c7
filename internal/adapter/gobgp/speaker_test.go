package gobgp_test

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// patience is how long an expected event may take on a busy machine, tick how often to look for it.
const (
	patience = 30 * time.Second
	tick     = time.Millisecond
)

func newSpeaker(tb testing.TB, options gobgp.Options) *gobgp.Speaker {
	tb.Helper()
	options.Log = logr.Discard()
	s := gobgp.New(options)
	tb.Cleanup(func() { _ = s.Close(tb.Context(), speaker.KeepRoutes) })
	return s
}

func peerOf(name string, router *testRouter, edits ...func(*bgp.Peer)) bgp.Peer {
	p := bgp.Peer{
		Name:                name,
		Address:             router.address(),
		ASN:                 router.config.ASN,
		LocalASN:            64512,
		RouterID:            netip.MustParseAddr("192.168.1.11"),
		SourceAddress:       netip.MustParseAddr("127.0.0.1"),
		HoldTime:            90 * time.Second,
		KeepaliveTime:       30 * time.Second,
		ConnectRetryTime:    5 * time.Second,
		Families:            bgp.FamiliesOf(bgp.IPv4, bgp.IPv6),
		GracefulRestart:     bgp.GracefulRestart{Enabled: true, RestartTime: 120 * time.Second},
		MaxReceivedPrefixes: 1000,
		NextHopIPv4:         netip.MustParseAddr("192.168.1.11"),
		NextHopIPv6:         netip.MustParseAddr("2001:db8:1::11"),
	}
	for _, edit := range edits {
		edit(&p)
	}
	return p
}

// shortHoldTime is the shortest there is.
func shortHoldTime(p *bgp.Peer) { p.HoldTime, p.KeepaliveTime = 3*time.Second, time.Second }

// helper is a router that helps a peer with its graceful restart.
func helper(asn bgp.ASN) routerConfig {
	return routerConfig{
		ASN: asn, ID: "192.168.1.1", HoldTime: 90 * time.Second,
		Families: bgp.FamiliesOf(bgp.IPv4, bgp.IPv6), GracefulRestart: true,
	}
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func paths(prefixes ...string) []bgp.Path {
	var out []bgp.Path
	for _, p := range prefixes {
		out = append(out, bgp.Path{Prefix: prefix(p)})
	}
	return out
}

func prefixes(paths []bgp.Path) []netip.Prefix {
	var out []netip.Prefix
	for _, path := range paths {
		out = append(out, path.Prefix)
	}
	return out
}

// hostRoutes returns n host routes of each family.
func hostRoutes(n int) []bgp.Path {
	var out []bgp.Path
	for i := range n {
		out = append(out, paths(fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&0xff, i&0xff), fmt.Sprintf("2001:db8::%x/128", i))...)
	}
	return out
}

func run(tb testing.TB, s *gobgp.Speaker, groups ...[]plan.Step) {
	tb.Helper()
	if err := s.Run(tb.Context(), plan.Order(groups...)); err != nil {
		tb.Fatal(err)
	}
}

func addPeers(peers ...bgp.Peer) []plan.Step { return plan.Peers(nil, peers) }

// session returns what the speaker observes of a peer.
func session(s *gobgp.Speaker, name string) bgp.Session {
	for _, session := range s.Observe().Sessions {
		if session.Peer.Name == name {
			return session
		}
	}
	return bgp.Session{}
}

// eventuallyEstablished waits for a session that has come up and been lost so often.
func eventuallyEstablished(tb testing.TB, s *gobgp.Speaker, name string, flaps int) bgp.Session {
	tb.Helper()
	var last bgp.Session
	NewWithT(tb).Eventually(func() bool {
		last = session(s, name)
		return last.State == bgp.Established && last.Flaps == flaps
	}, patience, tick).Should(BeTrue(), func() string { return fmt.Sprintf("%+v", last) })
	return last
}

// eventuallyCause waits until a session says why it is down.
func eventuallyCause(tb testing.TB, s *gobgp.Speaker, name, cause string) bgp.Session {
	tb.Helper()
	NewWithT(tb).Eventually(func() string { return session(s, name).LastError }, patience, tick).Should(ContainSubstring(cause))
	return session(s, name)
}

// eventuallyConsistent waits until the router has exactly what a session with the peer exports of the paths, and until the
// speaker's book says the same.
func eventuallyConsistent(tb testing.TB, s *gobgp.Speaker, router *testRouter, peer bgp.Peer, paths []bgp.Path) {
	tb.Helper()
	want := map[netip.Prefix]bgp.Advertisement{}
	for _, path := range paths {
		if out, ok := bgp.Export(peer, path); ok {
			want[path.Prefix] = out
		}
	}
	g := NewWithT(tb)
	g.Eventually(func() bool { return maps.Equal(want, router.table()) }, patience, tick).Should(BeTrue(), func() string {
		return "what the router has (-want +got):\n" +
			cmp.Diff(want, router.table(), cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, bgp.Communities{}))
	})
	g.Eventually(func() int { return session(s, peer.Name).Advertised }, patience, tick).Should(Equal(len(want)))
}
