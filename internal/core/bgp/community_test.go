package bgp_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/bgp"
)

func TestParseCommunity(t *testing.T) {
	rows := map[string]struct {
		text string
		want bgp.Community
	}{
		"standard":              {"64512:666", bgp.Community{Global: 64512, Data1: 666}},
		"standard, the highest": {"65535:65535", bgp.Community{Global: 65535, Data1: 65535}},
		"standard, zero":        {"0:0", bgp.Community{}},
		"large":                 {"4200000000:1:2", bgp.Community{Large: true, Global: 4200000000, Data1: 1, Data2: 2}},
		"large, the highest":    {"4294967295:4294967295:4294967295", bgp.Community{Large: true, Global: 1<<32 - 1, Data1: 1<<32 - 1, Data2: 1<<32 - 1}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got, err := bgp.ParseCommunity(row.text)
			if err != nil || got != row.want {
				t.Fatalf("ParseCommunity(%q) = %+v, %v, want %+v", row.text, got, err, row.want)
			}
			if got.String() != row.text {
				t.Errorf("String() = %q, want %q", got.String(), row.text)
			}
		})
	}
}

func TestParseCommunityRefuses(t *testing.T) {
	rows := map[string]string{
		"nothing":                     "",
		"one number":                  "666",
		"four numbers":                "1:2:3:4",
		"a name":                      "no-export",
		"a standard part over 16 bit": "65536:1",
		"a large part over 32 bit":    "4294967296:1:2",
		"a leading zero":              "064512:666",
		"a sign":                      "+1:666",
		"a space":                     "64512: 666",
		"an empty part":               "64512:",
		"a hexadecimal number":        "0x1:2",
	}
	for name, text := range rows {
		t.Run(name, func(t *testing.T) {
			if got, err := bgp.ParseCommunity(text); err == nil {
				t.Errorf("ParseCommunity(%q) = %+v, want an error", text, got)
			}
		})
	}
}

func TestCommunityValueIsTheWireFormat(t *testing.T) {
	if got := (bgp.Community{Global: 0xFFFF, Data1: 0x029A}).Value(); got != 0xFFFF029A {
		t.Errorf("Value() = %#x, want 0xffff029a", got)
	}
}

func TestCommunitiesAreASet(t *testing.T) {
	member := rapid.Custom(func(t *rapid.T) bgp.Community {
		if rapid.Bool().Draw(t, "large") {
			number := rapid.Uint32Range(0, 2)
			return bgp.Community{Large: true, Global: number.Draw(t, "global"), Data1: number.Draw(t, "data1"), Data2: number.Draw(t, "data2")}
		}
		return bgp.Community{Global: rapid.Uint32Range(8, 11).Draw(t, "global"), Data1: rapid.Uint32Range(0, 2).Draw(t, "data")}
	})
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOf(member).Draw(t, "members")
		shuffled := rapid.Permutation(members).Draw(t, "shuffled")
		set := bgp.CommunitiesOf(members...)
		if set != bgp.CommunitiesOf(append(shuffled, members...)...) {
			t.Fatalf("%v and, in another order and twice, %v differ", members, shuffled)
		}
		all := slices.Collect(set.All())
		for _, m := range members {
			if !slices.Contains(all, m) {
				t.Fatalf("%v lacks %v", all, m)
			}
		}
		for i, m := range all {
			if !slices.Contains(members, m) || slices.Contains(all[:i], m) {
				t.Fatalf("%v has %v, which is not a member or was there before", all, m)
			}
			if i > 0 && (all[i-1].Large && !m.Large || all[i-1].Large == m.Large && all[i-1].Global > m.Global) {
				t.Fatalf("%v is not in order", all)
			}
		}
	})
}

func TestNoCommunitiesAreTheZeroValue(t *testing.T) {
	if bgp.CommunitiesOf() != (bgp.Communities{}) || (bgp.Communities{}).String() != "" {
		t.Error("the set of no communities is not the zero value")
	}
	for c := range (bgp.Communities{}).All() {
		t.Errorf("the zero value yields %v", c)
	}
}

func FuzzParseCommunity(f *testing.F) {
	for _, text := range []string{"64512:666", "1:2:3", "65535:65535", "4294967295:0:0", "65536:1", "01:2", "+1:2", ":", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		community, err := bgp.ParseCommunity(text)
		if err != nil {
			return
		}
		if community.String() != text {
			t.Errorf("ParseCommunity(%q) = %v: not the one text of one community", text, community)
		}
		if !community.Large && (community.Global > 65535 || community.Data1 > 65535 || community.Data2 != 0) {
			t.Errorf("ParseCommunity(%q) = %+v: not on the wire in 32 bits", text, community)
		}
	})
}

func TestCommunitiesAsSets(t *testing.T) {
	for name, row := range map[string]struct {
		a, b, with bgp.Communities
		intersect  bool
	}{
		"both empty":        {},
		"one empty":         {a: communities(1), with: communities(1)},
		"equal":             {communities(1, 2), communities(2, 1), communities(1, 2), true},
		"one in the other":  {communities(1, 2, 3), communities(2), communities(1, 2, 3), true},
		"one in common":     {communities(1, 2), communities(2, 3), communities(1, 2, 3), true},
		"none in common":    {communities(1), communities(2), communities(1, 2), false},
		"one text in one":   {communities(1), communities(11), communities(1, 11), false},
		"standard or large": {communities(1), bgp.CommunitiesOf(bgp.Community{Large: true, Global: 64512, Data1: 1}), bgp.CommunitiesOf(community(1), bgp.Community{Large: true, Global: 64512, Data1: 1}), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := row.a.Intersects(row.b); got != row.intersect || row.b.Intersects(row.a) != got {
				t.Errorf("Intersects: %v, want %v", got, row.intersect)
			}
			if got := row.a.With(row.b); got != row.with || row.b.With(row.a) != got {
				t.Errorf("With: %s, want %s", got, row.with)
			}
		})
	}
}
