package gobgp

import (
	"net/netip"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/apiutil"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/core/bgp"
)

// pathOf returns an advertisement as a path of the engine's RIB. The engine itself puts the session's AS in front of the
// path once on eBGP sessions, so that the RIB holds only the extra copies.
func pathOf(a bgp.Advertisement) (*api.Path, error) {
	nlri := nlriOf(a.Prefix)
	attributes := []packet.PathAttributeInterface{
		packet.NewPathAttributeOrigin(packet.BGP_ORIGIN_ATTR_TYPE_IGP),
		asPath(a.ASPath),
	}
	if a.Prefix.Addr().Is4() && a.NextHop.Is4() {
		attributes = append(attributes, packet.NewPathAttributeNextHop(a.NextHop.String()))
	} else {
		attributes = append(attributes,
			packet.NewPathAttributeMpReachNLRI(a.NextHop.String(), []packet.AddrPrefixInterface{nlri}))
	}
	if a.MED.Set {
		attributes = append(attributes, packet.NewPathAttributeMultiExitDisc(a.MED.Value))
	}
	if a.LocalPreference.Set {
		attributes = append(attributes, packet.NewPathAttributeLocalPref(a.LocalPreference.Value))
	}
	attributes = append(attributes, communities(a.Communities)...)
	return apiutil.NewPath(nlri, false, attributes, time.Time{})
}

// withdrawalOf returns what takes a prefix's path out of the engine's RIB; the attributes play no part in it.
func withdrawalOf(prefix netip.Prefix) (*api.Path, error) {
	nlri := nlriOf(prefix)
	return apiutil.NewPath(nlri, true, nil, time.Time{})
}

func nlriOf(prefix netip.Prefix) packet.AddrPrefixInterface {
	if prefix.Addr().Is4() {
		return packet.NewIPAddrPrefix(uint8(prefix.Bits()), prefix.Addr().String())
	}
	return packet.NewIPv6AddrPrefix(uint8(prefix.Bits()), prefix.Addr().String())
}

func asPath(path bgp.ASPath) packet.PathAttributeInterface {
	if path.Length <= 1 {
		return packet.NewPathAttributeAsPath(nil)
	}
	extra := make([]uint32, path.Length-1)
	for i := range extra {
		extra[i] = uint32(path.ASN)
	}
	return packet.NewPathAttributeAsPath([]packet.AsPathParamInterface{
		packet.NewAs4PathParam(packet.BGP_ASPATH_ATTR_TYPE_SEQ, extra),
	})
}

func communities(set bgp.Communities) []packet.PathAttributeInterface {
	var standard []uint32
	var large []*packet.LargeCommunity
	for c := range set.All() {
		if c.Large {
			large = append(large, packet.NewLargeCommunity(c.Global, c.Data1, c.Data2))
		} else {
			standard = append(standard, c.Value())
		}
	}
	var attributes []packet.PathAttributeInterface
	if len(standard) > 0 {
		attributes = append(attributes, packet.NewPathAttributeCommunities(standard))
	}
	if len(large) > 0 {
		attributes = append(attributes, packet.NewPathAttributeLargeCommunities(large))
	}
	return attributes
}
