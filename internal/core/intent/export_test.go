package intent_test

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
)

// exportBase is a base with names for two communities.
const exportBase = `{communities: [{name: blackhole, value: "64512:666"}, {name: wide, value: "64512:1:1"}]}`

// exported returns the rules that a peer with a spec comes to on a node, and what is said about them.
func exported(t *testing.T, base, spec string) (bgp.Peer, []intent.Problem) {
	t.Helper()
	input := intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, spec)}}
	if base != "" {
		input.Configurations = []v1alpha1.BGPConfiguration{configuration(t, "default", 1, base)}
	}
	i := intent.For(input)
	if len(i.Peers) != 1 {
		t.Fatalf("the peer is not run: %v", i.Problems)
	}
	return i.Peers[0], i.Problems
}

func match(cidr string, least, greatest uint8) []bgp.PrefixMatch {
	return []bgp.PrefixMatch{{CIDR: netip.MustParsePrefix(cidr), MinLength: least, MaxLength: greatest}}
}

var (
	blackhole = bgp.Community{Global: 64512, Data1: 666}
	wide      = bgp.Community{Large: true, Global: 64512, Data1: 1, Data2: 1}
)

func TestExportRulesAreCompiled(t *testing.T) {
	for name, row := range map[string]struct {
		rule string
		want bgp.ExportRule
	}{
		"everything":               {`action: Reject`, bgp.ExportRule{Reject: true}},
		"a prefix itself":          {`action: Reject, prefixes: [{cidr: 10.0.0.0/8}]`, bgp.ExportRule{Reject: true, Prefixes: match("10.0.0.0/8", 8, 8)}},
		"prefixes from a length":   {`action: Accept, prefixes: [{cidr: 10.0.0.0/8, ge: 24}]`, bgp.ExportRule{Prefixes: match("10.0.0.0/8", 24, 32)}},
		"prefixes up to a length":  {`action: Accept, prefixes: [{cidr: 10.0.0.0/8, le: 24}]`, bgp.ExportRule{Prefixes: match("10.0.0.0/8", 8, 24)}},
		"prefixes between lengths": {`action: Accept, prefixes: [{cidr: "2001:db8::/32", ge: 64, le: 128}]`, bgp.ExportRule{Prefixes: match("2001:db8::/32", 64, 128)}},
		"lengths from zero":        {`action: Accept, prefixes: [{cidr: "::/0", ge: 0, le: 0}]`, bgp.ExportRule{Prefixes: match("::/0", 0, 0)}},
		"kinds": {
			`action: Reject, kinds: [PodCIDR, ClusterIP]`,
			bgp.ExportRule{Reject: true, Kinds: advertise.PodCIDR.Set() | advertise.ClusterIP.Set()},
		},
		"communities": {
			`action: Reject, communities: ["64512:1", blackhole, wide]`,
			bgp.ExportRule{Reject: true, Communities: bgp.CommunitiesOf(bgp.Community{Global: 64512, Data1: 1}, blackhole, wide)},
		},
		"attributes": {
			`action: Accept, set: {communities: [blackhole], addCommunities: [wide], med: 10, asPathPrepend: 2}`,
			bgp.ExportRule{Set: bgp.AttributeChanges{
				ReplaceCommunities: true, Communities: bgp.CommunitiesOf(blackhole), AddCommunities: bgp.CommunitiesOf(wide),
				MED: bgp.Some(10), ASPathPrepend: bgp.Some(2),
			}},
		},
		"attributes that are nothing": {
			`action: Accept, set: {communities: [], med: 0, asPathPrepend: 0}`,
			bgp.ExportRule{Set: bgp.AttributeChanges{ReplaceCommunities: true, MED: bgp.Some(0), ASPathPrepend: bgp.Some(0)}},
		},
		"no attributes": {`action: Accept, set: {}`, bgp.ExportRule{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := exported(t, exportBase, "{peerIP: 192.168.1.1, asNumber: 65000, export: [{"+row.rule+"}]}")
			if want := bgp.ExportPolicyOf(row.want); got.Export != want || len(problems) > 0 {
				t.Errorf("rules %s, want %s, problems %v", got.Export, want, problems)
			}
		})
	}
}

