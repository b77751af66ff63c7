package gobgp_test

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	. "github.com/onsi/gomega"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
)

// TestAttributesOnTheWire says what an UPDATE carries, by kind of session, in full: it does not ask bgp.Export.
func TestAttributesOnTheWire(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("2001:db8:1::11")
	colors := bgp.CommunitiesOf(
		bgp.Community{Global: 64512, Data1: 1}, bgp.Community{Global: 64512, Data1: 666},
		bgp.Community{Large: true, Global: 4200000000, Data1: 1, Data2: 2})
	attributes := bgp.PathAttributes{
		Communities: colors, LocalPreference: bgp.Some(200), MED: bgp.Some(10), ASPathPrepend: 2,
	}
	for name, test := range map[string]struct {
		address   string
		asn       bgp.ASN
		twoByteAS bool
		edit      func(*bgp.Peer)
		path      bgp.PathAttributes
		want      bgp.Advertisement
	}{
		"iBGP": {
			address: "127.0.0.2", asn: 64512,
			want: bgp.Advertisement{LocalPreference: bgp.Some(100)},
		},
		"iBGP with attributes: no prepending": {
			address: "127.0.0.2", asn: 64512, path: attributes,
			want: bgp.Advertisement{LocalPreference: bgp.Some(200), MED: bgp.Some(10), Communities: colors},
		},
		"eBGP": {
			address: "127.0.0.2", asn: 64513,
			want: bgp.Advertisement{ASPath: bgp.ASPath{ASN: 64512, Length: 1}},
		},
		"eBGP with attributes: no local preference": {
			address: "127.0.0.2", asn: 64513, path: attributes,
			want: bgp.Advertisement{ASPath: bgp.ASPath{ASN: 64512, Length: 3}, MED: bgp.Some(10), Communities: colors},
		},
		"a MED of 0 is a value": {
			address: "127.0.0.2", asn: 64513, path: bgp.PathAttributes{MED: bgp.Some(0)},
			want: bgp.Advertisement{ASPath: bgp.ASPath{ASN: 64512, Length: 1}, MED: bgp.Some(0)},
		},
		"AS numbers of four bytes": {
			address: "127.0.0.2", asn: 4200000001, path: attributes,
			edit: func(p *bgp.Peer) { p.LocalASN = 4200000000 },
			want: bgp.Advertisement{ASPath: bgp.ASPath{ASN: 4200000000, Length: 3}, MED: bgp.Some(10), Communities: colors},
		},
		"a peer that knows two bytes only": {
			address: "127.0.0.2", asn: 64513, twoByteAS: true,
			want: bgp.Advertisement{ASPath: bgp.ASPath{ASN: 64512, Length: 1}},
		},
		"the session's own AS is all that the path shows": {
			address: "127.0.0.2", asn: 64512,
			edit: func(p *bgp.Peer) { p.LocalASN = 64700 },
			want: bgp.Advertisement{ASPath: bgp.ASPath{ASN: 64700, Length: 1}},
		},
		"over an IPv6 session": {
			address: "::1", asn: 64513,
			edit: func(p *bgp.Peer) { p.SourceAddress = netip.IPv6Loopback() },
			want: bgp.Advertisement{ASPath: bgp.ASPath{ASN: 64512, Length: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := helper(test.asn)
			config.TwoByteAS = test.twoByteAS
			router := newRouter(t, test.address, config)
			s := newSpeaker(t, gobgp.Options{})
			peer := peerOf("tor", router)
			if test.edit != nil {
				test.edit(&peer)
			}
			routes := paths("10.0.0.1/32", "10.49.0.0/16", "2001:db8::1/128", "2001:db8:3::/48")
			want := map[netip.Prefix]bgp.Advertisement{}
			for i := range routes {
				routes[i].Attributes = test.path
				out := test.want
				out.Prefix, out.NextHop = routes[i].Prefix, v4
				if out.Prefix.Addr().Is6() {
					out.NextHop = v6
				}
				want[out.Prefix] = out
			}
			run(t, s, addPeers(peer), plan.Routes(routes, nil))
			diff := func() string {
				return cmp.Diff(want, router.table(), cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, bgp.Communities{}))
			}
			NewWithT(t).Eventually(diff, patience, tick).Should(BeEmpty(), "routes (-want +got)")
		})
	}
}

