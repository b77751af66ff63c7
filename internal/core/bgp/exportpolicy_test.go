package bgp_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/bgp"
)

const (
	kindA bgp.Kinds = 1 << iota
	kindB
	kindC
)

func community(data uint32) bgp.Community { return bgp.Community{Global: 64512, Data1: data} }

func communities(data ...uint32) bgp.Communities {
	var members []bgp.Community
	for _, d := range data {
		members = append(members, community(d))
	}
	return bgp.CommunitiesOf(members...)
}

func entry(cidr string, least, greatest uint8) bgp.PrefixMatch {
	return bgp.PrefixMatch{CIDR: netip.MustParsePrefix(cidr), MinLength: least, MaxLength: greatest}
}

// ownAttributes are those of the path of the rows below.
var ownAttributes = bgp.PathAttributes{
	Communities: communities(1, 2), LocalPreference: bgp.Some(100), MED: bgp.Some(5), ASPathPrepend: 1,
}

func TestExportPolicySets(t *testing.T) {
	for name, row := range map[string]struct {
		set  bgp.AttributeChanges
		want func(*bgp.PathAttributes)
	}{
		"nothing":                     {bgp.AttributeChanges{}, func(*bgp.PathAttributes) {}},
		"communities in place of all": {bgp.AttributeChanges{ReplaceCommunities: true, Communities: communities(9)}, func(a *bgp.PathAttributes) { a.Communities = communities(9) }},
		"no community":                {bgp.AttributeChanges{ReplaceCommunities: true}, func(a *bgp.PathAttributes) { a.Communities = bgp.Communities{} }},
		"a community besides":         {bgp.AttributeChanges{AddCommunities: communities(3)}, func(a *bgp.PathAttributes) { a.Communities = communities(1, 2, 3) }},
		"a community that is there":   {bgp.AttributeChanges{AddCommunities: communities(2)}, func(*bgp.PathAttributes) {}},
		"one in place, and another besides": {
			bgp.AttributeChanges{ReplaceCommunities: true, Communities: communities(9), AddCommunities: communities(8)},
			func(a *bgp.PathAttributes) { a.Communities = communities(8, 9) },
		},
		"numbers": {
			bgp.AttributeChanges{LocalPreference: bgp.Some(200), MED: bgp.Some(10), ASPathPrepend: bgp.Some(3)},
			func(a *bgp.PathAttributes) {
				a.LocalPreference, a.MED, a.ASPathPrepend = bgp.Some(200), bgp.Some(10), 3
			},
		},
		"zeros": {
			bgp.AttributeChanges{LocalPreference: bgp.Some(0), MED: bgp.Some(0), ASPathPrepend: bgp.Some(0)},
			func(a *bgp.PathAttributes) { a.LocalPreference, a.MED, a.ASPathPrepend = bgp.Some(0), bgp.Some(0), 0 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := ownAttributes
			row.want(&want)
			policy := bgp.ExportPolicyOf(bgp.ExportRule{Set: row.set})
			got, ok := policy.Apply(bgp.Path{Prefix: routeV4, Attributes: ownAttributes})
			if !ok || got != want {
				t.Errorf("got %+v, %v, want %+v", got, ok, want)
			}
		})
	}
}

func TestExportPolicyMatches(t *testing.T) {
	path := bgp.Path{Prefix: routeV4, Attributes: ownAttributes, Kinds: kindA | kindB}
	for name, row := range map[string]struct {
		rule bgp.ExportRule
		want bool
	}{
		"everything":                       {bgp.ExportRule{}, true},
		"the prefix itself":                {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("192.168.3.180/32", 32, 32)}}, true},
		"a prefix around":                  {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("192.168.3.0/24", 24, 32)}}, true},
		"a prefix around, too short":       {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("192.168.3.0/24", 24, 31)}}, false},
		"a prefix beside":                  {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("192.168.4.0/24", 24, 32)}}, false},
		"the other family":                 {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("::/0", 0, 128)}}, false},
		"one of two prefixes":              {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("::/0", 0, 128), entry("0.0.0.0/0", 0, 32)}}, true},
		"one of its kinds":                 {bgp.ExportRule{Kinds: kindB | kindC}, true},
		"another kind":                     {bgp.ExportRule{Kinds: kindC}, false},
		"one of its communities":           {bgp.ExportRule{Communities: communities(2, 7)}, true},
		"another community":                {bgp.ExportRule{Communities: communities(7, 22)}, false},
		"all of three":                     {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("0.0.0.0/0", 0, 32)}, Kinds: kindA, Communities: communities(1)}, true},
		"the kind but not the community":   {bgp.ExportRule{Kinds: kindA, Communities: communities(7)}, false},
		"the prefix but not the kind":      {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("0.0.0.0/0", 0, 32)}, Kinds: kindC}, false},
		"the community but not the prefix": {bgp.ExportRule{Prefixes: []bgp.PrefixMatch{entry("::/0", 0, 128)}, Communities: communities(1)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			row.rule.Reject = true
			if _, out := bgp.ExportPolicyOf(row.rule).Apply(path); out == row.want {
				t.Errorf("matches: %v, want %v", !out, row.want)
			}
		})
	}
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	path := bgp.Path{Prefix: routeV4, Attributes: ownAttributes}
	policy := bgp.ExportPolicyOf(
		bgp.ExportRule{Reject: true, Kinds: kindC},
		bgp.ExportRule{Set: bgp.AttributeChanges{MED: bgp.Some(1)}},
		bgp.ExportRule{Reject: true},
		bgp.ExportRule{Set: bgp.AttributeChanges{MED: bgp.Some(2)}},
	)
	got, ok := policy.Apply(path)
	if !ok || got.MED != bgp.Some(1) {
		t.Errorf("got %+v, %v", got, ok)
	}
	path.Kinds = kindC
	if _, ok := policy.Apply(path); ok {
		t.Error("the first rule rejects the path, and it goes out")
	}
	only := bgp.ExportPolicyOf(bgp.ExportRule{Reject: true, Kinds: kindB})
	if got, ok := only.Apply(path); !ok || got != ownAttributes {
		t.Errorf("a path that no rule matches goes out as %+v, %v", got, ok)
	}
}

