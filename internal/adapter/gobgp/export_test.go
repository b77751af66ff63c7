package gobgp_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

const (
	internalKind bgp.Kinds = 1 << iota
	externalKind
)

func exactly(prefixes ...string) []bgp.PrefixMatch {
	var out []bgp.PrefixMatch
	for _, p := range prefixes {
		bits := uint8(prefix(p).Bits())
		out = append(out, bgp.PrefixMatch{CIDR: prefix(p), MinLength: bits, MaxLength: bits})
	}
	return out
}

// fence is a route that no rule is about: once the router has it, it has all that was sent before.
const fence = "203.0.113.1/32"

// news returns what the router was told since it was last asked, but for the fence, which is put up for it.
func news(t *testing.T, s *gobgp.Speaker, router *testRouter) []string {
	t.Helper()
	g := NewWithT(t)
	run(t, s, plan.Routes(paths(fence), nil))
	g.Eventually(router.table, patience, tick).Should(HaveKey(prefix(fence)))
	run(t, s, plan.Routes(nil, prefixes(paths(fence))))
	g.Eventually(router.table, patience, tick).ShouldNot(HaveKey(prefix(fence)))
	var out []string
	for _, item := range router.last().takeNews() {
		if item[1:] != fence {
			out = append(out, item)
		}
	}
	return out
}

// TestAChangeOfExportTouchesOnlyWhatDiffers counts, prefix by prefix, what goes over the wire when the export rules of a peer
// change on a running session.
func TestAChangeOfExportTouchesOnlyWhatDiffers(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	other := newRouter(t, "127.0.0.3", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	peer, bystander := peerOf("tor", router), peerOf("tor-2", other)
	routes := hostRoutes(50)
	routes = append(routes, paths("10.1.0.1/32", "10.1.0.2/32", "2001:db8:1::1/128")...)
	run(t, s, addPeers(peer, bystander), plan.Routes(routes, nil))
	eventuallyConsistent(t, s, router, peer, routes)
	eventuallyConsistent(t, s, other, bystander, routes)
	news(t, s, router)
	news(t, s, other)

	reject := bgp.ExportRule{Reject: true, Prefixes: exactly("10.1.0.1/32", "2001:db8:1::1/128")}
	mark := bgp.ExportRule{Prefixes: exactly("10.1.0.2/32"), Set: bgp.AttributeChanges{MED: bgp.Some(7)}}
	for _, step := range []struct {
		name   string
		policy bgp.ExportPolicy
		want   []string
	}{
		{"rules that change nothing", bgp.ExportPolicyOf(bgp.ExportRule{Prefixes: exactly("10.1.0.1/32")}), nil},
		{"two prefixes rejected", bgp.ExportPolicyOf(reject), []string{"-10.1.0.1/32", "-2001:db8:1::1/128"}},
		{"one more with another MED", bgp.ExportPolicyOf(reject, mark), []string{"+10.1.0.2/32"}},
		{"the same in another order", bgp.ExportPolicyOf(mark, reject), nil},
		{"none rejected any more", bgp.ExportPolicyOf(mark), []string{"+10.1.0.1/32", "+2001:db8:1::1/128"}},
		{"no rules", bgp.ExportPolicy{}, []string{"+10.1.0.2/32"}},
	} {
		before := peer
		peer.Export = step.policy
		run(t, s, plan.Peers([]bgp.Peer{before, bystander}, []bgp.Peer{peer, bystander}))
		eventuallyConsistent(t, s, router, peer, routes)
		NewWithT(t).Expect(news(t, s, router)).To(Equal(step.want), step.name)
	}
	NewWithT(t).Expect(news(t, s, other)).To(BeEmpty(), "to the other router")
	for _, name := range []string{"tor", "tor-2"} {
		if flaps := session(s, name).Flaps; flaps != 0 {
			t.Errorf("%s: %d flaps", name, flaps)
		}
	}
}

// TestAChangeOfKindIsSentOnlyWhereItMatters has a prefix gain and lose kinds, which only one of two peers' rules heed.
func TestAChangeOfKindIsSentOnlyWhereItMatters(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	other := newRouter(t, "127.0.0.3", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	heeds := peerOf("tor", router, func(p *bgp.Peer) {
		p.Export = bgp.ExportPolicyOf(bgp.ExportRule{Reject: true, Kinds: internalKind})
	})
	path := bgp.Path{Prefix: prefix("10.0.0.1/32"), Kinds: externalKind}
	run(t, s, addPeers(heeds, peerOf("tor-2", other)), plan.Routes([]bgp.Path{path}, nil))
	eventuallyConsistent(t, s, router, heeds, []bgp.Path{path})
	eventuallyConsistent(t, s, other, heeds, []bgp.Path{path})
	news(t, s, router)
	news(t, s, other)
	for _, step := range []struct {
		kinds bgp.Kinds
		want  []string
	}{
		{internalKind | externalKind, []string{"-10.0.0.1/32"}},
		{internalKind, nil},
		{externalKind, []string{"+10.0.0.1/32"}},
		{externalKind | 4, nil},
	} {
		path.Kinds = step.kinds
		run(t, s, plan.Routes([]bgp.Path{path}, nil))
		NewWithT(t).Expect(news(t, s, router)).To(Equal(step.want), "kinds %04b", step.kinds)
	}
	NewWithT(t).Expect(news(t, s, other)).To(BeEmpty(), "to the other router")
}