func TestSourceAddressLeftToTheKernelIsTheNextHop(t *testing.T) {
	for name, test := range map[string]struct {
		address string
		edit    func(*bgp.Peer)
		want    map[netip.Prefix]netip.Addr
	}{
		"IPv4": {"127.0.0.2", func(p *bgp.Peer) { p.NextHopIPv4 = netip.Addr{} }, map[netip.Prefix]netip.Addr{
			prefix("10.0.0.1/32"): netip.MustParseAddr("127.0.0.1"), prefix("2001:db8::1/128"): netip.MustParseAddr("2001:db8:1::11"),
		}},
		"IPv6": {"::1", func(p *bgp.Peer) { p.NextHopIPv6 = netip.Addr{} }, map[netip.Prefix]netip.Addr{
			prefix("10.0.0.1/32"): netip.MustParseAddr("192.168.1.11"), prefix("2001:db8::1/128"): netip.MustParseAddr("::1"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			router := newRouter(t, test.address, helper(64513))
			s := newSpeaker(t, gobgp.Options{})
			peer := peerOf("tor", router, test.edit, func(p *bgp.Peer) { p.SourceAddress = netip.Addr{} })
			run(t, s, addPeers(peer), plan.Routes(paths("10.0.0.1/32", "2001:db8::1/128"), nil))
			nextHops := func() map[netip.Prefix]netip.Addr {
				got := map[netip.Prefix]netip.Addr{}
				for prefix, route := range router.table() {
					got[prefix] = route.NextHop
				}
				return got
			}
			NewWithT(t).Eventually(nextHops, patience, tick).Should(Equal(test.want))
			if got, want := session(s, "tor").LocalAddress, test.want[prefix("10.0.0.1/32")]; name == "IPv4" && got != want {
				t.Errorf("local address %s, want %s", got, want)
			}
		})
	}
}

func TestOnlyNegotiatedFamiliesAreSent(t *testing.T) {
	config := helper(64513)
	config.Families = bgp.FamiliesOf(bgp.IPv4)
	router := newRouter(t, "127.0.0.2", config)
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router)), plan.Routes(paths("10.0.0.1/32", "2001:db8::1/128"), nil))
	eventuallyEstablished(t, s, "tor", 0)
	NewWithT(t).Eventually(router.table, patience, tick).Should(HaveLen(1))
	got := session(s, "tor")
	if got.Families != config.Families || got.Advertised != 1 || s.Observe().RoutesIPv6 != 0 {
		t.Errorf("session %+v, IPv6 routes %d", got, s.Observe().RoutesIPv6)
	}
}

func TestOpenDoesNotTellTheHost(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router)))
	eventuallyEstablished(t, s, "tor", 0)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, capability := range router.last().capabilities() {
		if code := capability.Code(); code == packet.BGP_CAP_FQDN || code == packet.BGP_CAP_SOFT_VERSION {
			t.Errorf("the OPEN has capability %s (the host is %s)", code, host)
		}
	}
}

func TestHoldTimeIsTheLowerOfBoth(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ router, want time.Duration }{
		"the router's":         {9 * time.Second, 9 * time.Second},
		"ours":                 {240 * time.Second, 90 * time.Second},
		"none, as it asks for": {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			config := helper(64512)
			config.HoldTime = test.router
			router := newRouter(t, "127.0.0.2", config)
			s := newSpeaker(t, gobgp.Options{})
			peer := peerOf("tor", router)
			run(t, s, addPeers(peer), plan.Routes(paths("10.0.0.1/32"), nil))
			eventuallyConsistent(t, s, router, peer, paths("10.0.0.1/32"))
			if got := session(s, "tor").HoldTime; got != test.want {
				t.Errorf("hold time %s, want %s", got, test.want)
			}
		})
	}
}

// A session without hold time gets no KEEPALIVE after the first, and none is missed.
func TestSessionWithoutHoldTimeOutlivesOurs(t *testing.T) {
	t.Parallel()
	config := helper(64512)
	config.HoldTime = 0
	router := newRouter(t, "127.0.0.2", config)
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router, shortHoldTime)))
	eventuallyEstablished(t, s, "tor", 0)
	NewWithT(t).Consistently(func() int { return session(s, "tor").Flaps }, 4*time.Second, 100*tick).Should(BeZero())
	if n := router.last().keepaliveCount(); n != 1 {
		t.Errorf("%d KEEPALIVEs, want 1", n)
	}
}
