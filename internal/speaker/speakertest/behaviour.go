package speakertest

import (
	"net"
	"net/netip"
	"time"

	"github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

func (b *bench) pathsBeforePeers() {
	all := paths("10.49.0.0/16", "192.168.3.180/32", "2001:db8:3::/64")
	b.run(plan.Routes(all, nil))
	peer, router := b.add("tor")
	b.eventuallyRoutes(router, peer, all...)
	s := b.session("tor")
	b.Expect(s.Peer).To(gomega.Equal(peer))
	b.Expect(s.HoldTime).To(gomega.Equal(peer.HoldTime))
	b.Expect(s.Families).To(gomega.Equal(peer.Families))
	b.Expect(s.GracefulRestart).To(gomega.BeTrue())
	b.Expect(s.LocalAddress).To(gomega.Equal(peer.SourceAddress))
	b.Expect(s.UpdatesSent).NotTo(gomega.BeZero())
}

func (b *bench) pathsFollowTheTable() {
	peer, router := b.add("tor")
	b.run(plan.Routes(paths("10.0.0.1/32", "2001:db8::1/128"), nil))
	b.eventuallyRoutes(router, peer, paths("10.0.0.1/32", "2001:db8::1/128")...)
	b.run(plan.Routes(paths("10.0.0.2/32"), []netip.Prefix{prefix("10.0.0.1/32"), prefix("2001:db8::1/128")}))
	b.eventuallyRoutes(router, peer, paths("10.0.0.2/32")...)
}

func (b *bench) stepsAreIdempotent() {
	peer, router := b.add("tor")
	b.run(plan.Routes(paths("10.0.0.1/32"), []netip.Prefix{prefix("10.0.0.9/32")}))
	b.run(plan.Routes(paths("10.0.0.1/32"), []netip.Prefix{prefix("10.0.0.9/32")}))
	b.run(plan.Peers([]bgp.Peer{{Name: "gone"}}, nil))
	b.run()
	b.eventuallyRoutes(router, peer, paths("10.0.0.1/32")...)
	b.Expect(b.session("tor").Flaps).To(gomega.BeZero())
}

func (b *bench) attributesChange() {
	peer, router := b.add("tor")
	path := bgp.Path{Prefix: prefix("10.0.0.1/32")}
	for _, attributes := range []bgp.PathAttributes{
		{},
		{MED: bgp.Some(0), LocalPreference: bgp.Some(200)},
		{Communities: bgp.CommunitiesOf(bgp.Community{Global: 64512, Data1: 1}, bgp.Community{Large: true, Global: 64512, Data1: 1, Data2: 2})},
		{ASPathPrepend: 3},
	} {
		path.Attributes = attributes
		b.run(plan.Routes([]bgp.Path{path}, nil))
		b.eventuallyRoutes(router, peer, path)
	}
	b.Expect(b.session("tor").Flaps).To(gomega.BeZero())
}

func (b *bench) familiesAreFiltered() {
	all := paths("10.0.0.1/32", "2001:db8::1/128")
	b.run(plan.Routes(all, nil))
	v4, routerV4 := b.add("v4", func(p *bgp.Peer) { p.Families = bgp.FamiliesOf(bgp.IPv4) })
	v6, routerV6 := b.add("v6", func(p *bgp.Peer) { p.Families = bgp.FamiliesOf(bgp.IPv6) })
	none, routerNone := b.add("no-next-hop", func(p *bgp.Peer) { p.NextHopIPv6 = netip.Addr{} })
	b.eventuallyRoutes(routerV4, v4, all...)
	b.eventuallyRoutes(routerV6, v6, all...)
	b.eventuallyRoutes(routerNone, none, all...)
	b.Expect(routerNone.Routes()).To(gomega.HaveLen(1))
}

func (b *bench) exportRulesDecide() {
	all := paths("10.0.0.1/32", "10.0.0.2/32", "2001:db8::1/128")
	b.run(plan.Routes(all, nil))
	peer, router := b.add("tor")
	open, routerOpen := b.add("open")
	b.eventuallyRoutes(router, peer, all...)
	for _, policy := range []bgp.ExportPolicy{
		rejecting("10.0.0.1/32"),
		rejecting("10.0.0.2/32", "2001:db8::1/128"),
		bgp.ExportPolicyOf(
			bgp.ExportRule{Prefixes: matches("10.0.0.1/32"), Set: bgp.AttributeChanges{MED: bgp.Some(7)}}, bgp.ExportRule{Reject: true},
		),
		{},
	} {
		peer.Export = policy
		b.update(peer, open)
		b.eventuallyRoutes(router, peer, all...)
	}
	b.eventuallyRoutes(routerOpen, open, all...)
	b.Expect(b.session("tor").Flaps).To(gomega.BeZero())
	b.Expect(b.session("open").Flaps).To(gomega.BeZero())
}

func (b *bench) rejectedPathsAreWithdrawn() {
	const external, internal = bgp.Kinds(1), bgp.Kinds(2)
	peer, router := b.add("tor", func(p *bgp.Peer) { p.Export = bgp.ExportPolicyOf(bgp.ExportRule{Reject: true, Kinds: internal}) })
	for _, path := range []bgp.Path{
		{Prefix: prefix("10.0.0.1/32"), Kinds: external},
		{Prefix: prefix("10.0.0.1/32"), Kinds: external | internal},
		{Prefix: prefix("10.0.0.1/32"), Kinds: internal},
		{Prefix: prefix("10.0.0.1/32"), Kinds: external},
	} {
		b.run(plan.Routes([]bgp.Path{path}, nil))
		b.eventuallyRoutes(router, peer, path)
	}
	b.Expect(b.session("tor").Flaps).To(gomega.BeZero())
}

// rejecting is a policy that keeps some prefixes from the peer.
func rejecting(prefixes ...string) bgp.ExportPolicy {
	return bgp.ExportPolicyOf(bgp.ExportRule{Reject: true, Prefixes: matches(prefixes...)})
}

func matches(prefixes ...string) []bgp.PrefixMatch {
	var out []bgp.PrefixMatch
	for _, p := range prefixes {
		bits := uint8(prefix(p).Bits())
		out = append(out, bgp.PrefixMatch{CIDR: prefix(p), MinLength: bits, MaxLength: bits})
	}
	return out
}

func (b *bench) updatesCostTheirImpact() {
	all := paths("10.0.0.1/32", "2001:db8::1/128")
	b.run(plan.Routes(all, nil))
	peer, router := b.add("tor")

	peer.ConnectRetryTime, peer.MaxReceivedPrefixes = 7*time.Second, 7
	peer.TTL, peer.MinimumTTL = 255, 1
	b.update(peer)
	b.eventuallyRoutes(router, peer, all...)
	b.Expect(b.session("tor").Peer).To(gomega.Equal(peer))

	peer.NextHopIPv6 = netip.MustParseAddr("2001:db8:1::99")
	b.update(peer)
	b.eventuallyRoutes(router, peer, all...)
	b.Expect(b.session("tor").Flaps).To(gomega.BeZero())

	peer.HoldTime = 9 * time.Second
	peer.KeepaliveTime = 3 * time.Second
	b.update(peer)
	b.eventuallyEstablished("tor", 1)
	b.eventuallyRoutes(router, peer, all...)
	b.Expect(b.session("tor").HoldTime).To(gomega.Equal(9 * time.Second))

	b.update(peer)
	b.Expect(b.session("tor").Flaps).To(gomega.Equal(1))
}

func (b *bench) lostSessionComesBack() {
	b.run(plan.Routes(paths("10.0.0.1/32"), nil))
	peer, router := b.add("tor")
	b.eventuallyRoutes(router, peer, paths("10.0.0.1/32")...)
	router.Break()
	b.Eventually(func() int { return b.session("tor").Flaps }, patience, time.Millisecond).Should(gomega.Equal(1))
	b.Expect(b.session("tor").LastError).NotTo(gomega.BeEmpty())
	b.run(plan.Routes(paths("10.0.0.2/32"), []netip.Prefix{prefix("10.0.0.1/32")}))
	router.Accept()
	b.eventuallyEstablished("tor", 1)
	b.eventuallyRoutes(router, peer, paths("10.0.0.2/32")...)
}

func (b *bench) passivePeerIsWaitedFor() {
	b.run(plan.Routes(paths("10.0.0.1/32"), nil))
	peer, router := b.lab.NewRouter(b.T, "tor")
	peer.Passive, peer.ListenPort = true, b.freePort()
	b.run(plan.Peers(nil, []bgp.Peer{peer}))
	waiting := gomega.ContainSubstring("waiting for the peer to connect to ")
	b.Eventually(func() bgp.Session { return b.session("tor") }, patience, time.Millisecond).Should(gomega.And(
		gomega.HaveField("State", bgp.Active), gomega.HaveField("LastError", waiting)))
	router.Accept()
	b.eventuallyEstablished("tor", 0)
	b.eventuallyRoutes(router, peer, paths("10.0.0.1/32")...)
	b.Expect(b.session("tor").LastError).To(gomega.BeEmpty())
	b.Expect(b.session("tor").LocalAddress).To(gomega.Equal(peer.SourceAddress))
}

// freePort returns a port that nobody listens on.
func (b *bench) freePort() uint16 {
	var config net.ListenConfig
	listener, err := config.Listen(b.Context(), "tcp", ":0")
	b.Expect(err).NotTo(gomega.HaveOccurred())
	defer func() { _ = listener.Close() }()
	return netip.MustParseAddrPort(listener.Addr().String()).Port()
}

func (b *bench) removedPeerIsTold() {
	b.run(plan.Routes(paths("10.0.0.1/32"), nil))
	_, gone := b.add("gone")
	stays, router := b.add("stays")
	b.update(stays)
	b.Expect(b.speaker.Observe().Sessions).To(gomega.HaveLen(1))
	b.Eventually(gone.Ceased, patience, time.Millisecond).Should(gomega.BeTrue())
	b.eventuallyRoutes(router, stays, paths("10.0.0.1/32")...)
	b.Expect(b.session("stays").Flaps).To(gomega.BeZero())
}

func (b *bench) countsAreOfTheWire() {
	b.run(plan.Routes(paths("10.0.0.1/32", "2001:db8::1/128"), nil))
	b.Expect(b.speaker.Observe().RoutesIPv4).To(gomega.BeZero())
	b.Expect(b.speaker.Advertised(prefix("10.0.0.1/32"))).To(gomega.BeZero())
	b.add("both")
	_, router := b.add("v4", func(p *bgp.Peer) { p.Families = bgp.FamiliesOf(bgp.IPv4) })
	counts := func() [4]int {
		now := b.speaker.Observe()
		return [4]int{
			now.RoutesIPv4, now.RoutesIPv6,
			b.speaker.Advertised(prefix("10.0.0.1/32")), b.speaker.Advertised(prefix("2001:db8::1/128")),
		}
	}
	b.Eventually(counts, patience, time.Millisecond).Should(gomega.Equal([4]int{1, 1, 2, 1}))
	b.run(plan.Routes(nil, []netip.Prefix{prefix("2001:db8::1/128")}))
	b.Eventually(counts, patience, time.Millisecond).Should(gomega.Equal([4]int{1, 0, 2, 0}))
	b.Eventually(router.Routes, patience, time.Millisecond).Should(gomega.HaveLen(1))
}

func (b *bench) changesNudge() {
	nudged := func(what string) {
		b.Helper()
		b.Eventually(b.speaker.Changed(), patience).Should(gomega.Receive(), what)
	}
	b.add("tor")
	nudged("a session came up")
	b.settle()
	b.run(plan.Routes(paths("10.0.0.1/32"), nil))
	nudged("a route went out")
	b.settle()
	b.Consistently(b.speaker.Changed(), 50*time.Millisecond).ShouldNot(gomega.Receive(), "nothing changed")
}

// settle takes nudges until none comes.
func (b *bench) settle() {
	for {
		select {
		case <-b.speaker.Changed():
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

func (b *bench) badStepsFailAlone() {
	peer, router := b.add("tor")
	err := b.speaker.Run(b.Context(), []plan.Step{
		{Verb: plan.Advertise, Path: bgp.Path{Prefix: netip.MustParsePrefix("10.0.0.1/24")}},
		{Verb: plan.Advertise, Path: bgp.Path{Prefix: prefix("10.0.0.2/32")}},
		{Verb: plan.UpdatePeer, Peer: withName(peer, "nobody")},
		{Verb: plan.AddPeer, Peer: bgp.Peer{Name: "unsound"}},
	})
	b.Expect(err).To(gomega.MatchError(gomega.And(
		gomega.ContainSubstring("10.0.0.1/24"), gomega.ContainSubstring("nobody"), gomega.ContainSubstring("unsound"))))
	b.eventuallyRoutes(router, peer, paths("10.0.0.2/32")...)
	b.Expect(b.speaker.Observe().Sessions).To(gomega.HaveLen(1))
}

func withName(p bgp.Peer, name string) bgp.Peer {
	p.Name = name
	return p
}

func (b *bench) closeKeepsRoutes() {
	peer, router := b.add("tor")
	b.run(plan.Routes(paths("10.0.0.1/32"), nil))
	b.eventuallyRoutes(router, peer, paths("10.0.0.1/32")...)
	b.Expect(b.speaker.Close(b.Context(), speaker.KeepRoutes)).To(gomega.Succeed())
	b.Eventually(func() map[netip.Prefix]bgp.Advertisement { return router.Routes() }, patience, time.Millisecond).Should(gomega.BeEmpty())
	b.Expect(router.Ceased()).To(gomega.BeFalse())
	b.closed()
}

func (b *bench) closeWithdrawsRoutes() {
	peer, router := b.add("tor")
	b.run(plan.Routes(paths("10.0.0.1/32"), nil))
	b.eventuallyRoutes(router, peer, paths("10.0.0.1/32")...)
	b.Expect(b.speaker.Close(b.Context(), speaker.WithdrawRoutes)).To(gomega.Succeed())
	b.Eventually(router.Ceased, patience, time.Millisecond).Should(gomega.BeTrue())
	b.closed()
}

// closed checks what is left of a speaker that was closed.
func (b *bench) closed() {
	b.Helper()
	now := b.speaker.Observe()
	b.Expect(now.RoutesIPv4).To(gomega.BeZero())
	for _, s := range now.Sessions {
		b.Expect(s.State).To(gomega.Equal(bgp.Idle))
	}
	b.Expect(b.speaker.Run(b.Context(), plan.Routes(paths("10.0.0.1/32"), nil))).NotTo(gomega.Succeed())
	b.Expect(b.speaker.Close(b.Context(), speaker.KeepRoutes)).To(gomega.Succeed())
}