func TestWhatAnExportRuleAsksForInVainIsTold(t *testing.T) {
	const peerObject, established = "BGPPeer/tor", v1alpha1.ConditionEstablished
	for name, row := range map[string]struct {
		peer, base string
		want       []bgp.ExportRule
		problems   []problem
	}{
		"a name in a match that nothing has matches nothing": {
			peer: `asNumber: 65000, export: [{action: Reject, communities: [nobody]}, {action: Reject, kinds: [PodCIDR]}]`, base: exportBase,
			want:     []bgp.ExportRule{{Reject: true, Kinds: advertise.PodCIDR.Set()}},
			problems: []problem{{peerObject, "spec.export[0].communities[0]", established, v1alpha1.ReasonExportIgnored, "known: blackhole, wide"}},
		},
		"beside others it is left out": {
			peer: `asNumber: 65000, export: [{action: Reject, communities: [nobody, blackhole]}]`, base: exportBase,
			want:     []bgp.ExportRule{{Reject: true, Communities: bgp.CommunitiesOf(blackhole)}},
			problems: []problem{{peerObject, "spec.export[0].communities[0]", established, v1alpha1.ReasonExportIgnored, "nobody"}},
		},
		"names to set that nothing has are left out": {
			peer: `asNumber: 65000, export: [{action: Accept, set: {communities: [nobody], addCommunities: ["1:1", nobody]}}]`,
			want: []bgp.ExportRule{{Set: bgp.AttributeChanges{
				ReplaceCommunities: true, AddCommunities: bgp.CommunitiesOf(bgp.Community{Global: 1, Data1: 1}),
			}}},
			problems: []problem{
				{peerObject, "spec.export[0].set.communities[0]", established, v1alpha1.ReasonExportIgnored, "known: none"},
				{peerObject, "spec.export[0].set.addCommunities[1]", established, v1alpha1.ReasonExportIgnored, "spec.communities"},
			},
		},
		"localPreference on eBGP": {
			peer:     `asNumber: 65000, export: [{action: Accept, set: {localPreference: 0}}]`,
			want:     []bgp.ExportRule{{Set: bgp.AttributeChanges{LocalPreference: bgp.Some(0)}}},
			problems: []problem{{peerObject, "spec.export[0].set.localPreference", established, v1alpha1.ReasonExportIgnored, "eBGP"}},
		},
		"asPathPrepend on iBGP": {
			peer:     `asNumber: 64512, export: [{action: Accept}, {action: Accept, set: {localPreference: 7, asPathPrepend: 2}}]`,
			want:     []bgp.ExportRule{{}, {Set: bgp.AttributeChanges{LocalPreference: bgp.Some(7), ASPathPrepend: bgp.Some(2)}}},
			problems: []problem{{peerObject, "spec.export[1].set.asPathPrepend", established, v1alpha1.ReasonExportIgnored, "iBGP"}},
		},
		"no asPathPrepend on iBGP is none": {
			peer: `asNumber: 64512, export: [{action: Accept, set: {asPathPrepend: 0}}]`,
			want: []bgp.ExportRule{{Set: bgp.AttributeChanges{ASPathPrepend: bgp.Some(0)}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := exported(t, row.base, "{peerIP: 192.168.1.1, "+row.peer+"}")
			if want := bgp.ExportPolicyOf(row.want...); got.Export != want {
				t.Errorf("rules %s, want %s", got.Export, want)
			}
			checkProblems(t, row.problems, problems)
		})
	}
}

// A peer whose rules can't be read is not run: what it may not have must not go out.
func TestAPeerWithABrokenExportRuleIsNotRun(t *testing.T) {
	i := intent.For(intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{
		peer(t, "tor", 1, "{peerIP: 192.168.1.1, asNumber: 64512, export: [{action: Reject}, {action: Reject, prefixes: [{cidr: 10.0.0.0/8, ge: 7}]}]}"),
	}})
	if len(i.Peers) > 0 {
		t.Errorf("the peer runs with %s", i.Peers[0].Export)
	}
	checkProblems(t, []problem{
		{"BGPPeer/tor", "spec.export[1].prefixes[0].ge", v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "at least the length of cidr"},
	}, i.Problems)
}

