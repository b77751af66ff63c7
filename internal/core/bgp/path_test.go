package bgp_test

import (
	"net/netip"
	"testing"

	"github.com/herald-network/herald/internal/core/bgp"
)

var (
	nodeIPv4 = netip.MustParseAddr("192.168.1.11")
	nodeIPv6 = netip.MustParseAddr("2001:db8:1::11")
	routeV4  = netip.MustParsePrefix("192.168.3.180/32")
	routeV6  = netip.MustParsePrefix("2001:db8:3::180/128")
)

// exportCase is a peer and a path, and what the session sends.
type exportCase struct {
	peer bgp.Peer
	path bgp.Path
	want bgp.Advertisement
}

// newExportCase is an eBGP session over IPv4 that carries both families, and an IPv4 path with every attribute.
func newExportCase() *exportCase {
	community := bgp.CommunitiesOf(bgp.Community{Global: 64512, Data1: 666})
	return &exportCase{
		peer: bgp.Peer{
			Address: netip.MustParseAddrPort("192.168.1.1:179"), ASN: 64601, LocalASN: 64512,
			Families:    bgp.FamiliesOf(bgp.IPv4, bgp.IPv6),
			NextHopIPv4: nodeIPv4, NextHopIPv6: nodeIPv6,
		},
		path: bgp.Path{Prefix: routeV4, Attributes: bgp.PathAttributes{
			Communities: community, LocalPreference: bgp.Some(200), MED: bgp.Some(0), ASPathPrepend: 2,
		}},
		want: bgp.Advertisement{
			Prefix: routeV4, NextHop: nodeIPv4, ASPath: bgp.ASPath{ASN: 64512, Length: 3}, Communities: community, MED: bgp.Some(0),
		},
	}
}

func (c *exportCase) internal() {
	c.peer.ASN = c.peer.LocalASN
	c.want.ASPath = bgp.ASPath{}
	c.want.LocalPreference = bgp.Some(200)
}

