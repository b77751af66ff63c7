package tour

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseRoutes(t *testing.T) {
	addr := netip.MustParseAddr
	have := parseRoutes(`10.49.0.0/16 proto bird metric 32 
	nexthop via 192.168.1.12 dev rack weight 1 
	nexthop via 192.168.1.11 dev rack weight 1 
10.49.62.131 via 192.168.1.12 dev rack proto bird metric 32 
192.168.3.0/24 nhid 12 proto bgp metric 20 
	nexthop via 192.168.1.13 dev rack weight 1 
192.168.1.0/24 dev rack proto kernel scope link src 192.168.1.1 
default via 192.168.1.1 dev eth0 
2001:db8:3::180 via fd00::11 dev rack proto bird metric 32 pref medium
`)
	want := routes{
		netip.MustParsePrefix("10.49.0.0/16"):        {addr("192.168.1.11"), addr("192.168.1.12")},
		netip.MustParsePrefix("10.49.62.131/32"):     {addr("192.168.1.12")},
		netip.MustParsePrefix("192.168.3.0/24"):      {addr("192.168.1.13")},
		netip.MustParsePrefix("192.168.1.0/24"):      nil,
		netip.MustParsePrefix("2001:db8:3::180/128"): {addr("fd00::11")},
	}
	compare := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(want, have, compare); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestQuote(t *testing.T) {
	for _, row := range []struct {
		argv []string
		want string
	}{
		{[]string{"ip", "route"}, "ip route"},
		{[]string{"kubectl", "patch", "-p", `{"spec":{}}`}, `kubectl patch -p '{"spec":{}}'`},
		{[]string{"echo", "it's", ""}, `echo 'it'\''s' ''`},
	} {
		if have := quote(row.argv); have != row.want {
			t.Errorf("quote(%q) = %s, want %s", row.argv, have, row.want)
		}
	}
}
