package ipam_test

import (
	"net/netip"
	"testing"
	"time"

	"go4.org/netipx"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

// Whoever writes what a Decision says may ask again before the write is answered: the answer is the same.
func TestAPromiseOfAnotherAddressStands(t *testing.T) {
	t.Parallel()
	pool := func(name, addresses string) ipam.Pool {
		var b netipx.IPSetBuilder
		b.AddPrefix(netip.MustParsePrefix(addresses))
		set, err := b.IPSet()
		if err != nil {
			t.Fatal(err)
		}
		return ipam.Pool{Name: name, Addresses: set, Namespaces: labels.Everything(), Services: labels.Everything()}
	}
	now := time.Unix(3600, 0)
	table := ipam.NewTable()
	table.Configure(ipam.Config{
		Pools:                []ipam.Pool{pool("old", "192.168.4.0/30"), pool("new", "192.168.5.0/30")},
		LoadBalancerIPBlocks: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")},
	}, now)
	web := ipam.Service{
		Key: advertise.ServiceKey{Namespace: "default", Name: "web"}, Created: now, Wants: advertise.LoadBalancerIP, Families: []bgp.Family{bgp.IPv4},
		Assigned: []advertise.Address{{Addr: netip.MustParseAddr("192.168.4.0"), Kind: advertise.LoadBalancerIP}},
		Request:  ipam.Request{Pool: "new"},
	}
	table.SetService(web, now)
	for range 3 {
		table.Serve(now)
		decision := table.Decide(web.Key, now)
		if len(decision.Assigned) != 1 || decision.Assigned[0].Address != netip.MustParseAddr("192.168.5.0") {
			t.Fatalf("the decision is %+v, want 192.168.5.0 each time", decision)
		}
	}
}