func TestExport(t *testing.T) {
	rows := map[string]func(c *exportCase){
		"eBGP prepends, and sends no local preference": func(*exportCase) {},
		"eBGP without prepending sends its own AS once": func(c *exportCase) {
			c.path.Attributes.ASPathPrepend = 0
			c.want.ASPath.Length = 1
		},
		"iBGP sends the local preference, and an empty AS path": func(c *exportCase) { c.internal() },
		"iBGP sends the default local preference where none is set": func(c *exportCase) {
			c.internal()
			c.path.Attributes.LocalPreference = bgp.Optional{}
			c.want.LocalPreference = bgp.Some(bgp.DefaultLocalPreference)
		},
		"iBGP sends a local preference of 0": func(c *exportCase) {
			c.internal()
			c.path.Attributes.LocalPreference = bgp.Some(0)
			c.want.LocalPreference = bgp.Some(0)
		},
		"without attributes nothing is sent of them": func(c *exportCase) {
			c.path.Attributes = bgp.PathAttributes{}
			c.want = bgp.Advertisement{Prefix: routeV4, NextHop: nodeIPv4, ASPath: bgp.ASPath{ASN: 64512, Length: 1}}
		},
		"the other family has its own next hop": func(c *exportCase) {
			c.path.Prefix, c.want.Prefix, c.want.NextHop = routeV6, routeV6, nodeIPv6
		},
		"IPv4 over an IPv6 session has the IPv4 next hop": func(c *exportCase) {
			c.peer.Address = netip.MustParseAddrPort("[2001:db8:1::1]:179")
		},
		"the session's own address is the next hop of its family where none is given": func(c *exportCase) {
			c.peer.NextHopIPv4 = netip.Addr{}
			c.want.NextHop = netip.IPv4Unspecified()
		},
		"the session's own address is the next hop of its family, IPv6 too": func(c *exportCase) {
			c.peer.Address, c.peer.NextHopIPv6 = netip.MustParseAddrPort("[2001:db8:1::1]:179"), netip.Addr{}
			c.path.Prefix, c.want.Prefix, c.want.NextHop = routeV6, routeV6, netip.IPv6Unspecified()
		},
		"draining on eBGP says so in a community, beside the path's own": func(c *exportCase) {
			c.peer.Draining = true
			c.want.Communities = bgp.CommunitiesOf(bgp.Community{Global: 65535}, bgp.Community{Global: 64512, Data1: 666})
		},
		"draining on iBGP gives the path the lowest local preference too": func(c *exportCase) {
			c.internal()
			c.peer.Draining = true
			c.want.Communities = bgp.CommunitiesOf(bgp.Community{Global: 65535}, bgp.Community{Global: 64512, Data1: 666})
			c.want.LocalPreference = bgp.Some(0)
		},
		"draining comes after the export rules, which can't give the path any preference back": func(c *exportCase) {
			c.internal()
			c.peer.Draining = true
			c.peer.Export = bgp.ExportPolicyOf(bgp.ExportRule{Set: bgp.AttributeChanges{
				LocalPreference: bgp.Some(300), MED: bgp.Some(7), AddCommunities: bgp.CommunitiesOf(bgp.Community{Global: 1, Data1: 2}),
			}})
			c.want.Communities = bgp.CommunitiesOf(
				bgp.Community{Global: 65535}, bgp.Community{Global: 64512, Data1: 666}, bgp.Community{Global: 1, Data1: 2})
			c.want.LocalPreference, c.want.MED = bgp.Some(0), bgp.Some(7)
		},
		"draining a path that has the community already, and nothing else": func(c *exportCase) {
			c.peer.Draining = true
			c.path.Attributes = bgp.PathAttributes{Communities: bgp.CommunitiesOf(bgp.Community{Global: 65535})}
			c.want.Communities, c.want.MED, c.want.ASPath.Length = c.path.Attributes.Communities, bgp.Optional{}, 1
		},
		"IPv4 over an IPv6 session has the IPv6 next hop where the node has no IPv4 address": func(c *exportCase) {
			c.peer.Address, c.peer.NextHopIPv4 = netip.MustParseAddrPort("[2001:db8:1::1]:179"), netip.Addr{}
			c.want.NextHop = nodeIPv6
		},
		"a link-local peer has the session's own address": func(c *exportCase) {
			c.peer.Address = netip.MustParseAddrPort("[fe80::1%eth0]:179")
			c.path.Prefix, c.want.Prefix, c.want.NextHop = routeV6, routeV6, netip.IPv6Unspecified()
		},
		"a link-local peer has the node's IPv4 address for IPv4": func(c *exportCase) {
			c.peer.Address = netip.MustParseAddrPort("[fe80::1%eth0]:179")
		},
		"a link-local peer has the session's own address for IPv4 too where the node has none": func(c *exportCase) {
			c.peer.Address, c.peer.NextHopIPv4 = netip.MustParseAddrPort("[fe80::1%eth0]:179"), netip.Addr{}
			c.want.NextHop = netip.IPv6Unspecified()
		},
	}
	for name, given := range rows {
		t.Run(name, func(t *testing.T) {
			c := newExportCase()
			given(c)
			got, ok := bgp.Export(c.peer, c.path)
			if !ok || got != c.want {
				t.Errorf("Export returned %+v, %v, want %+v", got, ok, c.want)
			}
		})
	}
}

func TestExportLeavesOut(t *testing.T) {
	rows := map[string]func(c *exportCase){
		"a family that the session does not carry":            func(c *exportCase) { c.peer.Families = bgp.FamiliesOf(bgp.IPv6) },
		"the other family of a node without an address of it": func(c *exportCase) { c.path.Prefix, c.peer.NextHopIPv6 = routeV6, netip.Addr{} },
	}
	for name, given := range rows {
		t.Run(name, func(t *testing.T) {
			c := newExportCase()
			given(c)
			if got, ok := bgp.Export(c.peer, c.path); ok {
				t.Errorf("Export returned %+v, want nothing", got)
			}
		})
	}
}
