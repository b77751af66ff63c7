package bgp_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/herald-network/herald/internal/core/bgp"
)

func TestRouterIDFromName(t *testing.T) {
	first, last := netip.MustParseAddr("1.0.0.0"), netip.MustParseAddr("223.255.255.255")
	names := map[netip.Addr]string{}
	for i := range 5000 {
		name := fmt.Sprintf("node-%d", i)
		id := bgp.RouterIDFromName(name)
		if id.Less(first) || last.Less(id) {
			t.Fatalf("%s has the router ID %s, outside %s-%s", name, id, first, last)
		}
		if other, taken := names[id]; taken {
			t.Errorf("%s and %s have the router ID %s", other, name, id)
		}
		names[id] = name
	}
	// A node keeps its identifier for life, across releases too.
	if got, want := bgp.RouterIDFromName("node-1"), netip.MustParseAddr("139.187.2.74"); got != want {
		t.Errorf("node-1 has the router ID %s, and had %s", got, want)
	}
}
