package gobgp_test

import (
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

// patience is how long an expected event may take on a busy machine.
const patience = 10 * time.Second

func newSpeaker(t *testing.T, options gobgp.Options) *gobgp.Speaker {
	t.Helper()
	options.Log = logr.Discard()
	s := gobgp.New(options)
	t.Cleanup(func() { _ = s.Close(t.Context(), speaker.KeepRoutes) })
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

func helper(asn bgp.ASN) routerConfig {
	return routerConfig{
		ASN: asn, ID: "192.168.1.1", HoldTime: 90 * time.Second,
		Families: bgp.FamiliesOf(bgp.IPv4, bgp.IPv6), GracefulRestart: true,
	}
}

func path(prefix string) bgp.Path { return bgp.Path{Prefix: netip.MustParsePrefix(prefix)} }

func paths(prefixes ...string) []bgp.Path {
	var out []bgp.Path
	for _, p := range prefixes {
		out = append(out, path(p))
	}
	return out
}

func run(t *testing.T, s *gobgp.Speaker, groups ...[]plan.Step) {
	t.Helper()
	if err := s.Run(t.Context(), plan.Order(groups...)); err != nil {
		t.Fatal(err)
	}
}

func TestFirst(t *testing.T) {
	g := NewWithT(t)
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{ForwardingPreserved: true})
	p := peerOf("tor", router)
	begin := time.Now()
	run(t, s, plan.Peers(nil, []bgp.Peer{p}), plan.Routes(paths("10.0.0.1/32", "2001:db8::1/128"), nil))
	g.Eventually(func() int { return s.Advertised(netip.MustParsePrefix("10.0.0.1/32")) }, patience, time.Millisecond).Should(Equal(1))
	t.Logf("took %s", time.Since(begin))
	g.Eventually(func() int { return s.Observe().RoutesIPv6 }, patience).Should(Equal(1))
	t.Logf("%+v", s.Observe())
	g.Eventually(func() int { return len(router.last().table()) }, patience).Should(Equal(2))
	want := map[netip.Prefix]bgp.Advertisement{}
	for _, path := range paths("10.0.0.1/32", "2001:db8::1/128") {
		want[path.Prefix], _ = bgp.Export(p, path)
	}
	if diff := cmp.Diff(want, router.last().table(), cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, bgp.Communities{})); diff != "" {
		t.Error(diff)
	}
	router.reset()
	begin = time.Now()
	g.Eventually(func() int { return len(router.all()) }, patience, time.Millisecond).Should(Equal(2))
	t.Logf("redialled after %s", time.Since(begin))
	g.Eventually(func() int { return len(router.last().table()) }, patience, time.Millisecond).Should(Equal(2))
	t.Logf("all routes after %s", time.Since(begin))
	t.Logf("%+v", s.Observe())
	r, f := router.last().restart()
	t.Log(r, f)
	if err := s.Close(t.Context(), speaker.WithdrawRoutes); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %+v", router.last().table(), router.last().notification)
	t.Logf("%+v", s.Observe())
}