// An overlay that gives a name another value changes what the rules of its nodes' peers are about.
func TestANameInAnExportRuleIsTheNodesOwn(t *testing.T) {
	configurations := []v1alpha1.BGPConfiguration{
		configuration(t, "default", 1, exportBase),
		configuration(t, "rack-b", 2, `{nodeSelector: {matchLabels: {rack: b}}, communities: [{name: blackhole, value: "1:1"}]}`),
	}
	resolver := intent.NewResolver(configurations, []v1alpha1.BGPPeer{
		peer(t, "tor", 1, "{peerIP: 192.168.1.1, asNumber: 64512, export: [{action: Accept, set: {communities: [blackhole]}}]}"),
	})
	for _, row := range []struct {
		rack string
		want bgp.Community
	}{{"a", blackhole}, {"b", bgp.Community{Global: 1, Data1: 1}}, {"a", blackhole}} {
		node := newNode()
		node.Labels["rack"] = row.rack
		got := resolver.For(node).Peers[0].Export
		want := bgp.ExportPolicyOf(bgp.ExportRule{Set: bgp.AttributeChanges{ReplaceCommunities: true, Communities: bgp.CommunitiesOf(row.want)}})
		if got != want {
			t.Errorf("rack %s: %s, want %s", row.rack, got, want)
		}
	}
}

// TestExportIsWhatTheRulesSay holds what a session sends to a slow and literal reading of the rules as a user writes them.
func TestExportIsWhatTheRulesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := v1alpha1.BGPPeer{}
		p.Name = "tor"
		p.Spec = v1alpha1.BGPPeerSpec{
			PeerIP: "192.168.1.1", ASNumber: rapid.SampledFrom([]int64{64512, 65000}).Draw(t, "asNumber"),
			AddressFamilies: []v1alpha1.AddressFamily{v1alpha1.IPv4, v1alpha1.IPv6},
			Export:          rapid.SliceOfN(someRules, 0, 4).Draw(t, "export"),
		}
		base := v1alpha1.BGPConfiguration{}
		base.Name = v1alpha1.DefaultConfigurationName
		base.Spec.Communities = []v1alpha1.Community{{Name: "one", Value: "64512:1"}, {Name: "two", Value: "64512:2"}}
		i := intent.For(intent.Input{
			Node: newNode(), Configurations: []v1alpha1.BGPConfiguration{base}, Peers: []v1alpha1.BGPPeer{p},
		})
		if len(i.Peers) == 0 {
			return // One of the rules is broken.
		}
		for range 10 {
			path := somePath.Draw(t, "path")
			out, ok := bgp.Export(i.Peers[0], path)
			want, sent := literally(p.Spec.Export, path)
			without := i.Peers[0]
			without.Export = bgp.ExportPolicy{}
			expected, _ := bgp.Export(without, want)
			if ok != sent || ok && out != expected {
				t.Fatalf("%+v goes out as %+v, %v, want %+v, %v", path, out, ok, expected, sent)
			}
		}
	})
}

