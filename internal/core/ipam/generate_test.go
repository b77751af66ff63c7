package ipam_test

import (
	"net/netip"
	"time"

	"go4.org/netipx"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/ipam"
)

func labelSet(m map[string]string) labels.Set { return labels.Set(m) }

func ipSet(texts ...string) *netipx.IPSet {
	var b netipx.IPSetBuilder
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			b.AddPrefix(prefix)
			continue
		}
		if r, err := netipx.ParseIPRange(text); err == nil {
			b.AddRange(r)
			continue
		}
		b.Add(netip.MustParseAddr(text))
	}
	set, err := b.IPSet()
	if err != nil {
		panic(err)
	}
	return set
}

// everyAddress lists a small set, in order.
func everyAddress(set *netipx.IPSet) []netip.Addr {
	var all []netip.Addr
	for _, r := range set.Ranges() {
		for a := r.From(); a.IsValid() && !r.To().Less(a); a = a.Next() {
			all = append(all, a)
		}
	}
	return all
}

// The generators draw from few Services and addresses, so that they collide.
var (
	someAddresses = rapid.SampledFrom(everyAddress(ipSet("10.0.0.0/29", "2001:db8::/126", "255.255.255.255")))
	someRanges    = rapid.SampledFrom([]string{
		"10.0.0.0/30", "10.0.0.2-10.0.0.5", "10.0.0.6", "10.0.0.4-10.0.0.5", "2001:db8::-2001:db8::1", "2001:db8::/126", "255.255.255.254-255.255.255.255",
	})
	someBlocks = rapid.SliceOfNDistinct(rapid.SampledFrom([]netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/30"), netip.MustParsePrefix("10.0.0.1/32"),
		netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2001:db8::2/127"), netip.MustParsePrefix("0.0.0.0/0"),
	}), 0, 4, rapid.ID[netip.Prefix])
	someSelectors = rapid.SampledFrom([]labels.Selector{labels.Everything(), labels.Everything(), labels.Everything(), labels.SelectorFromSet(labels.Set{"tier": "gold"})})
	someLabels    = rapid.SampledFrom([]map[string]string{nil, {"tier": "gold"}})
	someConfigs   = rapid.Custom(func(t *rapid.T) ipam.Config {
		config := ipam.Config{ExternalIPBlocks: someBlocks.Draw(t, "external"), LoadBalancerIPBlocks: someBlocks.Draw(t, "load balancer")}
		if rapid.Bool().Draw(t, "all blocks") {
			everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
			config.ExternalIPBlocks, config.LoadBalancerIPBlocks = everything, everything
		}
		for _, name := range []string{"a", "b", "c"}[:rapid.IntRange(0, 3).Draw(t, "pools")] {
			config.Pools = append(config.Pools, ipam.Pool{
				Name:       name,
				Addresses:  ipSet(rapid.SliceOfN(someRanges, 1, 3).Draw(t, "addresses")...),
				OnRequest:  rapid.IntRange(0, 4).Draw(t, "on request") == 4,
				Namespaces: someSelectors.Draw(t, "namespaces"),
				Services:   someSelectors.Draw(t, "services"),
				Priority:   rapid.Int32Range(0, 1).Draw(t, "priority"),
				Closed:     rapid.SampledFrom([]string{"", "", "", "it is being deleted"}).Draw(t, "closed"),
			})
		}
		return config
	})
	someKeys = rapid.Custom(func(t *rapid.T) advertise.ServiceKey {
		return advertise.ServiceKey{
			Namespace: rapid.SampledFrom([]string{"default", "shop"}).Draw(t, "namespace"),
			Name:      rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"),
		}
	})
	someFamilies = rapid.SampledFrom([][]bgp.Family{{bgp.IPv4}, {bgp.IPv4}, {bgp.IPv6}, {bgp.IPv4, bgp.IPv6}, {bgp.IPv6, bgp.IPv4}})
	somePorts    = rapid.SampledFrom([][]ipam.Port{{{Protocol: "TCP", Number: 80}}, {{Protocol: "UDP", Number: 80}}, {{Protocol: "TCP", Number: 80}, {Protocol: "TCP", Number: 443}}})
	someRequests = rapid.Custom(func(t *rapid.T) ipam.Request {
		var r ipam.Request
		if rapid.IntRange(0, 3).Draw(t, "names addresses") == 0 {
			r.Addresses = rapid.SliceOfNDistinct(someAddresses, 1, 2, bgp.FamilyOf).Draw(t, "named")
		}
		r.Pool = rapid.SampledFrom([]string{"", "", "", "", "a", "b"}).Draw(t, "pool")
		r.SharingKey = rapid.SampledFrom([]string{"", "", "x"}).Draw(t, "sharing")
		r.Problem = rapid.SampledFrom([]string{"", "", "", "", "", "", "", "unreadable"}).Draw(t, "problem")
		return r
	})
	someSpecs = rapid.Custom(func(t *rapid.T) ipam.Service {
		return ipam.Service{
			Wants: rapid.SampledFrom([]advertise.Kind{
				advertise.LoadBalancerIP, advertise.LoadBalancerIP, advertise.LoadBalancerIP, advertise.ExternalIP, 0,
			}).Draw(t, "wants"),
			Families: someFamilies.Draw(t, "families"),
			Policy:   rapid.SampledFrom([]ipam.FamilyPolicy{ipam.RequireAll, ipam.PreferAll}).Draw(t, "policy"),
			Labels:   someLabels.Draw(t, "labels"),
			Request:  someRequests.Draw(t, "request"),
			Ports:    somePorts.Draw(t, "ports"),
			Backends: ipam.Backends{
				Policy:   rapid.SampledFrom([]advertise.Policy{advertise.Cluster, advertise.Cluster, advertise.Local}).Draw(t, "traffic policy"),
				Selector: rapid.SampledFrom([]string{"", "app=x", "app=y"}).Draw(t, "selector"),
			},
			Elsewhere: rapid.SampledFrom([]bgp.Families{0, 0, 0, 0, 0, bgp.FamiliesOf(bgp.IPv4)}).Draw(t, "elsewhere"),
			Deleting:  rapid.IntRange(0, 9).Draw(t, "deleting") == 9,
		}
	})
	somePauses = rapid.SampledFrom([]time.Duration{0, 400 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second})
)