// Export rules come before what the kind of session forbids, whatever they set.
func TestExportRulesSetWhatTheSessionAllows(t *testing.T) {
	policy := bgp.ExportPolicyOf(bgp.ExportRule{Set: bgp.AttributeChanges{LocalPreference: bgp.Some(7), ASPathPrepend: bgp.Some(4), MED: bgp.Some(9)}})
	for name, row := range map[string]func(c *exportCase){
		"eBGP": func(c *exportCase) { c.want.ASPath.Length = 5 },
		"iBGP": func(c *exportCase) { c.internal(); c.want.LocalPreference = bgp.Some(7) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newExportCase()
			row(c)
			c.peer.Export, c.want.MED = policy, bgp.Some(9)
			if got, ok := bgp.Export(c.peer, c.path); !ok || got != c.want {
				t.Errorf("Export returned %+v, %v, want %+v", got, ok, c.want)
			}
			c.peer.Export = bgp.ExportPolicyOf(bgp.ExportRule{Reject: true})
			if got, ok := bgp.Export(c.peer, c.path); ok {
				t.Errorf("Export returned %+v, want nothing", got)
			}
		})
	}
}

func drawRules(t *rapid.T) []bgp.ExportRule {
	some := func(t *rapid.T, what string) bgp.Communities {
		return communities(rapid.SliceOfN(rapid.Uint32Range(0, 2), 0, 2).Draw(t, what)...)
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) bgp.ExportRule {
		rule := bgp.ExportRule{
			Reject: rapid.Bool().Draw(t, "reject"), Kinds: bgp.Kinds(rapid.Uint8Range(0, 3).Draw(t, "kinds")), Communities: some(t, "communities"),
		}
		if rapid.Bool().Draw(t, "prefixes") {
			rule.Prefixes = []bgp.PrefixMatch{entry("10.0.0.0/8", 8, rapid.Uint8Range(8, 9).Draw(t, "le"))}
		}
		if rapid.Bool().Draw(t, "set") {
			rule.Set = bgp.AttributeChanges{
				ReplaceCommunities: rapid.Bool().Draw(t, "replace"), AddCommunities: some(t, "add"),
				MED: bgp.Optional{Set: rapid.Bool().Draw(t, "med")},
			}
		}
		return rule
	}), 0, 3).Draw(t, "rules")
}

func same(a, b bgp.ExportRule) bool {
	return a.Reject == b.Reject && slices.Equal(a.Prefixes, b.Prefixes) && a.Kinds == b.Kinds && a.Communities == b.Communities && a.Set == b.Set
}

// TestPoliciesAreEqualWhereTheirRulesAre is what peers are compared by.
func TestPoliciesAreEqualWhereTheirRulesAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRules(t), drawRules(t)
		if rapid.Bool().Draw(t, "same") {
			b = slices.Clone(a)
		}
		one, other := bgp.ExportPolicyOf(a...), bgp.ExportPolicyOf(b...)
		if (one == other) != slices.EqualFunc(a, b, same) {
			t.Fatalf("%s == %s is %v", one, other, one == other)
		}
		if !slices.EqualFunc(slices.Collect(one.Rules()), a, same) {
			t.Fatalf("%s was made of %v", one, a)
		}
		if one.IsZero() != (len(a) == 0) {
			t.Fatalf("IsZero of %s is %v", one, one.IsZero())
		}
	})
}

// TestPoliciesReadInWords pins what stands in logs.
func TestPoliciesReadInWords(t *testing.T) {
	policy := bgp.ExportPolicyOf(
		bgp.ExportRule{Reject: true, Prefixes: []bgp.PrefixMatch{entry("10.0.0.0/8", 8, 32)}, Kinds: kindB, Communities: communities(1, 2)},
		bgp.ExportRule{},
	)
	const want = "[reject 10.0.0.0/8{8,32} kinds=0010 communities=64512:1 64512:2; accept]"
	if got := fmt.Sprint(policy); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// BenchmarkExportPolicy applies the largest policy that the API takes to 10,000 paths, none of which any but its last rule
// matches.
func BenchmarkExportPolicy(b *testing.B) {
	var rules []bgp.ExportRule
	for i := range 32 {
		var entries []bgp.PrefixMatch
		for j := range 32 {
			entries = append(entries, entry(fmt.Sprintf("172.%d.%d.0/24", i, j), 24, 32))
		}
		rules = append(rules, bgp.ExportRule{Reject: true, Prefixes: entries})
	}
	few := []bgp.ExportRule{{Reject: true, Kinds: kindA}, {Communities: communities(1), Set: bgp.AttributeChanges{MED: bgp.Some(1)}}}
	for name, policy := range map[string]bgp.ExportPolicy{
		"none": {}, "2 rules": bgp.ExportPolicyOf(few...), "32 rules of 32 prefixes": bgp.ExportPolicyOf(rules...),
	} {
		b.Run(name, func(b *testing.B) {
			paths := make([]bgp.Path, 10_000)
			for i := range paths {
				addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
				paths[i] = bgp.Path{Prefix: netip.PrefixFrom(addr, 32), Kinds: kindB, Attributes: ownAttributes}
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, path := range paths {
					if _, ok := policy.Apply(path); !ok {
						b.Fatal("rejected")
					}
				}
			}
		})
	}
}