var (
	someRefs     = rapid.SampledFrom([]v1alpha1.CommunityRef{"64512:1", "64512:2", "one", "two", "unknown", "64512:3"})
	someNetworks = rapid.SampledFrom([]v1alpha1.CIDR{"10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0"})
	someLengths  = rapid.SampledFrom([]*int32{nil, nil, nil, new(int32(0)), new(int32(8)), new(int32(24)), new(int32(32)), new(int32(128))})
	someNumbers  = rapid.SampledFrom([]*int64{nil, new(int64(0)), new(int64(7))})
	someRules    = rapid.Custom(func(t *rapid.T) v1alpha1.ExportRule {
		rule := v1alpha1.ExportRule{
			Action:      v1alpha1.ExportReject,
			Kinds:       rapid.SliceOfNDistinct(someKinds, 0, 2, rapid.ID[v1alpha1.AdvertisementKind]).Draw(t, "kinds"),
			Communities: rapid.SliceOfN(someRefs, 0, 2).Draw(t, "communities"),
		}
		for _, cidr := range rapid.SliceOfN(someNetworks, 0, 2).Draw(t, "prefixes") {
			rule.Prefixes = append(rule.Prefixes, v1alpha1.PrefixMatch{CIDR: cidr, GE: someLengths.Draw(t, "ge"), LE: someLengths.Draw(t, "le")})
		}
		if rapid.Bool().Draw(t, "accept") {
			rule.Action = v1alpha1.ExportAccept
			rule.Set = &v1alpha1.ExportAttributes{
				AddCommunities: rapid.SliceOfN(someRefs, 0, 2).Draw(t, "addCommunities"),
				MED:            someNumbers.Draw(t, "med"), LocalPreference: someNumbers.Draw(t, "localPreference"),
				ASPathPrepend: rapid.SampledFrom([]*int32{nil, new(int32(0)), new(int32(3))}).Draw(t, "asPathPrepend"),
			}
			if rapid.Bool().Draw(t, "replace") {
				rule.Set.Communities = append([]v1alpha1.CommunityRef{}, rapid.SliceOfN(someRefs, 0, 2).Draw(t, "set")...)
			}
		}
		return rule
	})
	someKinds = rapid.SampledFrom([]v1alpha1.AdvertisementKind{
		v1alpha1.KindClusterIP, v1alpha1.KindExternalIP, v1alpha1.KindLoadBalancerIP, v1alpha1.KindPodCIDR,
	})
	somePath = rapid.Custom(func(t *rapid.T) bgp.Path {
		prefix := rapid.SampledFrom([]string{"10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "10.9.9.9/32", "192.168.0.0/16", "2001:db8::/48", "2001:db8::1/128"})
		path := bgp.Path{
			Prefix: netip.MustParsePrefix(prefix.Draw(t, "prefix")),
			Kinds:  bgp.Kinds(rapid.Uint8Range(1, 15).Draw(t, "kinds")),
		}
		for _, text := range rapid.SliceOfN(rapid.SampledFrom([]string{"64512:1", "64512:2", "64512:3", "64512:4"}), 0, 2).Draw(t, "communities") {
			path.Attributes.Communities = path.Attributes.Communities.With(bgp.CommunitiesOf(parsed(text)))
		}
		path.Attributes.MED = bgp.Optional{Set: rapid.Bool().Draw(t, "med"), Value: 0}
		return path
	})
)

func parsed(text string) bgp.Community {
	c, err := bgp.ParseCommunity(text)
	if err != nil {
		panic(err)
	}
	return c
}

// valueOf returns the value of a community in a rule; false where its name has none.
func valueOf(ref v1alpha1.CommunityRef) (bgp.Community, bool) {
	switch ref {
	case "one":
		return parsed("64512:1"), true
	case "two":
		return parsed("64512:2"), true
	case "unknown":
		return bgp.Community{}, false
	default:
		return parsed(string(ref)), true
	}
}

// literally returns what a path becomes under the rules, read one by one as their documentation has them.
func literally(rules []v1alpha1.ExportRule, path bgp.Path) (bgp.Path, bool) {
	for _, rule := range rules {
		if !matchesLiterally(rule, path) {
			continue
		}
		if rule.Action == v1alpha1.ExportReject {
			return bgp.Path{}, false
		}
		return setLiterally(rule.Set, path), true
	}
	return path, true
}

func matchesLiterally(rule v1alpha1.ExportRule, path bgp.Path) bool {
	prefixes := rule.Prefixes == nil
	for _, m := range rule.Prefixes {
		cidr := netip.MustParsePrefix(string(m.CIDR))
		inside := false
		for bits := range path.Prefix.Bits() + 1 {
			inside = inside || netip.PrefixFrom(path.Prefix.Addr(), bits).Masked() == cidr
		}
		bits := int32(path.Prefix.Bits())
		switch {
		case m.GE == nil && m.LE == nil:
			inside = path.Prefix == cidr
		case m.GE != nil && bits < *m.GE, m.LE != nil && bits > *m.LE:
			inside = false
		}
		prefixes = prefixes || inside
	}
	kinds := len(rule.Kinds) == 0
	for i, kind := range []v1alpha1.AdvertisementKind{
		v1alpha1.KindClusterIP, v1alpha1.KindExternalIP, v1alpha1.KindLoadBalancerIP, v1alpha1.KindPodCIDR,
	} {
		kinds = kinds || path.Kinds&(1<<i) != 0 && slices.Contains(rule.Kinds, kind)
	}
	communities := len(rule.Communities) == 0
	for _, ref := range rule.Communities {
		if value, known := valueOf(ref); known {
			communities = communities || slices.Contains(slices.Collect(path.Attributes.Communities.All()), value)
		}
	}
	return prefixes && kinds && communities
}

func setLiterally(set *v1alpha1.ExportAttributes, path bgp.Path) bgp.Path {
	values := slices.Collect(path.Attributes.Communities.All())
	if set.Communities != nil {
		values = nil
	}
	for _, ref := range append(slices.Clone(set.Communities), set.AddCommunities...) {
		if value, known := valueOf(ref); known {
			values = append(values, value)
		}
	}
	path.Attributes.Communities = bgp.CommunitiesOf(values...)
	if set.MED != nil {
		path.Attributes.MED = bgp.Some(uint32(*set.MED))
	}
	if set.LocalPreference != nil {
		path.Attributes.LocalPreference = bgp.Some(uint32(*set.LocalPreference))
	}
	if set.ASPathPrepend != nil {
		path.Attributes.ASPathPrepend = uint8(*set.ASPathPrepend)
	}
	return path
}
