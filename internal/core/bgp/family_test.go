package bgp_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/herald-network/herald/internal/core/bgp"
)

func TestFamilyOf(t *testing.T) {
	rows := map[string]struct {
		address netip.Addr
		want    bgp.Family
		bits    int
		name    string
	}{
		"IPv4":             {netip.MustParseAddr("192.168.1.1"), bgp.IPv4, 32, "IPv4"},
		"IPv6":             {netip.MustParseAddr("2001:db8::1"), bgp.IPv6, 128, "IPv6"},
		"link-local":       {netip.MustParseAddr("fe80::1%eth0"), bgp.IPv6, 128, "IPv6"},
		"IPv4-mapped IPv6": {netip.MustParseAddr("::ffff:192.168.1.1"), bgp.IPv4, 32, "IPv4"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got := bgp.FamilyOf(row.address)
			if got != row.want || got.Bits() != row.bits || got.String() != row.name {
				t.Errorf("FamilyOf(%s) = %s with %d bits, want %s with %d", row.address, got, got.Bits(), row.name, row.bits)
			}
		})
	}
	if got := bgp.FamilyOf(netip.Addr{}); got != 0 || got.String() != "none" {
		t.Errorf("the zero Addr is of family %s, want none", got)
	}
}

func TestFamilies(t *testing.T) {
	rows := map[string]struct {
		set  bgp.Families
		want []bgp.Family
		text string
	}{
		"none":  {bgp.FamiliesOf(), nil, ""},
		"IPv4":  {bgp.FamiliesOf(bgp.IPv4), []bgp.Family{bgp.IPv4}, "IPv4"},
		"IPv6":  {bgp.FamiliesOf(bgp.IPv6), []bgp.Family{bgp.IPv6}, "IPv6"},
		"both":  {bgp.FamiliesOf(bgp.IPv6, bgp.IPv4), []bgp.Family{bgp.IPv4, bgp.IPv6}, "IPv4,IPv6"},
		"twice": {bgp.FamiliesOf(bgp.IPv4, bgp.IPv4), []bgp.Family{bgp.IPv4}, "IPv4"},
	}
	if got := bgp.FamiliesOf(0); got != bgp.FamiliesOf() {
		t.Errorf("the set of the zero family is %d, want the empty one", got)
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			if got := slices.Collect(row.set.All()); !slices.Equal(got, row.want) || row.set.String() != row.text {
				t.Errorf("All() = %v, String() = %q, want %v, %q", got, row.set, row.want, row.text)
			}
			for _, f := range []bgp.Family{0, bgp.IPv4, bgp.IPv6} {
				if got := row.set.Has(f); got != slices.Contains(row.want, f) {
					t.Errorf("Has(%s) = %v", f, got)
				}
			}
		})
	}
}
